//! A twin of CrowdStrike Falcon: hosts and containment, alerts, custom indicators and real time response behind the
//! vendor's own OAuth2, with its envelope, limits and errors.
//!
//! Facts come from the vendor's published SDKs (falconpy, gofalcon), its Ansible module, and recorded replies in public
//! integrations. Where those leave a question open, the crate's README says what the twin does.

mod alert_document;
mod alerts;
mod auth;
mod company;
mod control;
mod devices;
mod endpoint;
mod fleet;
mod fql;
mod hosts;
mod ioc_calls;
mod iocs;
mod rtr;
mod rtr_calls;
mod service;
mod state;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::MutexGuard;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

pub use alert_document::{AlertSpec, Disposition};
pub use auth::ApiClient;
pub use company::{Company, SPAN};
pub use endpoint::{Endpoint, Scope};
pub use fleet::{Connectivity, Containment, Fleet, HostClass, HostSpec, Platform, Process};
pub use hosts::{Host, HostCalls};
pub use iocs::Ioc;
pub use rtr::Session;
pub use service::{RateLimit, RegionRedirect};
pub use state::{Settle, Vendor};

use crate::clock::{Clock, Pace};
use crate::{Error, Twin};
use alerts::AlertTable;
use auth::Auth;
use hosts::HostTable;
use iocs::IocTable;
use rtr::Rtr;
use service::Settings;
use state::{Shared, Tenant};

/// Client id of the client that [`Config::default`] knows.
pub const CLIENT_ID: &str = "twin-client-id";
/// Its secret.
pub const CLIENT_SECRET: &str = "twin-client-secret";

/// How to start a twin.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen. Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Who moves the clock.
    pub pace: Pace,
    /// What the clock shows at the start; the present when absent.
    pub start_at: Option<Timestamp>,
    /// The customer id, 32 hexadecimal digits in lower case.
    pub cid: String,
    /// Child customers that a token may be asked for with `member_cid`.
    pub member_cids: Vec<String>,
    /// The cloud named in `X-Cs-Region` on token replies; none leaves the header out. See the README before pointing the
    /// vendor's SDK at a twin that names a region.
    pub region: Option<String>,
    /// When set, token calls are answered with 308 to another cloud.
    pub region_redirect: Option<RegionRedirect>,
    /// API clients.
    pub clients: Vec<ApiClient>,
    /// How long a token lives.
    pub token_lifetime: Duration,
    /// How long things take.
    pub settle: Settle,
    /// When set, requests beyond the limit get 429.
    pub rate_limit: Option<RateLimit>,
    /// How many requests the listing keeps; zero turns it off.
    pub request_log: usize,
    /// Bytes of stdout in one `sequence_id` of a command's output.
    pub rtr_chunk: usize,
    /// Fixes every made-up id; drawn from the clock when absent.
    pub seed: Option<u64>,
    /// Hosts to start with.
    pub fleet: Fleet,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            pace: Pace::RealTime,
            start_at: None,
            cid: "0f1e2d3c4b5a69788796a5b4c3d2e1f0".into(),
            member_cids: Vec::new(),
            region: Some("us-1".into()),
            region_redirect: None,
            clients: vec![ApiClient::new(CLIENT_ID, CLIENT_SECRET)],
            token_lifetime: Duration::from_secs(1799),
            settle: Settle::default(),
            rate_limit: None,
            request_log: 4096,
            rtr_chunk: 32 * 1024,
            seed: None,
            fleet: Fleet::default(),
        }
    }
}

impl Config {
    /// For tests: only [`CrowdStrike::advance`] moves time, and everything settles at once unless told otherwise.
    pub fn manual() -> Self {
        Self {
            pace: Pace::Manual,
            settle: Settle::INSTANT,
            ..Self::default()
        }
    }

    /// The same with these hosts.
    #[must_use]
    pub fn with_fleet(mut self, fleet: Fleet) -> Self {
        self.fleet = fleet;
        self
    }

    /// The same with these delays.
    #[must_use]
    pub fn with_settle(mut self, settle: Settle) -> Self {
        self.settle = settle;
        self
    }
}

/// A running twin. Its base URL is what a client takes for the vendor's API base.
pub type CrowdStrike = Twin<Vendor>;

impl CrowdStrike {
    /// Starts a twin on the current Tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be bound, or the start time does not fit the clock.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let clock = Clock::start(config.pace, config.start_at)?;
        let auth = Auth::new(
            &config.cid,
            config.member_cids,
            config.token_lifetime,
            config.clients,
        );
        let settings = Settings {
            region: config.region,
            redirect: config.region_redirect,
            rate_limit: config.rate_limit,
            rtr_chunk: config.rtr_chunk,
            window: 0,
            used: 0,
        };
        let tenant = Tenant {
            settle: config.settle,
            hosts: HostTable::default(),
            alerts: AlertTable::default(),
            rtr: Rtr::default(),
            iocs: IocTable::default(),
        };
        let vendor = Vendor::new(config.cid, auth, settings, tenant);
        let shared = Shared::new(clock, config.seed, config.request_log, vendor);
        for host in config.fleet.hosts {
            control::add_host(&shared, host);
        }
        Self::serve(config.listen, shared).await
    }

    /// Changes how long things take from now on.
    pub fn set_settle(&self, settle: Settle) {
        self.shared.tenant().settle = settle;
    }

    // Hosts.

    /// Adds a host, or replaces the one with the same agent id, and returns the agent id.
    pub fn add_host(&self, host: HostSpec) -> String {
        control::add_host(&self.shared, host)
    }

    /// The first host with this name.
    pub fn aid_of(&self, hostname: &str) -> Option<String> {
        self.shared.tenant().hosts.aid_of(hostname)
    }

    /// A host as it stands now: containment, processes alive, and what was asked of it.
    pub fn host(&self, aid: &str) -> Option<Host> {
        let mut tenant = self.settled();
        tenant
            .hosts
            .get(aid, self.shared.clock.now_ns())
            .map(|row| row.snapshot())
    }

    /// Every host, in the order they were added.
    pub fn hosts(&self) -> Vec<Host> {
        let mut tenant = self.settled();
        tenant
            .hosts
            .all(self.shared.clock.now_ns())
            .iter()
            .map(hosts::HostRow::snapshot)
            .collect()
    }

    /// Where a host's containment stands.
    pub fn containment(&self, aid: &str) -> Option<Containment> {
        self.host(aid).map(|host| host.containment)
    }

    /// Processes alive on a host; empty for an unknown one.
    pub fn processes(&self, aid: &str) -> Vec<Process> {
        self.host(aid)
            .map(|host| host.processes)
            .unwrap_or_default()
    }

    /// Connects or disconnects a host. What waited for it proceeds once it is back, after the usual delay.
    ///
    /// # Errors
    /// When no host has this agent id.
    pub fn set_connectivity(&self, aid: &str, connectivity: Connectivity) -> Result<(), Error> {
        control::set_connectivity(&self.shared, aid, connectivity)
    }

    /// Sets where containment stands, as if somebody had done it in the vendor's console.
    ///
    /// # Errors
    /// When no host has this agent id.
    pub fn set_containment(&self, aid: &str, containment: Containment) -> Result<(), Error> {
        control::set_containment(&self.shared, aid, containment)
    }

    /// Changes anything else about a host: processes, tags, whether its response policy allows real time response.
    ///
    /// # Errors
    /// When no host has this agent id.
    pub fn change_host(&self, aid: &str, change: impl FnOnce(&mut HostSpec)) -> Result<(), Error> {
        let mut tenant = self.settled();
        let row = tenant
            .hosts
            .get(aid, self.shared.clock.now_ns())
            .ok_or_else(|| Error::UnknownHost(aid.to_owned()))?;
        change(&mut row.spec);
        Ok(())
    }

    // Alerts.

    /// Raises a detection and returns its composite id.
    ///
    /// # Errors
    /// When no host has the agent id it names.
    pub fn add_alert(&self, alert: &AlertSpec) -> Result<String, Error> {
        control::add_alert(&self.shared, alert)
    }

    /// Raises many detections.
    ///
    /// # Errors
    /// When no host has the agent id that one of them names; those before it are raised.
    pub fn add_alerts(&self, alerts: &[AlertSpec]) -> Result<(), Error> {
        alerts
            .iter()
            .try_for_each(|alert| self.add_alert(alert).map(drop))
    }

    /// Adds an alert document as it is, or replaces the one with the same `composite_id`.
    ///
    /// # Errors
    /// When it is no object or lacks `composite_id`, `cid` or a readable `updated_timestamp`.
    pub fn add_raw_alert(&self, document: Value) -> Result<String, Error> {
        let Value::Object(fields) = document else {
            return Err(Error::IncompleteAlert("composite_id"));
        };
        self.shared
            .tenant()
            .alerts
            .put(&fields)
            .map_err(Error::IncompleteAlert)
    }

    /// An alert's document.
    pub fn alert(&self, composite_id: &str) -> Option<Value> {
        self.shared
            .tenant()
            .alerts
            .get(composite_id)
            .map(|row| Value::Object(row.fields()))
    }

    /// An alert's status.
    pub fn alert_status(&self, composite_id: &str) -> Option<String> {
        self.alert(composite_id)?
            .get("status")?
            .as_str()
            .map(str::to_owned)
    }

    /// The texts of an alert's comments, oldest first.
    pub fn alert_comments(&self, composite_id: &str) -> Vec<String> {
        let alert = self.alert(composite_id).unwrap_or_default();
        let comments = alert
            .get("comments")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        comments
            .filter_map(|comment| comment.get("value")?.as_str().map(str::to_owned))
            .collect()
    }

    /// An alert's tags.
    pub fn alert_tags(&self, composite_id: &str) -> Vec<String> {
        let alert = self.alert(composite_id).unwrap_or_default();
        let tags = alert
            .get("tags")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        tags.filter_map(|tag| tag.as_str().map(str::to_owned))
            .collect()
    }

    // Indicators and sessions.

    /// Every custom indicator, oldest first.
    pub fn iocs(&self) -> Vec<Ioc> {
        self.shared.tenant().iocs.all(self.shared.clock.now_ns())
    }

    /// Adds a custom indicator, as if somebody had done it in the vendor's console, and returns its id.
    pub fn add_ioc(&self, ioc: Ioc) -> String {
        let ioc = iocs::admit(
            ioc,
            self.shared.ids.hex(4),
            "console",
            self.shared.clock.now_ns(),
        );
        let id = ioc.id.clone();
        self.shared.tenant().iocs.add(&self.shared.vendor.cid, ioc);
        id
    }

    /// Removes a custom indicator, as if somebody had done it in the vendor's console.
    pub fn remove_ioc(&self, id: &str) -> Option<Ioc> {
        self.shared.tenant().iocs.remove(id)
    }

    /// Real time response sessions that are open.
    pub fn sessions(&self) -> Vec<Session> {
        self.settled().rtr.all()
    }

    // Access.

    /// Adds an API client or replaces the one with the same id; tokens it already holds follow its new scopes.
    pub fn put_client(&self, client: ApiClient) {
        self.shared.vendor.auth.put_client(client);
    }

    /// Revokes every token.
    pub fn revoke_tokens(&self) {
        self.shared.vendor.auth.revoke_all();
    }

    /// Changes how long tokens live that are issued from now on.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.shared.vendor.auth.set_lifetime(lifetime);
    }

    /// Starts or stops refusing requests beyond a limit.
    pub fn set_rate_limit(&self, limit: Option<RateLimit>) {
        let mut settings = self.shared.settings();
        settings.rate_limit = limit;
        (settings.window, settings.used) = (0, 0);
    }

    /// Starts or stops sending token calls to another cloud.
    pub fn set_region_redirect(&self, redirect: Option<RegionRedirect>) {
        self.shared.settings().redirect = redirect;
    }

    // What came in.

    /// How many requests all vendor endpoints received.
    pub fn total_requests(&self) -> u64 {
        Endpoint::ALL
            .into_iter()
            .map(|endpoint| self.count(endpoint))
            .sum()
    }

    /// Sets every counter to zero and empties the listing. State stays.
    pub fn reset_counters(&self) {
        control::reset_counters(&self.shared);
    }

    fn settled(&self) -> MutexGuard<'_, Tenant> {
        control::settled(&self.shared)
    }
}

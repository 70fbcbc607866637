//! Control over HTTP for other processes: everything under `/_twin/`. No authentication: whoever reaches the port may
//! use it, so a twin belongs on a loopback address.

use std::sync::MutexGuard;
use std::time::Duration;

use http::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::alert_document::{self, AlertSpec, Times};
use super::auth::ApiClient;
use super::endpoint::Endpoint;
use super::fleet::{Connectivity, Containment, Fleet, HostClass, HostSpec, Process};
use super::hosts::{HostCalls, HostRow};
use super::iocs::Ioc;
use super::rtr::Session;
use super::service::{RateLimit, RegionRedirect};
use super::state::{Settle, Shared, Tenant};
use super::wire::encode;
use crate::Error;
use crate::clock::nanos;
use crate::faults::FaultRule;
use crate::http::{Reply, Request};
use crate::sync::lock;

pub(crate) fn settled(shared: &Shared) -> MutexGuard<'_, Tenant> {
    let mut tenant = shared.tenant();
    let Tenant { hosts, rtr, .. } = &mut *tenant;
    rtr.settle(hosts, shared.clock.now_ns());
    tenant
}

pub(crate) fn set_connectivity(
    shared: &Shared,
    aid: &str,
    connectivity: Connectivity,
) -> Result<(), Error> {
    let mut tenant = settled(shared);
    let (now, settle) = (shared.clock.now_ns(), tenant.settle);
    let row = tenant
        .hosts
        .get(aid, now)
        .ok_or_else(|| Error::UnknownHost(aid.to_owned()))?;
    let was_online = row.is_online();
    row.connect(connectivity, now, settle);
    if !was_online && connectivity == Connectivity::Online {
        tenant.rtr.wake(aid, now, nanos(settle.command));
    }
    Ok(())
}

pub(crate) fn set_containment(
    shared: &Shared,
    aid: &str,
    containment: Containment,
) -> Result<(), Error> {
    let mut tenant = settled(shared);
    let (now, settle) = (shared.clock.now_ns(), tenant.settle);
    let row = tenant
        .hosts
        .get(aid, now)
        .ok_or_else(|| Error::UnknownHost(aid.to_owned()))?;
    row.place(containment, now, settle);
    Ok(())
}

pub(crate) fn add_alert(shared: &Shared, alert: &AlertSpec) -> Result<String, Error> {
    let at = |time: Option<jiff::Timestamp>| {
        time.and_then(|time| i64::try_from(time.as_nanosecond()).ok())
    };
    let mut tenant = settled(shared);
    let now = shared.clock.now_ns();
    let host = tenant
        .hosts
        .get(&alert.aid, now)
        .ok_or_else(|| Error::UnknownHost(alert.aid.clone()))?;
    let created = at(alert.created_at).unwrap_or_else(|| shared.clock.stamp());
    let times = Times {
        happened: at(alert.happened_at).unwrap_or(created - 7_000_000_000),
        created,
        updated: at(alert.updated_at).unwrap_or(created),
    };
    let document = alert_document::build(alert, host, times, &shared.ids);
    tenant.alerts.put(&document).map_err(Error::IncompleteAlert)
}

pub(crate) fn reset_counters(shared: &Shared) {
    shared.log.clear();
    for row in shared.tenant().hosts.all(shared.clock.now_ns()) {
        row.calls = HostCalls::default();
    }
}

#[derive(Debug, Deserialize)]
struct Bulk {
    count: usize,
    #[serde(default = "bulk_prefix")]
    prefix: String,
    #[serde(default)]
    class: HostClass,
}

fn bulk_prefix() -> String {
    "LOAD".into()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HostChange {
    connectivity: Option<Connectivity>,
    containment: Option<Containment>,
    processes: Option<Vec<Process>>,
    tags: Option<Vec<String>>,
    rtr_enabled: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Advance {
    millis: u64,
}

/// Members left out stay as they are; the three that can be switched off are switched off by `null`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigChange {
    settle: Option<Settle>,
    token_lifetime_seconds: Option<u64>,
    #[serde(deserialize_with = "given")]
    region: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    region_redirect: Option<Option<RegionRedirect>>,
    #[serde(deserialize_with = "given")]
    rate_limit: Option<Option<RateLimit>>,
}

/// Tells a member that is `null` from one that is absent.
fn given<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// Why a control call was refused: a status and a sentence.
type Refusal = (u16, String);

fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Refusal> {
    serde_json::from_slice(&request.body).map_err(|error| (400, error.to_string()))
}

fn no_host(error: Error) -> Refusal {
    (404, error.to_string())
}

pub(crate) fn answer(shared: &Shared, request: &Request) -> Reply {
    let result = route(shared, request);
    match result {
        Ok(value) => encode(200, &value),
        Err((status, message)) => encode(status, &json!({"error": message})),
    }
}

fn route(shared: &Shared, request: &Request) -> Result<Value, Refusal> {
    let path = request.path.strip_prefix("/_twin/").unwrap_or_default();
    let mut steps = path.split('/');
    let step = (steps.next().unwrap_or_default(), steps.next(), steps.next());
    let done = || Ok(json!({"ok": true}));
    match (&request.method, step) {
        (&Method::GET, ("state", None, None)) => Ok(dump(shared)),
        (&Method::GET, ("clock", None, None)) => {
            Ok(json!({"now": shared.clock.now(), "pace": shared.clock.pace()}))
        }
        (&Method::POST, ("clock", Some("advance"), None)) => {
            shared
                .clock
                .advance(Duration::from_millis(body::<Advance>(request)?.millis));
            Ok(json!({"now": shared.clock.now()}))
        }
        (&Method::POST, ("hosts", None, None)) => {
            let spec: HostSpec = body(request)?;
            let aid =
                shared
                    .tenant()
                    .hosts
                    .put(spec, &shared.cid, shared.clock.now_ns(), &shared.ids);
            Ok(json!({"aid": aid}))
        }
        (&Method::POST, ("hosts", Some("bulk"), None)) => add_hosts(shared, &body(request)?),
        (&Method::GET, ("hosts", Some(aid), None)) => {
            let mut tenant = settled(shared);
            let found = tenant
                .hosts
                .get(aid, shared.clock.now_ns())
                .map(|row| row.snapshot());
            found
                .map(|host| json!(host))
                .ok_or_else(|| no_host(Error::UnknownHost(aid.to_owned())))
        }
        (&Method::PATCH, ("hosts", Some(aid), None)) => {
            change_host(shared, aid, body(request)?)?;
            done()
        }
        (&Method::POST, ("alerts", None, None)) => {
            let id = add_alert(shared, &body(request)?).map_err(no_host)?;
            Ok(json!({"composite_id": id}))
        }
        (&Method::POST, ("alerts", Some("raw"), None)) => {
            let stored = shared.tenant().alerts.put(&body(request)?);
            let id = stored.map_err(|member| (400, Error::IncompleteAlert(member).to_string()))?;
            Ok(json!({"composite_id": id}))
        }
        (&Method::GET, ("faults", None, None)) => Ok(json!(shared.faults.pending())),
        (&Method::POST, ("faults", None, None)) => {
            shared.faults.arm(body::<FaultRule<Endpoint>>(request)?);
            done()
        }
        (&Method::DELETE, ("faults", None, None)) => {
            shared.faults.clear();
            done()
        }
        (&Method::GET, ("requests", None, None)) => Ok(json!(shared.log.records())),
        (&Method::GET, ("counters", None, None)) => Ok(counters(shared)),
        (&Method::POST, ("counters", Some("reset"), None)) => {
            reset_counters(shared);
            done()
        }
        (&Method::POST, ("tokens", Some("revoke"), None)) => {
            shared.auth.revoke_all();
            done()
        }
        (&Method::POST, ("clients", None, None)) => {
            shared.auth.put_client(body::<ApiClient>(request)?);
            done()
        }
        (&Method::PATCH, ("config", None, None)) => {
            configure(shared, body(request)?);
            done()
        }
        _ => Err((
            404,
            format!("no control route {} {}", request.method, request.path),
        )),
    }
}

fn add_hosts(shared: &Shared, bulk: &Bulk) -> Result<Value, Refusal> {
    if bulk.count > 1_000_000 {
        return Err((400, "count must be at most 1000000".into()));
    }
    let mut tenant = shared.tenant();
    let now = shared.clock.now_ns();
    let add = |spec: HostSpec| tenant.hosts.put(spec, &shared.cid, now, &shared.ids);
    let specs = Fleet::of(bulk.count, &bulk.prefix)
        .hosts
        .into_iter()
        .map(|spec| HostSpec {
            class: bulk.class,
            ..spec
        });
    let aids: Vec<String> = specs.map(add).collect();
    Ok(json!({"aids": aids}))
}

fn change_host(shared: &Shared, aid: &str, change: HostChange) -> Result<(), Refusal> {
    if let Some(connectivity) = change.connectivity {
        set_connectivity(shared, aid, connectivity).map_err(no_host)?;
    }
    if let Some(containment) = change.containment {
        set_containment(shared, aid, containment).map_err(no_host)?;
    }
    let mut tenant = settled(shared);
    let row: &mut HostRow = tenant
        .hosts
        .get(aid, shared.clock.now_ns())
        .ok_or_else(|| no_host(Error::UnknownHost(aid.to_owned())))?;
    let spec = &mut row.spec;
    spec.rtr_enabled = change.rtr_enabled.unwrap_or(spec.rtr_enabled);
    if let Some(processes) = change.processes {
        spec.processes = processes;
    }
    if let Some(tags) = change.tags {
        spec.tags = tags;
    }
    Ok(())
}

fn configure(shared: &Shared, change: ConfigChange) {
    if let Some(settle) = change.settle {
        shared.tenant().settle = settle;
    }
    if let Some(seconds) = change.token_lifetime_seconds {
        shared.auth.set_lifetime(Duration::from_secs(seconds));
    }
    let mut settings = lock(&shared.settings);
    if let Some(region) = change.region {
        settings.region = region;
    }
    if let Some(redirect) = change.region_redirect {
        settings.redirect = redirect;
    }
    if let Some(limit) = change.rate_limit {
        settings.rate_limit = limit;
    }
}

fn counters(shared: &Shared) -> Value {
    let counts = Endpoint::ALL.into_iter().map(|endpoint| {
        (
            endpoint.name().to_owned(),
            shared.log.counted(endpoint as usize).into(),
        )
    });
    Value::Object(counts.collect())
}

/// One alert in the dump; the whole document is served by the vendor's own endpoints.
#[derive(Debug, Serialize)]
struct AlertSummary {
    composite_id: String,
    aid: Value,
    status: Value,
    severity: Value,
    tags: Value,
    comments: Value,
    updated_timestamp: Value,
}

#[derive(Debug, Serialize)]
struct Dump {
    now: jiff::Timestamp,
    pace: crate::Pace,
    cid: String,
    totals: Value,
    counters: Value,
    live_tokens: usize,
    faults: Vec<FaultRule<Endpoint>>,
    hosts: Vec<super::Host>,
    alerts: Vec<AlertSummary>,
    iocs: Vec<Ioc>,
    sessions: Vec<Session>,
}

fn dump(shared: &Shared) -> Value {
    let now = shared.clock.now_ns();
    let mut tenant = settled(shared);
    let hosts: Vec<_> = tenant
        .hosts
        .all(now)
        .iter()
        .map(HostRow::snapshot)
        .collect();
    let alerts: Vec<_> = tenant
        .alerts
        .iter()
        .map(|row| {
            let fields = row.fields();
            let member = |name: &str| fields.get(name).cloned().unwrap_or(Value::Null);
            AlertSummary {
                composite_id: row.id.clone(),
                aid: member("agent_id"),
                status: member("status"),
                severity: member("severity"),
                tags: member("tags"),
                comments: member("comments"),
                updated_timestamp: member("updated_timestamp"),
            }
        })
        .collect();
    let dump = Dump {
        now: shared.clock.now(),
        pace: shared.clock.pace(),
        cid: shared.cid.clone(),
        totals: json!({"hosts": tenant.hosts.len(), "alerts": tenant.alerts.len()}),
        counters: counters(shared),
        live_tokens: shared.auth.live_tokens(now),
        faults: shared.faults.pending(),
        hosts,
        alerts,
        iocs: tenant.iocs.all(now),
        sessions: tenant.rtr.all(),
    };
    drop(tenant);
    serde_json::to_value(dump).unwrap_or(Value::Null)
}

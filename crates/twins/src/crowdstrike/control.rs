//! What the handle and the control routes do to the account, and the twin's own control routes.

use std::sync::MutexGuard;
use std::time::Duration;

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
use crate::Error;
use crate::clock::nanos;
use crate::control::{Call, Outcome, Refusal, common, done};
use crate::faults::FaultRule;

pub(crate) fn add_host(shared: &Shared, host: HostSpec) -> String {
    let now = shared.clock.now_ns();
    let mut tenant = shared.tenant();
    tenant.hosts.put(host, &shared.vendor.cid, now, &shared.ids)
}

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

fn no_host(error: Error) -> Refusal {
    (404, error.to_string())
}

pub(crate) fn route(shared: &Shared, call: &Call<'_>) -> Outcome {
    match call.route() {
        ("GET", ["state"]) => Ok(dump(shared)),
        ("POST", ["hosts"]) => Ok(json!({"aid": add_host(shared, call.body()?)})),
        ("POST", ["hosts", "bulk"]) => add_hosts(shared, &call.body()?),
        ("GET", ["hosts", aid]) => {
            let mut tenant = settled(shared);
            let found = tenant
                .hosts
                .get(aid, shared.clock.now_ns())
                .map(|row| row.snapshot());
            found
                .map(|host| json!(host))
                .ok_or_else(|| no_host(Error::UnknownHost((*aid).to_owned())))
        }
        ("PATCH", ["hosts", aid]) => {
            change_host(shared, aid, call.body()?)?;
            done()
        }
        ("POST", ["alerts"]) => {
            let id = add_alert(shared, &call.body()?).map_err(no_host)?;
            Ok(json!({"composite_id": id}))
        }
        ("POST", ["alerts", "raw"]) => {
            let stored = shared.tenant().alerts.put(&call.body()?);
            let id = stored.map_err(|member| (400, Error::IncompleteAlert(member).to_string()))?;
            Ok(json!({"composite_id": id}))
        }
        ("GET", ["counters"]) => Ok(shared.counters()),
        ("POST", ["counters", "reset"]) => {
            reset_counters(shared);
            done()
        }
        ("POST", ["tokens", "revoke"]) => {
            shared.vendor.auth.revoke_all();
            done()
        }
        ("POST", ["clients"]) => {
            shared.vendor.auth.put_client(call.body::<ApiClient>()?);
            done()
        }
        ("PATCH", ["config"]) => {
            configure(shared, call.body()?);
            done()
        }
        _ => common(shared, call),
    }
}

fn add_hosts(shared: &Shared, bulk: &Bulk) -> Outcome {
    if bulk.count > 1_000_000 {
        return Err((400, "count must be at most 1000000".into()));
    }
    let mut tenant = shared.tenant();
    let now = shared.clock.now_ns();
    let add = |spec: HostSpec| tenant.hosts.put(spec, &shared.vendor.cid, now, &shared.ids);
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
        shared
            .vendor
            .auth
            .set_lifetime(Duration::from_secs(seconds));
    }
    let mut settings = shared.settings();
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
        cid: shared.vendor.cid.clone(),
        totals: json!({"hosts": tenant.hosts.len(), "alerts": tenant.alerts.len()}),
        counters: shared.counters(),
        live_tokens: shared.vendor.auth.live_tokens(now),
        faults: shared.faults.pending(),
        hosts,
        alerts,
        iocs: tenant.iocs.all(now),
        sessions: tenant.rtr.all(),
    };
    drop(tenant);
    serde_json::to_value(dump).unwrap_or(Value::Null)
}

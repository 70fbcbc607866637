//! What the account's logs say: sign-ins, what Trust Monitor surfaced of them, and what administrators did.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Shared;
use super::service::{Page, Refusal};
use crate::clock::{nanos, rfc3339};
use crate::http::Query;

/// One sign-in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignIn {
    /// Who; a user that exists gets its key and e-mail address into the record.
    pub username: String,
    /// `success`, `denied` or `fraud`.
    pub result: String,
    /// `user_marked_fraud`, `anomalous_push`, `no_response` and so on.
    pub reason: String,
    /// Address it came from.
    pub ip: String,
    /// Country of that address.
    pub country: String,
    /// Transaction id; made up when empty.
    pub txid: String,
}

impl SignIn {
    /// A push that its user reported as fraud.
    pub fn fraud(username: &str, ip: &str) -> Self {
        Self {
            username: username.to_owned(),
            result: "fraud".to_owned(),
            reason: "user_marked_fraud".to_owned(),
            ip: ip.to_owned(),
            country: "Elsewhere".to_owned(),
            txid: String::new(),
        }
    }

    /// The same with another outcome.
    #[must_use]
    pub fn ended(mut self, result: &str, reason: &str) -> Self {
        result.clone_into(&mut self.result);
        reason.clone_into(&mut self.reason);
        self
    }
}

/// What Trust Monitor surfaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TrustEvent {
    /// A sign-in that is not like the user's others.
    Auth {
        /// The sign-in.
        sign_in: SignIn,
        /// Whether it is one of those to look at first.
        #[serde(default)]
        priority: bool,
    },
    /// Somebody may sign in without a second factor.
    BypassStatus {
        /// Who.
        username: String,
    },
    /// A device was registered; whose is not said.
    DeviceRegistration,
}

#[derive(Debug)]
pub(crate) struct Surfaced {
    at_ms: i64,
    body: Value,
}

#[derive(Debug)]
pub(crate) struct Logged {
    at_ms: i64,
    txid: String,
    body: Value,
}

fn key_of(shared: &Shared, username: &str) -> Option<super::User> {
    super::users::named(shared, username)
}

fn record(shared: &Shared, sign_in: &SignIn, txid: &str, at: i64) -> Value {
    let user = key_of(shared, &sign_in.username).unwrap_or_default();
    let nothing = json!({"city": null, "country": null, "state": null});
    json!({
        "access_device": {
            "browser": "Firefox", "browser_version": "140.0", "epkey": null, "hostname": null,
            "ip": sign_in.ip,
            "location": {"city": "Somewhere", "country": sign_in.country, "state": ""},
            "os": "Windows", "os_version": "11",
        },
        "adaptive_trust_assessments": {},
        "alias": user.aliases.first(),
        "application": {"key": "DITWINPORTAL00000000", "name": "Corporate VPN"},
        "auth_device": {"ip": null, "key": "DPTWIN00000000000000", "location": nothing, "name": "Phone"},
        "email": (!user.email.is_empty()).then_some(user.email),
        "event_type": "authentication",
        "factor": "duo_push",
        "isotimestamp": rfc3339(at),
        "ood_software": null,
        "reason": sign_in.reason,
        "result": sign_in.result,
        "timestamp": at / 1_000_000_000,
        "trusted_endpoint_status": "unknown",
        "txid": txid,
        "user": {"groups": user.groups, "key": user.user_id, "name": sign_in.username},
    })
}

fn txid(shared: &Shared, sign_in: &SignIn) -> String {
    if sign_in.txid.is_empty() {
        shared.ids.uuid()
    } else {
        sign_in.txid.clone()
    }
}

pub(crate) fn sign_in(shared: &Shared, sign_in: &SignIn) -> String {
    let at = shared.clock.now_ns();
    let txid = txid(shared, sign_in);
    let body = record(shared, sign_in, &txid, at);
    shared.account().sign_ins.push(Logged {
        at_ms: at / 1_000_000,
        txid: txid.clone(),
        body,
    });
    txid
}

pub(crate) fn surface(shared: &Shared, event: &TrustEvent) -> String {
    let at = shared.clock.stamp();
    let at_ms = at / 1_000_000;
    let sekey = format!(
        "SE{}",
        shared
            .ids
            .hex(2)
            .to_uppercase()
            .get(..18)
            .unwrap_or_default()
    );
    let mut body = json!({
        "sekey": sekey,
        "state": "new",
        "state_updated_timestamp": null,
        "surfaced_timestamp": at_ms,
        "triage_event_uri": format!("https://admin-twin.duosecurity.com/trust-monitor?sekey={sekey}"),
        "triaged_as_interesting": false,
        "priority_event": matches!(event, TrustEvent::Auth { priority: true, .. }),
        "priority_reasons": [],
    });
    let more = match event {
        TrustEvent::Auth { sign_in, .. } => {
            let txid = txid(shared, sign_in);
            json!({
                "type": "auth",
                "explanations": [{"summary": "country code not seen before", "type": "NEW_COUNTRY_CODE"}],
                "from_common_netblock": false,
                "from_new_user": false,
                "low_risk_ip": false,
                "surfaced_auth": record(shared, sign_in, &txid, at),
            })
        }
        TrustEvent::BypassStatus { username } => {
            let user = key_of(shared, username).unwrap_or_default();
            json!({
                "type": "bypass_status",
                "bypass_status_enabled": at_ms,
                "enabled_by": {"key": "DETWIN00000000000000", "name": "Admin"},
                "enabled_for": {"key": user.user_id, "name": username},
            })
        }
        TrustEvent::DeviceRegistration => json!({
            "type": "device_registration",
            "explanations": [{"summary": "outdated operating system", "type": "REGISTER_OS_OUTDATED"}],
        }),
    };
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    shared.account().trust_events.push(Surfaced { at_ms, body });
    sekey
}

/// The span asked for. Both ends are needed, in milliseconds, and both belong to it.
fn span(query: &Query) -> Result<(i64, i64), Refusal> {
    let end = |name: &str| {
        let text = query.get(name).unwrap_or_default();
        text.parse::<i64>()
            .map_err(|_| Refusal::new(400, 40002, "Invalid request parameters").detail(name))
    };
    Ok((end("mintime")?, end("maxtime")?))
}

fn limit(query: &Query, most: usize) -> Result<usize, Refusal> {
    match query.get("limit") {
        None => Ok(most.min(100)),
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=most).contains(limit))
            .ok_or_else(|| Refusal::new(400, 40002, "Invalid request parameters").detail("limit")),
    }
}

/// `GET /admin/v1/trust_monitor/events`
pub(crate) fn trust_monitor(shared: &Shared, query: &Query) -> Result<Page, Refusal> {
    let account = shared.account();
    if !account.trust_monitor {
        return Err(Refusal::new(403, 40301, "Access forbidden"));
    }
    let (from, to) = span(query)?;
    let limit = limit(query, 200)?;
    let offset: usize = match query.get("offset") {
        None => 0,
        Some(text) => text
            .parse()
            .map_err(|_| Refusal::new(400, 40002, "Invalid request parameters").detail("offset"))?,
    };
    let kind = query.get("type");
    let matching = |event: &&Surfaced| {
        (from..=to).contains(&event.at_ms)
            && kind.is_none_or(|kind| event.body.get("type").and_then(Value::as_str) == Some(kind))
    };
    let found: Vec<&Surfaced> = account.trust_events.iter().filter(matching).collect();
    let page: Vec<&Value> = found
        .iter()
        .skip(offset)
        .take(limit)
        .map(|e| &e.body)
        .collect();
    let next = offset + page.len();
    // Absent, not null, on the last page; and a text.
    let metadata = if next < found.len() {
        json!({"next_offset": next.to_string()})
    } else {
        json!({})
    };
    Ok(Page::of(json!({"events": page, "metadata": metadata})))
}

/// `GET /admin/v2/logs/authentication`
pub(crate) fn authentication_log(shared: &Shared, query: &Query) -> Result<Page, Refusal> {
    let (from, to) = span(query)?;
    let limit = limit(query, 1000)?;
    let shown_until = (shared.clock.now_ns() - nanos(shared.vendor.log_delay)) / 1_000_000;
    let account = shared.account();
    let results = query.all("results");
    let matching = |logged: &&Logged| {
        let result = logged
            .body
            .get("result")
            .and_then(Value::as_str)
            .unwrap_or_default();
        (from..=to).contains(&logged.at_ms)
            && logged.at_ms <= shown_until
            && (results.is_empty() || results.iter().any(|wanted| wanted == result))
    };
    let mut found: Vec<&Logged> = account.sign_ins.iter().filter(matching).collect();
    found.sort_by_key(|logged| logged.at_ms);
    if query.get("sort") != Some("ts:asc") {
        found.reverse();
    }
    let total = found.len();
    let start = match query.get("next_offset").map(|text| text.split_once(',')) {
        None => 0,
        Some(Some((_, after))) => found
            .iter()
            .position(|logged| logged.txid == after)
            .map_or(total, |at| at + 1),
        Some(None) => {
            let refusal = Refusal::new(400, 40002, "Invalid request parameters");
            return Err(refusal.detail("next_offset"));
        }
    };
    let page: Vec<&&Logged> = found.iter().skip(start).take(limit).collect();
    let more = start + page.len() < total;
    let next = page
        .last()
        .filter(|_| more)
        .map(|last| json!([last.at_ms.to_string(), last.txid]));
    Ok(Page::of(json!({
        "authlogs": page.iter().map(|logged| &logged.body).collect::<Vec<_>>(),
        "metadata": {"next_offset": next, "total_objects": total},
    })))
}

/// `GET /admin/v1/logs/administrator`: this log counts in seconds.
pub(crate) fn administrator_log(shared: &Shared, query: &Query) -> Result<Page, Refusal> {
    let from: i64 = query.get("mintime").unwrap_or("0").parse().unwrap_or(0);
    let account = shared.account();
    let since = |entry: &&Value| entry.get("timestamp").and_then(Value::as_i64) >= Some(from);
    Ok(Page::of(json!(
        account.admin_log.iter().filter(since).collect::<Vec<_>>()
    )))
}

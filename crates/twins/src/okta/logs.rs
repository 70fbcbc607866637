//! The System Log: what happened, who did it, to whom; and how it is asked for.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::org::User;
use super::scim::Filter;
use super::service::{Call, Refusal};
use super::{Shared, stamp};
use crate::clock::parse_time;
use crate::http::{Reply, encode};

/// Most records of one page.
const LARGEST_PAGE: usize = 1000;

/// One record and when it can be read.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) document: Value,
    pub(crate) published: i64,
    /// Records are handed out in the order they were stored, which is not the order of what happened.
    pub(crate) stored: i64,
}

/// An event to be written to the System Log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct EventSpec {
    /// `user.session.start` and so on.
    pub event_type: String,
    /// What happened, in a few words.
    pub message: String,
    /// Login or id of the user who did it; nobody known when empty.
    pub actor: String,
    /// Login or id of the user it was done to, when that is somebody else.
    pub target: String,
    /// Risk level, as the newer events carry it: `LOW`, `MEDIUM`, `HIGH`.
    pub risk: String,
    /// Risk as older events carry it, a text such as `{reasons=Anomalous Location, level=HIGH}`.
    pub risk_text: String,
    /// Why the risk is what it is.
    pub reasons: Vec<String>,
    /// Where it came from.
    pub ip: String,
    /// Id of the transaction; made up when empty.
    pub transaction: String,
    /// How it ended: `SUCCESS`, `FAILURE` and so on.
    pub result: String,
    /// Members to lay over the document.
    pub extra: Map<String, Value>,
}

impl Default for EventSpec {
    fn default() -> Self {
        Self {
            event_type: "user.session.start".into(),
            message: "User login to Okta".into(),
            actor: String::new(),
            target: String::new(),
            risk: String::new(),
            risk_text: String::new(),
            reasons: Vec::new(),
            ip: "198.51.100.23".into(),
            transaction: String::new(),
            result: "SUCCESS".into(),
            extra: Map::new(),
        }
    }
}

impl EventSpec {
    /// A sign-in of this user at this risk.
    pub fn sign_in(login: &str, risk: &str) -> Self {
        Self {
            actor: login.to_owned(),
            risk: risk.to_owned(),
            ..Self::default()
        }
    }

    /// Something of this kind that the vendor noticed about a user.
    pub fn about(event_type: &str, login: &str) -> Self {
        Self {
            event_type: event_type.to_owned(),
            message: event_type.replace(['.', '_'], " "),
            target: login.to_owned(),
            ..Self::default()
        }
    }
}

fn person(user: &User) -> Value {
    json!({
        "id": user.id,
        "type": "User",
        "alternateId": user.login,
        "displayName": user.login.split('@').next().unwrap_or(&user.login),
        "detailEntry": null,
    })
}

fn nobody() -> Value {
    json!({
        "id": "unknown", "type": "SystemPrincipal", "alternateId": "system@okta.com",
        "displayName": "Okta System", "detailEntry": null,
    })
}

/// Writes an event and answers its uuid.
pub(crate) fn write(shared: &Shared, spec: &EventSpec) -> String {
    let now = shared.now_ns();
    let uuid = shared.ids.uuid();
    let transaction = match spec.transaction.as_str() {
        "" => shared.ids.hex(2),
        given => given.to_owned(),
    };
    let mut org = shared.org();
    let known = |who: &str| org.find(who).and_then(|at| org.users.get(at)).map(person);
    let actor = known(&spec.actor).unwrap_or_else(nobody);
    let targets: Vec<Value> = known(&spec.target).into_iter().collect();
    let risk = match spec.risk.as_str() {
        "" => Value::Null,
        level => json!({"level": level, "reasons": spec.reasons}),
    };
    let mut debug = json!({"requestId": transaction, "requestUri": "/idp/idx/identify"});
    if let Value::Object(debug) = &mut debug
        && !spec.risk_text.is_empty()
    {
        debug.insert("risk".into(), spec.risk_text.clone().into());
    }
    let mut document = json!({
        "uuid": uuid,
        "published": stamp(now),
        "eventType": spec.event_type,
        "version": "0",
        // The log level, which says nothing of how bad it is.
        "severity": "INFO",
        "legacyEventType": null,
        "displayMessage": spec.message,
        "actor": actor,
        "client": {
            "userAgent": {"rawUserAgent": "Mozilla/5.0", "os": "Windows", "browser": "FIREFOX"},
            "zone": "null", "device": "Computer", "id": null, "ipAddress": spec.ip,
            "geographicalContext": {"city": "Utrecht", "country": "Netherlands"},
        },
        "authenticationContext": {
            "authenticationStep": 0, "externalSessionId": format!("trs{transaction}"),
        },
        "securityContext": {
            "asNumber": 64500, "asOrg": "example", "isp": "example", "isProxy": false, "risk": risk,
        },
        "outcome": {"result": spec.result, "reason": null},
        "target": targets,
        "transaction": {"type": "WEB", "id": transaction, "detail": {}},
        "debugContext": {"debugData": debug},
        "request": {"ipChain": [{"ip": spec.ip, "version": "V4", "source": null}]},
    });
    if let Value::Object(document) = &mut document {
        document.extend(spec.extra.clone());
    }
    org.log.push(Record {
        document,
        published: now,
        stored: now.saturating_add(shared.settle().log_ns()),
    });
    uuid
}

/// Writes what an API call did.
pub(crate) fn record(
    shared: &Shared,
    call: &Call<'_>,
    event_type: &str,
    message: &str,
    user: &str,
) {
    write(
        shared,
        &EventSpec {
            event_type: event_type.to_owned(),
            message: message.to_owned(),
            actor: call.caller.user.clone().unwrap_or_default(),
            target: user.to_owned(),
            transaction: call.request_id.to_owned(),
            ..EventSpec::default()
        },
    );
}

/// `GET /api/v1/logs`.
pub(crate) fn list(shared: &Shared, call: &Call<'_>) -> Result<Reply, Refusal> {
    let query = call.request.query();
    let now = shared.now_ns();
    let time = |name: &str| match query.get(name) {
        None => Ok(None),
        Some(text) => parse_time(text)
            .map(Some)
            .ok_or_else(|| Refusal::invalid(&format!("{name}: The date format is not valid"))),
    };
    let (since, until) = (time("since")?, time("until")?);
    let oldest = now.saturating_sub(180 * 24 * 3600 * 1_000_000_000);
    if since.is_some_and(|since| since < oldest) {
        return Err(Refusal::invalid("since: must be within the last 180 days"));
    }
    let filter = query.get("filter").map(|text| {
        Filter::parse(text).ok_or_else(|| {
            Refusal::new(400, "E0000053", "Invalid filter").because("filter: cannot be read")
        })
    });
    let filter = filter.transpose()?;
    let limit = match query.get("limit").map(str::parse::<usize>) {
        None => 100,
        Some(Ok(limit @ 0..=LARGEST_PAGE)) => limit,
        Some(_) => return Err(Refusal::invalid("limit: must be from 0 to 1000")),
    };
    let after = match query.get("after") {
        None => None,
        Some(text) => Some(mark(text).ok_or_else(|| Refusal::invalid("after: unknown cursor"))?),
    };
    let mut found: Vec<((i64, usize), Value)> = {
        let org = shared.org();
        let stored = org.log.iter().enumerate();
        stored
            .map(|(index, record)| ((record.stored, index), record))
            .filter(|((stored, _), record)| {
                // Polling asks by when a record was stored, a bounded question by when it happened.
                let start = if until.is_some() {
                    record.published
                } else {
                    *stored
                };
                *stored <= now
                    && since.is_none_or(|since| start >= since)
                    && until.is_none_or(|until| record.published < until)
            })
            .filter(|(place, _)| after.is_none_or(|after| *place > after))
            .filter(|(_, record)| filter.as_ref().is_none_or(|f| f.holds(&record.document)))
            .map(|(place, record)| (place, record.document.clone()))
            .collect()
    };
    found.sort_by_key(|(place, _)| *place);
    if query
        .get("sortOrder")
        .is_some_and(|order| order.eq_ignore_ascii_case("DESCENDING"))
    {
        found.reverse();
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().map(|(place, _)| *place).or(after);
    let page: Vec<Value> = found.into_iter().map(|(_, document)| document).collect();
    let link = |after: Option<(i64, usize)>| {
        let mut link = String::from("/api/v1/logs?");
        let kept = call.request.query_text.split('&');
        for part in kept.filter(|part| !part.is_empty() && !part.starts_with("after=")) {
            link.push_str(part);
            link.push('&');
        }
        if let Some((stored, index)) = after {
            link.push_str(&format!("after={stored}_{index}"));
        }
        format!("{}{}", shared.origin(), link.trim_end_matches(['&', '?']))
    };
    let mut reply = encode(200, &Value::Array(page));
    reply = reply.header("link", &format!("<{}>; rel=\"self\"", link(after)));
    // Without an end there is always a next page, even after an empty one.
    if until.is_none() || more {
        // Before anything was found the place to go on from is the beginning.
        let next = last.unwrap_or((i64::MIN, 0));
        reply = reply.header("link", &format!("<{}>; rel=\"next\"", link(Some(next))));
    }
    Ok(reply)
}

fn mark(text: &str) -> Option<(i64, usize)> {
    let (stored, index) = text.split_once('_')?;
    Some((stored.parse().ok()?, index.parse().ok()?))
}

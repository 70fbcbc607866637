//! Audit events of the Reports service, newest first.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::page::page;
use super::wire::Refusal;
use crate::clock::{parse_time, rfc3339};
use crate::http::Query;

/// An event of the `login` application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoginEvent {
    /// `suspicious_login` and so on.
    pub name: String,
    /// Address of the user it is about.
    pub email: String,
    /// Where from.
    pub ip: String,
    /// When it happened; the present when absent.
    pub at: Option<jiff::Timestamp>,
    /// When it becomes visible; at once when absent.
    pub visible_at: Option<jiff::Timestamp>,
}

impl LoginEvent {
    /// A suspicious sign-in.
    pub fn suspicious(email: &str, ip: &str) -> Self {
        Self {
            name: "suspicious_login".into(),
            email: email.to_owned(),
            ip: ip.to_owned(),
            ..Self::default()
        }
    }

    /// The same, at that moment.
    #[must_use]
    pub fn at(mut self, at: jiff::Timestamp) -> Self {
        self.at = Some(at);
        self
    }
}

#[derive(Debug)]
struct Row {
    time: i64,
    visible: i64,
    name: String,
    email: String,
    document: Value,
}

/// All events.
#[derive(Debug, Default)]
pub(crate) struct Activities {
    rows: Vec<Row>,
}

impl Activities {
    pub(crate) fn add(
        &mut self,
        event: &LoginEvent,
        (profile_id, qualifier): (Option<&str>, &str),
        customer: &str,
        now: i64,
    ) {
        let ns =
            |at: Option<jiff::Timestamp>| at.and_then(|at| i64::try_from(at.as_nanosecond()).ok());
        let time = ns(event.at).unwrap_or(now);
        let mut actor = json!({"email": event.email});
        if let (Value::Object(actor), Some(id)) = (&mut actor, profile_id) {
            actor.insert("profileId".into(), id.into());
        }
        let document = json!({
            "kind": "admin#reports#activity",
            "id": {
                "time": rfc3339(time),
                "uniqueQualifier": qualifier,
                "applicationName": "login",
                "customerId": customer,
            },
            "etag": "\"twin\"",
            "actor": actor,
            "ipAddress": event.ip,
            "events": [{
                "type": "account_warning",
                "name": event.name,
                "parameters": [
                    {"name": "affected_email_address", "value": event.email},
                    {"name": "login_timestamp", "intValue": (time / 1000).to_string()},
                ],
            }],
        });
        self.rows.push(Row {
            time,
            visible: ns(event.visible_at).unwrap_or(time.min(now)),
            name: event.name.clone(),
            email: event.email.clone(),
            document,
        });
    }

    pub(crate) fn list(
        &self,
        (user, application): (&str, &str),
        query: &Query,
        now: i64,
    ) -> Result<Value, Refusal> {
        if application != "login" {
            return Err(Refusal::invalid("Invalid value for: applicationName"));
        }
        let bound = |name: &str| match query.get(name) {
            None => Ok(None),
            Some(text) => parse_time(text)
                .map(Some)
                .ok_or_else(|| Refusal::invalid(format!("Invalid value for: {name}"))),
        };
        let (from, to) = (bound("startTime")?, bound("endTime")?);
        if from.is_some_and(|from| from > to.unwrap_or(now).min(now)) {
            return Err(Refusal::invalid("Start time must be before end time"));
        }
        let name = query.get("eventName");
        let mut rows: Vec<&Row> = self
            .rows
            .iter()
            .filter(|row| row.visible <= now)
            .filter(|row| from.is_none_or(|from| row.time >= from))
            .filter(|row| to.is_none_or(|to| row.time <= to))
            .filter(|row| name.is_none_or(|name| row.name == name))
            .filter(|row| user == "all" || row.email.eq_ignore_ascii_case(user))
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.time));
        let (rows, next) = page(rows, query, "maxResults", 1000)?;
        let mut body = Map::new();
        body.insert("kind".into(), "admin#reports#activities".into());
        body.insert("etag".into(), "\"twin\"".into());
        if !rows.is_empty() {
            let items = rows.iter().map(|row| row.document.clone());
            body.insert("items".into(), items.collect());
        }
        if let Some(next) = next {
            body.insert("nextPageToken".into(), next.into());
        }
        Ok(Value::Object(body))
    }
}

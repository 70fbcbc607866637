//! Managed users of an enterprise, over SCIM.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Shared;
use super::service::Refusal;
use crate::clock::nanos;
use crate::http::{Reply, Request, encode};

/// A managed user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ManagedUser {
    /// Name at the identity provider.
    pub user_name: String,
    /// Whether the user may sign in.
    pub active: bool,
    /// `user`, `enterprise_owner` and so on.
    pub role: String,
}

impl ManagedUser {
    /// Somebody who may sign in.
    pub fn active(user_name: &str) -> Self {
        Self {
            user_name: user_name.to_owned(),
            active: true,
            role: "user".to_owned(),
        }
    }
}

/// A managed user and what became of it.
#[derive(Debug)]
pub(crate) struct Record {
    user: ManagedUser,
    id: String,
    shown: Option<(bool, i64)>,
    changes: u64,
}

impl Record {
    fn json(&self, now: i64, fresh: bool) -> Value {
        let stale = self.shown.filter(|(_, until)| !fresh && now < *until);
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": self.id,
            "externalId": format!("idp-{}", self.user.user_name),
            "userName": self.user.user_name,
            "displayName": self.user.user_name,
            "active": stale.map_or(self.user.active, |(active, _)| active),
            "emails": [{"value": self.user.user_name, "type": "work", "primary": true}],
            "roles": [{"value": self.user.role, "primary": false}],
            "meta": {"resourceType": "User"},
        })
    }
}

pub(crate) fn put(shared: &Shared, user: ManagedUser) {
    let id = shared.ids.uuid();
    let mut forge = shared.forge();
    forge
        .managed
        .retain(|other| other.user.user_name != user.user_name);
    forge.managed.push(Record {
        user,
        id,
        shown: None,
        changes: 0,
    });
}

fn with<T>(shared: &Shared, name: &str, read: impl FnOnce(&Record) -> T) -> Option<T> {
    let forge = shared.forge();
    let found = forge
        .managed
        .iter()
        .find(|record| record.user.user_name == name);
    found.map(read)
}

pub(crate) fn named(shared: &Shared, name: &str) -> Option<ManagedUser> {
    with(shared, name, |record| record.user.clone())
}

pub(crate) fn id_of(shared: &Shared, name: &str) -> Option<String> {
    with(shared, name, |record| record.id.clone())
}

pub(crate) fn changes(shared: &Shared, name: &str) -> u64 {
    with(shared, name, |record| record.changes).unwrap_or(0)
}

/// One filter of the kind `userName eq "x"`.
fn filter(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once(" eq ")?;
    let value = value.trim();
    let quote = value
        .chars()
        .next()
        .filter(|quote| matches!(quote, '"' | '\''))?;
    Some((name.trim(), value.strip_prefix(quote)?.strip_suffix(quote)?))
}

/// `GET /scim/v2/enterprises/{enterprise}/Users`
pub(crate) fn find(shared: &Shared, request: &Request) -> Result<Reply, Refusal> {
    let now = shared.clock.now_ns();
    let query = request.query();
    let asked = match query.get("filter") {
        None => None,
        Some(text) => Some(filter(text).ok_or_else(|| Refusal::scim(400, "Invalid filter"))?),
    };
    let forge = shared.forge();
    let matching = |record: &&Record| match asked {
        None => true,
        Some(("userName" | "displayName", value)) => {
            record.user.user_name.eq_ignore_ascii_case(value)
        }
        Some(("id", value)) => record.id == value,
        Some(_) => false,
    };
    let found: Vec<Value> = forge
        .managed
        .iter()
        .filter(matching)
        .map(|r| r.json(now, false))
        .collect();
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": found.len(),
        "startIndex": 1,
        "itemsPerPage": found.len(),
        "Resources": found,
    });
    Ok(encode(200, &body))
}

/// `GET /scim/v2/enterprises/{enterprise}/Users/{id}`
pub(crate) fn read(shared: &Shared, id: &str) -> Result<Reply, Refusal> {
    let now = shared.clock.now_ns();
    let forge = shared.forge();
    let record = forge.managed.iter().find(|record| record.id == id);
    let record = record.ok_or_else(|| Refusal::scim(404, "Resource not found"))?;
    Ok(encode(200, &record.json(now, false)))
}

/// `PATCH /scim/v2/enterprises/{enterprise}/Users/{id}`: only `active` is simulated.
pub(crate) fn change(shared: &Shared, request: &Request, id: &str) -> Result<Reply, Refusal> {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let operation = body.pointer("/Operations/0");
    let replaces = operation
        .and_then(|operation| operation.get("op"))
        .and_then(Value::as_str)
        .is_some_and(|op| op.eq_ignore_ascii_case("replace"));
    let path = operation
        .and_then(|operation| operation.get("path"))
        .and_then(Value::as_str);
    let value = operation.and_then(|operation| operation.get("value"));
    let active = match path {
        Some("active") => value.and_then(Value::as_bool),
        _ => value
            .and_then(|value| value.get("active"))
            .and_then(Value::as_bool),
    };
    let Some(active) = active.filter(|_| replaces) else {
        return Err(Refusal::scim(400, "Invalid operation"));
    };
    let now = shared.clock.now_ns();
    let mut forge = shared.forge();
    let settle = nanos(forge.settle);
    let record = forge.managed.iter_mut().find(|record| record.id == id);
    let record = record.ok_or_else(|| Refusal::scim(404, "Resource not found"))?;
    if record.user.active != active {
        record.shown = Some((record.user.active, now.saturating_add(settle)));
        record.user.active = active;
        record.changes += 1;
    }
    Ok(encode(200, &record.json(now, true)))
}

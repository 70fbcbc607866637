//! Users: found by name, alias or e-mail address, read, and their status changed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::service::{Page, Refusal};
use super::{Application, Shared};
use crate::clock::nanos;
use crate::http::Query;

/// Statuses that a client may set. `locked out` and `pending deletion` are the vendor's alone.
const SETTABLE: [&str; 3] = ["active", "bypass", "disabled"];

/// A user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    /// `DU…`; made up when empty.
    pub user_id: String,
    /// User name.
    pub username: String,
    /// Other names the user goes by, four at most.
    pub aliases: Vec<String>,
    /// E-mail address.
    pub email: String,
    /// Name for people.
    pub realname: String,
    /// `active`, `bypass`, `disabled`, `locked out` or `pending deletion`.
    pub status: String,
    /// Names of the groups the user is in.
    pub groups: Vec<String>,
    /// Whether a directory synchronises the user.
    pub synchronized: bool,
}

impl User {
    /// An active user with an e-mail address of the same name.
    pub fn active(username: &str) -> Self {
        Self {
            username: username.to_owned(),
            email: format!("{username}@corp.example"),
            realname: username.to_owned(),
            status: "active".to_owned(),
            ..Self::default()
        }
    }

    /// The same in another status.
    #[must_use]
    pub fn in_status(mut self, status: &str) -> Self {
        status.clone_into(&mut self.status);
        self
    }

    fn goes_by(&self, name: &str) -> bool {
        let same = |own: &String| own.eq_ignore_ascii_case(name);
        same(&self.username) || self.aliases.iter().any(same)
    }
}

/// A user and what became of it.
#[derive(Debug)]
pub(crate) struct Record {
    user: User,
    /// Status before the last change, and until when reading shows it.
    shown: (String, i64),
    changes: u64,
    created: i64,
}

impl Record {
    fn json(&self, now: i64, fresh: bool) -> Value {
        let user = &self.user;
        let stale = !fresh && now < self.shown.1;
        let status = if stale { &self.shown.0 } else { &user.status };
        let group = |name: &String| json!({"group_id": "DGTWIN00000000000000", "name": name, "desc": "", "status": "Active"});
        let mut body = json!({
            "user_id": user.user_id,
            "username": user.username,
            "email": user.email,
            "realname": user.realname,
            "status": status,
            "aliases": {},
            "groups": user.groups.iter().map(group).collect::<Vec<_>>(),
            "created": self.created / 1_000_000_000,
            "is_enrolled": true,
            "last_directory_sync": user.synchronized.then_some(self.created / 1_000_000_000),
            "last_login": null,
            "lockout_reason": null,
            "notes": "",
            "phones": [],
            "tokens": [],
            "webauthncredentials": [],
        });
        for (index, alias) in user.aliases.iter().take(4).enumerate() {
            let name = format!("alias{}", index + 1);
            if let Some(aliases) = body.get_mut("aliases").and_then(Value::as_object_mut) {
                aliases.insert(name.clone(), json!(alias));
            }
            if let Some(body) = body.as_object_mut() {
                body.insert(name, json!(alias));
            }
        }
        body
    }
}

pub(crate) fn put(shared: &Shared, mut user: User) -> String {
    if user.user_id.is_empty() {
        user.user_id = format!(
            "DU{}",
            &shared
                .ids
                .hex(2)
                .to_uppercase()
                .get(..18)
                .unwrap_or_default()
        );
    }
    let id = user.user_id.clone();
    let mut account = shared.account();
    account.users.retain(|record| record.user.user_id != id);
    account.users.push(Record {
        user,
        shown: (String::new(), 0),
        changes: 0,
        created: shared.clock.now_ns(),
    });
    id
}

pub(crate) fn named(shared: &Shared, username: &str) -> Option<User> {
    let account = shared.account();
    let found = account
        .users
        .iter()
        .find(|record| record.user.username == username);
    found.map(|record| record.user.clone())
}

pub(crate) fn changes(shared: &Shared, username: &str) -> u64 {
    let account = shared.account();
    let found = account
        .users
        .iter()
        .find(|record| record.user.username == username);
    found.map_or(0, |record| record.changes)
}

pub(crate) fn all(shared: &Shared) -> Vec<User> {
    shared
        .account()
        .users
        .iter()
        .map(|record| record.user.clone())
        .collect()
}

/// `GET /admin/v1/users`: by name or e-mail address, else a page of all.
pub(crate) fn find(shared: &Shared, query: &Query) -> Result<Page, Refusal> {
    let now = shared.clock.now_ns();
    let account = shared.account();
    let matching = account.users.iter().filter(|record| {
        let name = query.get("username");
        let mail = query.get("email");
        name.is_none_or(|name| record.user.goes_by(name))
            && mail.is_none_or(|mail| record.user.email.eq_ignore_ascii_case(mail))
    });
    let found: Vec<Value> = matching.map(|record| record.json(now, false)).collect();
    let number = |name: &str, usual: usize| match query.get(name) {
        None => Ok(usual),
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| Refusal::new(400, 40002, "Invalid request parameters").detail(name)),
    };
    let (offset, limit) = (number("offset", 0)?, number("limit", 100)?.clamp(1, 300));
    let total = found.len();
    let page: Vec<Value> = found.into_iter().skip(offset).take(limit).collect();
    let next = offset + page.len();
    let mut metadata = json!({"total_objects": total});
    if next < total
        && let Some(metadata) = metadata.as_object_mut()
    {
        metadata.insert("next_offset".to_owned(), json!(next));
    }
    Ok(Page::listed(page.into(), metadata))
}

/// `GET /admin/v1/users/{user_id}`
pub(crate) fn read(shared: &Shared, id: &str) -> Result<Page, Refusal> {
    let account = shared.account();
    let found = account
        .users
        .iter()
        .find(|record| record.user.user_id == id);
    let record = found.ok_or_else(Refusal::not_found)?;
    Ok(Page::of(record.json(shared.clock.now_ns(), false)))
}

/// `POST /admin/v1/users/{user_id}`: only the status is simulated.
pub(crate) fn modify(
    shared: &Shared,
    application: &Application,
    id: &str,
    status: Option<&str>,
) -> Result<Page, Refusal> {
    let now = shared.clock.now_ns();
    let mut account = shared.account();
    let settle = nanos(account.settle);
    let found = account
        .users
        .iter_mut()
        .find(|record| record.user.user_id == id);
    let record = found.ok_or_else(Refusal::not_found)?;
    let Some(status) = status else {
        return Ok(Page::of(record.json(now, true)));
    };
    if !SETTABLE.contains(&status) {
        let refusal = Refusal::new(400, 40002, "Invalid request parameters");
        return Err(refusal.detail("status"));
    }
    if record.user.status != status {
        let before = std::mem::replace(&mut record.user.status, status.to_owned());
        record.shown = (before, now.saturating_add(settle));
        record.changes += 1;
    }
    let reply = Page::of(record.json(now, true));
    let entry = json!({
        "action": "user_update",
        "object": record.user.username,
        // The real API writes this as JSON inside a text.
        "description": json!({"status": status}).to_string(),
        "timestamp": now / 1_000_000_000,
        "isotimestamp": crate::clock::rfc3339_seconds(now),
        "username": format!("API ({})", application.name),
    });
    account.admin_log.push(entry);
    Ok(reply)
}

//! Users, their membership in the organization, and their suspension on an Enterprise Server.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::service::{Refusal, paged};
use super::{Credential, ORGANIZATION, Shared};
use crate::clock::{nanos, rfc3339_seconds};
use crate::http::{Reply, Request, encode};

/// What a user is in the organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// `member` or `admin`.
    pub role: String,
    /// Invited, and not yet accepted.
    #[serde(default)]
    pub pending: bool,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    /// Login.
    pub login: String,
    /// `User`, `Bot` or `Organization`.
    pub r#type: String,
    /// Administers the Enterprise Server.
    pub site_admin: bool,
    /// Suspended on the Enterprise Server.
    pub suspended: bool,
    /// What the user is in the organization; nothing when not in it.
    pub membership: Option<Membership>,
}

impl Default for User {
    fn default() -> Self {
        Self {
            login: String::new(),
            r#type: "User".to_owned(),
            site_admin: false,
            suspended: false,
            membership: None,
        }
    }
}

impl User {
    /// Somebody outside the organization.
    pub fn outside(login: &str) -> Self {
        Self {
            login: login.to_owned(),
            ..Self::default()
        }
    }

    /// A member of the organization.
    pub fn member(login: &str) -> Self {
        Self {
            membership: Some(Membership {
                role: "member".to_owned(),
                pending: false,
            }),
            ..Self::outside(login)
        }
    }

    /// An owner of the organization.
    pub fn owner(login: &str) -> Self {
        Self {
            site_admin: true,
            membership: Some(Membership {
                role: "admin".to_owned(),
                pending: false,
            }),
            ..Self::outside(login)
        }
    }
}

/// A user and what became of it.
#[derive(Debug)]
pub(crate) struct Record {
    user: User,
    id: u64,
    /// What reading shows, and until when.
    shown: Option<(User, i64)>,
    /// When an invitation is accepted.
    accepts_at: Option<i64>,
    suspended_at: i64,
    changes: u64,
}

impl Record {
    /// Lets what is due happen.
    fn settle(&mut self, now: i64) {
        if self.shown.as_ref().is_some_and(|(_, until)| now >= *until) {
            self.shown = None;
        }
        if self.accepts_at.is_some_and(|at| now >= at) {
            self.accepts_at = None;
            if let Some(membership) = &mut self.user.membership {
                membership.pending = false;
            }
        }
    }

    fn seen(&self) -> &User {
        self.shown.as_ref().map_or(&self.user, |(user, _)| user)
    }

    fn is(&self, who: &str) -> bool {
        self.user.login.eq_ignore_ascii_case(who) || self.id.to_string() == who
    }

    /// Changes the user, and shows what it was until then.
    fn change(&mut self, now: i64, settle: i64, change: impl FnOnce(&mut User)) {
        let before = self.user.clone();
        change(&mut self.user);
        if self.user != before {
            self.changes += 1;
            self.shown = (settle > 0).then_some((before, now.saturating_add(settle)));
        }
    }
}

pub(crate) fn put(shared: &Shared, user: User) -> u64 {
    let id = 1_000_000 + shared.ids.number() % 90_000_000;
    let mut forge = shared.forge();
    forge
        .users
        .retain(|other| !other.user.login.eq_ignore_ascii_case(&user.login));
    forge.users.push(Record {
        user,
        id,
        shown: None,
        accepts_at: None,
        suspended_at: 0,
        changes: 0,
    });
    id
}

fn with<T>(shared: &Shared, login: &str, read: impl FnOnce(&Record) -> T) -> Option<T> {
    let forge = shared.forge();
    forge.users.iter().find(|record| record.is(login)).map(read)
}

pub(crate) fn named(shared: &Shared, login: &str) -> Option<User> {
    with(shared, login, |record| record.user.clone())
}

pub(crate) fn id_of(shared: &Shared, login: &str) -> Option<u64> {
    with(shared, login, |record| record.id)
}

pub(crate) fn changes(shared: &Shared, login: &str) -> u64 {
    with(shared, login, |record| record.changes).unwrap_or(0)
}

fn simple(record: &Record) -> Value {
    let user = record.seen();
    json!({
        "login": user.login,
        "id": record.id,
        "node_id": format!("U_twin{}", record.id),
        "type": user.r#type,
        "site_admin": user.site_admin,
        "html_url": format!("https://github.com/{}", user.login),
    })
}

/// `GET /user`: an installation is nobody.
pub(crate) fn own(shared: &Shared, caller: &Credential) -> Result<Reply, Refusal> {
    let refusal = || Refusal::new(403, "Resource not accessible by integration");
    let login = caller.login.as_deref().ok_or_else(refusal)?;
    let found = with(shared, login, simple).ok_or_else(Refusal::not_found)?;
    Ok(encode(200, &found))
}

/// `GET /users/{login}` and `GET /user/{id}`. Whether a user is suspended is for site administrators to see.
pub(crate) fn read(shared: &Shared, who: &str, site_admin: bool) -> Result<Reply, Refusal> {
    let now = shared.clock.now_ns();
    let mut forge = shared.forge();
    let record = forge.users.iter_mut().find(|record| record.is(who));
    let record = record.ok_or_else(Refusal::not_found)?;
    record.settle(now);
    let mut body = simple(record);
    if let (true, Some(body)) = (site_admin, body.as_object_mut()) {
        let at = record
            .seen()
            .suspended
            .then(|| rfc3339_seconds(record.suspended_at));
        body.insert("suspended_at".to_owned(), json!(at));
    }
    Ok(encode(200, &body))
}

fn membership(record: &Record, membership: &Membership) -> Value {
    json!({
        "url": format!("https://api.github.com/orgs/{ORGANIZATION}/memberships/{}", record.user.login),
        "state": if membership.pending { "pending" } else { "active" },
        "role": membership.role,
        "organization": {"login": ORGANIZATION},
        "user": simple(record),
    })
}

/// `GET /orgs/{org}/memberships/{login}`
pub(crate) fn read_membership(shared: &Shared, who: &str) -> Result<Reply, Refusal> {
    let now = shared.clock.now_ns();
    let mut forge = shared.forge();
    let record = forge.users.iter_mut().find(|record| record.is(who));
    let record = record.ok_or_else(Refusal::not_found)?;
    record.settle(now);
    let held = record
        .seen()
        .membership
        .clone()
        .ok_or_else(Refusal::not_found)?;
    Ok(encode(200, &membership(record, &held)))
}

/// `PUT /orgs/{org}/memberships/{login}`: invites, or changes the role of who is in already.
pub(crate) fn set_membership(
    shared: &Shared,
    request: &Request,
    who: &str,
) -> Result<Reply, Refusal> {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let role = body.get("role").and_then(Value::as_str).unwrap_or("member");
    if !matches!(role, "member" | "admin") {
        return Err(Refusal::new(422, "Validation Failed"));
    }
    let now = shared.clock.now_ns();
    let mut forge = shared.forge();
    let (settle, accepts_after) = (nanos(forge.settle), forge.accepts_after);
    let record = forge.users.iter_mut().find(|record| record.is(who));
    let record = record.ok_or_else(Refusal::not_found)?;
    record.settle(now);
    let pending = record
        .user
        .membership
        .as_ref()
        .is_none_or(|held| held.pending);
    let held = Membership {
        role: role.to_owned(),
        pending,
    };
    let fresh = record.user.membership.is_none();
    record.change(now, settle, |user| user.membership = Some(held.clone()));
    if fresh {
        record.accepts_at = accepts_after.map(|after| now.saturating_add(nanos(after)));
    }
    Ok(encode(200, &membership(record, &held)))
}

/// `DELETE /orgs/{org}/memberships/{login}`: removes, or takes an invitation back.
pub(crate) fn remove_membership(shared: &Shared, who: &str) -> Result<Reply, Refusal> {
    let now = shared.clock.now_ns();
    let mut forge = shared.forge();
    let settle = nanos(forge.settle);
    let owner = |record: &Record| {
        let held = record.user.membership.as_ref();
        held.is_some_and(|held| held.role == "admin" && !held.pending)
    };
    let owners = forge.users.iter().filter(|record| owner(record)).count();
    let record = forge.users.iter_mut().find(|record| record.is(who));
    let record = record.ok_or_else(Refusal::not_found)?;
    record.settle(now);
    if record.user.membership.is_none() {
        return Err(Refusal::not_found());
    }
    if owners == 1 && owner(record) {
        return Err(Refusal::new(
            403,
            "You can't remove the last owner of an organization.",
        ));
    }
    record.accepts_at = None;
    record.change(now, settle, |user| user.membership = None);
    Ok(Reply::json(204, ""))
}

/// `GET /orgs/{org}/members`
pub(crate) fn members(shared: &Shared, request: &Request) -> Result<Reply, Refusal> {
    let now = shared.clock.now_ns();
    let query = request.query();
    let role = query.get("role").unwrap_or("all").to_owned();
    let mut forge = shared.forge();
    let mut found = Vec::new();
    for record in &mut forge.users {
        record.settle(now);
        let held = record
            .seen()
            .membership
            .as_ref()
            .filter(|held| !held.pending);
        if held.is_some_and(|held| role == "all" || held.role == role) {
            found.push(simple(record));
        }
    }
    paged(request, &found)
}

/// `PUT` and `DELETE /users/{login}/suspended`
pub(crate) fn suspend(
    shared: &Shared,
    caller: &Credential,
    who: &str,
    suspended: bool,
) -> Result<Reply, Refusal> {
    let now = shared.clock.now_ns();
    let mut forge = shared.forge();
    let settle = nanos(forge.settle);
    let record = forge.users.iter_mut().find(|record| record.is(who));
    let record = record.ok_or_else(Refusal::not_found)?;
    record.settle(now);
    if caller
        .login
        .as_deref()
        .is_some_and(|login| record.is(login))
    {
        return Err(Refusal::new(403, "You cannot suspend yourself."));
    }
    record.suspended_at = now;
    record.change(now, settle, |user| user.suspended = suspended);
    Ok(Reply::json(204, ""))
}

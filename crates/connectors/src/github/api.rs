//! Requests, and what GitHub's errors mean.

use std::time::Duration;

use jiff::Timestamp;
use quell_connector::http::{
    Body, Complaint, Dialect, HeaderMap, HeaderName, HeaderValue, Method, Plane, Quota, Repeat,
    Reply, Request, encode, epoch_or_delta_seconds,
};
use quell_connector::{Call, Kind, Result};
use serde_json::Value;

use super::config::Place;
use super::wire::Failure;

pub(super) const INSTALLATION_TOKEN: &str = "app.installation_token";
pub(super) const OWN_USER: &str = "user.own";
pub(super) const USER_READ: &str = "users.read";
pub(super) const MEMBERSHIP_READ: &str = "memberships.read";
pub(super) const MEMBERSHIP_SET: &str = "memberships.set";
pub(super) const MEMBERSHIP_REMOVE: &str = "memberships.remove";
pub(super) const OWNERS: &str = "members.owners";
pub(super) const SUSPEND: &str = "users.suspend";
pub(super) const UNSUSPEND: &str = "users.unsuspend";
pub(super) const MANAGED_FIND: &str = "scim.find";
pub(super) const MANAGED_READ: &str = "scim.read";
pub(super) const MANAGED_CHANGE: &str = "scim.change";
pub(super) const SECRETS: &str = "secret_scanning.list";

/// Permission of an App or a fine-grained token; `admin:org` of a classic one.
pub(super) const MEMBERS: &str = "Members: write";
/// Scope of a classic token of an Enterprise Server's administrator.
pub(super) const SITE_ADMIN: &str = "site_admin";
/// Scope of a classic token, of the enterprise's setup user best.
pub(super) const SCIM: &str = "scim:enterprise";
/// Permission of an App or a fine-grained token; `security_events` of a classic one.
pub(super) const SECRET_ALERTS: &str = "Secret scanning alerts: read";

/// The permission an operation needs.
pub(super) fn needs(operation: &str) -> Option<&'static str> {
    Some(match operation {
        MEMBERSHIP_READ | MEMBERSHIP_SET | MEMBERSHIP_REMOVE | OWNERS => MEMBERS,
        SUSPEND | UNSUSPEND => SITE_ADMIN,
        MANAGED_FIND | MANAGED_READ | MANAGED_CHANGE => SCIM,
        SECRETS => SECRET_ALERTS,
        _ => return None,
    })
}

/// How GitHub speaks HTTP. Its primary limit is 5000 requests an hour; writes go one after another.
pub(super) const DIALECT: Dialect = Dialect {
    request_id: "x-github-request-id",
    retry_after,
    complaint,
    quotas: &[Quota {
        bucket: "default",
        per_minute: 80,
        burst: 20,
    }],
    concurrency: 4,
};

const REMAINING: &str = "x-ratelimit-remaining";

fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let used_up = headers.get(REMAINING).is_some_and(|left| left == "0");
    epoch_or_delta_seconds(headers, "retry-after", now)
        .or_else(|| used_up.then(|| epoch_or_delta_seconds(headers, "x-ratelimit-reset", now))?)
}

fn complaint(reply: &Reply) -> Option<Complaint> {
    let failure: Failure = reply.json().unwrap_or_default();
    let words = failure
        .message
        .line()
        .or_else(|| failure.detail.line())
        .unwrap_or_default();
    let mut complaint = Complaint {
        kind: None,
        code: None,
        words,
    };
    if reply.status.as_u16() != 403 {
        return Some(complaint);
    }
    // GitHub throttles with 403 as well. Its headers tell; one limit has none and says it in words.
    let throttled = reply.headers.contains_key("retry-after")
        || reply.header(REMAINING) == Some("0")
        || complaint.words.contains("rate limit");
    if throttled {
        complaint.kind = Some(Kind::RateLimited);
    } else if reply.headers.contains_key("x-github-sso") {
        complaint.words = "the token is not authorised for the organization's single sign-on; authorise it on the page of your tokens".to_owned();
    } else if let Some(needed) = needs(reply.operation) {
        complaint.words = format!("the credentials lack `{needed}` ({})", complaint.words);
    }
    Some(complaint)
}

const ACCEPT: HeaderValue = HeaderValue::from_static("application/vnd.github+json");
const VERSION: HeaderValue = HeaderValue::from_static("2022-11-28");

/// A request with the headers that every one of them has.
pub(super) fn request(
    operation: &'static str,
    method: Method,
    path: String,
    body: Option<&Value>,
    repeat: Repeat,
) -> Request {
    let body = body.map_or(Body::Empty, |body| Body::Json(body.to_string().into()));
    Request::new(operation, method, path, body, repeat)
        .header(HeaderName::from_static("accept"), ACCEPT)
        .header(HeaderName::from_static("x-github-api-version"), VERSION)
}

/// Reaches one organization, server or enterprise.
pub(super) struct Api {
    pub(super) plane: Plane,
    prefix: &'static str,
    organization: String,
    enterprise: String,
}

impl Api {
    pub(super) fn new(plane: Plane, place: &Place) -> Self {
        Self {
            plane,
            prefix: place.prefix,
            organization: place.organization.clone().unwrap_or_default(),
            enterprise: place.enterprise.clone().unwrap_or_default(),
        }
    }

    fn path(&self, parts: &[&str]) -> String {
        let mut path = self.prefix.to_owned();
        for part in parts {
            path.push('/');
            encode(&mut path, part);
        }
        path
    }

    pub(super) fn get(&self, operation: &'static str, parts: &[&str]) -> Request {
        request(operation, Method::GET, self.path(parts), None, Repeat::Read)
    }

    fn write(
        &self,
        operation: &'static str,
        method: Method,
        parts: &[&str],
        body: Option<&Value>,
    ) -> Request {
        request(
            operation,
            method,
            self.path(parts),
            body,
            Repeat::Idempotent,
        )
    }

    pub(super) async fn send(&self, cx: &Call, request: Request) -> Result<Reply> {
        self.plane.send(cx, request).await
    }

    /// The token's own user; an App has none and is refused.
    pub(super) fn own_user(&self) -> Request {
        self.get(OWN_USER, &["user"])
    }

    pub(super) fn user_by_id(&self, id: &str) -> Request {
        self.get(USER_READ, &["user", id])
    }

    pub(super) fn user_by_login(&self, login: &str) -> Request {
        self.get(USER_READ, &["users", login])
    }

    pub(super) fn membership(&self, login: &str) -> Request {
        self.get(
            MEMBERSHIP_READ,
            &["orgs", &self.organization, "memberships", login],
        )
    }

    pub(super) fn invite(&self, login: &str, body: &Value) -> Request {
        let parts = ["orgs", &self.organization, "memberships", login];
        self.write(MEMBERSHIP_SET, Method::PUT, &parts, Some(body))
    }

    pub(super) fn remove(&self, login: &str) -> Request {
        let parts = ["orgs", &self.organization, "memberships", login];
        self.write(MEMBERSHIP_REMOVE, Method::DELETE, &parts, None)
    }

    pub(super) fn owners(&self) -> Request {
        self.get(OWNERS, &["orgs", &self.organization, "members"])
            .query("role", "admin")
            .query("per_page", "100")
    }

    pub(super) fn suspend(&self, login: &str, body: &Value) -> Request {
        self.write(
            SUSPEND,
            Method::PUT,
            &["users", login, "suspended"],
            Some(body),
        )
    }

    pub(super) fn unsuspend(&self, login: &str) -> Request {
        self.write(
            UNSUSPEND,
            Method::DELETE,
            &["users", login, "suspended"],
            None,
        )
    }

    fn scim<'a>(&'a self, id: Option<&'a str>) -> Vec<&'a str> {
        let mut parts = vec!["scim", "v2", "enterprises", &self.enterprise, "Users"];
        parts.extend(id);
        parts
    }

    pub(super) fn managed_by_name(&self, name: &str) -> Request {
        let filter = format!("userName eq \"{name}\"");
        self.get(MANAGED_FIND, &self.scim(None))
            .query("filter", &filter)
    }

    pub(super) fn managed_by_id(&self, id: &str) -> Request {
        self.get(MANAGED_READ, &self.scim(Some(id)))
    }

    pub(super) fn change_managed(&self, id: &str, body: &Value) -> Request {
        self.write(
            MANAGED_CHANGE,
            Method::PATCH,
            &self.scim(Some(id)),
            Some(body),
        )
    }

    /// Newest change first. The secrets themselves stay hidden.
    pub(super) fn secrets(&self, page_size: u16, after: Option<&str>) -> Request {
        let request = self
            .get(
                SECRETS,
                &["orgs", &self.organization, "secret-scanning", "alerts"],
            )
            .query("sort", "updated")
            .query("direction", "desc")
            .query("hide_secret", "true")
            .query("per_page", &page_size.to_string());
        match after {
            Some(after) => request.query("after", after),
            None => request,
        }
    }
}

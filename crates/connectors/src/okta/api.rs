//! One function per endpoint: the request, what may be repeated, and how its reply is decoded.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use quell_connector::http::{
    Body, Complaint, Dialect, HeaderMap, Method, Plane, Quota, Repeat, Reply, Request, SIGN_IN,
    Url, encode, epoch_or_delta_seconds,
};
use quell_connector::{Call, Error, Kind, Result};
use quell_model::Secret;
use serde_json::value::RawValue;

use super::wire::{self, ApiError};

pub(super) const USERS_READ: &str = "okta.users.read";
pub(super) const USERS_MANAGE: &str = "okta.users.manage";
pub(super) const ROLES_READ: &str = "okta.roles.read";
pub(super) const LOGS_READ: &str = "okta.logs.read";
/// What a service app asks for.
pub(super) const SCOPES: [&str; 4] = [USERS_READ, USERS_MANAGE, ROLES_READ, LOGS_READ];

pub(super) const USER_READ: &str = "users.read";
pub(super) const USER_SEARCH: &str = "users.search";
pub(super) const SUSPEND: &str = "users.suspend";
pub(super) const UNSUSPEND: &str = "users.unsuspend";
pub(super) const SESSIONS_CLEAR: &str = "users.clear_sessions";
pub(super) const PASSWORD_REPLACE: &str = "users.replace_password";
pub(super) const ROLES: &str = "roles.read";
pub(super) const ASSIGNEES: &str = "roles.assignees";
pub(super) const LOGS: &str = "logs.read";

/// The scope an operation needs.
pub(super) fn needs(operation: &str) -> Option<&'static str> {
    Some(match operation {
        USER_READ | USER_SEARCH => USERS_READ,
        SUSPEND | UNSUSPEND | SESSIONS_CLEAR | PASSWORD_REPLACE => USERS_MANAGE,
        ROLES | ASSIGNEES => ROLES_READ,
        LOGS => LOGS_READ,
        _ => return None,
    })
}

/// How Okta speaks HTTP. One token may use half of an organization's rate.
pub(super) const DIALECT: Dialect = Dialect {
    request_id: "x-okta-request-id",
    retry_after,
    complaint,
    quotas: &[
        Quota {
            bucket: "default",
            per_minute: 300,
            burst: 50,
        },
        Quota {
            bucket: LOGS,
            per_minute: 60,
            burst: 10,
        },
        Quota {
            bucket: SIGN_IN,
            per_minute: 60,
            burst: 10,
        },
    ],
    concurrency: 8,
};

/// Okta says when the rate begins anew, on its own clock, and gives that clock's time with each reply.
/// Every reply says so: only where nothing is left of the rate is it how long to wait.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let left = headers.get("x-rate-limit-remaining");
    if left.is_some_and(|left| left.as_bytes() != b"0") {
        return None;
    }
    let theirs = date(headers).unwrap_or(now);
    let wait = epoch_or_delta_seconds(headers, "x-rate-limit-reset", theirs)?;
    // The moment is in whole seconds, and the reply was on its way for some of the last.
    Some(wait + Duration::from_secs(1))
}

/// The vendor's time when it replied, in whole seconds.
fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get("date")?.to_str().ok()?;
    DateTimeParser::new().parse_timestamp(text).ok()
}

fn complaint(reply: &Reply) -> Option<Complaint> {
    let said: ApiError = reply.json().unwrap_or_default();
    let code = said.error_code.raw().map(str::to_owned);
    let words = words(&said);
    let told = |kind, words| {
        Some(Complaint {
            kind,
            code: code.clone(),
            words,
        })
    };
    match (reply.status.as_u16(), code.as_deref()) {
        // What an organization has not bought says 401, and no other token would help.
        (401, Some("E0000015")) => told(Some(Kind::Unsupported), words),
        (403, Some("E0000014" | "E0000016" | "E0000038" | "E0000080")) => {
            told(Some(Kind::VendorRejected), words)
        }
        (403, _) => match needs(reply.operation) {
            Some(scope) if lacks_scope(reply) => told(
                Some(Kind::PermissionMissing),
                format!("the app lacks the scope `{scope}`"),
            ),
            Some(scope) => {
                let words = format!(
                    "Okta does not allow this; it needs `{scope}` and an administrator role that covers the account"
                );
                told(Some(Kind::PermissionMissing), words)
            }
            None => told(None, words),
        },
        _ => told(None, words),
    }
}

fn lacks_scope(reply: &Reply) -> bool {
    let header = reply.header("www-authenticate");
    header.is_some_and(|text| text.contains("insufficient_scope"))
}

/// The vendor's sentences, cut to what fits an error.
fn words(error: &ApiError) -> String {
    let cause = error
        .error_causes
        .iter()
        .find_map(|cause| cause.error_summary.line());
    let mut words = match (error.error_summary.line(), cause) {
        (Some(summary), Some(cause)) => format!("{summary}: {cause}"),
        (summary, cause) => summary.or(cause).unwrap_or_default(),
    };
    if words.chars().count() > 200 {
        words = words.chars().take(199).chain(['…']).collect();
    }
    words
}

/// An error that came with a status of success; nothing was applied.
fn inside(reply: &Reply) -> Result<()> {
    let said: ApiError = reply.json().unwrap_or_default();
    match said.error_code.raw() {
        Some(code) => Err(
            Error::new(Kind::VendorRejected, reply.operation, words(&said))
                .code(code)
                .request_id(reply.request_id.clone()),
        ),
        None => Ok(()),
    }
}

fn path(before: &str, id: &str, after: &str) -> String {
    let mut path = before.to_owned();
    encode(&mut path, id);
    path.push_str(after);
    path
}

/// A user's record, and the vendor's time when it was read: the System Log is asked by that clock.
pub(super) async fn read_user(
    plane: &Plane,
    cx: &Call,
    id: &str,
) -> Result<(wire::User, Timestamp)> {
    let request = Request::get(USER_READ, path("/api/v1/users/", id, ""));
    let reply = plane.send(cx, request).await?;
    let now = cx.clock().now();
    let earlier = now.checked_sub(jiff::SignedDuration::from_mins(2));
    let at = date(&reply.headers).unwrap_or_else(|| earlier.unwrap_or(now));
    Ok((reply.json()?, at))
}

/// Users whose login or mail address is this; more than one is one too many.
pub(super) async fn search_users(
    plane: &Plane,
    cx: &Call,
    principal: &str,
) -> Result<Vec<wire::User>> {
    let value = principal.replace('\\', "\\\\").replace('"', "\\\"");
    let search = format!("profile.login eq \"{value}\" or profile.email eq \"{value}\"");
    let request = Request::get(USER_SEARCH, "/api/v1/users")
        .query("search", &search)
        .query("limit", "3");
    plane.send(cx, request).await?.json()
}

/// Roles of a user.
pub(super) async fn user_roles(plane: &Plane, cx: &Call, id: &str) -> Result<Vec<wire::Role>> {
    let request = Request::get(ROLES, path("/api/v1/users/", id, "/roles"));
    plane.send(cx, request).await?.json()
}

/// Roles of a service app.
pub(super) async fn app_roles(plane: &Plane, cx: &Call, client: &str) -> Result<Vec<wire::Role>> {
    let request = Request::get(ROLES, path("/oauth2/v1/clients/", client, "/roles"));
    plane.send(cx, request).await?.json()
}

/// A page of users with administrator roles, and the mark of the next.
pub(super) async fn assignees(
    plane: &Plane,
    cx: &Call,
    after: Option<&str>,
) -> Result<(Vec<String>, Option<String>)> {
    let mut request = Request::get(ASSIGNEES, "/api/v1/iam/assignees/users").query("limit", "100");
    if let Some(after) = after {
        request = request.query("after", after);
    }
    let page: wire::Assignees = plane.send(cx, request).await?.json()?;
    let ids = page
        .value
        .iter()
        .filter_map(|user| user.id.raw().map(str::to_owned));
    let next = page
        .links
        .next
        .href
        .raw()
        .and_then(|href| href.parse::<Url>().ok());
    let mark = next.and_then(|url| {
        let mut pairs = url.query_pairs();
        pairs
            .find(|(name, _)| name == "after")
            .map(|(_, mark)| mark.into_owned())
    });
    Ok((ids.collect(), mark))
}

/// Suspends or unsuspends a user. A 400 is handed back: only the user's state tells what it means.
pub(super) async fn change_life(
    plane: &Plane,
    cx: &Call,
    operation: &'static str,
    id: &str,
) -> Result<Reply> {
    let verb = match operation {
        SUSPEND => "/lifecycle/suspend",
        _ => "/lifecycle/unsuspend",
    };
    let path = path("/api/v1/users/", id, verb);
    let request = Request::new(
        operation,
        Method::POST,
        path,
        Body::Empty,
        Repeat::Idempotent,
    );
    let reply = plane.send(cx, request.answers(&[400])).await?;
    if reply.status.is_success() {
        inside(&reply)?;
    }
    Ok(reply)
}

/// What a 400 that was handed back says.
pub(super) fn refusal(reply: &Reply) -> Error {
    let said: ApiError = reply.json().unwrap_or_default();
    Error::new(Kind::VendorRejected, reply.operation, words(&said))
        .code(said.error_code.raw().unwrap_or("400"))
        .request_id(reply.request_id.clone())
}

/// Ends a user's sessions, takes their OAuth tokens back and forgets their devices. What is forgotten
/// by default differs from one edition of Okta to the other, so it is always said.
pub(super) async fn clear_sessions(plane: &Plane, cx: &Call, id: &str) -> Result<Reply> {
    let query = "/sessions?oauthTokens=true&forgetDevices=true";
    let path = path("/api/v1/users/", id, query);
    let request = Request::new(
        SESSIONS_CLEAR,
        Method::DELETE,
        path,
        Body::Empty,
        Repeat::Once,
    );
    let reply = plane.send(cx, request).await?;
    inside(&reply)?;
    Ok(reply)
}

/// Replaces a password by a temporary one that Okta makes up, and ends the sessions.
pub(super) async fn replace_password(
    plane: &Plane,
    cx: &Call,
    id: &str,
) -> Result<(Secret, Option<String>)> {
    let query = "/lifecycle/expire_password_with_temp_password?revokeSessions=true";
    let path = path("/api/v1/users/", id, query);
    let request = Request::new(
        PASSWORD_REPLACE,
        Method::POST,
        path,
        Body::Empty,
        Repeat::Once,
    );
    let reply = plane.send(cx, request).await?;
    inside(&reply)?;
    let made: Option<wire::TemporaryPassword> = reply.json().ok();
    let password = made
        .and_then(|made| made.temp_password)
        .filter(|text| !text.is_empty());
    let password = password.ok_or_else(|| {
        // The status said yes, so the old password may be gone.
        let detail = "the vendor's reply holds no temporary password";
        Error::new(Kind::MaybeApplied, PASSWORD_REPLACE, detail)
            .request_id(reply.request_id.clone())
    })?;
    Ok((Secret::new(password), reply.request_id))
}

/// Records since `since` that say somebody's sessions were ended.
pub(super) async fn session_clears(
    plane: &Plane,
    cx: &Call,
    id: &str,
    since: Timestamp,
) -> Result<Vec<wire::Proof>> {
    // The id was checked to be letters and digits.
    let filter = format!("eventType eq \"user.session.clear\" and target.id eq \"{id}\"");
    let request = Request::get(LOGS, "/api/v1/logs")
        .query("since", &format!("{since:.3}"))
        .query("sortOrder", "ASCENDING")
        .query("limit", "20")
        .query("filter", &filter)
        .bucket(LOGS);
    plane.send(cx, request).await?.json()
}

/// A page of whole documents is larger than any other reply.
const PAGE_LIMIT: usize = 64 << 20;

/// A page of the System Log, and where the next one is, if the vendor says so.
pub(super) async fn read_log(
    plane: &Plane,
    cx: &Call,
    path: String,
) -> Result<(Vec<Box<RawValue>>, Option<String>)> {
    let request = Request::get(LOGS, path)
        .bucket(LOGS)
        .reply_limit(PAGE_LIMIT);
    let reply = plane.send(cx, request).await?;
    let next = next_link(&reply.headers);
    Ok((reply.json()?, next))
}

/// The first page of the System Log from a moment on. Without an end Okta hands records out in the
/// order they were stored, so that none that is late is missed.
pub(super) fn log_from(since: Timestamp, limit: u16, filter: &str) -> String {
    Request::get(LOGS, "/api/v1/logs")
        .query("since", &format!("{since:.3}"))
        .query("sortOrder", "ASCENDING")
        .query("limit", &limit.to_string())
        .query("filter", filter)
        .path
}

/// The address with `rel="next"` among the `Link` headers, of which there may be several.
fn next_link(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all("link")
        .iter()
        .filter_map(|value| value.to_str().ok())
        // A comma inside an address is encoded, and one between links is followed by `<`.
        .flat_map(|value| value.split(", <"))
        .find_map(|link| {
            let (address, parameters) = link.trim_start_matches('<').split_once('>')?;
            parameters
                .split(';')
                .any(|part| matches!(part.trim(), "rel=\"next\"" | "rel=next"))
                .then(|| address.to_owned())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_several_links() {
        let found = |links: &[&str]| {
            let mut headers = HeaderMap::new();
            for link in links {
                headers.append("link", link.parse().unwrap());
            }
            next_link(&headers)
        };
        let (this, next) = (
            "<https://a/x?n=1>; rel=\"self\"",
            "<https://a/x?n=2>; rel=\"next\"",
        );
        let expected = Some("https://a/x?n=2".to_owned());
        assert_eq!(found(&[this, next]), expected);
        assert_eq!(found(&[&format!("{this}, {next}")]), expected);
        assert_eq!(found(&[this]), None);
        assert_eq!(found(&["nonsense"]), None);
    }

    #[test]
    fn the_wait_goes_by_the_vendor_s_clock() {
        let mut headers = HeaderMap::new();
        headers.insert("x-rate-limit-reset", "1800000030".parse().unwrap());
        let now = Timestamp::from_second(1_800_000_025).unwrap();
        assert_eq!(retry_after(&headers, now), Some(Duration::from_secs(6)));
        headers.insert("date", "Fri, 15 Jan 2027 08:00:20 GMT".parse().unwrap());
        assert_eq!(retry_after(&headers, now), Some(Duration::from_secs(11)));
        headers.insert("x-rate-limit-remaining", "0".parse().unwrap());
        assert_eq!(retry_after(&headers, now), Some(Duration::from_secs(11)));
        // A server that failed has no reason to be waited for until the rate begins anew.
        headers.insert("x-rate-limit-remaining", "57".parse().unwrap());
        assert_eq!(retry_after(&headers, now), None);
    }
}

//! One function per endpoint: the request, what may be repeated, and how its reply is decoded.

use std::time::Duration;

use jiff::Timestamp;
use quell_connector::http::{
    Body, Complaint, Dialect, HeaderMap, Method, Plane, Quota, Repeat, Reply, Request, encode,
};
use quell_connector::{Call, Error, Kind, Result};
use quell_model::{Secret, text};
use serde::de::DeserializeOwned;

use super::wire;

pub(super) const USER_READ: &str = "users.read";
pub(super) const USER_ENABLE: &str = "users.enable";
pub(super) const USER_REVOKE: &str = "users.revoke_sessions";
pub(super) const USER_PASSWORD: &str = "users.password";
pub(super) const ROLES_READ: &str = "roles.read";
pub(super) const DOMAIN_READ: &str = "domains.read";
pub(super) const RISK_READ: &str = "risk.read";
pub(super) const RISK_DECIDE: &str = "risk.decide";
pub(super) const SUBSCRIBE: &str = "subscriptions.write";

pub(super) const READ_USERS: &str = "User.Read.All";
pub(super) const ENABLE_USERS: &str = "User.EnableDisableAccount.All";
pub(super) const REVOKE_SESSIONS: &str = "User.RevokeSessions.All";
pub(super) const SET_PASSWORDS: &str = "User-PasswordProfile.ReadWrite.All";
pub(super) const READ_ROLES: &str = "RoleManagement.Read.Directory";
pub(super) const READ_DOMAINS: &str = "Domain.Read.All";
pub(super) const READ_RISK: &str = "IdentityRiskEvent.Read.All";
pub(super) const DECIDE_RISK: &str = "IdentityRiskyUser.ReadWrite.All";

/// Path of the list of risk detections.
pub(super) const RISK_DETECTIONS: &str = "/v1.0/identityProtection/riskDetections";

/// The application permission an operation needs, as the portal names it.
pub(super) fn needs(operation: &str) -> Option<&'static str> {
    Some(match operation {
        USER_READ => READ_USERS,
        USER_ENABLE => ENABLE_USERS,
        USER_REVOKE => REVOKE_SESSIONS,
        USER_PASSWORD => SET_PASSWORDS,
        ROLES_READ => READ_ROLES,
        DOMAIN_READ => READ_DOMAINS,
        RISK_READ => READ_RISK,
        RISK_DECIDE => DECIDE_RISK,
        _ => return None,
    })
}

/// Identity Protection takes one request a second, of all apps of a tenant together.
const IDENTITY_PROTECTION: &str = "identity_protection";

/// How Microsoft Graph speaks HTTP.
pub(super) const DIALECT: Dialect = Dialect {
    request_id: "request-id",
    retry_after,
    complaint,
    quotas: &[
        // A third of what the smallest tenants are granted, of which a user costs one or two units.
        Quota {
            bucket: "default",
            per_minute: 3000,
            burst: 200,
        },
        Quota {
            bucket: IDENTITY_PROTECTION,
            per_minute: 60,
            burst: 1,
        },
    ],
    concurrency: 16,
};

/// Where the vendor does not say how long to wait: Identity Protection never does.
const UNSAID: Duration = Duration::from_secs(5);
const LONGEST_WAIT: f64 = 60.0;

/// Seconds, which may carry a fraction.
fn retry_after(headers: &HeaderMap, _: Timestamp) -> Option<Duration> {
    let Some(given) = headers.get("retry-after") else {
        return Some(UNSAID);
    };
    let seconds: f64 = given.to_str().ok()?.trim().parse().ok()?;
    let seconds = seconds.clamp(0.0, LONGEST_WAIT);
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(UNSAID))
}

fn complaint(reply: &Reply) -> Option<Complaint> {
    let failure: wire::Failure = reply.json().unwrap_or_default();
    let failure = failure.error.unwrap_or_default();
    let code = failure.code.as_deref().map(text::line);
    let said = words(&failure);
    let plain = Complaint {
        kind: None,
        code: code.clone(),
        words: said,
    };
    Some(match (reply.status.as_u16(), code.as_deref()) {
        (403, Some("Authentication_RequestFromNonPremiumTenantOrB2CTenant")) => Complaint {
            kind: Some(Kind::Unsupported),
            words: "the tenant lacks the licence for this; Identity Protection needs Microsoft Entra ID P1 or P2"
                .to_owned(),
            ..plain
        },
        (403, _) => match needs(reply.operation) {
            Some(needed) => Complaint {
                kind: Some(Kind::PermissionMissing),
                words: missing(reply.operation, needed),
                ..plain
            },
            None => plain,
        },
        // A conflict with another change: nothing was applied, and it passes.
        (409 | 412 | 423, _) => Complaint {
            kind: Some(Kind::VendorUnavailable),
            ..plain
        },
        _ => plain,
    })
}

fn missing(operation: &str, needed: &str) -> String {
    match operation {
        // One status for both causes.
        USER_ENABLE | USER_PASSWORD => format!(
            "the app lacks `{needed}`, or the user holds a directory role that the app's own does not reach"
        ),
        _ => format!("the app lacks `{needed}`"),
    }
}

/// The vendor's sentence, cut to what fits an error.
fn words(failure: &wire::FailureBody) -> String {
    let said = text::line(failure.message.as_deref().unwrap_or_default());
    match said.char_indices().nth(199) {
        Some((end, _)) => format!("{}…", said.get(..end).unwrap_or_default()),
        None => said,
    }
}

/// Sends a request and refuses a success status with a failure inside, as gateways send it.
async fn send(plane: &Plane, cx: &Call, request: Request) -> Result<Reply> {
    let wrote = request.repeat != Repeat::Read;
    let reply = plane.send(cx, request).await?;
    if reply.body.is_empty() || !reply.status.is_success() {
        return Ok(reply);
    }
    let failure = match reply.json::<wire::Failure>() {
        Ok(failure) => failure.error,
        // The status said yes, so a write may well have happened.
        Err(error) if wrote => return Err(in_doubt(error)),
        Err(error) => return Err(error),
    };
    let Some(failure) = failure else {
        return Ok(reply);
    };
    let error = Error::new(Kind::VendorRejected, reply.operation, words(&failure));
    let error = error.request_id(reply.request_id.clone());
    Err(match failure.code {
        Some(code) => error.code(code),
        None => error,
    })
}

fn in_doubt(mut error: Error) -> Error {
    error.kind = Kind::MaybeApplied;
    error
}

async fn ask<T: DeserializeOwned>(plane: &Plane, cx: &Call, request: Request) -> Result<T> {
    send(plane, cx, request).await?.json()
}

/// `/v1.0/users/{id}` with what follows it.
fn user_path(id: &str, rest: &str) -> String {
    let mut path = "/v1.0/users/".to_owned();
    encode(&mut path, id);
    path.push_str(rest);
    path
}

/// A user by object id.
pub(super) async fn read_user(plane: &Plane, cx: &Call, id: &str) -> Result<wire::User> {
    let request = Request::get(USER_READ, user_path(id, "")).query("$select", wire::USER);
    ask(plane, cx, request).await
}

/// Most pages of a list that are read.
const MOST_PAGES: usize = 20;

/// A list, page by page, until there is `enough` of it. A page may be empty and still have a next one.
async fn list<T: DeserializeOwned>(
    plane: &Plane,
    cx: &Call,
    first: Request,
    enough: impl Fn(&[T]) -> bool,
) -> Result<Vec<T>> {
    let operation = first.operation;
    let path = first.path.split('?').next().unwrap_or_default().to_owned();
    let (mut found, mut request) = (Vec::new(), first);
    for _ in 0..MOST_PAGES {
        let page: wire::Page<T> = ask(plane, cx, request).await?;
        found.extend(page.value);
        let Some(next) = page.next.filter(|_| !enough(&found)) else {
            return Ok(found);
        };
        let next = local(&next, &path).ok_or_else(|| strange_link(operation))?;
        request = Request::get(operation, next);
    }
    let detail = format!("the list has more than {MOST_PAGES} pages");
    Err(Error::new(Kind::ReplyUnreadable, operation, detail))
}

/// An error about a link to a next page that leads somewhere else.
pub(super) fn strange_link(operation: &'static str) -> Error {
    let detail = "the vendor's link to the next page leads to something else";
    Error::new(Kind::ReplyUnreadable, operation, detail)
}

/// Users that fit a filter; two are enough to know that there are several.
pub(super) async fn find_users(plane: &Plane, cx: &Call, filter: &str) -> Result<Vec<wire::User>> {
    let request = Request::get(USER_READ, "/v1.0/users")
        .query("$filter", filter)
        .query("$select", wire::USER)
        .query("$top", "2");
    list(plane, cx, request, |found: &[wire::User]| found.len() > 1).await
}

/// The directory roles a user holds, also through groups. Nothing is selected: with parameters of the query the vendor
/// wants to be asked in its advanced way.
pub(super) async fn roles_of(plane: &Plane, cx: &Call, id: &str) -> Result<Vec<wire::Role>> {
    let path = user_path(id, "/transitiveMemberOf/microsoft.graph.directoryRole");
    let request = Request::get(ROLES_READ, path);
    list(plane, cx, request, |_: &[wire::Role]| false).await
}

/// Users who hold a role, until there is `enough` of them. `role` is the role's id in the tenant.
pub(super) async fn role_members(
    plane: &Plane,
    cx: &Call,
    role: &str,
    enough: impl Fn(&[wire::User]) -> bool,
) -> Result<Vec<wire::User>> {
    let request = Request::get(ROLES_READ, role_members_path(role))
        .query("$select", "id,accountEnabled,userType,userPrincipalName");
    list(plane, cx, request, enough).await
}

pub(super) fn role_members_path(role: &str) -> String {
    let mut path = "/v1.0/directoryRoles/".to_owned();
    encode(&mut path, role);
    path.push_str("/members/microsoft.graph.user");
    path
}

/// A domain of the tenant.
pub(super) async fn read_domain(plane: &Plane, cx: &Call, name: &str) -> Result<wire::Domain> {
    let mut path = "/v1.0/domains/".to_owned();
    encode(&mut path, name);
    let request = Request::get(DOMAIN_READ, path).query("$select", "id,authenticationType");
    ask(plane, cx, request).await
}

/// Lets a user sign in, or not.
pub(super) async fn set_enabled(
    plane: &Plane,
    cx: &Call,
    id: &str,
    account_enabled: bool,
) -> Result<Reply> {
    let body = wire::Enablement { account_enabled };
    let path = user_path(id, "");
    let request = Request::json(USER_ENABLE, Method::PATCH, path, &body, Repeat::Idempotent)?;
    send(plane, cx, request).await
}

/// Ends a user's sessions.
pub(super) async fn revoke_sessions(plane: &Plane, cx: &Call, id: &str) -> Result<Reply> {
    let path = user_path(id, "/revokeSignInSessions");
    let request = Request::new(USER_REVOKE, Method::POST, path, Body::Empty, Repeat::Once);
    send(plane, cx, request).await
}

/// Sets a password that has to be changed at the next sign-in.
pub(super) async fn set_password(
    plane: &Plane,
    cx: &Call,
    id: &str,
    password: &Secret,
) -> Result<Reply> {
    let body = wire::NewPassword {
        password_profile: wire::PasswordProfile {
            force_change_password_next_sign_in: true,
            password: Some(password.expose()),
        },
    };
    let path = user_path(id, "");
    let request = Request::json(USER_PASSWORD, Method::PATCH, path, &body, Repeat::Once)?;
    send(plane, cx, request).await
}

/// A page of risk detections found at or after a moment. The vendor promises no order.
pub(super) async fn risk_detections(
    plane: &Plane,
    cx: &Call,
    from: Timestamp,
    page_size: u16,
    next: Option<&str>,
) -> Result<wire::Documents> {
    let request = match next {
        Some(next) => Request::get(RISK_READ, next),
        None => Request::get(RISK_READ, RISK_DETECTIONS)
            .query("$filter", &format!("detectedDateTime ge {from:.7}"))
            .query("$top", &page_size.to_string()),
    };
    ask(plane, cx, request.bucket(IDENTITY_PROTECTION)).await
}

/// The request for any one risk detection, to find out whether they may be read.
pub(super) fn any_risk_detection() -> Request {
    let request = Request::get(RISK_READ, RISK_DETECTIONS).query("$top", "1");
    request.bucket(IDENTITY_PROTECTION)
}

/// One risk detection.
pub(super) async fn risk_detection(plane: &Plane, cx: &Call, id: &str) -> Result<Reply> {
    let mut path = format!("{RISK_DETECTIONS}/");
    encode(&mut path, id);
    let request = Request::get(RISK_READ, path).bucket(IDENTITY_PROTECTION);
    send(plane, cx, request).await
}

/// Confirms that a user is compromised (`confirmCompromised`), or dismisses the user's risk (`dismiss`).
pub(super) async fn decide_risk(plane: &Plane, cx: &Call, action: &str, user: &str) -> Result<()> {
    let body = wire::UserIds { user_ids: &[user] };
    send(plane, cx, decision(action, &body)?).await.map(drop)
}

/// The request to decide about users' risk.
pub(super) fn decision(action: &str, body: &wire::UserIds<'_>) -> Result<Request> {
    let path = format!("/v1.0/identityProtection/riskyUsers/{action}");
    let request = Request::json(RISK_DECIDE, Method::POST, path, body, Repeat::Idempotent)?;
    Ok(request.bucket(IDENTITY_PROTECTION))
}

/// Makes a subscription.
pub(super) async fn subscribe(
    plane: &Plane,
    cx: &Call,
    wanted: &wire::NewSubscription<'_>,
) -> Result<wire::Subscribed> {
    // One too many does no harm: it runs out by itself.
    let path = "/v1.0/subscriptions";
    let request = Request::json(SUBSCRIBE, Method::POST, path, wanted, Repeat::Idempotent)?;
    ask(plane, cx, request).await
}

fn subscription_path(id: &str) -> String {
    let mut path = "/v1.0/subscriptions/".to_owned();
    encode(&mut path, id);
    path
}

/// Renews a subscription. False when the vendor no longer has it.
pub(super) async fn renew(plane: &Plane, cx: &Call, id: &str, until: Timestamp) -> Result<bool> {
    let body = wire::Renewal {
        expiration_date_time: until.to_string(),
    };
    let path = subscription_path(id);
    let request = Request::json(SUBSCRIBE, Method::PATCH, path, &body, Repeat::Idempotent)?;
    let reply = send(plane, cx, request.answers(&[404])).await?;
    Ok(reply.status.is_success())
}

/// Ends a subscription, if the vendor still has it.
pub(super) async fn unsubscribe(plane: &Plane, cx: &Call, id: &str) -> Result<()> {
    let path = subscription_path(id);
    let request = Request::new(
        SUBSCRIBE,
        Method::DELETE,
        path,
        Body::Empty,
        Repeat::Idempotent,
    );
    send(plane, cx, request.answers(&[404])).await.map(drop)
}

/// A link to a next page as a path of ours: links are followed to the configured host only, which gets the
/// credentials.
pub(super) fn local(link: &str, below: &str) -> Option<String> {
    let rest = link
        .strip_prefix("https://")
        .or_else(|| link.strip_prefix("http://"))?;
    let path = rest.get(rest.find('/')?..)?;
    (path.starts_with(below) && path.contains('?')).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(value: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert("retry-after", value.parse().unwrap());
        }
        retry_after(&headers, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_wait_may_have_a_fraction_be_missing_or_be_nonsense() {
        assert_eq!(wait(Some("2.128")), Some(Duration::from_millis(2128)));
        assert_eq!(wait(Some("7")), Some(Duration::from_secs(7)));
        assert_eq!(wait(Some("86400")), Some(Duration::from_secs(60)));
        assert_eq!(wait(Some("-1")), Some(Duration::ZERO));
        assert_eq!(wait(None), Some(UNSAID));
        assert_eq!(wait(Some("NaN")), Some(UNSAID));
        assert_eq!(wait(Some("soon")), None);
    }

    #[test]
    fn a_next_link_leads_to_no_other_host_and_no_other_resource() {
        let link =
            "https://graph.microsoft.com/v1.0/identityProtection/riskDetections?$skiptoken=x";
        let path = "/v1.0/identityProtection/riskDetections?$skiptoken=x";
        assert_eq!(local(link, RISK_DETECTIONS).as_deref(), Some(path));
        for bad in [
            "https://graph.microsoft.com/v1.0/users?$skiptoken=x",
            "https://evil.test//v1.0/identityProtection/riskDetections?x",
            "file:///v1.0/identityProtection/riskDetections?x",
            "/v1.0/identityProtection/riskDetections?x",
            "https://evil.test",
        ] {
            assert_eq!(local(bad, RISK_DETECTIONS), None, "{bad}");
        }
    }
}

//! One function per endpoint: the request, what may be repeated, and how its reply is decoded.

use jiff::Timestamp;
use quell_connector::http::{Body, Method, Plane, Repeat, Reply, Request, encode};
use quell_connector::{Call, Error, Kind, Result};
use quell_model::Secret;
use serde::de::DeserializeOwned;

use super::batch::Reads;
use super::dialect::{IDENTITY_PROTECTION, words};
use super::wire;

pub(super) const USER_READ: &str = "users.read";
pub(super) const USER_ENABLE: &str = "users.enable";
pub(super) const USER_REVOKE: &str = "users.revoke_sessions";
pub(super) const USER_PASSWORD: &str = "users.password";
pub(super) const ROLES_READ: &str = "roles.read";
pub(super) const GROUPS_READ: &str = "groups.read";
pub(super) const DOMAIN_READ: &str = "domains.read";
pub(super) const RISK_READ: &str = "risk.read";
pub(super) const RISKY_READ: &str = "risky_users.read";
pub(super) const RISK_DECIDE: &str = "risk.decide";
pub(super) const SUBSCRIBE: &str = "subscriptions.write";

pub(super) const READ_USERS: &str = "User.Read.All";
pub(super) const ENABLE_USERS: &str = "User.EnableDisableAccount.All";
pub(super) const REVOKE_SESSIONS: &str = "User.RevokeSessions.All";
pub(super) const SET_PASSWORDS: &str = "User-PasswordProfile.ReadWrite.All";
pub(super) const READ_ROLES: &str = "RoleManagement.Read.Directory";
pub(super) const READ_GROUPS: &str = "GroupMember.Read.All";
pub(super) const READ_DOMAINS: &str = "Domain.Read.All";
pub(super) const READ_RISK: &str = "IdentityRiskEvent.Read.All";
pub(super) const READ_RISKY: &str = "IdentityRiskyUser.Read.All";
pub(super) const DECIDE_RISK: &str = "IdentityRiskyUser.ReadWrite.All";

/// A list of Identity Protection.
pub(super) struct RiskList {
    pub(super) operation: &'static str,
    pub(super) path: &'static str,
    /// The member with the time that pages are asked by.
    pub(super) moment: &'static str,
}

/// Risk detections, by when they were found.
pub(super) const RISK_DETECTIONS: RiskList = RiskList {
    operation: RISK_READ,
    path: "/v1.0/identityProtection/riskDetections",
    moment: "detectedDateTime",
};

/// Users who are or were at risk, by when that changed.
pub(super) const RISKY_USERS: RiskList = RiskList {
    operation: RISKY_READ,
    path: "/v1.0/identityProtection/riskyUsers",
    moment: "riskLastUpdatedDateTime",
};

/// The application permission an operation needs, as the portal names it.
pub(super) fn needs(operation: &str) -> Option<&'static str> {
    Some(match operation {
        USER_READ => READ_USERS,
        USER_ENABLE => ENABLE_USERS,
        USER_REVOKE => REVOKE_SESSIONS,
        USER_PASSWORD => SET_PASSWORDS,
        ROLES_READ => READ_ROLES,
        GROUPS_READ => READ_GROUPS,
        DOMAIN_READ => READ_DOMAINS,
        RISK_READ => READ_RISK,
        RISKY_READ => READ_RISKY,
        RISK_DECIDE => DECIDE_RISK,
        _ => return None,
    })
}

/// Sends a request and refuses a success status with a failure inside, as gateways send it.
async fn send(plane: &Plane, cx: &Call, request: Request) -> Result<Reply> {
    let wrote = request.repeat != Repeat::Read;
    believed(plane.send(cx, request).await?, wrote)
}

/// A reply, unless there is a failure inside.
pub(super) fn believed(reply: Reply, wrote: bool) -> Result<Reply> {
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
pub(super) async fn read_user(reads: &Reads, cx: &Call, id: &str) -> Result<wire::User> {
    let request = Request::get(USER_READ, user_path(id, "")).query("$select", wire::USER);
    reads.send(cx, request).await?.json()
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
    let (operation, path) = (first.operation, first.path.clone());
    let page = ask(plane, cx, first).await?;
    rest(plane, cx, operation, &path, page, enough).await
}

/// A list whose first page, that of `path`, is there.
async fn rest<T: DeserializeOwned>(
    plane: &Plane,
    cx: &Call,
    operation: &'static str,
    path: &str,
    first: wire::Page<T>,
    enough: impl Fn(&[T]) -> bool,
) -> Result<Vec<T>> {
    let path = path.split('?').next().unwrap_or_default();
    let (mut found, mut next) = (first.value, first.next);
    for _ in 1..MOST_PAGES {
        let Some(link) = next.filter(|_| !enough(&found)) else {
            return Ok(found);
        };
        let link = local(&link, path).ok_or_else(|| strange_link(operation))?;
        let page: wire::Page<T> = ask(plane, cx, Request::get(operation, link)).await?;
        found.extend(page.value);
        next = page.next;
    }
    if next.is_none() || enough(&found) {
        return Ok(found);
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
pub(super) async fn roles_of(
    plane: &Plane,
    reads: &Reads,
    cx: &Call,
    id: &str,
) -> Result<Vec<wire::Role>> {
    let path = user_path(id, "/transitiveMemberOf/microsoft.graph.directoryRole");
    let first = reads
        .send(cx, Request::get(ROLES_READ, path.clone()))
        .await?;
    rest(plane, cx, ROLES_READ, &path, first.json()?, |_| false).await
}

/// Which of at most twenty groups a user is in, also through groups.
pub(super) async fn groups_among(
    reads: &Reads,
    cx: &Call,
    id: &str,
    group_ids: &[&str],
) -> Result<Vec<String>> {
    let body = wire::GroupIds { group_ids };
    let path = user_path(id, "/checkMemberGroups");
    // A question, although it is posted.
    let request = Request::json(GROUPS_READ, Method::POST, path, &body, Repeat::Read)?;
    let page: wire::Page<String> = reads.send(cx, request).await?.json()?;
    Ok(page.value)
}

/// The request for a group, to find out whether it exists and may be read.
pub(super) fn group(id: &str) -> Request {
    let mut path = "/v1.0/groups/".to_owned();
    encode(&mut path, id);
    Request::get(GROUPS_READ, path).query("$select", "id")
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

impl RiskList {
    /// A page of what is from a moment on. The vendor promises no order.
    pub(super) async fn page(
        &self,
        plane: &Plane,
        cx: &Call,
        from: Timestamp,
        page_size: u16,
        next: Option<&str>,
    ) -> Result<wire::Documents> {
        let request = match next {
            Some(next) => Request::get(self.operation, next),
            None => Request::get(self.operation, self.path)
                .query("$filter", &format!("{} ge {from:.7}", self.moment))
                .query("$top", &page_size.to_string()),
        };
        ask(plane, cx, request.bucket(IDENTITY_PROTECTION)).await
    }

    /// The request for any one, to find out whether they may be read.
    pub(super) fn any(&self) -> Request {
        let request = Request::get(self.operation, self.path).query("$top", "1");
        request.bucket(IDENTITY_PROTECTION)
    }

    /// One of them by its id.
    pub(super) async fn one(&self, plane: &Plane, cx: &Call, id: &str) -> Result<Reply> {
        let mut path = format!("{}/", self.path);
        encode(&mut path, id);
        let request = Request::get(self.operation, path).bucket(IDENTITY_PROTECTION);
        send(plane, cx, request).await
    }
}

/// Confirms that a user is compromised (`confirmCompromised`), or dismisses the user's risk (`dismiss`).
pub(super) async fn decide_risk(plane: &Plane, cx: &Call, action: &str, user: &str) -> Result<()> {
    let body = wire::UserIds { user_ids: &[user] };
    send(plane, cx, decision(action, &body)?).await.map(drop)
}

/// The request to decide about users' risk.
pub(super) fn decision(action: &str, body: &wire::UserIds<'_>) -> Result<Request> {
    let path = format!("{}/{action}", RISKY_USERS.path);
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

    #[test]
    fn a_next_link_leads_to_no_other_host_and_no_other_resource() {
        let link =
            "https://graph.microsoft.com/v1.0/identityProtection/riskDetections?$skiptoken=x";
        let path = "/v1.0/identityProtection/riskDetections?$skiptoken=x";
        assert_eq!(local(link, RISK_DETECTIONS.path).as_deref(), Some(path));
        for bad in [
            "https://graph.microsoft.com/v1.0/users?$skiptoken=x",
            "https://evil.test//v1.0/identityProtection/riskDetections?x",
            "file:///v1.0/identityProtection/riskDetections?x",
            "/v1.0/identityProtection/riskDetections?x",
            "https://evil.test",
        ] {
            assert_eq!(local(bad, RISK_DETECTIONS.path), None, "{bad}");
        }
    }
}

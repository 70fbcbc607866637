//! The calls about users: reading and searching them, their roles, keeping them out, ending their sessions, making
//! their password useless.

use serde_json::{Value, json};

use super::logs::record;
use super::org::{Status, User};
use super::scim::Filter;
use super::service::{Call, Refusal};
use super::{Shared, service::nothing};
use crate::http::{Reply, encode};

type Answer = Result<Reply, Refusal>;

/// Position of the user a path names.
fn named(shared: &Shared, call: &Call<'_>) -> Result<User, Refusal> {
    let org = shared.org();
    let id = match (call.id, &call.caller.user) {
        ("me", Some(own)) => own.as_str(),
        (id, _) => id,
    };
    let user = org.find(id).and_then(|at| org.users.get(at)).cloned();
    user.ok_or_else(|| Refusal::not_found(call.id, "User"))
}

/// `GET /api/v1/users/{id}`.
pub(crate) fn read(shared: &Shared, call: &Call<'_>) -> Answer {
    let user = named(shared, call)?;
    let document = user.document(&shared.origin(), shared.now_ns());
    Ok(encode(200, &document))
}

/// `GET /api/v1/users`.
pub(crate) fn list(shared: &Shared, call: &Call<'_>) -> Answer {
    let query = call.request.query();
    let limit = match query.get("limit").map(str::parse::<usize>) {
        None => 200,
        Some(Ok(limit @ 1..=200)) => limit,
        Some(_) => return Err(Refusal::invalid("limit: must be from 1 to 200")),
    };
    let wanted = query.get("search").or_else(|| query.get("filter"));
    let filter = match wanted {
        None => None,
        Some(text) => Some(
            Filter::parse(text)
                .ok_or_else(|| Refusal::new(400, "E0000031", "Invalid search criteria."))?,
        ),
    };
    let start: usize = match query.get("after").map(str::parse) {
        None => 0,
        Some(Ok(start)) => start,
        Some(Err(_)) => return Err(Refusal::invalid("after: unknown cursor")),
    };
    let (base, now) = (shared.origin(), shared.now_ns());
    let found: Vec<Value> = {
        let org = shared.org();
        org.users
            .iter()
            // Without a filter the vendor leaves out whoever was deactivated.
            .filter(|user| filter.is_some() || user.status != Status::Deprovisioned)
            .map(|user| user.indexed_document(&base, now))
            .filter(|document| filter.as_ref().is_none_or(|filter| filter.holds(document)))
            .collect()
    };
    let more = found.len() > start.saturating_add(limit);
    let page: Vec<Value> = found.into_iter().skip(start).take(limit).collect();
    let reply = encode(200, &Value::Array(page));
    let kept: Vec<&str> = call
        .request
        .query_text
        .split('&')
        .filter(|part| !part.is_empty() && !part.starts_with("after="))
        .collect();
    let kept = kept.join("&");
    let reply = reply.header(
        "link",
        &format!("<{base}/api/v1/users?{kept}>; rel=\"self\""),
    );
    Ok(if more {
        let after = start + limit;
        let next = format!("<{base}/api/v1/users?after={after}&{kept}>; rel=\"next\"");
        reply.header("link", &next)
    } else {
        reply
    })
}

/// `GET /api/v1/users/{id}/roles`.
pub(crate) fn roles(shared: &Shared, call: &Call<'_>) -> Answer {
    Ok(encode(200, &named(shared, call)?.role_documents()))
}

/// `GET /oauth2/v1/clients/{id}/roles`.
pub(crate) fn client_roles(shared: &Shared, call: &Call<'_>) -> Answer {
    let org = shared.org();
    let app = org.apps.iter().find(|app| app.client_id == call.id);
    let app = app.ok_or_else(|| Refusal::not_found(call.id, "PublicClientApp"))?;
    Ok(encode(200, &app.role_documents()))
}

/// `GET /api/v1/iam/assignees/users`.
pub(crate) fn assignees(shared: &Shared, call: &Call<'_>) -> Answer {
    let query = call.request.query();
    let limit = query
        .get("limit")
        .and_then(|n| n.parse().ok())
        .unwrap_or(100_usize);
    let start: usize = query.get("after").and_then(|n| n.parse().ok()).unwrap_or(0);
    let base = shared.origin();
    let org = shared.org();
    let admins: Vec<&User> = org.users.iter().filter(|user| user.is_admin()).collect();
    let page: Vec<Value> = admins
        .iter()
        .skip(start)
        .take(limit)
        .map(|user| {
            json!({
                "id": user.id,
                "orn": format!("orn:okta:directory:00otwin:users:{}", user.id),
                "_links": {
                    "self": {"href": format!("{base}/api/v1/users/{}", user.id)},
                    "roles": {"href": format!("{base}/api/v1/users/{}/roles", user.id)},
                },
            })
        })
        .collect();
    let after = start.saturating_add(limit);
    let links = if admins.len() > after {
        let href = format!("{base}/api/v1/iam/assignees/users?after={after}&limit={limit}");
        json!({"next": {"href": href}})
    } else {
        json!({})
    };
    Ok(encode(200, &json!({"value": page, "_links": links})))
}

/// What a change does to a user who may be changed.
struct Change {
    allowed: fn(Status) -> bool,
    refusal: fn() -> Refusal,
    to: Option<Status>,
    event: &'static str,
    message: &'static str,
}

/// Changes a user, if the caller may and the state allows it, and writes it to the System Log.
fn change(
    shared: &Shared,
    call: &Call<'_>,
    change: &Change,
    also: impl FnOnce(&mut User),
) -> Result<(), Refusal> {
    let now = shared.now_ns();
    let target = named(shared, call)?;
    let over = target.has_role("SUPER_ADMIN") && !call.caller.has_role("SUPER_ADMIN");
    if !call.caller.may_change() || over {
        return Err(Refusal::forbidden());
    }
    {
        let mut org = shared.org();
        let Some(user) = org.users.iter_mut().find(|user| user.id == target.id) else {
            return Err(Refusal::not_found(call.id, "User"));
        };
        if !(change.allowed)(user.status) {
            return Err((change.refusal)());
        }
        also(user);
        if let Some(status) = change.to {
            user.become_status(status, now, now.saturating_add(shared.settle().status_ns()));
        }
    }
    record(shared, call, change.event, change.message, &target.id);
    Ok(())
}

fn wrong_state() -> Refusal {
    Refusal::invalid("Cannot suspend a user that is not active")
}

fn not_suspended() -> Refusal {
    Refusal::invalid("Cannot unsuspend a user that is not suspended")
}

fn not_allowed() -> Refusal {
    Refusal::new(
        403,
        "E0000038",
        "This operation is not allowed in the user's current status.",
    )
}

/// `POST /api/v1/users/{id}/lifecycle/suspend`.
pub(crate) fn suspend(shared: &Shared, call: &Call<'_>) -> Answer {
    let suspended = Change {
        allowed: |status| status == Status::Active,
        refusal: wrong_state,
        to: Some(Status::Suspended),
        event: "user.lifecycle.suspend",
        message: "Suspend Okta user",
    };
    change(shared, call, &suspended, |user| user.calls.suspended += 1)?;
    Ok(encode(200, &json!({})))
}

/// `POST /api/v1/users/{id}/lifecycle/unsuspend`.
pub(crate) fn unsuspend(shared: &Shared, call: &Call<'_>) -> Answer {
    let back = Change {
        allowed: |status| status == Status::Suspended,
        refusal: not_suspended,
        to: Some(Status::Active),
        event: "user.lifecycle.unsuspend",
        message: "Unsuspend Okta user",
    };
    change(shared, call, &back, |user| user.calls.unsuspended += 1)?;
    Ok(encode(200, &json!({})))
}

/// `DELETE /api/v1/users/{id}/sessions`. Unlike other calls it takes no login.
pub(crate) fn clear_sessions(shared: &Shared, call: &Call<'_>) -> Answer {
    if shared.org().user(call.id).is_none() {
        return Err(Refusal::not_found(call.id, "User"));
    }
    let cleared = Change {
        allowed: |_| true,
        refusal: not_allowed,
        to: None,
        event: "user.session.clear",
        message: "Clear user session",
    };
    change(shared, call, &cleared, |user| {
        user.sessions = 0;
        user.calls.sessions_cleared += 1;
    })?;
    Ok(nothing())
}

/// `POST /api/v1/users/{id}/lifecycle/expire_password` and `…/expire_password_with_temp_password`.
pub(crate) fn expire_password(shared: &Shared, call: &Call<'_>, temporary: bool) -> Answer {
    let target = named(shared, call)?;
    if matches!(
        target.provider.as_str(),
        "FEDERATION" | "SOCIAL" | "LDAP" | "ACTIVE_DIRECTORY"
    ) {
        return Err(Refusal::new(
            403,
            "E0000014",
            "Update of credentials failed.",
        ));
    }
    let expired = Change {
        allowed: |status| {
            matches!(
                status,
                Status::Active | Status::PasswordExpired | Status::LockedOut | Status::Recovery
            )
        },
        refusal: not_allowed,
        to: Some(Status::PasswordExpired),
        event: "user.account.expire_password",
        message: "User password expired",
    };
    let password = temporary.then(|| format!("Tw1n-{}", shared.ids.hex(1)));
    let query = call.request.query();
    let everywhere = query.get("revokeSessions") == Some("true");
    let now = shared.now_ns();
    change(shared, call, &expired, |user| {
        user.calls.password_resets += 1;
        user.temporary_password.clone_from(&password);
        if temporary {
            user.password_changed = now;
        }
        if everywhere {
            user.sessions = 0;
        }
    })?;
    match password {
        Some(password) => Ok(encode(200, &json!({"tempPassword": password}))),
        None => read(shared, call),
    }
}

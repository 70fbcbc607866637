//! Calls on users, roles, domains and subscriptions.

use serde_json::{Map, Value, json};

use super::directory::{
    self, GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, USUAL,
};
use super::endpoint::Permission;
use super::odata::{self, Filter};
use super::service::{Cx, Refusal, encode, no_content};
use crate::http::Reply;

/// A page of a list that has no more pages.
pub(crate) fn page(
    cx: &Cx<'_>,
    what: &str,
    items: Vec<Map<String, Value>>,
    next: Option<String>,
) -> Reply {
    let mut body = json!({"@odata.context": cx.context(what), "value": items});
    if let (Some(next), Value::Object(members)) = (next, &mut body) {
        members.insert("@odata.nextLink".to_owned(), next.into());
    }
    encode(200, &body)
}

pub(crate) fn one(cx: &Cx<'_>, what: &str, item: Map<String, Value>) -> Reply {
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), cx.context(what).into());
    body.extend(item);
    encode(200, &Value::Object(body))
}

pub(crate) fn read_user(cx: &Cx<'_>) -> Result<Reply, Refusal> {
    let mut directory = cx.shared.directory();
    let user = directory
        .user(cx.id)
        .ok_or_else(|| Refusal::not_found(cx.id))?;
    let members = odata::select(&user.document(cx.now), cx.query.get("$select"), &USUAL);
    Ok(one(cx, "users/$entity", members))
}

pub(crate) fn search_users(cx: &Cx<'_>) -> Result<Reply, Refusal> {
    let filter = cx.query.get("$filter").map(Filter::parse).transpose();
    let filter = filter.map_err(Refusal::bad)?;
    let top = match cx.query.get("$top").map(str::parse::<usize>) {
        None => 100,
        Some(Ok(top @ 1..=999)) => top,
        Some(_) => return Err(Refusal::bad("Invalid page size specified.")),
    };
    let select = cx.query.get("$select");
    let directory = cx.shared.directory();
    let found = directory
        .users
        .values()
        .map(|user| user.document(cx.now))
        .filter(|user| filter.as_ref().is_none_or(|filter| filter.admits(user)))
        .map(|user| odata::select(&user, select, &USUAL))
        .take(top)
        .collect();
    Ok(page(cx, "users", found, None))
}

pub(crate) fn update_user(cx: &Cx<'_>) -> Result<Reply, Refusal> {
    let body: Value = serde_json::from_slice(&cx.request.body)
        .map_err(|_| Refusal::bad("Unable to read JSON request payload."))?;
    let Value::Object(body) = body else {
        return Err(Refusal::bad("Unable to read JSON request payload."));
    };
    let enabled = body.get("accountEnabled").map(Value::as_bool);
    let profile = body.get("passwordProfile").map(Value::as_object);
    if body.is_empty() || matches!(enabled, Some(None)) || matches!(profile, Some(None)) {
        return Err(Refusal::bad("Invalid value specified for property."));
    }
    if let Some(other) = body.keys().find(|name| {
        !matches!(
            name.as_str(),
            "@odata.type" | "accountEnabled" | "passwordProfile"
        )
    }) {
        return Err(Refusal::bad(format!("The twin does not change '{other}'.")));
    }
    // As at the vendor, whoever may not do this is not told whether the user exists.
    if enabled.is_some() {
        cx.require(Permission::UserEnableDisable)?;
    }
    if profile.is_some() {
        cx.require(Permission::UserPasswordProfile)?;
    }
    let settle = cx.shared.settle();
    let mut directory = cx.shared.directory();
    let federated = directory
        .user(cx.id)
        .map(|user| user.spec.principal.clone())
        .is_some_and(|principal| directory.is_federated(&principal));
    let user = directory
        .user(cx.id)
        .ok_or_else(|| Refusal::not_found(cx.id))?;
    let sensitive = user
        .spec
        .roles
        .iter()
        .any(|role| directory::is_privileged(role));
    let reaches = cx.caller.roles.iter().any(|role| {
        role == GLOBAL_ADMINISTRATOR || role == PRIVILEGED_AUTHENTICATION_ADMINISTRATOR
    });
    if sensitive && !reaches {
        return Err(Refusal::forbidden());
    }
    if user.spec.on_premises.is_some() {
        let message = "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.";
        return Err(Refusal::bad(message));
    }
    if let Some(Some(profile)) = profile {
        if federated {
            let message = "The domain portion of the userPrincipalName property is federated.";
            return Err(Refusal::bad(message));
        }
        let force = profile
            .get("forceChangePasswordNextSignIn")
            .and_then(Value::as_bool);
        match profile.get("password").map(Value::as_str) {
            None => user.set_force_change(force.unwrap_or(false), cx.now, settle),
            Some(Some(password)) if is_strong(password) => {
                let force = force.unwrap_or(true);
                user.set_password(password.to_owned(), force, cx.now, settle);
            }
            Some(_) => {
                let message = "The specified password does not comply with password complexity requirements. Please provide a different password.";
                return Err(Refusal::bad(message));
            }
        }
    }
    if let Some(Some(enabled)) = enabled {
        user.set_enabled(enabled, cx.now, settle);
    }
    Ok(no_content())
}

/// Eight to 256 characters of three of the four classes.
fn is_strong(password: &str) -> bool {
    let classes: [fn(&u8) -> bool; 4] = [
        u8::is_ascii_lowercase,
        u8::is_ascii_uppercase,
        u8::is_ascii_digit,
        |byte| !byte.is_ascii_alphanumeric(),
    ];
    let held = classes
        .iter()
        .filter(|class| password.as_bytes().iter().any(class))
        .count();
    (8..=256).contains(&password.len()) && held >= 3
}

pub(crate) fn revoke_sessions(cx: &Cx<'_>) -> Result<Reply, Refusal> {
    let settle = cx.shared.settle();
    let mut directory = cx.shared.directory();
    let user = directory
        .user(cx.id)
        .ok_or_else(|| Refusal::not_found(cx.id))?;
    user.revoke_sessions(cx.now, settle);
    let body = json!({"@odata.context": cx.context("Edm.Boolean"), "value": true});
    Ok(encode(200, &body))
}

pub(crate) fn user_roles(cx: &Cx<'_>) -> Result<Reply, Refusal> {
    let mut directory = cx.shared.directory();
    let user = directory
        .user(cx.id)
        .ok_or_else(|| Refusal::not_found(cx.id))?;
    let readable = cx.caller.may(Permission::RoleRead);
    let role = |template: &String| {
        let mut role = directory::role_document(template);
        if !readable {
            // Whoever may not read roles learns that there is one, and not which.
            for (name, value) in &mut role {
                if name != "id" && name != "@odata.type" {
                    *value = Value::Null;
                }
            }
        }
        role
    };
    let select = cx.query.get("$select").map(|s| format!("@odata.type,{s}"));
    let roles = user.spec.roles.iter().map(role);
    let roles = roles
        .map(|role| odata::select(&role, select.as_deref(), ROLE))
        .collect();
    Ok(page(cx, "directoryRoles", roles, None))
}

const ROLE: &[&str] = &[
    "@odata.type",
    "id",
    "displayName",
    "description",
    "roleTemplateId",
];

pub(crate) fn role_members(cx: &Cx<'_>) -> Result<Reply, Refusal> {
    let directory = cx.shared.directory();
    let template =
        directory::template_of(&directory, cx.id).ok_or_else(|| Refusal::not_found(cx.id))?;
    let members = directory
        .users
        .values()
        .filter(|user| user.spec.roles.iter().any(|role| role == template))
        .map(|user| odata::select(&user.document(cx.now), cx.query.get("$select"), &USUAL))
        .collect();
    Ok(page(cx, "users", members, None))
}

pub(crate) fn read_domain(cx: &Cx<'_>) -> Result<Reply, Refusal> {
    let directory = cx.shared.directory();
    let ours = directory.users.values().any(|user| {
        let domain = user.spec.principal.rsplit('@').next();
        domain.is_some_and(|domain| domain.eq_ignore_ascii_case(cx.id))
    });
    if !ours {
        return Err(Refusal::not_found(cx.id));
    }
    let federated = directory.is_federated(cx.id);
    let document = json!({
        "id": cx.id,
        "authenticationType": if federated { "Federated" } else { "Managed" },
        "isDefault": false,
        "isVerified": true,
    });
    let Value::Object(document) = document else {
        return Err(Refusal::not_found(cx.id));
    };
    let usual = ["id", "authenticationType", "isDefault", "isVerified"];
    let members = odata::select(&document, cx.query.get("$select"), &usual);
    Ok(one(cx, "domains/$entity", members))
}

fn subscription(cx: &Cx<'_>, status: u16, found: &impl serde::Serialize) -> Result<Reply, Refusal> {
    let found = serde_json::to_value(found).map_err(|error| Refusal::bad(error.to_string()))?;
    let mut body = json!({"@odata.context": cx.context("subscriptions/$entity")});
    if let (Value::Object(body), Value::Object(found)) = (&mut body, found) {
        body.extend(found);
    }
    Ok(encode(status, &body))
}

fn invalid(message: String) -> Refusal {
    Refusal::new(400, "InvalidRequest", message)
}

fn no_subscription() -> Refusal {
    Refusal::new(404, "ResourceNotFound", "The object was not found.")
}

pub(crate) fn create_subscription(cx: &Cx<'_>) -> Result<Reply, Refusal> {
    let id = cx.shared.ids.uuid();
    let mut subscriptions = cx.shared.subscriptions();
    let made = subscriptions.create(&cx.request.body, id, cx.now);
    subscription(cx, 201, &made.map_err(invalid)?)
}

pub(crate) fn renew_subscription(cx: &Cx<'_>) -> Result<Reply, Refusal> {
    let mut subscriptions = cx.shared.subscriptions();
    let renewed = subscriptions.renew(cx.id, &cx.request.body, cx.now);
    let renewed = renewed.map_err(invalid)?.ok_or_else(no_subscription)?;
    subscription(cx, 200, &renewed)
}

pub(crate) fn delete_subscription(cx: &Cx<'_>) -> Result<Reply, Refusal> {
    let removed = cx.shared.subscriptions().0.remove(cx.id);
    removed.map(|_| no_content()).ok_or_else(no_subscription)
}

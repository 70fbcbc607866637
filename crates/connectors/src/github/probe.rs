//! Finds out what the credentials may do, changing nothing. A classic token says its scopes; others are
//! tried by a change to somebody who cannot exist, which is refused (403) without the permission and
//! unknown (404) with it.

use quell_connector::http::Request;
use quell_connector::{Call, Check, Error, Kind};
use serde_json::json;

use super::config::Product;
use super::{GitHub, api};

const ACTIONS: &str = "disable_account, enable_account";
/// No login begins with a hyphen.
const NOBODY: &str = "-quell-probe";
/// No managed user has this id.
const NO_ID: &str = "00000000-0000-0000-0000-000000000000";

pub(super) async fn probe(github: &GitHub, cx: &Call) -> Vec<Check> {
    let signed_in = match github.api.plane.sign_in(cx).await {
        Ok(_) => classic_scopes(github, cx).await,
        Err(error) => Err(error),
    };
    let scopes = match signed_in {
        Ok(scopes) => scopes,
        Err(error) => {
            let found = matches!(error.kind, Kind::AuthRejected | Kind::ConfigInvalid);
            let ok = found.then_some(false);
            return vec![check(cx, "Sign-in", "everything", ok, error.to_string())];
        }
    };
    let mut checks = vec![check(
        cx,
        "Sign-in",
        "everything",
        Some(true),
        "GitHub accepts the credentials.".to_owned(),
    )];
    let (needed, scope, trial) = trial(github);
    checks.push(match &scopes {
        Some(scopes) => {
            let ok = scope
                .iter()
                .any(|scope| scopes.iter().any(|held| held == scope));
            let scope = scope.join("` or `");
            let detail = if ok {
                "Granted.".to_owned()
            } else {
                format!("Missing; give the token the scope `{scope}`.")
            };
            check(cx, needed, ACTIONS, Some(ok), detail)
        }
        None => outcome(cx, needed, ACTIONS, tried(github, cx, trial).await),
    });
    if github.product == Product::Org {
        let owners = github.api.send(cx, github.api.owners()).await;
        let used_by = "disable_account: seeing who the last owner is";
        checks.push(outcome(cx, "Members: read", used_by, owners.err()));
    }
    if github.poll.enabled {
        let read = github.api.send(cx, github.api.secrets(1, None)).await;
        // Without the permission GitHub says that there is no such thing.
        let refusal = read.err().map(|error| match error.kind {
            Kind::TargetNotFound => Error::new(Kind::PermissionMissing, api::SECRETS, error.detail),
            _ => error,
        });
        checks.push(outcome(
            cx,
            api::SECRET_ALERTS,
            "alerts about leaked secrets",
            refusal,
        ));
    }
    checks
}

/// Scopes of a classic token; nothing for other credentials.
async fn classic_scopes(
    github: &GitHub,
    cx: &Call,
) -> quell_connector::Result<Option<Vec<String>>> {
    // An App is nobody and is refused here, which is no finding.
    let reply = github
        .api
        .send(cx, github.api.own_user().answers(&[403]))
        .await?;
    let scopes = reply
        .header("x-oauth-scopes")
        .filter(|scopes| !scopes.is_empty());
    Ok(scopes.map(|scopes| {
        scopes
            .split(',')
            .map(|scope| scope.trim().to_owned())
            .collect()
    }))
}

/// What changing an account needs: the permission, the scopes of a classic token that grant it, and a
/// change that changes nothing.
fn trial(github: &GitHub) -> (&'static str, &'static [&'static str], Request) {
    let api = &github.api;
    match github.product {
        Product::Org => (api::MEMBERS, &["admin:org"], api.remove(NOBODY)),
        Product::Ghes => (api::SITE_ADMIN, &["site_admin"], api.unsuspend(NOBODY)),
        Product::Emu => {
            let body = json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{ "op": "replace", "value": { "active": true } }],
            });
            let scopes = &["scim:enterprise", "admin:enterprise"];
            (api::SCIM, scopes, api.change_managed(NO_ID, &body))
        }
    }
}

async fn tried(github: &GitHub, cx: &Call, trial: Request) -> Option<Error> {
    let refused = github.api.send(cx, trial).await.err();
    refused.filter(|error| error.kind != Kind::TargetNotFound)
}

fn outcome(cx: &Call, name: &str, used_by: &str, refusal: Option<Error>) -> Check {
    let (ok, detail) = match refusal {
        None => (Some(true), "Granted.".to_owned()),
        Some(error) if error.kind == Kind::PermissionMissing => (
            Some(false),
            format!("Missing; grant `{name}` to the App or token."),
        ),
        Some(error) => (None, format!("Could not be found out: {error}.")),
    };
    check(cx, name, used_by, ok, detail)
}

fn check(cx: &Call, name: &str, used_by: &str, ok: Option<bool>, detail: String) -> Check {
    Check {
        name: name.to_owned(),
        used_by: used_by.to_owned(),
        ok,
        detail,
        at: cx.clock().now(),
    }
}

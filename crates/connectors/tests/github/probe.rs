//! The connection check.

use quell_connector::Check;
use quell_twins::github::{Credential, Endpoint, OWNER, Right, TOKEN};
use serde_json::json;

use crate::{call, lab};

fn verdicts(checks: &[Check]) -> Vec<(&str, Option<bool>)> {
    checks
        .iter()
        .map(|check| (check.name.as_str(), check.ok))
        .collect()
}

#[tokio::test]
async fn full_credentials_pass_for_each_product_and_nothing_is_changed() {
    const SECRETS: (&str, Option<bool>) = ("Secret scanning alerts: read", Some(true));
    for (product, needed) in [("ghes", "site_admin"), ("emu", "scim:enterprise")] {
        let lab = lab([]).await;
        let checks = lab.connect(product).probe(&call(&lab)).await;
        assert_eq!(
            verdicts(&checks),
            [("Sign-in", Some(true)), (needed, Some(true)), SECRETS]
        );
    }
    let lab = lab([]).await;
    let expected = [
        ("Sign-in", Some(true)),
        ("Members: write", Some(true)),
        ("Members: read", Some(true)),
        SECRETS,
    ];
    let connections = [lab.connect("org"), lab.connect_app()];
    for connected in connections {
        let checks = connected.probe(&call(&lab)).await;
        assert_eq!(verdicts(&checks), expected);
    }
    // An App says no scopes, so a change to nobody was tried; a classic token says them.
    assert_eq!(lab.twin.count(Endpoint::RemoveMembership), 1);
}

#[tokio::test]
async fn each_missing_permission_is_named() {
    let lab = lab([]).await;
    lab.twin.grant_app(&[Right::Members]);
    let checks = lab.connect_app().probe(&call(&lab)).await;
    let missing = |name: &str| checks.iter().find(|check| check.name == name).unwrap();
    for name in ["Members: write", "Secret scanning alerts: read"] {
        assert_eq!(missing(name).ok, Some(false));
        assert!(
            missing(name).detail.contains(name),
            "{}",
            missing(name).detail
        );
    }
    lab.twin
        .put_credential(Credential::personal(TOKEN, OWNER, &[Right::Members]));
    for (product, scope) in [
        ("org", "admin:org"),
        ("ghes", "site_admin"),
        ("emu", "scim:enterprise"),
    ] {
        let checks = lab.connect(product).probe(&call(&lab)).await;
        assert_eq!(checks[1].ok, Some(false), "{product}");
        assert!(checks[1].detail.contains(scope), "{}", checks[1].detail);
    }
}

#[tokio::test]
async fn wrong_credentials_are_one_finding() {
    let lab = lab([]).await;
    let connected = lab.connect_with("org", json!({ "token": "env:OTHER_TOKEN" }));
    assert_eq!(
        verdicts(&connected.probe(&call(&lab)).await),
        [("Sign-in", Some(false))]
    );
    let app = json!({ "id": "7", "installation": 1, "private_key": "env:APP_KEY" });
    let connected = lab.connect_with("org", json!({ "token": null, "app": app }));
    let checks = connected.probe(&call(&lab)).await;
    assert_eq!(verdicts(&checks), [("Sign-in", Some(false))]);
    assert!(
        checks[0].detail.contains("app.installation"),
        "{}",
        checks[0].detail
    );
}

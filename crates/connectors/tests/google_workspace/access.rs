//! Tokens, scopes, gateways, and what the check of a connection says.

use std::time::Duration;

use quell_connector::Kind;
use quell_model::{ActionType, Clock};
use quell_twins::google_workspace::{ADMIN, Endpoint, Scope, User};
use quell_twins::{Fault, FaultRule};
use serde_json::json;

use crate::google_lab::USER;
use crate::kit::{call, disable, lab, lab_with, perform, read};

#[tokio::test]
async fn a_scope_nobody_delegated_breaks_only_what_needs_it() {
    let lab = lab().await;
    let (connected, target) = (lab.connect(), lab.account(USER));
    lab.twin.delegate(&[Scope::User]);
    assert!(disable(&lab, &connected, &target).await.is_ok());
    let refused = perform(&lab, &connected, ActionType::RevokeSessions, &target).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind, Kind::PermissionMissing);
    assert!(error.detail.contains(Scope::UserSecurity.url()), "{error}");
    let client = quell_twins::google_workspace::CLIENT_ID;
    assert!(error.detail.contains(client), "{error}");
    let feed = connected.abilities.feed.clone().unwrap();
    let error = feed.poll(&call(&lab), None).await.unwrap_err();
    assert!(error.detail.contains(Scope::Alerts.url()), "{error}");
    lab.twin.delegate(&[Scope::UserSecurity]);
    let signed_out = perform(&lab, &connected, ActionType::RevokeSessions, &target).await;
    assert!(signed_out.is_ok(), "{signed_out:?}");
}

#[tokio::test]
async fn a_token_is_kept_and_replaced_before_it_runs_out() {
    let lab = lab().await;
    let (connected, target) = (lab.connect(), lab.account(USER));
    for _ in 0..3 {
        read(&lab, &connected, &target).await.unwrap();
    }
    assert_eq!(lab.twin.count(Endpoint::Token), 1);
    lab.clock.advance(Duration::from_secs(3300));
    read(&lab, &connected, &target).await.unwrap();
    assert_eq!(lab.twin.count(Endpoint::Token), 2);
    let refused = |status: Option<u16>| status == Some(401);
    assert!(!lab.twin.requests().iter().any(|r| refused(r.status)));
}

#[tokio::test]
async fn a_refused_sign_in_says_what_to_look_at_and_nothing_of_the_key() {
    let lab = lab().await;
    let target = lab.account(USER);
    for extra in [
        json!({ "admin": "nobody@northwind.example" }),
        json!({ "service_account_key": "file:other.json" }),
    ] {
        let connected = lab.connect_with(extra);
        let error = read(&lab, &connected, &target).await.unwrap_err();
        assert_eq!(error.kind, Kind::AuthRejected);
        assert!(error.detail.contains("clock"), "{error}");
        assert!(!format!("{error:?}").contains("eyJ"), "{error:?}");
    }
}

#[tokio::test]
async fn a_token_service_that_is_down_is_asked_again() {
    let lab = lab().await;
    let target = lab.account(USER);
    lab.twin.inject(
        FaultRule::next(Endpoint::Token, Fault::StatusBeforeApply { status: 503 }).times(2),
    );
    assert!(read(&lab, &lab.connect(), &target).await.is_ok());
}

#[tokio::test]
async fn too_fast_is_told_from_forbidden_by_its_reason() {
    let lab = lab().await;
    let (connected, target) = (lab.connect(), lab.account(USER));
    let before = lab.clock.now();
    let throttled = Fault::Throttled {
        retry_after_seconds: None,
    };
    lab.twin.fail_next(Endpoint::UserRead, throttled);
    assert!(read(&lab, &connected, &target).await.is_ok());
    assert!(lab.clock.now() > before, "it waits before it asks again");
    lab.twin.fail_next(Endpoint::UserRead, Fault::ScopeMissing);
    let error = read(&lab, &connected, &target).await.unwrap_err();
    assert_eq!(error.kind, Kind::PermissionMissing);
}

#[tokio::test]
async fn the_check_names_each_missing_scope_and_changes_nothing() {
    let lab = lab().await;
    let connected = lab.connect_with(json!({ "login_audit": true }));
    let before = [ADMIN, USER].map(|key| lab.twin.user(key));
    let checks = connected.probe(&call(&lab)).await;
    assert_eq!(checks.len(), 6);
    assert!(
        checks.iter().all(|check| check.ok == Some(true)),
        "{checks:#?}"
    );
    for scope in [
        Scope::User,
        Scope::UserSecurity,
        Scope::Alerts,
        Scope::Audit,
    ] {
        lab.twin.delegate_all_but(scope);
        let connected = lab.connect_with(json!({ "login_audit": true }));
        let checks = connected.probe(&call(&lab)).await;
        let odd: Vec<_> = checks.iter().filter(|c| c.ok != Some(true)).collect();
        let [missing] = odd.as_slice() else {
            panic!("{scope:?}: {odd:#?}")
        };
        assert_eq!(
            (missing.name.as_str(), missing.ok),
            (scope.url(), Some(false))
        );
        assert!(missing.detail.contains(scope.url()), "{}", missing.detail);
    }
    assert_eq!([ADMIN, USER].map(|key| lab.twin.user(key)), before);
    assert!(lab.twin.feedback().is_empty());
}

#[tokio::test]
async fn the_check_says_which_service_is_not_enabled() {
    for (scope, service) in [
        (Scope::User, "Admin SDK API"),
        (Scope::Alerts, "Google Workspace Alert Center API"),
    ] {
        let lab = lab().await;
        lab.twin.switch_off(scope);
        let checks = lab.connect().probe(&call(&lab)).await;
        let odd: Vec<_> = checks.iter().filter(|c| c.ok != Some(true)).collect();
        assert_eq!((odd.len(), odd[0].ok), (1, Some(false)), "{odd:#?}");
        assert!(odd[0].detail.contains(service), "{}", odd[0].detail);
    }
}

#[tokio::test]
async fn the_check_knows_what_is_not_configured_is_not_needed() {
    let lab = lab().await;
    lab.twin.delegate(&[Scope::User, Scope::UserSecurity]);
    let poll = json!({ "poll": { "enabled": false }, "write_back": false });
    let checks = lab.connect_with(poll).probe(&call(&lab)).await;
    assert!(
        checks.iter().all(|check| check.ok == Some(true)),
        "{checks:#?}"
    );
}

#[tokio::test]
async fn the_check_says_how_far_the_administrator_s_role_reaches() {
    let lab = lab_with(User {
        is_delegated_admin: true,
        ..User::new("helpdesk@northwind.example")
    })
    .await;
    let role = async |admin: &str| {
        let checks = lab.connect_with(json!({ "admin": admin }));
        let checks = checks.probe(&call(&lab)).await;
        let role = checks.into_iter().find(|c| c.name.contains("role"));
        role.unwrap().ok
    };
    assert_eq!(role(ADMIN).await, Some(true));
    assert_eq!(role("helpdesk@northwind.example").await, None);
    assert_eq!(role(USER).await, Some(false));
}

#[tokio::test]
async fn the_check_tells_a_refused_sign_in_from_a_vendor_that_is_down() {
    let lab = lab().await;
    let nobody = lab.connect_with(json!({ "admin": "nobody@northwind.example" }));
    let checks = nobody.probe(&call(&lab)).await;
    assert_eq!(
        (checks.len(), checks[0].ok),
        (1, Some(false)),
        "{checks:#?}"
    );
    lab.twin
        .inject(FaultRule::next(Endpoint::Token, Fault::ResetBeforeApply).times(50));
    let checks = lab.connect().probe(&call(&lab)).await;
    assert_eq!((checks.len(), checks[0].ok), (1, None), "{checks:#?}");
}

//! Signing in, proof of possession, scopes, roles, limits.

use std::time::Duration;

use quell_connector::Kind;
use quell_model::Clock as _;
use quell_twins::Fault;
use quell_twins::okta::{CLIENT_ID, Endpoint, KEY_ID, SCOPES, ServiceApp};
use serde_json::{Value, json};

use crate::kit::{by_token, call, lab, mara, read};
use crate::lab::Lab;

fn key_at_fault(lab: &Lab, config: Value) -> String {
    match lab.build(config) {
        Ok(_) => panic!("it was accepted"),
        Err(error) => error.key,
    }
}

#[tokio::test]
async fn credentials_that_are_half_there_are_refused_by_their_key() {
    let lab = lab().await;
    let org = lab.twin.base_url();
    let cases = [
        (json!({}), "client_id"),
        (json!({ "client_id": "x" }), "key_id"),
        (json!({ "client_id": "x", "key_id": "k" }), "private_key"),
        (
            json!({ "client_id": "x", "key_id": "k", "private_key": "env:OKTA_TOKEN" }),
            "private_key",
        ),
        (
            json!({ "client_id": "x", "api_token": "env:OKTA_TOKEN" }),
            "client_id",
        ),
        (
            json!({ "dpop": true, "api_token": "env:OKTA_TOKEN" }),
            "dpop",
        ),
        (json!({ "api_token": "env:NOWHERE" }), "api_token"),
        (
            json!({ "api_token": "env:OKTA_TOKEN", "hook_secret": "env:SHORT" }),
            "hook_secret",
        ),
    ];
    for (mut config, key) in cases {
        config["org_url"] = org.clone().into();
        assert_eq!(key_at_fault(&lab, config.clone()), key, "{config}");
    }
}

#[tokio::test]
async fn a_token_is_replaced_before_it_runs_out() {
    let lab = lab().await;
    let connected = lab.connect();
    read(&lab, &connected, &mara(&lab)).await.unwrap();
    lab.clock.advance(Duration::from_secs(2870));
    read(&lab, &connected, &mara(&lab)).await.unwrap();
    assert_eq!(lab.twin.count(Endpoint::Token), 1);
    lab.clock.advance(Duration::from_secs(20));
    read(&lab, &connected, &mara(&lab)).await.unwrap();
    assert_eq!(lab.twin.count(Endpoint::Token), 2);
    assert!(
        lab.twin
            .requests()
            .iter()
            .all(|request| request.status != Some(401))
    );
}

#[tokio::test]
async fn each_request_of_an_app_that_must_prove_possession_carries_its_own_proof() {
    let lab = lab().await;
    lab.twin.put_app(ServiceApp {
        dpop: true,
        ..lab.twin.app()
    });
    let connected = lab.connect_with(json!({ "dpop": true }));
    for _ in 0..3 {
        read(&lab, &connected, &mara(&lab)).await.unwrap();
    }
    // The first refusal says what a proof has to repeat.
    assert_eq!(lab.twin.count(Endpoint::Token), 2);
    // The next day wants another nonce, and the token ran out.
    lab.clock.advance(Duration::from_secs(86_400));
    read(&lab, &connected, &mara(&lab)).await.unwrap();
    assert_eq!(lab.twin.count(Endpoint::Token), 4);
    let refused = |request: &&quell_twins::RequestRecord| {
        request.endpoint != "token" && request.status != Some(200)
    };
    assert_eq!(lab.twin.requests().iter().find(refused), None);
}

#[tokio::test]
async fn an_app_that_must_prove_possession_says_so_when_the_connection_does_not() {
    let lab = lab().await;
    lab.twin.put_app(ServiceApp {
        dpop: true,
        ..lab.twin.app()
    });
    let error = read(&lab, &lab.connect(), &mara(&lab)).await.unwrap_err();
    assert_eq!(error.kind, Kind::ConfigInvalid);
    assert!(error.detail.contains("dpop = true"), "{error}");
}

#[tokio::test]
async fn a_refused_sign_in_says_what_to_look_at_and_nothing_of_the_key() {
    let lab = lab().await;
    for extra in [
        json!({ "client_id": "nobody" }),
        json!({ "key_id": "another" }),
    ] {
        let error = read(&lab, &lab.connect_with(extra), &mara(&lab))
            .await
            .unwrap_err();
        assert_eq!(error.kind, Kind::AuthRejected);
        assert!(error.detail.contains("client_id"), "{error}");
        assert!(error.request_id.is_some());
        assert!(!format!("{error:?}").contains("eyJ"), "{error:?}");
    }
    let token = by_token(&lab, "env:OTHER_TOKEN");
    let error = read(&lab, &token, &mara(&lab)).await.unwrap_err();
    assert_eq!(error.kind, Kind::AuthRejected);
    assert!(!format!("{error:?}").contains("00other-token"), "{error:?}");
}

#[tokio::test]
async fn what_was_granted_works_without_what_was_not() {
    let lab = lab().await;
    lab.twin.put_app(lab.twin.app().without("okta.logs.read"));
    read(&lab, &lab.connect(), &mara(&lab)).await.unwrap();
    let none = SCOPES
        .iter()
        .fold(lab.twin.app(), |app, scope| app.without(scope));
    lab.twin.put_app(none);
    let error = read(&lab, &lab.connect(), &mara(&lab)).await.unwrap_err();
    assert_eq!(error.kind, Kind::AuthRejected);
    assert!(error.detail.contains("okta.users.read"), "{error}");
}

#[tokio::test]
async fn a_wait_the_vendor_asks_for_is_kept_by_the_vendor_s_clock() {
    for skew_seconds in [-3600, 0, 3600] {
        let lab = Lab::start(quell_twins::okta::Config {
            skew_seconds,
            ..quell_twins::okta::Config::manual()
                .with(quell_twins::okta::UserSpec::active(crate::kit::MARA))
        })
        .await;
        let start = lab.clock.now();
        let wait = Fault::Throttled {
            retry_after_seconds: Some(11),
        };
        lab.twin.fail_next(Endpoint::UserRead, wait);
        read(&lab, &lab.connect(), &mara(&lab)).await.unwrap();
        let waited = lab.clock.now().duration_since(start).as_secs();
        assert!(
            (11..=13).contains(&waited),
            "{skew_seconds}: waited {waited} s"
        );
    }
}

#[tokio::test]
async fn the_probe_names_each_missing_permission_and_changes_nothing() {
    let lab = lab().await;
    let before = lab.twin.events().len();
    let checks = lab.connect().probe(&call(&lab)).await;
    assert_eq!(checks.len(), SCOPES.len() + 2);
    assert!(
        checks.iter().all(|check| check.ok == Some(true)),
        "{checks:#?}"
    );
    for scope in SCOPES {
        lab.twin.put_app(lab.twin.app().without(scope));
        let checks = lab.connect().probe(&call(&lab)).await;
        let find = |name: &str| checks.iter().find(|check| check.name == name).unwrap();
        // Who may change users may read them as well.
        let expected = Some(scope == "okta.users.read");
        assert_eq!(find(scope).ok, expected, "{scope}: {checks:#?}");
        let others = checks
            .iter()
            .filter(|check| check.ok == Some(false) && check.name != scope);
        assert_eq!(others.count(), 0, "{scope}: {checks:#?}");
    }
    lab.twin.put_app(lab.twin.app().with_roles(&[]));
    let checks = lab.connect().probe(&call(&lab)).await;
    assert_eq!(checks.last().unwrap().ok, Some(false), "{checks:#?}");
    assert_eq!(lab.twin.events().len(), before);
}

#[tokio::test]
async fn the_probe_tells_a_refused_sign_in_from_a_vendor_that_is_down() {
    let lab = lab().await;
    let refused = [
        lab.connect_with(json!({ "key_id": "another" })),
        by_token(&lab, "env:OTHER_TOKEN"),
    ];
    for connected in refused {
        let checks = connected.probe(&call(&lab)).await;
        assert_eq!(
            (checks.len(), checks[0].ok),
            (1, Some(false)),
            "{checks:#?}"
        );
    }
    let down = quell_twins::FaultRule::next(Endpoint::Token, Fault::ResetBeforeApply).times(20);
    lab.twin.inject(down);
    let checks = lab.connect().probe(&call(&lab)).await;
    assert_eq!((checks.len(), checks[0].ok), (1, None), "{checks:#?}");
}

#[tokio::test]
async fn the_organization_s_own_address_is_what_nothing_may_be_done_to() {
    let lab = lab().await;
    let lifelines = lab.connect().lifelines;
    assert_eq!(lifelines.hosts, ["127.0.0.1"]);
    assert_eq!(lifelines.accounts, [CLIENT_ID]);
    assert_ne!(KEY_ID, CLIENT_ID);
}

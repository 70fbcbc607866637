//! Signing people in, against an independent OpenID Connect provider.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test where they stand"
)]

mod peer;
mod provider;

use quell_connector::Kind;
use quell_model::Secret;

use peer::Peer;
use provider::{attempt, code};

#[tokio::test]
async fn people_sign_in_with_every_kind_of_client_and_key() {
    let mut peer = Peer::start().await;
    for (client, secret) in [
        ("quell", true),
        ("quell-elliptic", true),
        ("quell-public", false),
    ] {
        let oidc = peer.connect(client, secret);
        let attempt = attempt();
        let back = peer.sign_in(&oidc, &attempt, "Ana@corp.example").await;
        assert!(back.contains(&format!("state={}", attempt.state)), "{back}");
        let identity = oidc.finish(&attempt, &code(&back)).await.unwrap();
        assert_eq!(identity.subject, "person-Ana@corp.example", "{client}");
        assert_eq!(identity.principals, ["Ana@corp.example"], "{client}");
        assert_eq!(identity.account, None);
    }
}

#[tokio::test]
async fn an_address_that_nobody_verified_says_nothing() {
    let mut peer = Peer::start().await;
    let oidc = peer.connect("quell", true);
    let attempt = attempt();
    let back = peer
        .sign_in(&oidc, &attempt, "unverified@corp.example")
        .await;
    let identity = oidc.finish(&attempt, &code(&back)).await.unwrap();
    assert!(identity.principals.is_empty(), "{identity:?}");
}

#[tokio::test]
async fn a_code_counts_once_for_the_sign_in_that_it_ended_and_for_this_client() {
    let mut peer = Peer::start().await;
    let oidc = peer.connect("quell", true);
    let begun = attempt();
    let refused = async |other: &quell_connector::Attempt, code: &Secret| {
        let refused = oidc.finish(other, code).await.unwrap_err();
        assert!(
            matches!(refused.kind, Kind::AuthRejected | Kind::VendorRejected),
            "{refused}"
        );
        assert!(!format!("{refused:?}").contains(code.expose()));
    };
    let back = peer.sign_in(&oidc, &begun, "ana@corp.example").await;
    let mut other = attempt();
    other.nonce.clone_from(&begun.nonce);
    // The provider knows that whoever redeems it did not begin it.
    refused(&other, &code(&back)).await;

    let back = peer.sign_in(&oidc, &begun, "ana@corp.example").await;
    let mut other = begun.clone();
    other.nonce = attempt().nonce;
    // The provider does not mind; the token is from another sign-in all the same.
    refused(&other, &code(&back)).await;
    // And now it is used up.
    refused(&begun, &code(&back)).await;
    refused(&begun, &Secret::new("made-up".to_owned())).await;
}

#[tokio::test]
async fn a_key_that_is_new_at_the_provider_is_asked_for() {
    let mut peer = Peer::start().await;
    let oidc = peer.connect("quell", true);
    oidc.begin(&attempt()).await.unwrap();
    peer.order(serde_json::json!({ "keys": "2" })).await;
    let attempt = attempt();
    let back = peer.sign_in(&oidc, &attempt, "ana@corp.example").await;
    let identity = oidc.finish(&attempt, &code(&back)).await.unwrap();
    assert_eq!(identity.principals, ["ana@corp.example"]);
}

#[tokio::test]
async fn wrong_credentials_and_another_issuer_are_said_to_be_so() {
    let mut peer = Peer::start().await;
    let good = peer.connect("quell", true);
    let attempt = attempt();
    let back = peer.sign_in(&good, &attempt, "ana@corp.example").await;
    let wrong = peer.connect_with("quell", Some("env:WRONG"), &peer.issuer);
    let refused = wrong.finish(&attempt, &code(&back)).await.unwrap_err();
    assert_eq!(refused.kind, Kind::ConfigInvalid, "{refused}");

    let elsewhere = format!("{}/", peer.issuer);
    let other = peer.connect_with("quell", Some("env:SECRET"), &elsewhere);
    let refused = other.begin(&attempt).await.unwrap_err();
    assert_eq!(refused.kind, Kind::ConfigInvalid);
    assert!(refused.to_string().contains("calls itself"), "{refused}");
}

#[tokio::test]
async fn a_check_says_whether_the_provider_can_be_used() {
    let peer = Peer::start().await;
    let checks = peer.connect("quell", true).probe().await;
    assert_eq!(checks[0].ok, Some(true), "{checks:?}");
    assert_eq!(checks[1].ok, None);
    let nowhere = peer.connect_with("quell", Some("env:SECRET"), "http://127.0.0.1:9");
    let checks = nowhere.probe().await;
    assert_eq!(checks[0].ok, Some(false), "{checks:?}");
}

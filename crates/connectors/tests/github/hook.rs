//! Webhooks as GitHub sends them.

use quell_connector::http::{HeaderMap, Method};
use quell_connector::sign::hmac_sha256_hex;
use quell_connector::{Connected, Push, Received};
use quell_model::Secret;
use serde_json::json;

use crate::lab;

const SECRET: &str = "It's a Secret to Everybody";

fn deliver(connected: &Connected, event: &str, body: &str, secret: &str) -> Received {
    let signature = hmac_sha256_hex(&Secret::new(secret.to_owned()), body.as_bytes());
    let mut headers = HeaderMap::new();
    headers.insert("x-github-event", event.parse().unwrap());
    headers.insert(
        "x-github-delivery",
        "72d3162e-cc78-11e3-81ab-4c9367dc0958".parse().unwrap(),
    );
    headers.insert(
        "x-hub-signature-256",
        format!("sha256={signature}").parse().unwrap(),
    );
    let push = Push {
        method: &Method::POST,
        query: None,
        headers: &headers,
        body,
    };
    connected.abilities.receive.as_ref().unwrap().receive(&push)
}

#[tokio::test]
async fn alerts_are_taken_in_once_and_other_events_are_only_answered() {
    let lab = lab([]).await;
    let connected = lab.connect_with("org", json!({ "webhook_secret": "env:WEBHOOK_SECRET" }));
    let body = include_str!("../fixtures/github/secret_scanning_alert.json");
    let taken = Received::Alerts {
        documents: body.to_owned(),
        once: Some("72d3162e-cc78-11e3-81ab-4c9367dc0958".to_owned()),
    };
    for event in [
        "secret_scanning_alert",
        "code_scanning_alert",
        "dependabot_alert",
    ] {
        assert_eq!(deliver(&connected, event, body, SECRET), taken);
    }
    for event in ["ping", "organization", "member", "org_block", "push"] {
        assert_eq!(
            deliver(&connected, event, "{}", SECRET),
            Received::Nothing,
            "{event}"
        );
    }
}

#[tokio::test]
async fn what_github_did_not_sign_is_refused_before_it_is_read() {
    let lab = lab([]).await;
    let connected = lab.connect_with("org", json!({ "webhook_secret": "env:WEBHOOK_SECRET" }));
    assert_eq!(
        deliver(&connected, "ping", "{}", "another secret"),
        Received::Refused
    );
    // Without a secret of its own a connection takes no webhooks at all.
    assert!(lab.connect("org").abilities.receive.is_none());
}

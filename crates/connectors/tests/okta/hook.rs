//! Event hooks: who is believed, and what becomes of what is delivered.

use quell_connector::http::{HeaderMap, Method};
use quell_connector::{Connected, Push, Received, document};
use quell_twins::okta::EventSpec;
use serde_json::Value;

use crate::kit::{MARA, call, lab};
use crate::lab::HOOK_SECRET;

fn push(
    connected: &Connected,
    method: &Method,
    headers: &[(&'static str, &str)],
    body: &str,
) -> Received {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    let receive = connected.abilities.receive.as_ref().unwrap();
    receive.receive(&Push {
        method,
        query: None,
        headers: &map,
        body,
    })
}

#[tokio::test]
async fn only_who_knows_the_secret_is_believed() {
    let lab = lab().await;
    let connected = lab.connect();
    let body = lab.twin.hook_delivery(&[]);
    for secret in [
        "",
        "wrong",
        "5f1c-a-long-random-tex",
        "5f1c-a-long-random-textt",
    ] {
        for method in [Method::GET, Method::POST] {
            let headers = [
                ("authorization", secret),
                ("x-okta-verification-challenge", "abc"),
            ];
            assert_eq!(
                push(&connected, &method, &headers, &body),
                Received::Refused
            );
        }
    }
    assert_eq!(
        push(&connected, &Method::POST, &[], &body),
        Received::Refused
    );
    let known = [("authorization", HOOK_SECRET)];
    assert_eq!(
        push(&connected, &Method::PUT, &known, &body),
        Received::Refused
    );
    assert_eq!(
        push(&connected, &Method::POST, &known, &body),
        Received::Nothing
    );
}

#[tokio::test]
async fn without_a_secret_nothing_is_received() {
    let lab = lab().await;
    let connected = crate::kit::by_token(&lab, "env:OKTA_TOKEN");
    assert!(connected.abilities.receive.is_none());
}

#[tokio::test]
async fn the_challenge_is_repeated_as_json_and_only_if_it_is_one() {
    let lab = lab().await;
    let connected = lab.connect();
    let asked = |challenge: &str| {
        let headers = [
            ("authorization", HOOK_SECRET),
            ("x-okta-verification-challenge", challenge),
        ];
        push(&connected, &Method::GET, &headers, "")
    };
    let Received::Answer { content_type, body } = asked("a\"b<script>") else {
        panic!("it is answered");
    };
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(content_type, "application/json");
    assert_eq!(
        answer,
        serde_json::json!({ "verification": "a\"b<script>" })
    );
    assert_eq!(asked(&"x".repeat(513)), Received::Refused);
    let known = [("authorization", HOOK_SECRET)];
    assert_eq!(
        push(&connected, &Method::GET, &known, ""),
        Received::Refused
    );
}

#[tokio::test]
async fn a_delivered_event_is_the_alert_that_polling_brings() {
    let lab = lab().await;
    let connected = lab.connect();
    let risky = lab.twin.add_event(&EventSpec::sign_in(MARA, "HIGH"));
    let ordinary = lab.twin.add_event(&EventSpec::sign_in(MARA, "LOW"));
    let body = lab.twin.hook_delivery(&[&risky, &ordinary]);
    let known = [("authorization", HOOK_SECRET)];
    let Received::Alerts { documents, once } = push(&connected, &Method::POST, &known, &body)
    else {
        panic!("there is an alert in it");
    };
    let envelope: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(once.as_deref(), envelope["eventId"].as_str());
    let normalise = connected.normalise.unwrap();
    let pushed = document::split(&documents, connected.envelope).unwrap();
    let pushed: Vec<_> = pushed.iter().map(|d| normalise(d.json).unwrap()).collect();
    let feed = connected.abilities.feed.as_ref().unwrap();
    let polled = feed.poll(&call(&lab), None).await.unwrap();
    let polled: Vec<_> = polled
        .documents
        .iter()
        .map(|d| normalise(d).unwrap())
        .collect();
    assert_eq!(pushed, polled);
    assert_eq!(pushed[0].id, risky);
    let only = lab.twin.hook_delivery(&[&ordinary]);
    assert_eq!(
        push(&connected, &Method::POST, &known, &only),
        Received::Nothing
    );
}

#[tokio::test]
async fn what_is_no_delivery_is_handed_on_to_be_refused_with_its_place() {
    let lab = lab().await;
    let connected = lab.connect();
    let known = [("authorization", HOOK_SECRET)];
    let Received::Alerts { documents, .. } = push(&connected, &Method::POST, &known, "{\"a\":")
    else {
        panic!("it is handed on");
    };
    assert!(document::split(&documents, connected.envelope).is_err());
}

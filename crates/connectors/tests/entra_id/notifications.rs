//! Change notifications and the subscription behind them.

use std::time::Duration;

use quell_connector::Connected;
use quell_connector::ability::{Kept, Push, Received};
use quell_connector::http::{HeaderMap, Method};
use quell_model::Clock as _;
use serde_json::Value;

use crate::kit::{NOOR, call, lab};
use crate::lab::{CLIENT_STATE, Lab};

fn receive(connected: &Connected, method: Method, query: Option<&str>, body: &str) -> Received {
    let push = Push {
        method: &method,
        query,
        headers: &HeaderMap::new(),
        body,
    };
    connected.abilities.receive.clone().unwrap().receive(&push)
}

async fn upkeep(lab: &Lab, connected: &Connected, state: Option<&Value>) -> Kept {
    let upkeep = connected.abilities.upkeep.clone().unwrap();
    upkeep.upkeep(&call(lab), state).await.unwrap()
}

#[tokio::test]
async fn the_handshake_is_answered_with_the_token_as_plain_text() {
    let lab = lab(&[]).await;
    let connected = lab.connect();
    let query = "connection=1&validationToken=Validation%3A+Testing%20%3Cb%3E";
    let answer = Received::Answer {
        content_type: "text/plain",
        body: "Validation: Testing <b>".to_owned(),
    };
    assert_eq!(receive(&connected, Method::POST, Some(query), ""), answer);
    assert_eq!(
        receive(&connected, Method::GET, Some(query), ""),
        Received::Refused
    );
    let split = "validationToken=a%0d%0ab";
    assert_eq!(
        receive(&connected, Method::POST, Some(split), ""),
        Received::Refused
    );
}

#[tokio::test]
async fn a_notification_counts_only_with_the_text_that_was_agreed() {
    let lab = lab(&[]).await;
    let connected = lab.connect();
    upkeep(&lab, &connected, None).await;
    let subscription = lab.twin.subscriptions().remove(0);
    let genuine = lab.twin.notification(&subscription, NOOR);
    let lifecycle = lab.twin.lifecycle_notification(&subscription, "missed");
    for body in [&genuine, &lifecycle] {
        assert_eq!(
            receive(&connected, Method::POST, None, body),
            Received::Nudge
        );
    }
    let mut two: Value = serde_json::from_str(&genuine).unwrap();
    let mut foreign = two["value"][0].clone();
    foreign["clientState"] = "another text".into();
    two["value"].as_array_mut().unwrap().push(foreign);
    for body in [
        genuine.replace(CLIENT_STATE, "another text"),
        genuine.replace(&format!("\"{CLIENT_STATE}\""), "null"),
        two.to_string(),
        r#"{"value":[]}"#.to_owned(),
        r#"{"value":[{}]}"#.to_owned(),
        "[]".to_owned(),
        String::new(),
    ] {
        assert_eq!(
            receive(&connected, Method::POST, None, &body),
            Received::Refused,
            "{body}"
        );
    }
}

#[tokio::test]
async fn the_subscription_is_made_renewed_long_before_it_ends_and_made_again_when_it_is_gone() {
    let lab = lab(&[]).await;
    let connected = lab.connect();
    let mut kept = upkeep(&lab, &connected, None).await;
    assert!(!kept.state.to_string().contains(CLIENT_STATE));
    let first = lab.twin.subscriptions().remove(0);
    assert_eq!(first.resource, "users");
    assert_eq!(
        first.lifecycle_notification_url.as_ref(),
        Some(&first.notification_url)
    );
    for _ in 0..100 {
        lab.clock.advance(kept.again_in);
        kept = upkeep(&lab, &connected, Some(&kept.state)).await;
        let alive = lab.twin.subscriptions();
        assert_eq!(alive.len(), 1);
        let until: jiff::Timestamp = alive[0].expiration_date_time.parse().unwrap();
        assert!(until.duration_since(lab.clock.now()).as_secs() > 24 * 3600);
        assert_eq!(alive[0].id, first.id);
    }
    lab.twin.remove_subscription(&first.id);
    lab.clock.advance(kept.again_in);
    upkeep(&lab, &connected, Some(&kept.state)).await;
    let again = lab.twin.subscriptions();
    assert_eq!(again.len(), 1);
    assert_ne!(again[0].id, first.id);
}

#[tokio::test]
async fn a_restart_replaces_the_subscription_so_that_a_changed_configuration_counts() {
    let lab = lab(&[]).await;
    let kept = upkeep(&lab, &lab.connect(), None).await;
    let first = lab.twin.subscriptions().remove(0);
    lab.clock.advance(Duration::from_secs(60));
    let url = "https://quell.example/elsewhere";
    let changed = serde_json::json!({
        "notifications": { "url": url, "client_state": "env:CLIENT_STATE", "resource": "groups" },
    });
    upkeep(&lab, &lab.connect_with(changed), Some(&kept.state)).await;
    let alive = lab.twin.subscriptions();
    assert_eq!(alive.len(), 1);
    assert_ne!(alive[0].id, first.id);
    assert_eq!(
        (
            alive[0].notification_url.as_str(),
            alive[0].resource.as_str()
        ),
        (url, "groups")
    );
}

#[tokio::test]
async fn without_notifications_there_is_nothing_to_receive_or_keep() {
    let lab = lab(&[]).await;
    let connected = lab.connect_with(serde_json::json!({ "notifications": null }));
    assert!(connected.abilities.receive.is_none() && connected.abilities.upkeep.is_none());
    assert!(connected.abilities.feed.is_some());
}

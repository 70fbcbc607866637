//! Connections and their checks.

use serde_json::json;

use crate::app::{RESPONDER, TestApp, VIEWER};

#[tokio::test]
async fn connections_are_listed_with_what_each_can_do() {
    let app = TestApp::new();
    let list = app.get(VIEWER, "/api/v1/connections").await.ok();
    let ids: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["closed", "desk", "mute", "signed"]);
    assert_eq!(
        list["items"][1],
        json!({
            "id": "desk", "connector": "desk", "name": "Desk", "tenant": "t1", "intake": "bearer",
            "polled": false, "notifies": false, "writes_back": false,
            "actions": [
                { "action": "contain_host", "needs": ["Hosts: write"], "docs": "https://desk.example/docs", "quirks": ["It is made up."] },
                { "action": "release_host", "needs": ["Hosts: write"], "docs": "https://desk.example/docs", "quirks": ["It is made up."] }
            ]
        })
    );
    assert_eq!(list["items"][3]["intake"], "standard_webhooks");
}

#[tokio::test]
async fn a_check_says_what_the_credentials_lack() {
    let app = TestApp::new();
    let all = app
        .post(RESPONDER, "/api/v1/connections/check", json!({}))
        .await
        .ok();
    assert_eq!(all["connections"].as_array().unwrap().len(), 4);
    let one = app
        .post(
            RESPONDER,
            "/api/v1/connections/check",
            json!({ "connections": ["desk"] }),
        )
        .await
        .ok();
    assert_eq!(
        one,
        json!({ "connections": [{ "connection": "desk", "ok": false, "checks": [{
            "name": "Hosts: write", "used_by": "contain_host, release_host", "ok": false,
            "detail": "The token lacks `Hosts: write`.", "at": "2026-09-21T14:13:20Z"
        }] }] })
    );
    let unknown = app
        .post(
            RESPONDER,
            "/api/v1/connections/check",
            json!({ "connections": ["nope"] }),
        )
        .await;
    assert_eq!(
        (unknown.status.as_u16(), unknown.code()),
        (404, "not_found")
    );
}

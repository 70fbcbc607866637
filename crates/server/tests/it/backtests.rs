//! Backtests over HTTP.

use serde_json::{Value, json};

use crate::app::{RESPONDER, TestApp};
use crate::vendor::alert;

const PATH: &str = "/api/v1/policy/backtest";
const SINCE: &str = "2026-01-01T00:00:00Z";

fn folder(text: &str) -> Value {
    let text = format!("{text}\n[budgets.new-connection]\noff = true");
    json!({ "since": SINCE, "policy": { "policy.toml": text } })
}

#[tokio::test]
async fn a_changed_policy_is_compared_with_the_one_in_force() {
    let app = TestApp::new();
    app.push(alert("a1", "ws-1", "workstation")).await.ok();
    app.push(alert("a2", "srv-1", "server")).await.ok();
    let order = folder("[actions.contain_host]\nserver = \"never\"");
    let report = app.post(RESPONDER, PATH, order).await.ok();
    assert_eq!(report["alerts"], 2);
    let change = &report["changes"][0];
    assert_eq!(
        (&change["before"], &change["after"], &change["count"]),
        (&json!("ask"), &json!("never"), &json!(1)),
        "{report:#}"
    );
}

#[tokio::test]
async fn a_folder_larger_than_other_orders_is_taken() {
    let app = TestApp::new();
    let padding = format!("# {}\n", "x".repeat(400_000));
    let report = app.post(RESPONDER, PATH, folder(&padding)).await.ok();
    assert_eq!(report["alerts"], 0);
}

#[tokio::test]
async fn a_policy_that_does_not_load_is_refused_with_the_line() {
    let app = TestApp::new();
    let order = folder("[actions.contain_hosts]\nany = \"auto\"");
    let answer = app.post(RESPONDER, PATH, order).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (422, "invalid_body"),
        "{}",
        answer.text
    );
    assert!(answer.text.contains("policy.toml:1"), "{}", answer.text);
}

#[tokio::test]
async fn an_order_without_a_moment_is_refused_by_its_member() {
    let app = TestApp::new();
    let answer = app.post(RESPONDER, PATH, json!({})).await;
    assert_eq!(answer.code(), "invalid_body");
    assert!(answer.text.contains("since"), "{}", answer.text);
}

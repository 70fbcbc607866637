//! Putting a changed policy in force, and who has to say yes by it.

use std::sync::{Arc, Mutex};

use quell_server::{ReadRules, Unusable};
use serde_json::{Value, json};

use crate::app::{ADMINISTRATOR, DESK, RESPONDER, TestApp, VIEWER, rules};
use crate::vendor::alert;

const APPLY: &str = "/api/v1/policy/apply";
const TWO: &str = "[actions.contain_host]\nserver = { ask = 2 }";

/// An application, and the text of the policy folder it reads.
fn reading() -> (TestApp, Arc<Mutex<String>>) {
    let text: Arc<Mutex<String>> = Arc::default();
    let written = text.clone();
    let read = move || {
        rules(&written.lock().unwrap()).map_err(|wrong| Unusable {
            message: "the policy has 1 problem".into(),
            problems: wrong.iter().cloned().collect(),
        })
    };
    let app = TestApp::with(|settings| settings.read_rules = Some(ReadRules(Arc::new(read))));
    (app, text)
}

/// A server whose containment waits for people.
async fn waiting(app: &TestApp, host: &str) -> Value {
    app.push(alert(host, host, "server")).await.ok();
    let list = app.get(VIEWER, "/api/v1/actions").await.ok();
    let newest = list["items"][0]["id"].as_str().unwrap().to_owned();
    show(app, &newest).await
}

async fn show(app: &TestApp, id: &str) -> Value {
    app.get(VIEWER, &format!("/api/v1/actions/{id}")).await.ok()
}

async fn approve(app: &TestApp, token: &str, detail: &Value) -> crate::app::Answer {
    let id = detail["action"]["id"].as_str().unwrap();
    let answer = json!({ "shown": detail["shown"], "reason": "seen the tree" });
    app.post(token, &format!("/api/v1/actions/{id}/approve"), answer)
        .await
}

#[tokio::test]
async fn where_two_are_needed_everybody_sees_how_many_of_which_role_and_who_said_yes() {
    let (app, text) = reading();
    *text.lock().unwrap() = TWO.into();
    app.post(ADMINISTRATOR, APPLY, json!({})).await.ok();
    let detail = waiting(&app, "srv-1").await;
    assert_eq!(
        detail["approval"],
        json!({ "approvers": 2, "role": "responder", "yes": [], "answer_by": "2026-09-21T18:13:20Z" })
    );
    let first = approve(&app, RESPONDER, &detail).await.ok();
    assert_eq!(first["state"], "awaiting_approval");
    assert_eq!(first["note"], "rosa approves (1 of 2): seen the tree");
    let detail = show(&app, detail["action"]["id"].as_str().unwrap()).await;
    assert_eq!(detail["approval"]["yes"], json!(["rosa"]));
    let again = approve(&app, RESPONDER, &detail).await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "refused"));
}

#[tokio::test]
async fn a_changed_policy_is_in_force_in_the_name_of_who_ordered_it() {
    let (app, text) = reading();
    app.post(ADMINISTRATOR, APPLY, json!({})).await.ok();
    *text.lock().unwrap() =
        "[actions.contain_host]\nserver = { ask = 1, role = \"administrator\" }".into();
    let applied = app.post(ADMINISTRATOR, APPLY, json!({})).await.ok();
    assert_eq!(applied["changed"], json!(["contain-host-server"]));
    let detail = waiting(&app, "srv-1").await;
    let own = approve(&app, ADMINISTRATOR, &detail).await;
    assert_eq!((own.status.as_u16(), own.code()), (409, "refused"));
    let why = own.body["message"].as_str().unwrap();
    assert!(
        why.starts_with("you put the rule `contain-host-server` in force at "),
        "{why}"
    );
    let low = approve(&app, RESPONDER, &detail).await;
    assert_eq!(
        low.body["message"],
        "this is for people with the role administrator to answer; rosa has the role responder"
    );
}

#[tokio::test]
async fn a_policy_that_does_not_load_changes_nothing_and_every_mistake_comes_back_with_its_line() {
    let (app, text) = reading();
    *text.lock().unwrap() = "[actions.contain_hosts]\nany = \"auto\"".into();
    let answer = app.post(ADMINISTRATOR, APPLY, json!({})).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (422, "invalid_policy"),
        "{}",
        answer.text
    );
    assert_eq!(
        answer.body["problems"],
        json!([{
            "file": "policy/policy.toml", "line": 1, "column": 1,
            "message": "`actions.contain_hosts`: there is no such action",
            "help": "did you mean `contain_host`?",
        }])
    );
    let detail = waiting(&app, "srv-1").await;
    assert_eq!(detail["action"]["decision"]["outcome"], "ask");
}

#[tokio::test]
async fn a_server_that_reads_no_configuration_says_so() {
    let app = TestApp::new();
    let answer = app.post(ADMINISTRATOR, APPLY, json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "refused"));
}

/// July 2025 and spring 2026: an agent with a token that was meant for something else deleted production.
#[tokio::test]
async fn deleted_production_2026_a_token_to_look_or_to_push_alerts_gives_no_order() {
    let (app, text) = reading();
    let detail = waiting(&app, "srv-1").await;
    *text.lock().unwrap() = "[actions.contain_host]\nserver = \"never\"".into();
    let pause = json!({ "reason": "change window" });
    app.post(RESPONDER, "/api/v1/automation/pause", pause)
        .await
        .ok();
    for token in [VIEWER, DESK] {
        assert_eq!(approve(&app, token, &detail).await.status, 403);
        for order in [APPLY, "/api/v1/automation/resume"] {
            let answer = app.post(token, order, json!({})).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (403, "forbidden"));
        }
    }
    let automation = app.get(VIEWER, "/api/v1/automation").await.ok();
    assert_eq!(automation["paused"], true);
    let after = show(&app, detail["action"]["id"].as_str().unwrap()).await;
    assert_eq!(after["action"]["state"], "awaiting_approval");
    assert_eq!(after["approvals"], json!([]));
    let next = waiting(&app, "srv-2").await;
    assert_eq!(next["action"]["decision"]["outcome"], "ask");
}

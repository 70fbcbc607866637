//! Protection lists over HTTP.

use serde_json::{Value, json};

use crate::app::{ADMINISTRATOR, Answer, RESPONDER, TestApp, VIEWER, request};

const PATH: &str = "/api/v1/lists";

fn never(host: &str) -> Value {
    json!({ "subject": "host", "value": host, "strength": "never", "reason": "It runs the clinic." })
}

async fn add(app: &TestApp, token: &str, entries: Value) -> Answer {
    app.post(token, PATH, json!({ "entries": entries })).await
}

async fn remove(app: &TestApp, token: &str, id: &str, reason: &str) -> Answer {
    let body = json!({ "reason": reason }).to_string();
    let request = request("DELETE", &format!("{PATH}/{id}"), token)
        .header("content-type", "application/json")
        .body(body.into());
    app.send(request.unwrap()).await
}

fn values(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["entry"]["value"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn an_entry_is_added_in_the_name_of_the_token_listed_and_taken_off_with_a_record() {
    let app = TestApp::new();
    let added = add(&app, RESPONDER, json!([never("ws-1")])).await.ok();
    assert_eq!((&added["added"], &added["known"]), (&json!(1), &json!(0)));
    let id = added["ids"][0].as_str().unwrap().to_owned();
    let page = app.get(VIEWER, PATH).await.ok();
    let item = &page["items"][0];
    assert_eq!(item["id"], json!(id));
    assert_eq!(
        (&item["entry"]["author"], &item["entry"]["source"]),
        (&json!("rosa"), &json!("person"))
    );
    let removed = remove(&app, ADMINISTRATOR, &id, "the clinic moved").await;
    assert_eq!(removed.ok()["entry"]["value"], "ws-1");
    let gone = remove(&app, ADMINISTRATOR, &id, "again").await;
    assert_eq!((gone.status.as_u16(), gone.code()), (404, "not_found"));
    let history = app.get(VIEWER, &format!("{PATH}/history")).await.ok();
    let told: Vec<_> = history["items"].as_array().unwrap().iter().collect();
    assert_eq!(told.len(), 2);
    assert_eq!(
        (&told[0]["change"], &told[0]["by"], &told[0]["reason"]),
        (&json!("removed"), &json!("ada"), &json!("the clinic moved"))
    );
    assert_eq!(
        (&told[1]["change"], &told[1]["by"]),
        (&json!("added"), &json!("rosa"))
    );
}

#[tokio::test]
async fn what_only_takes_away_is_a_responders_and_what_allows_an_administrators() {
    let app = TestApp::new();
    let allow = json!([{ "subject": "host", "value": "kiosk-*", "strength": "allow", "reason": "Kiosks." }]);
    let refused = add(&app, RESPONDER, allow.clone()).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (403, "forbidden")
    );
    assert_eq!(app.get(VIEWER, PATH).await.ok()["items"], json!([]));
    add(&app, ADMINISTRATOR, allow).await.ok();
    let ask = json!([{ "subject": "host", "value": "mri-*", "strength": "ask", "actions": ["contain_host"], "reason": "Call the ward." }]);
    add(&app, RESPONDER, ask).await.ok();
}

#[tokio::test]
async fn one_entry_that_makes_no_sense_keeps_all_of_them_out_and_is_named() {
    let app = TestApp::new();
    let wrong = json!({ "subject": "hash", "value": "abc", "strength": "never", "reason": "x" });
    let answer = add(&app, RESPONDER, json!([never("ws-1"), wrong])).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (422, "invalid_body")
    );
    assert_eq!(answer.body["path"], "$.entries[1].value");
    assert_eq!(app.get(VIEWER, PATH).await.ok()["items"], json!([]));
    for body in [json!({ "entries": [] }), json!({})] {
        assert_eq!(app.post(RESPONDER, PATH, body).await.code(), "invalid_body");
    }
    // Nobody writes in somebody else's name.
    let mut forged = never("ws-1");
    forged["author"] = json!("ada");
    let answer = add(&app, RESPONDER, json!([forged])).await;
    assert_eq!(answer.code(), "invalid_body", "{}", answer.text);
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition_and_filters_hold() {
    let app = TestApp::new();
    let hosts: Vec<Value> = (0..5).map(|n| never(&format!("ws-{n}"))).collect();
    add(&app, RESPONDER, hosts.into()).await.ok();
    let mail = json!([{ "subject": "sender", "value": "example.com", "strength": "ask", "reason": "Ours." }]);
    add(&app, RESPONDER, mail).await.ok();
    let mut seen = Vec::new();
    let mut path = format!("{PATH}?limit=2");
    loop {
        let page = app.get(VIEWER, &path).await.ok();
        seen.extend(values(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("{PATH}?limit=2&before={next}");
    }
    let all = ["example.com", "ws-4", "ws-3", "ws-2", "ws-1", "ws-0"];
    assert_eq!(seen, all);
    let found = async |query: &str| {
        let page = app.get(VIEWER, &format!("{PATH}?{query}")).await.ok();
        values(&page).len()
    };
    assert_eq!(found("subject=host").await, 5);
    assert_eq!(found("strength=ask").await, 1);
    assert_eq!(found("source=person").await, 6);
    assert_eq!(found("source=quell").await, 0);
    assert_eq!(found("matching=WS-3").await, 1);
    assert_eq!(found("matching=mail.example.com").await, 1);
    assert_eq!(found("matching=ws-9").await, 0);
    for wrong in ["subject=hosts", "strength=no", "limit=0", "before=x"] {
        let answer = app.get(VIEWER, &format!("{PATH}?{wrong}")).await;
        assert_eq!(answer.code(), "invalid_parameter", "{wrong}");
    }
}

#[tokio::test]
async fn many_entries_are_added_in_one_order_and_repeating_it_adds_none() {
    let app = TestApp::new();
    let hosts: Vec<Value> = (0..5_000).map(|n| never(&format!("ws-{n}"))).collect();
    let first = add(&app, RESPONDER, hosts.clone().into()).await.ok();
    assert_eq!(
        (&first["added"], &first["known"]),
        (&json!(5_000), &json!(0))
    );
    assert_eq!(first["ids"].as_array().unwrap().len(), 100);
    let again = add(&app, RESPONDER, hosts.into()).await.ok();
    assert_eq!(
        (&again["added"], &again["known"]),
        (&json!(0), &json!(5_000))
    );
}

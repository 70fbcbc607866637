//! Listing, showing, answering and taking back actions.

use serde_json::{Value, json};

use crate::app::{ADMINISTRATOR, RESPONDER, TestApp, VIEWER};
use crate::vendor::alert;

/// The only containment there is, as shown.
async fn containment(app: &TestApp) -> Value {
    let list = app.get(VIEWER, "/api/v1/actions").await.ok();
    let is_one = |action: &&Value| action["action"] == "contain_host";
    let id = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(is_one)
        .unwrap()["id"]
        .clone();
    app.get(VIEWER, &format!("/api/v1/actions/{}", id.as_str().unwrap()))
        .await
        .ok()
}

fn path(detail: &Value, verb: &str) -> String {
    format!(
        "/api/v1/actions/{}/{verb}",
        detail["action"]["id"].as_str().unwrap()
    )
}

#[tokio::test]
async fn an_action_that_waits_is_shown_with_everything_a_person_needs_to_answer() {
    let app = TestApp::new();
    app.push(alert("a1", "srv-1", "server")).await.ok();
    let detail = containment(&app).await;
    let action = &detail["action"];
    assert_eq!(action["state"], "awaiting_approval");
    assert_eq!(action["decision"]["outcome"], "ask");
    assert_eq!(
        action["target"],
        json!({ "type": "host", "id": "srv-1", "name": "srv-1", "class": "server" })
    );
    assert_eq!(action["target_name"], "srv-1");
    assert_eq!(action["severity"], "high");
    assert_eq!(action["shadow"], false);
    assert_eq!(action["clocks"]["detected"], "2026-09-21T14:13:10Z");
    assert_eq!(detail["awaits_answer"], true);
    assert_eq!(
        detail["impact"],
        "The host loses its network until it is released."
    );
    assert_eq!(detail["reverted_by"], "release_host");
    assert_eq!(detail["history"][0]["to"], "awaiting_approval");
    assert_eq!(detail["alerts"][0]["alert"]["id"], "a1");
    assert_eq!(detail["incident"]["title"], "Something runs");
    assert_eq!(detail["incident"]["severity"], "high");
    assert_eq!(detail["shown"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn a_yes_runs_it_and_a_revert_takes_it_back_under_the_names_of_those_who_ordered_it() {
    let app = TestApp::new();
    app.push(alert("a1", "srv-1", "server")).await.ok();
    let detail = containment(&app).await;
    let yes = json!({ "shown": detail["shown"], "reason": "ransomware\n\u{1b}[31mseen" });
    let approved = app
        .post(RESPONDER, &path(&detail, "approve"), yes)
        .await
        .ok();
    assert_eq!(approved["state"], "scheduled");
    app.work().await;
    assert!(app.vendor.contained.lock().unwrap().contains("srv-1"));
    let detail = containment(&app).await;
    assert_eq!(detail["action"]["state"], "completed");
    assert_eq!(detail["action"]["effect_by"], "quell");
    assert_eq!(detail["prior"], "released");
    assert_eq!(detail["approvals"][0]["person"], "rosa");
    assert_eq!(detail["approvals"][0]["reason"], "ransomware  [31mseen");
    let order = json!({ "reason": "false alarm" });
    let reverting = app
        .post(ADMINISTRATOR, &path(&detail, "revert"), order.clone())
        .await
        .ok();
    assert_eq!(reverting["state"], "reverting");
    assert_eq!(reverting["note"], "ada orders it taken back: false alarm");
    app.work().await;
    assert!(app.vendor.contained.lock().unwrap().is_empty());
    let again = app
        .post(ADMINISTRATOR, &path(&detail, "revert"), order)
        .await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "refused"));
    assert_eq!(
        again.body["message"],
        "the action is reverted; there is nothing to take back"
    );
}

#[tokio::test]
async fn an_answer_to_what_was_not_shown_is_refused_and_the_first_answer_holds() {
    let app = TestApp::new();
    app.push(alert("a1", "srv-1", "server")).await.ok();
    let detail = containment(&app).await;
    let blind = app
        .post(
            RESPONDER,
            &path(&detail, "approve"),
            json!({ "shown": "0", "reason": "x" }),
        )
        .await;
    assert_eq!((blind.status.as_u16(), blind.code()), (409, "changed"));
    let answer = json!({ "shown": detail["shown"], "reason": "it is ours" });
    let rejected = app
        .post(RESPONDER, &path(&detail, "reject"), answer.clone())
        .await
        .ok();
    assert_eq!(rejected["state"], "rejected");
    let late = app.post(RESPONDER, &path(&detail, "approve"), answer).await;
    assert_eq!((late.status.as_u16(), late.code()), (409, "refused"));
    assert_eq!(
        containment(&app).await["approvals"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn an_order_that_cannot_be_understood_is_refused_by_its_path() {
    let app = TestApp::new();
    app.push(alert("a1", "srv-1", "server")).await.ok();
    let detail = containment(&app).await;
    for (body, status, at, message) in [
        (
            json!({ "shown": "x" }),
            422,
            "$",
            "$: missing field `reason`",
        ),
        (
            json!({ "shown": "x", "reason": " \n" }),
            422,
            "$.reason",
            "$.reason: say why; it is kept in the journal",
        ),
        (
            json!({ "shown": 1, "reason": "x" }),
            422,
            "$.shown",
            "$.shown: invalid type: integer `1`, expected a string",
        ),
        (
            json!({ "shown": "x", "reason": "x", "force": true }),
            422,
            "$.force",
            "$.force: unknown field `force`, expected `shown` or `reason`",
        ),
    ] {
        let answer = app.post(RESPONDER, &path(&detail, "approve"), body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, "invalid_body"),
            "{answer:?}"
        );
        assert_eq!(
            (&answer.body["path"], &answer.body["message"]),
            (&json!(at), &json!(message))
        );
    }
    let large = json!({ "shown": "x", "reason": "x".repeat(70_000) });
    assert_eq!(
        app.post(RESPONDER, &path(&detail, "approve"), large)
            .await
            .code(),
        "body_too_large"
    );
    assert_eq!(
        containment(&app).await["action"]["state"],
        "awaiting_approval"
    );
}

#[tokio::test]
async fn a_list_is_filtered_and_continues_where_its_page_ended() {
    let app = TestApp::new();
    for n in 0..5 {
        app.push(alert(&format!("a{n}"), &format!("srv-{n}"), "server"))
            .await
            .ok();
    }
    let ids = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = app
        .get(VIEWER, "/api/v1/actions?state=awaiting_approval&limit=200")
        .await
        .ok();
    assert_eq!(all.get("next"), None);
    let all = ids(&all);
    assert_eq!(all.len(), 5);
    let mut seen = Vec::new();
    let mut path = "/api/v1/actions?state=awaiting_approval&limit=2".to_owned();
    loop {
        let page = app.get(VIEWER, &path).await.ok();
        seen.extend(ids(&page));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/api/v1/actions?state=awaiting_approval&limit=2&before={next}");
    }
    assert_eq!(seen, all);
    let none = app
        .get(
            VIEWER,
            "/api/v1/actions?state=completed,failed&state=reverted",
        )
        .await
        .ok();
    assert_eq!(none, json!({ "items": [] }));
    let incident = app.stored().await[0].action.incident;
    let of_one = app
        .get(
            VIEWER,
            &format!("/api/v1/actions?incident={incident}&state=awaiting_approval"),
        )
        .await
        .ok();
    assert_eq!(of_one["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_parameter_that_cannot_be_read_is_named() {
    let app = TestApp::new();
    for (query, field) in [
        ("state=done", "state"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=1&limit=2", "limit"),
        ("before=alr_1", "before"),
        ("incident=x", "incident"),
        ("stat=completed", "stat"),
    ] {
        let answer = app.get(VIEWER, &format!("/api/v1/actions?{query}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (400, "invalid_parameter"),
            "{query}"
        );
        assert_eq!(answer.body["field"], field, "{query}");
    }
    let wrong = app.get(VIEWER, "/api/v1/actions/alr_1").await;
    assert_eq!(
        wrong.body["message"],
        "id: `alr_1` is not an action id: it must start with `act_`"
    );
}

#[tokio::test]
async fn an_action_that_does_not_exist_is_not_found() {
    let app = TestApp::new();
    let missing = "act_01930000000070008000000000000001";
    let answer = app.get(VIEWER, &format!("/api/v1/actions/{missing}")).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found"));
    assert_eq!(
        answer.body["message"],
        format!("there is no action `{missing}`")
    );
    let order = json!({ "shown": "x", "reason": "x" });
    let answer = app
        .post(
            RESPONDER,
            &format!("/api/v1/actions/{missing}/approve"),
            order,
        )
        .await;
    assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found"));
}

//! Incidents and their timelines.

use serde_json::{Value, json};

use crate::app::{TestApp, VIEWER};
use crate::vendor::alert;

#[tokio::test]
async fn an_incident_is_shown_with_its_actions_and_one_timeline_of_all() {
    let app = TestApp::new();
    let taken = app.push(alert("a1", "ws-1", "workstation")).await.ok();
    app.clock.advance(std::time::Duration::from_secs(60));
    app.push(alert("a2", "ws-1", "workstation")).await.ok();
    app.work().await;
    let incident = taken["alerts"][0]["incident"].as_str().unwrap();
    let detail = app
        .get(VIEWER, &format!("/api/v1/incidents/{incident}"))
        .await
        .ok();
    assert_eq!(detail["incident"]["title"], "Something runs");
    assert_eq!(detail["truncated"], false);
    let timeline = detail["timeline"].as_array().unwrap();
    assert_eq!(timeline[0]["kind"], "alert");
    assert_eq!(
        timeline
            .iter()
            .filter(|entry| entry["kind"] == "alert")
            .count(),
        2
    );
    let states = |id: &Value| -> Vec<&Value> {
        timeline
            .iter()
            .filter(|entry| entry["action"] == *id)
            .map(|entry| &entry["state"])
            .collect()
    };
    let is_one = |action: &&Value| action["action"] == "contain_host";
    let action = detail["actions"]
        .as_array()
        .unwrap()
        .iter()
        .find(is_one)
        .unwrap();
    assert_eq!(states(&action["id"]), ["scheduled", "running", "completed"]);
    let times: Vec<_> = timeline
        .iter()
        .map(|entry| entry["at"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test]
async fn an_incident_that_does_not_exist_is_not_found() {
    let app = TestApp::new();
    let answer = app
        .get(
            VIEWER,
            "/api/v1/incidents/inc_01930000000070008000000000000001",
        )
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (404, &json!("not_found"))
    );
}

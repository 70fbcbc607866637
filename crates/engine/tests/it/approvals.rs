//! Approvals: asked, answered, expired, changed behind the person's back.

use std::time::Duration;

use quell_engine::{ActError, shown};
use quell_model::{ActionState, ActionType, AssetClass, Cause, NoticeKind};
use serde_json::json;

use crate::world::{World, responder};

async fn server() -> World {
    let world = World::new(8);
    world.lab.host("h1", AssetClass::Server);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": "server", "confidence": 80 }))
        .await;
    world.work_for(Duration::from_secs(60)).await;
    world
}

#[tokio::test]
async fn a_server_is_contained_after_a_person_said_yes_and_the_record_says_who() {
    let world = server().await;
    let action = world.only().await;
    assert_eq!(action.state, ActionState::AwaitingApproval);
    let asked = world.lab.lock().told.iter().any(|notice| {
        notice.kind == NoticeKind::ApprovalNeeded
            && notice
                .answer
                .as_ref()
                .is_some_and(|a| a.contains("quell approve"))
    });
    assert!(asked);
    world
        .engine
        .answer(
            action.id,
            &shown(&action),
            &responder("ana"),
            true,
            "seen the tree",
        )
        .await
        .unwrap();
    world.work().await;
    assert_eq!(world.state().await, ActionState::Completed);
    assert!(world.lab.contained("h1"));
    let approvals = world.store.approvals(action.id).await.unwrap();
    assert_eq!(approvals.len(), 1);
    assert_eq!(
        (approvals[0].person.as_str(), approvals[0].yes),
        ("ana", true)
    );
    world.journals_are_chains().await;
}

#[tokio::test]
async fn a_no_is_final_for_this_incident_unless_it_gets_worse() {
    let world = server().await;
    let action = world.only().await;
    world
        .engine
        .answer(
            action.id,
            &shown(&action),
            &responder("ana"),
            false,
            "backup job",
        )
        .await
        .unwrap();
    world
        .accept(json!({ "id": "a2", "host": "h1", "class": "server", "confidence": 85 }))
        .await;
    assert_eq!(world.actions().await.len(), 1, "asked again after a no");
    world
        .accept(json!({ "id": "a3", "host": "h1", "class": "server", "severity": "critical" }))
        .await;
    assert_eq!(
        world.actions().await.len(),
        2,
        "something worse must ask again"
    );
    assert!(!world.lab.contained("h1"));
}

#[tokio::test]
async fn a_no_to_banning_a_common_program_holds_on_other_hosts_for_the_window() {
    let world = World::new(0);
    let found = |id: &str, host: &str, severity: &str| {
        world.lab.host(host, AssetClass::Server);
        let sha256 = "cd".repeat(32);
        json!({ "id": id, "host": host, "class": "server", "severity": severity, "file": "powershell.exe", "sha256": sha256 })
    };
    let bans = async || {
        let mut actions = world.actions().await;
        actions.retain(|action| action.action == ActionType::BlockHash);
        actions
    };
    world.accept(found("a1", "h1", "high")).await;
    let ban = bans().await.remove(0);
    assert_eq!(ban.state, ActionState::AwaitingApproval);
    let no = world.answer(&ban, &responder("ana"), false).await.unwrap();
    assert_eq!(no.state, ActionState::Rejected);
    let other = world.accept(found("a2", "h2", "high")).await;
    assert_eq!(bans().await.len(), 1, "asked again after a no");
    assert!(other.actions.contains(&ban.id));
    world.accept(found("a3", "h3", "critical")).await;
    assert_eq!(bans().await.len(), 2, "something worse must ask again");
}

#[tokio::test]
async fn a_no_is_forgotten_after_the_window() {
    let world = server().await;
    let action = world.only().await;
    world
        .answer(&action, &responder("ana"), false)
        .await
        .unwrap();
    world.clock.advance(Duration::from_secs(25 * 3600));
    world
        .accept(json!({ "id": "a2", "host": "h1", "class": "server", "confidence": 85 }))
        .await;
    assert_eq!(world.actions().await.len(), 2);
}

#[tokio::test]
async fn nobody_answering_is_a_no() {
    let world = server().await;
    world.work_for(Duration::from_secs(5 * 3600)).await;
    assert_eq!(world.state().await, ActionState::Expired);
    assert!(!world.lab.contained("h1"));
    let history = world.store.history(world.only().await.id).await.unwrap();
    assert_eq!(history.last().unwrap().cause, Cause::Timer);
}

#[tokio::test]
async fn an_answer_to_something_else_than_what_was_shown_is_refused() {
    let world = server().await;
    let mut action = world.only().await;
    action.asset.critical = true;
    let refused = world
        .engine
        .answer(action.id, &shown(&action), &responder("ana"), true, "ok")
        .await;
    assert!(matches!(refused, Err(ActError::Changed)));
    assert_eq!(world.state().await, ActionState::AwaitingApproval);
}

#[tokio::test]
async fn the_first_of_two_answers_wins() {
    let world = server().await;
    let action = world.only().await;
    let hash = shown(&action);
    let (ana, ben) = (responder("ana"), responder("ben"));
    let (yes, no) = tokio::join!(
        world.engine.answer(action.id, &hash, &ana, true, "ok"),
        world.engine.answer(action.id, &hash, &ben, false, "no"),
    );
    assert_eq!(u8::from(yes.is_ok()) + u8::from(no.is_ok()), 1);
    assert_eq!(world.store.approvals(action.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_later_alert_that_policy_trusts_does_not_wait_for_the_person() {
    let mut world = World::new(8);
    world.threshold = Some(95);
    world.reconfigure();
    world.lab.host("h1", AssetClass::Server);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": "server", "confidence": 80 }))
        .await;
    assert_eq!(world.state().await, ActionState::AwaitingApproval);
    world
        .accept(json!({ "id": "a2", "host": "h1", "class": "server", "confidence": 99 }))
        .await;
    world.work().await;
    assert_eq!(world.state().await, ActionState::Completed);
    world.journals_are_chains().await;
}

#[tokio::test]
async fn a_document_that_contradicts_itself_about_its_host_asks_and_says_so() {
    let world = World::new(8);
    world.lab.host("h1", AssetClass::Workstation);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": "workstation", "doubt": true }))
        .await;
    let action = world.only().await;
    assert_eq!(action.state, ActionState::AwaitingApproval);
    assert_eq!(action.decision.reasons[0].rule, "target-in-doubt");
    assert_eq!(action.decision.reasons[0].text, "Two hosts are named.");
}

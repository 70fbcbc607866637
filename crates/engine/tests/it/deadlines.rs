//! While people are asked: reminders, escalation, the deadline.

use std::time::Duration;

use quell_engine::ActError;
use quell_model::{ActionState, AssetClass, NoticeKind};
use serde_json::json;

use crate::lab::Lab;
use crate::world::{World, responder};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

const PAGER: &str = "[approvals]\nescalate_to = [\"pager\"]\n";

/// One server whose containment waits for a person since 14:13:20 UTC.
async fn waiting(policy: &str) -> World {
    let mut world = World::new(8);
    world.policy = policy.to_owned();
    world.reconfigure();
    world.lab.host("h1", AssetClass::Server);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": "server", "confidence": 80 }))
        .await;
    world
}

fn titles(channel: &Lab) -> Vec<String> {
    let told = &channel.lock().told;
    told.iter().map(|notice| notice.title.clone()).collect()
}

#[tokio::test]
async fn the_notice_that_asks_says_until_when_and_what_silence_means() {
    let world = waiting("").await;
    world.work_for(MINUTE).await;
    let told = world.lab.lock().told.clone();
    assert_eq!(told[0].kind, NoticeKind::ApprovalNeeded);
    assert_eq!(
        told[0].lines.last().unwrap(),
        "Without an answer by 18:13 UTC nothing is done."
    );
}

#[tokio::test]
async fn those_who_were_asked_are_reminded_until_the_deadline_each_time_once() {
    let mut world = waiting("").await;
    world.work_for(HOUR + MINUTE).await;
    // The next reminder outlives the process.
    world.restart();
    world.work_for(5 * HOUR).await;
    assert_eq!(
        titles(&world.lab),
        [
            "Approval needed: contain host H1",
            "Reminder: contain host H1",
            "Reminder: contain host H1",
            "Reminder: contain host H1",
            "Nobody answered in time, not done: contain host H1",
        ]
    );
    assert_eq!(world.state().await, ActionState::Expired);
    assert_eq!(world.store.next_due().await.unwrap(), None);
}

#[tokio::test]
async fn reminders_can_be_turned_off() {
    let world = waiting("[approvals]\nremind_after = \"0s\"\n").await;
    world.work_for(5 * HOUR).await;
    assert_eq!(titles(&world.lab).len(), 2);
}

#[tokio::test]
async fn others_are_told_of_an_escalation_and_of_what_became_of_it_and_of_nothing_else() {
    let world = waiting(PAGER).await;
    world.work_for(HOUR).await;
    assert_eq!(titles(&world.pager), Vec::<String>::new());
    world.work_for(HOUR + MINUTE).await;
    let action = world.only().await;
    world
        .answer(&action, &responder("ana"), true)
        .await
        .unwrap();
    world.work_for(MINUTE).await;
    assert_eq!(
        titles(&world.pager),
        [
            "Escalation: nobody answered for 2 hours: contain host H1",
            "Going to contain host H1",
            "Done: contain host H1",
        ]
    );
    assert!(
        !titles(&world.lab)
            .iter()
            .any(|title| title.starts_with("Escalation"))
    );
}

#[tokio::test]
async fn an_answer_ends_reminders_and_escalation() {
    let world = waiting(PAGER).await;
    world.work_for(MINUTE).await;
    let action = world.only().await;
    world
        .answer(&action, &responder("ana"), false)
        .await
        .unwrap();
    world.work_for(5 * HOUR).await;
    assert_eq!(titles(&world.pager), Vec::<String>::new());
    assert_eq!(titles(&world.lab).len(), 2);
}

#[tokio::test]
async fn an_action_that_need_not_ask_any_more_reminds_nobody() {
    let mut world = World::new(8);
    world.threshold = Some(95);
    world.policy = PAGER.to_owned();
    world.reconfigure();
    world.lab.host("h1", AssetClass::Server);
    for (id, confidence) in [("a1", 80), ("a2", 99)] {
        world
            .accept(json!({ "id": id, "host": "h1", "class": "server", "confidence": confidence }))
            .await;
    }
    world.work_for(5 * HOUR).await;
    assert_eq!(world.state().await, ActionState::Completed);
    let reminded = |title: &String| title.starts_with("Reminder") || title.starts_with("Escal");
    assert!(!titles(&world.lab).iter().any(reminded));
    assert!(!titles(&world.pager).iter().any(reminded));
}

#[tokio::test]
async fn a_yes_after_the_deadline_is_none_even_if_nobody_noticed_the_deadline_yet() {
    let world = waiting("").await;
    let action = world.only().await;
    world.clock.advance(4 * HOUR);
    let late = world.answer(&action, &responder("ana"), true).await;
    let Err(ActError::Refused(why)) = late else {
        panic!("it counted");
    };
    assert_eq!(
        why,
        "the deadline was 2026-09-21 18:13 UTC; nothing is done any more"
    );
    // A reminder that is as late is none either.
    world.work_for(MINUTE).await;
    assert_eq!(world.state().await, ActionState::Expired);
    assert!(!titles(&world.lab).iter().any(|t| t.starts_with("Reminder")));
}

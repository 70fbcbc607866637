//! Opting in and out, and pausing single connections.

use std::time::Duration;

use quell_engine::agreement;
use quell_model::{ActionState, ActionType, AssetClass, Clock};
use serde_json::json;

use crate::world::{World, lab_id, responder};

const CONTAIN: ActionType = ActionType::ContainHost;

/// Nothing is opted in, as in a new installation.
fn new() -> World {
    let mut world = World::new(8);
    world.opted_in.clear();
    world.reconfigure();
    world
}

async fn alert(world: &World, number: u32) -> ActionState {
    let host = format!("h{number}");
    world.lab.host(&host, AssetClass::Workstation);
    let document = json!({ "id": format!("a{number}"), "host": host, "class": "workstation" });
    world.accept(document).await;
    world.engine.quiet().await;
    world.actions().await.last().unwrap().state
}

#[tokio::test]
async fn whoever_opts_in_agrees_to_a_text_that_is_kept_with_who_and_when() {
    let world = new();
    assert_eq!(alert(&world, 0).await, ActionState::Shadowed);
    let text = agreement(CONTAIN).unwrap();
    let refused = world.engine.opt_in(CONTAIN, "ana", "yes").await;
    assert!(refused.unwrap_err().to_string().ends_with(&text));
    assert_eq!(alert(&world, 1).await, ActionState::Shadowed);
    world.engine.opt_in(CONTAIN, "ana", &text).await.unwrap();
    assert_eq!(alert(&world, 2).await, ActionState::Completed);
    let changes = world
        .store
        .opt_ins(world.engine.organization())
        .await
        .unwrap();
    let [change] = changes.as_slice() else {
        panic!("{changes:#?}");
    };
    assert_eq!(
        (change.action, change.opted_in, change.person.as_str()),
        (CONTAIN, true, "ana")
    );
    assert_eq!((change.at, &change.text), (world.clock.now(), &text));
}

#[tokio::test]
async fn taking_an_action_back_is_nothing_to_opt_in_to() {
    let refused = new()
        .engine
        .opt_in(ActionType::ReleaseHost, "ana", "")
        .await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn opting_out_holds_for_queued_work_and_for_what_a_person_approved() {
    let world = World::new(0);
    world.lab.host("h0", AssetClass::Workstation);
    world.lab.host("srv", AssetClass::Server);
    for (id, host, class) in [("a0", "h0", "workstation"), ("a1", "srv", "server")] {
        let document = json!({ "id": id, "host": host, "class": class });
        world.accept(document).await;
    }
    let asked = world.actions().await.pop().unwrap();
    let shown = quell_engine::shown(&asked);
    world
        .engine
        .answer(asked.id, &shown, &responder("ana"), true, "go")
        .await
        .unwrap();
    world
        .engine
        .opt_out(CONTAIN, "ana", "It hit the wrong ones.")
        .await
        .unwrap();
    world.work().await;
    for action in world.actions().await {
        assert_eq!(action.state, ActionState::Shadowed);
    }
    assert!(!world.lab.contained("h0") && !world.lab.contained("srv"));
}

#[tokio::test]
async fn a_process_that_starts_knows_what_was_opted_in_to_and_out_of() {
    let mut world = new();
    for action in [CONTAIN, ActionType::KillProcess] {
        let text = agreement(action).unwrap();
        world.engine.opt_in(action, "ana", &text).await.unwrap();
    }
    world.engine.opt_out(CONTAIN, "ben", "no").await.unwrap();
    world.restart();
    world.engine.load_switches().await.unwrap();
    let opted_in = world.engine.opted_in();
    let known: Vec<ActionType> = opted_in.iter().map(|(action, _)| action).collect();
    assert_eq!(known, [ActionType::KillProcess]);
}

#[tokio::test]
async fn a_paused_connection_takes_alerts_in_and_does_nothing_until_it_goes_on() {
    let mut world = World::new(0);
    let lab = lab_id();
    assert_eq!(alert(&world, 0).await, ActionState::Scheduled);
    world
        .engine
        .pause(Some(&lab), "ana", "The vendor has an outage.")
        .await
        .unwrap();
    assert_eq!(alert(&world, 1).await, ActionState::Scheduled);
    world.work_for(Duration::from_secs(600)).await;
    assert!(!world.lab.contained("h0") && !world.lab.contained("h1"));
    // Another process finds it paused as well.
    world.restart();
    world.work_for(Duration::from_secs(600)).await;
    assert!(!world.lab.contained("h0"));
    world.engine.resume(None, "ana").await.unwrap();
    world.work_for(Duration::from_secs(600)).await;
    assert!(
        !world.lab.contained("h0"),
        "everything was not what was paused"
    );
    world.engine.resume(Some(&lab), "ana").await.unwrap();
    world.work_for(Duration::from_secs(600)).await;
    assert!(world.lab.contained("h0") && world.lab.contained("h1"));
}

#[tokio::test]
async fn a_process_that_starts_paused_does_nothing_about_its_very_first_alert() {
    let mut world = World::new(8);
    let text = agreement(CONTAIN).unwrap();
    world.engine.opt_in(CONTAIN, "ana", &text).await.unwrap();
    let engine = &world.engine;
    engine.pause(None, "ana", "change window").await.unwrap();
    world.restart();
    // Alerts may come before the work begins.
    world.engine.load_switches().await.unwrap();
    assert_eq!(alert(&world, 0).await, ActionState::Scheduled);
    assert!(!world.lab.contained("h0"));
}

#[tokio::test]
async fn a_connection_that_is_not_there_cannot_be_paused() {
    let unknown = "nobody".parse().unwrap();
    let refused = World::new(0)
        .engine
        .pause(Some(&unknown), "ana", "why")
        .await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "there is no connection `nobody`"
    );
}

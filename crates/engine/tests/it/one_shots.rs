//! One-shots: at most once, and honest about what nobody knows.

use quell_connector::Kind;
use quell_engine::shown;
use quell_model::{Action, ActionState, ActionType, AssetClass};
use serde_json::json;

use crate::lab::Fault;
use crate::world::{World, responder};

async fn world(workers: usize) -> World {
    let mut world = World::new(workers);
    world.opted_in = vec![ActionType::KillProcess];
    world.reconfigure();
    world.lab.host("h1", AssetClass::Workstation);
    world
}

fn alert() -> serde_json::Value {
    json!({ "id": "a1", "host": "h1", "class": "workstation", "pid": 4711 })
}

async fn kill(world: &World) -> Action {
    world
        .actions()
        .await
        .into_iter()
        .find(|a| a.action == ActionType::KillProcess)
        .unwrap()
}

fn kills(world: &World) -> u32 {
    world.lab.lock().kills.values().sum()
}

#[tokio::test]
async fn a_process_is_killed_once_and_seen_to_be_gone() {
    for workers in [0, 8] {
        let world = world(workers).await;
        world.accept(alert()).await;
        world.work().await;
        assert_eq!(kill(&world).await.state, ActionState::Completed);
        assert_eq!(kills(&world), 1);
        world.journals_are_chains().await;
    }
}

#[tokio::test]
async fn a_lost_reply_to_a_kill_is_unknown_and_never_fired_again() {
    let world = world(8).await;
    world.lab.fault("perform", Fault::Lose);
    world.accept(alert()).await;
    world.work().await;
    let action = kill(&world).await;
    assert_eq!(action.state, ActionState::Unknown);
    assert_eq!(kills(&world), 1);
    // A person looks, and says so.
    world
        .engine
        .answer(
            action.id,
            &shown(&action),
            &responder("ana"),
            true,
            "it is gone",
        )
        .await
        .unwrap();
    assert_eq!(kill(&world).await.state, ActionState::Completed);
    assert_eq!(kills(&world), 1);
}

#[tokio::test]
async fn a_kill_that_never_left_is_tried_again() {
    let world = world(8).await;
    world
        .lab
        .fault("perform", Fault::Refuse(Kind::VendorUnavailable));
    world.accept(alert()).await;
    world.work().await;
    assert_eq!(kill(&world).await.state, ActionState::Completed);
    assert_eq!(kills(&world), 1);
}

#[tokio::test]
async fn an_outcome_that_cannot_be_read_for_a_while_is_asked_for_again_without_killing_again() {
    let world = world(8).await;
    for _ in 0..3 {
        world
            .lab
            .fault("progress", Fault::Refuse(Kind::VendorUnavailable));
    }
    world.accept(alert()).await;
    world.work().await;
    assert_eq!(kill(&world).await.state, ActionState::Completed);
    assert_eq!(kills(&world), 1);
}

#[tokio::test]
async fn a_kill_interrupted_before_its_intent_is_simply_done_later() {
    let mut world = world(8).await;
    world.lab.fault("prepare", Fault::CrashBefore);
    world.accept(alert()).await;
    world.lab.crash.notified().await;
    assert_eq!(kill(&world).await.state, ActionState::Scheduled);
    world.restart();
    world.work().await;
    assert_eq!(kill(&world).await.state, ActionState::Completed);
    assert_eq!(kills(&world), 1);
}

#[tokio::test]
async fn a_pause_in_the_last_moment_holds_a_kill() {
    let world = world(0).await;
    world.accept(alert()).await;
    world.lab.fault("prepare", Fault::Pause);
    let engine = world.engine.clone();
    let paused = world.lab.crash.clone();
    tokio::join!(world.work_for(std::time::Duration::from_secs(60)), async {
        paused.notified().await;
        engine.pause(None, "ana", "wait").await.unwrap();
        world.lab.resume.notify_one();
    });
    assert_eq!(kills(&world), 0);
    world.engine.resume(None, "ana").await.unwrap();
    world.work().await;
    assert_eq!(kills(&world), 1);
}

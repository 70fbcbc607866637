//! Reverts: back to what was, only over what Quell set, however often and whoever interferes.

use std::time::Duration;

use quell_connector::Kind;
use quell_model::{ActionId, ActionState, AssetClass};
use serde_json::json;

use crate::lab::Fault;
use crate::world::World;

async fn contained() -> (World, ActionId) {
    let world = World::new(8);
    world.lab.host("h1", AssetClass::Workstation);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": "workstation" }))
        .await;
    world.work().await;
    let action = world.only().await;
    assert_eq!(action.state, ActionState::Completed);
    (world, action.id)
}

#[tokio::test]
async fn a_contained_host_is_released_and_seen_to_be() {
    let (world, id) = contained().await;
    world
        .engine
        .revert(id, "ana", "false positive", false)
        .await
        .unwrap();
    world.work().await;
    assert_eq!(world.state().await, ActionState::Reverted);
    assert!(!world.lab.contained("h1"));
    assert_eq!(world.lab.applied("release h1"), 1);
    world.journals_are_chains().await;
}

#[tokio::test]
async fn reverting_twice_releases_once_and_the_second_is_refused() {
    let (world, id) = contained().await;
    world
        .engine
        .revert(id, "ana", "false positive", false)
        .await
        .unwrap();
    world.work().await;
    assert!(
        world
            .engine
            .revert(id, "ben", "again", false)
            .await
            .is_err()
    );
    assert_eq!(world.lab.applied("release h1"), 1);
}

#[tokio::test]
async fn a_host_somebody_released_by_hand_needs_no_call() {
    let (world, id) = contained().await;
    world.lab.lock().hosts.get_mut("h1").unwrap().contained = false;
    world
        .engine
        .revert(id, "ana", "false positive", false)
        .await
        .unwrap();
    world.work().await;
    assert_eq!(world.state().await, ActionState::Reverted);
    assert_eq!(world.lab.applied("release h1"), 0);
}

#[tokio::test]
async fn a_revert_survives_lost_replies_outages_and_slowness() {
    for fault in [
        Fault::Lose,
        Fault::Refuse(Kind::VendorUnavailable),
        Fault::Refuse(Kind::RateLimited),
    ] {
        let (world, id) = contained().await;
        world.lab.fault("write", fault);
        world.lab.lock().slow = true;
        world
            .engine
            .revert(id, "ana", "false positive", false)
            .await
            .unwrap();
        world.work_for(Duration::from_secs(30)).await;
        assert_eq!(world.state().await, ActionState::Reverting, "{fault:?}");
        world.lab.settle();
        world.work_for(Duration::from_secs(60)).await;
        assert_eq!(world.state().await, ActionState::Reverted, "{fault:?}");
        assert_eq!(world.lab.applied("release h1"), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn an_alert_during_a_revert_is_not_swallowed_by_it() {
    let (world, id) = contained().await;
    world.lab.lock().slow = true;
    world
        .engine
        .revert(id, "ana", "false positive", false)
        .await
        .unwrap();
    world.work_for(Duration::from_secs(2)).await;
    world
        .accept(json!({ "id": "a2", "host": "h1", "class": "workstation" }))
        .await;
    world.lab.settle();
    world.lab.lock().slow = false;
    world.work().await;
    let states: Vec<_> = world
        .actions()
        .await
        .into_iter()
        .map(|action| action.state)
        .collect();
    assert_eq!(states, [ActionState::Reverted, ActionState::Completed]);
    assert!(world.lab.contained("h1"));
}

#[tokio::test]
async fn a_release_that_was_lost_before_the_vendor_saw_it_is_sent_again() {
    let (world, id) = contained().await;
    world.lab.fault("write", Fault::Refuse(Kind::MaybeApplied));
    world
        .engine
        .revert(id, "ana", "false positive", false)
        .await
        .unwrap();
    world.work().await;
    assert_eq!(world.state().await, ActionState::Reverted);
    assert_eq!(world.lab.applied("release h1"), 1);
}

//! What was decided before an outage is not simply done after it.

use std::time::Duration;

use quell_engine::shown;
use quell_model::{Action, ActionState, AssetClass};
use serde_json::json;

use crate::world::{World, responder};

const HOURS: Duration = Duration::from_secs(2 * 3600 + 600);

async fn alert(world: &World, class: AssetClass) {
    world.lab.host("h1", class);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": class }))
        .await;
}

async fn approve(world: &World, action: &Action) {
    world
        .engine
        .answer(action.id, &shown(action), &responder("ana"), true, "seen")
        .await
        .unwrap();
}

/// October 2025: a worker that was held up applied an old plan after a newer one.
#[tokio::test]
async fn late_worker_2025_a_decision_that_an_outage_made_old_asks_a_person() {
    let world = World::new(0);
    alert(&world, AssetClass::Workstation).await;
    world.clock.advance(HOURS);
    world.work_for(Duration::from_secs(60)).await;
    let action = world.only().await;
    assert_eq!(action.state, ActionState::AwaitingApproval);
    assert_eq!(
        action.decision.reasons[0].text,
        "The decision is 130 minutes old, and the limit is 1 hour; what was true then may not be now."
    );
    assert!(!world.lab.contained("h1"));
    approve(&world, &action).await;
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(world.state().await, ActionState::Completed);
    world.journals_are_chains().await;
}

#[tokio::test]
async fn a_yes_that_an_outage_made_old_is_asked_for_again() {
    let world = World::new(0);
    alert(&world, AssetClass::Server).await;
    approve(&world, &world.only().await).await;
    world.clock.advance(HOURS);
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(world.state().await, ActionState::AwaitingApproval);
    assert!(!world.lab.contained("h1"));
}

#[tokio::test]
async fn a_decision_within_the_limit_is_carried_out() {
    let world = World::new(0);
    alert(&world, AssetClass::Workstation).await;
    world.clock.advance(Duration::from_secs(59 * 60));
    world.work_for(Duration::from_secs(30)).await;
    assert_eq!(world.state().await, ActionState::Completed);
}

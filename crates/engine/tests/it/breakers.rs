//! Breakers: what asks because it is new, because it comes again and again, or because of a storm.

use std::time::Duration;

use quell_model::{ActionState, ActionType, AssetClass, NoticeKind};
use quell_policy::{Settings, Source};
use serde_json::json;

use crate::world::World;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A world with only these of the shipped budgets, and the shipped storm breaker.
fn with(names: &[&str]) -> World {
    let off: String = Settings::builtin()
        .budgets
        .iter()
        .filter(|budget| !names.contains(&budget.name.as_str()))
        .map(|budget| format!("[budgets.{}]\noff = true\n", budget.name))
        .collect();
    let settings = Settings::load(&Source {
        name: "policy.toml",
        text: &off,
    });
    let mut world = World::new(16);
    world.budgets = settings.unwrap().budgets;
    world.storm = Settings::builtin().storm;
    world.reconfigure();
    world
}

/// One alert about a workstation of its own, and what becomes of its containment.
async fn alert(world: &World, number: u32, detection: &str) -> ActionState {
    let host = format!("h{number}");
    world.lab.host(&host, AssetClass::Workstation);
    let id = format!("a{number}");
    let document =
        json!({ "id": id, "host": host, "class": "workstation", "detection": detection });
    world.accept(document).await;
    world.engine.quiet().await;
    world.actions().await.last().unwrap().state
}

async fn reason(world: &World) -> String {
    let actions = world.actions().await;
    actions.last().unwrap().decision.reasons[0].text.clone()
}

fn asked(world: &World) -> usize {
    let lab = world.lab.lock();
    let asked = |notice: &&quell_model::Notice| notice.kind == NoticeKind::ApprovalNeeded;
    lab.told.iter().filter(asked).count()
}

#[tokio::test]
async fn a_connection_asks_for_the_first_day_and_says_so_each_time() {
    let world = with(&["new-connection"]);
    for number in 0..3 {
        let state = alert(&world, number, "D").await;
        assert_eq!(state, ActionState::AwaitingApproval);
    }
    assert_eq!(
        reason(&world).await,
        "The first alert of this connection came less than 1 day ago, so a person decides."
    );
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(asked(&world), 3);
    world.clock.advance(DAY);
    assert_eq!(alert(&world, 3, "D").await, ActionState::Completed);
}

#[tokio::test]
async fn a_detection_nobody_has_seen_before_acts_on_a_few_and_then_asks() {
    let world = with(&["new-detection"]);
    alert(&world, 0, "Old").await;
    world.clock.advance(DAY);
    let mut ran = 0;
    for number in 1..20 {
        ran += u32::from(alert(&world, number, "New").await == ActionState::Completed);
    }
    assert_eq!(ran, 10);
    assert_eq!(alert(&world, 20, "Old").await, ActionState::Completed);
    world.clock.advance(DAY);
    assert_eq!(alert(&world, 21, "New").await, ActionState::Completed);
}

#[tokio::test]
async fn shadow_mode_is_where_a_detection_becomes_known() {
    let mut world = with(&["new-connection", "new-detection"]);
    let opted_in = std::mem::take(&mut world.opted_in);
    world.reconfigure();
    assert_eq!(alert(&world, 0, "D").await, ActionState::Shadowed);
    world.clock.advance(DAY);
    world.opted_in = opted_in;
    world.reconfigure();
    assert_eq!(alert(&world, 1, "D").await, ActionState::Completed);
}

#[tokio::test]
async fn what_quell_does_again_and_again_on_one_machine_asks_in_the_end() {
    let mut world = with(&["same-target"]);
    world.opted_in = vec![ActionType::KillProcess];
    world.reconfigure();
    world.lab.host("h1", AssetClass::Workstation);
    for pid in 0..12 {
        let id = format!("a{pid}");
        let document = json!({ "id": id, "host": "h1", "class": "workstation", "pid": pid });
        world.accept(document).await;
        world.work_for(Duration::from_secs(60)).await;
    }
    let kills = world.lab.lock().kills.len();
    assert_eq!(kills, 10);
    let actions = world.actions().await;
    let held = actions
        .iter()
        .find(|action| action.state == ActionState::AwaitingApproval);
    assert_eq!(
        held.unwrap().decision.reasons[0].text,
        "Quell did this 10 times here within 1 hour and it came back, so a person decides."
    );
}

#[tokio::test]
async fn in_a_storm_everything_it_asks_for_waits_and_people_are_told_once() {
    let world = with(&[]);
    let mut ran = 0;
    for number in 0..200 {
        ran += u32::from(alert(&world, number, "Sudden").await == ActionState::Completed);
        world.clock.advance(Duration::from_secs(1));
    }
    assert!((29..=32).contains(&ran), "{ran}");
    let reason = reason(&world).await;
    assert!(reason.starts_with("About 1"), "{reason}");
    assert!(
        reason.contains("alerts of this detection came within 10 minutes, usually hardly any"),
        "{reason}"
    );
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(asked(&world), 1);
    assert_eq!(world.actions().await.len(), 200, "nothing is dropped");
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(alert(&world, 200, "Sudden").await, ActionState::Completed);
}

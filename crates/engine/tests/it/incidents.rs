//! Automation that went wrong in the field, replayed in shape: what the shipped policy makes of it.

use std::time::Duration;

use quell_model::entity::AccessKey;
use quell_model::{ActionState, ActionType, AssetClass, AssetFacts, Basis, Person, Role, Severity};
use quell_policy::{FileFacts, Question, Settings};
use serde_json::json;

use crate::world::{World, responder};

/// The shipped budgets, as a new installation has them.
fn shipped() -> World {
    let mut world = World::new(16);
    world.budgets = Settings::builtin().budgets.clone();
    world.reconfigure();
    world
}

/// `count` hosts of a class, one alert about each within `minutes`.
async fn storm(world: &World, class: AssetClass, count: u32, minutes: u64) {
    let step = Duration::from_secs(minutes * 60) / count;
    for number in 0..count {
        let host = format!("h{number}");
        world.lab.host(&host, class);
        let document = json!({ "id": format!("a{number}"), "host": host, "class": class });
        world.accept(document).await;
        world.clock.advance(step);
    }
    world.work_for(Duration::from_secs(60)).await;
}

async fn contained(world: &World) -> usize {
    let actions = world.actions().await;
    actions
        .iter()
        .filter(|action| action.state == ActionState::Completed)
        .count()
}

/// April 2025: a new detection of leaked credentials flagged healthy users; one provider's customers
/// raised 94 alerts within three minutes, and policies locked people out by the thousand.
#[tokio::test]
async fn leaked_credentials_2025_a_detection_that_fires_everywhere_stops_at_its_budget() {
    let world = shipped();
    storm(&world, AssetClass::Workstation, 94, 3).await;
    assert_eq!(contained(&world).await, 10);
    let actions = world.actions().await;
    assert_eq!(
        actions.len(),
        94,
        "the others wait for a person; none is lost"
    );
}

/// Case study of a hospital: a backup job looked like lateral movement, and hundreds of workstations
/// were isolated.
#[tokio::test]
async fn hospital_backup_job_hundreds_of_workstations_are_not_isolated() {
    let world = shipped();
    storm(&world, AssetClass::Workstation, 300, 50).await;
    assert_eq!(contained(&world).await, 10);
}

/// A retailer, 2019 to 2022: an isolation playbook matched a legitimate server and took a network down.
#[tokio::test]
async fn retailer_server_isolation_a_server_waits_for_a_person() {
    let world = shipped();
    storm(&world, AssetClass::Server, 3, 1).await;
    assert_eq!(contained(&world).await, 0);
    let actions = world.actions().await;
    assert!(
        actions
            .iter()
            .all(|action| action.state == ActionState::AwaitingApproval)
    );
}

/// Blockers of addresses and hosts, 2018 to 2026: the organization's own gateway and its own
/// administrators were locked out.
#[tokio::test]
async fn own_infrastructure_that_is_listed_is_never_touched() {
    let mut world = shipped();
    world.listed = vec!["host,gateway-*,never,Everybody goes through it."];
    world.reconfigure();
    world.lab.host("gateway-1", AssetClass::Workstation);
    world
        .accept(json!({ "id": "a1", "host": "gateway-1", "class": "workstation" }))
        .await;
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(world.state().await, ActionState::Denied);
    assert!(!world.lab.contained("gateway-1"));
}

/// January 2023: a rule deleted shortcuts also where people had set it to watch only.
#[tokio::test]
async fn audit_mode_2023_what_is_not_opted_in_is_not_touched_at_the_last_gate_either() {
    let mut world = World::new(0);
    world.lab.host("h1", AssetClass::Workstation);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": "workstation" }))
        .await;
    assert_eq!(world.state().await, ActionState::Scheduled);
    world.opted_in.clear();
    world.reconfigure();
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(world.state().await, ActionState::Shadowed);
    assert!(!world.lab.contained("h1"));
}

/// March 2026: somebody with a stolen administrator's account ordered a bulk action on a whole fleet; one
/// account was enough, and nothing limited how often.
#[tokio::test]
async fn bulk_wipe_2026_a_stolen_administrator_s_yes_stops_counting_alone() {
    let world = shipped();
    storm(&world, AssetClass::Server, 200, 10).await;
    let stolen = Person {
        name: "ada".into(),
        role: Role::Administrator,
    };
    for action in world.actions().await {
        world.answer(&action, &stolen, true).await.unwrap();
    }
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(contained(&world).await, 20);
    let waiting = |action: &&quell_model::Action| action.state == ActionState::AwaitingApproval;
    let actions = world.actions().await;
    let next = actions.iter().find(waiting).unwrap();
    world.answer(next, &responder("ben"), true).await.unwrap();
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(contained(&world).await, 21, "a second person's yes counts");
}

/// The same account first makes the rules ask for less.
#[tokio::test]
async fn bulk_wipe_2026_a_stolen_administrator_does_not_approve_by_rules_they_changed() {
    let mut world = shipped();
    world.policy = "[actions.contain_host]\nserver = { ask = 2 }\n".into();
    let before = world.engine.put_in_force(world.rules(), None).await;
    assert!(!before.unwrap().is_empty());
    world.policy =
        "[actions.contain_host]\nserver = { ask = 1, role = \"administrator\" }\n".into();
    let changed = world.engine.put_in_force(world.rules(), Some("ada")).await;
    assert_eq!(changed.unwrap(), ["contain-host-server"]);
    storm(&world, AssetClass::Server, 5, 1).await;
    let stolen = Person {
        name: "ada".into(),
        role: Role::Administrator,
    };
    for action in world.actions().await {
        assert!(world.answer(&action, &stolen, true).await.is_err());
    }
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(contained(&world).await, 0);
}

/// Or makes Quell forget the difference.
#[tokio::test]
async fn bulk_wipe_2026_a_stolen_administrator_does_not_turn_off_what_stands_against_it() {
    for lax in ["alone_per_hour = 10000", "author_excluded_for = \"0s\""] {
        let mut world = shipped();
        let before = world.engine.put_in_force(world.rules(), None).await;
        assert!(!before.unwrap().is_empty());
        world.policy = format!("[approvals]\n{lax}\n");
        let changed = world.engine.put_in_force(world.rules(), Some("ada")).await;
        assert_eq!(changed.unwrap(), ["[approvals]"]);
        storm(&world, AssetClass::Server, 1, 1).await;
        let stolen = Person {
            name: "ada".into(),
            role: Role::Administrator,
        };
        let action = world.only().await;
        let refused = world.answer(&action, &stolen, true).await.unwrap_err();
        assert!(refused.to_string().contains("`[approvals]`"), "{refused}");
    }
}

/// July 2025 and spring 2026: an agent with one broad token deleted production data, and its backups.
#[tokio::test]
async fn deleted_production_2026_what_cannot_be_taken_back_takes_two_people() {
    let mut world = shipped();
    let decision = world.engine.rules().policy.decide(&Question {
        action: ActionType::DeleteAccessKey,
        target: &AccessKey::default().into(),
        asset: &AssetFacts::default(),
        basis: &Basis {
            severity: Severity::Critical,
            confidence: Some(100),
            source: "lab".into(),
            detection: "LabPattern".into(),
        },
        file: FileFacts::default(),
        lists: &[],
        entry: None,
    });
    assert_eq!(decision.quorum.approvers, 2, "{decision:?}");

    // The laboratory has no keys; a killed process does not come back either.
    world.policy = "[actions.kill_process]\nany = { ask = 2 }\n".into();
    world.reconfigure();
    world.lab.host("h1", AssetClass::Workstation);
    let document = json!({ "id": "a1", "host": "h1", "class": "workstation", "pid": 7 });
    world.accept(document).await;
    world.work_for(Duration::from_secs(60)).await;
    let actions = world.actions().await;
    let kill = |action: &&quell_model::Action| action.action == ActionType::KillProcess;
    let action = actions.iter().find(kill).unwrap();
    for (name, kills) in [("agent", 0), ("ben", 1)] {
        let answered = world.answer(action, &responder(name), true).await;
        answered.unwrap();
        world.work_for(Duration::from_secs(60)).await;
        assert_eq!(world.lab.lock().kills.len(), kills, "after {name}'s yes");
    }
}

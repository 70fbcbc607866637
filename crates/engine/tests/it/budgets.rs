//! Budgets: what goes beyond asks, exactly, whoever comes at once.

use std::sync::Arc;
use std::time::Duration;

use quell_model::{Action, ActionState, AssetClass, NoticeKind};
use quell_policy::{Budgets, Settings, Source};
use serde_json::{Value, json};

use crate::world::{World, lab_id, responder};

/// Only these budgets, in the words of `policy.toml`.
fn budgets(text: &str) -> Budgets {
    let off: String = Settings::builtin()
        .budgets
        .iter()
        .map(|budget| format!("[budgets.{}]\noff = true\n", budget.name))
        .collect();
    let text = format!("{off}{text}");
    let source = Source {
        name: "policy.toml",
        text: &text,
    };
    Settings::load(&source).unwrap().budgets
}

fn five_an_hour() -> Budgets {
    budgets("[budgets.contain]\nactions = [\"contain_host\"]\nwindow = \"1h\"\ncount = 5")
}

fn with(world: World, budgets: Budgets) -> World {
    let mut world = world;
    world.budgets = budgets;
    world.reconfigure();
    world
}

/// A workstation of its own, and an alert about it that contains it.
fn alert(world: &World, number: usize) -> Value {
    let host = format!("h{number}");
    world.lab.host(&host, AssetClass::Workstation);
    json!({ "id": format!("a{number}"), "host": host, "class": "workstation" })
}

fn in_state(actions: &[Action], state: ActionState) -> usize {
    actions
        .iter()
        .filter(|action| action.state == state)
        .count()
}

#[tokio::test]
async fn what_goes_beyond_a_budget_asks_and_nothing_is_dropped() {
    let world = with(World::new(8), five_an_hour());
    for number in 0..40 {
        let document = alert(&world, number);
        world.accept(document).await;
    }
    world.work_for(Duration::from_secs(60)).await;
    let actions = world.actions().await;
    assert_eq!(actions.len(), 40);
    assert_eq!(in_state(&actions, ActionState::Completed), 5);
    assert_eq!(in_state(&actions, ActionState::AwaitingApproval), 35);
    let held = actions
        .iter()
        .find(|action| action.state == ActionState::AwaitingApproval)
        .unwrap();
    assert_eq!(held.decision.reasons[0].rule, "budget-contain");
    let contained = (0..40).filter(|number| world.lab.contained(&format!("h{number}")));
    assert_eq!(contained.count(), 5);
    world.journals_are_chains().await;
}

#[tokio::test]
async fn people_are_told_once_that_a_budget_is_spent() {
    let world = with(World::new(8), five_an_hour());
    for number in 0..20 {
        let document = alert(&world, number);
        world.accept(document).await;
    }
    world.work_for(Duration::from_secs(60)).await;
    let asked = |world: &World| {
        let lab = world.lab.lock();
        let asked = |notice: &&quell_model::Notice| notice.kind == NoticeKind::ApprovalNeeded;
        lab.told.iter().filter(asked).count()
    };
    assert_eq!(asked(&world), 1);
    world.clock.advance(Duration::from_secs(3 * 3600));
    for number in 20..40 {
        let document = alert(&world, number);
        world.accept(document).await;
    }
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(asked(&world), 2, "once in each window");
}

#[tokio::test]
async fn an_action_beyond_the_budget_runs_after_a_yes() {
    let world = with(World::new(8), five_an_hour());
    for number in 0..6 {
        let document = alert(&world, number);
        world.accept(document).await;
    }
    world.work_for(Duration::from_secs(60)).await;
    let actions = world.actions().await;
    let held = actions
        .iter()
        .find(|action| action.state == ActionState::AwaitingApproval)
        .unwrap();
    world
        .engine
        .answer(
            held.id,
            &quell_engine::shown(held),
            &responder("ana"),
            true,
            "seen",
        )
        .await
        .unwrap();
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(in_state(&world.actions().await, ActionState::Completed), 6);
}

#[tokio::test]
async fn the_window_slides_and_frees_what_has_left_it() {
    let world = with(World::new(8), five_an_hour());
    let mut ran = Vec::new();
    for number in 0..12 {
        let document = alert(&world, number);
        world.accept(document).await;
        world.engine.quiet().await;
        let actions = world.actions().await;
        let state = actions.last().unwrap().state;
        ran.push(state != ActionState::AwaitingApproval);
        world.clock.advance(Duration::from_secs(10 * 60));
    }
    // Five in the first fifty minutes; from the second hour on, each that leaves makes room for one.
    let expected = [
        true, true, true, true, true, false, false, true, true, true, true, true,
    ];
    assert_eq!(ran, expected);
}

#[tokio::test]
async fn joining_an_action_that_is_there_costs_nothing() {
    let world = with(World::new(0), five_an_hour());
    for number in 0..10 {
        world.lab.host("h0", AssetClass::Workstation);
        let document = json!({ "id": format!("a{number}"), "host": "h0", "class": "workstation" });
        world.accept(document).await;
    }
    for number in 1..5 {
        let document = alert(&world, number);
        world.accept(document).await;
    }
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(in_state(&world.actions().await, ActionState::Completed), 5);
}

#[tokio::test]
async fn each_detection_has_its_own_where_that_is_said() {
    let per = budgets("[budgets.mine]\nper = \"detection\"\nwindow = \"1h\"\ncount = 2");
    let world = with(World::new(8), per);
    for number in 0..8 {
        let mut document = alert(&world, number);
        document["detection"] = json!(if number % 2 == 0 { "even" } else { "odd" });
        world.accept(document).await;
    }
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(in_state(&world.actions().await, ActionState::Completed), 4);
}

#[tokio::test]
async fn a_later_alert_that_needs_no_person_still_needs_the_budget() {
    let none = budgets("[budgets.none]\nwindow = \"1h\"\ncount = 0");
    let world = with(World::new(8), none);
    world.lab.host("h1", AssetClass::Workstation);
    for (id, severity) in [("a1", "medium"), ("a2", "high")] {
        let document =
            json!({ "id": id, "host": "h1", "class": "workstation", "severity": severity });
        world.accept(document).await;
    }
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(world.state().await, ActionState::AwaitingApproval);
    assert!(!world.lab.contained("h1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn neither_many_at_once_nor_a_second_node_goes_past_a_budget() {
    let first = World::new(64);
    let second = first.beside();
    let lab = first.lab.clone();
    let worlds = [first, second].map(|world| Arc::new(with(world, five_an_hour())));
    let mut pushes = Vec::new();
    for number in 0..200_usize {
        let world = worlds[number % 2].clone();
        let document = alert(&world, number).to_string();
        pushes.push(tokio::spawn(async move {
            world.engine.accept(&lab_id(), &document).await.unwrap();
        }));
    }
    for push in pushes {
        push.await.unwrap();
    }
    for world in &worlds {
        world.engine.quiet().await;
    }
    let contained = (0..200).filter(|number| lab.contained(&format!("h{number}")));
    assert_eq!(contained.count(), 5);
    let actions = worlds[0].actions().await;
    assert_eq!(in_state(&actions, ActionState::AwaitingApproval), 195);
}

#[tokio::test]
async fn the_journal_keeps_how_the_budgets_stood_and_which_lists_were_found() {
    let mut world = with(World::new(8), five_an_hour());
    world.listed = vec!["host,h6,ask,The chief's laptop."];
    world.reconfigure();
    for number in 0..7 {
        let document = alert(&world, number);
        world.accept(document).await;
    }
    let mut stood = Vec::new();
    let mut listed = Vec::new();
    for action in world.actions().await {
        let history = world.store.history(action.id).await.unwrap();
        let evidence = &history[0].evidence;
        assert_eq!(evidence["asset"]["class"], "workstation");
        stood.push(evidence["budgets"][0]["used"].as_u64());
        listed.push(evidence["lists"]["names"][0].as_str().map(str::to_owned));
    }
    assert_eq!(
        stood,
        [Some(1), Some(2), Some(3), Some(4), Some(5), Some(5), None]
    );
    assert_eq!(listed[6].as_deref(), Some("ask"));
    assert!(listed[..6].iter().all(Option::is_none));
}

#[tokio::test]
async fn a_share_of_a_known_fleet_is_the_smaller_limit() {
    let text = "[budgets.mine]\nwindow = \"1h\"\ncount = 10\nshare = 2";
    let mut world = with(World::new(8), budgets(text));
    world.fleet = Some(150);
    world.reconfigure();
    for number in 0..12 {
        let document = alert(&world, number);
        world.accept(document).await;
    }
    world.work_for(Duration::from_secs(60)).await;
    let actions = world.actions().await;
    assert_eq!(in_state(&actions, ActionState::Completed), 3);
}

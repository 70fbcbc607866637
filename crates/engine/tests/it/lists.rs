//! Protection lists: looked at when proposed, and once more immediately before the vendor is called.

use std::time::Duration;

use quell_engine::shown;
use quell_model::{ActionState, ActionType, AssetClass, Outcome};
use serde_json::json;

use crate::world::{World, responder};

fn listed(row: &'static str) -> World {
    let mut world = World::new(8);
    world.listed = vec![row];
    world.reconfigure();
    world
}

#[tokio::test]
async fn what_is_on_a_never_list_is_never_touched_and_the_reason_says_whose_it_is() {
    let world = listed("host,h?,never,Quell runs here.");
    world.lab.host("h1", AssetClass::Workstation);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": "workstation" }))
        .await;
    world.work_for(Duration::from_secs(60)).await;
    let action = world.only().await;
    assert_eq!(action.state, ActionState::Denied);
    assert_eq!(
        action.decision.reasons[0].text,
        "The host is on a never list: “Quell runs here” (host h?, ana)."
    );
    assert!(!world.lab.contained("h1"));
}

#[tokio::test]
async fn an_entry_added_while_a_person_was_asked_wins_over_their_yes() {
    let mut world = World::new(8);
    world.lab.host("h1", AssetClass::Server);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": "server" }))
        .await;
    let action = world.only().await;
    assert_eq!(action.state, ActionState::AwaitingApproval);
    world
        .engine
        .answer(action.id, &shown(&action), &responder("ana"), true, "seen")
        .await
        .unwrap();
    world.listed = vec!["host,h1,never,It runs the clinic."];
    world.reconfigure();
    world.work_for(Duration::from_secs(60)).await;
    let action = world.only().await;
    assert_eq!(action.state, ActionState::Denied);
    assert_eq!(action.decision.outcome, Outcome::Never);
    assert!(!world.lab.contained("h1"));
    world.journals_are_chains().await;
}

#[tokio::test]
async fn an_entry_added_to_an_asking_list_stops_what_was_already_scheduled() {
    let mut world = World::new(0);
    world.lab.host("h1", AssetClass::Workstation);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": "workstation" }))
        .await;
    assert_eq!(world.state().await, ActionState::Scheduled);
    world.listed = vec!["host,h1,ask,The chief's laptop."];
    world.reconfigure();
    world.work_for(Duration::from_secs(60)).await;
    let action = world.only().await;
    assert_eq!(action.state, ActionState::AwaitingApproval);
    assert_eq!(action.decision.reasons[0].rule, "ask-list");
}

#[tokio::test]
async fn where_there_is_an_allow_list_what_is_not_on_it_asks() {
    let world = listed("host,ws-*,allow,Ours to contain.");
    for (id, host) in [("a1", "ws-1"), ("a2", "kiosk-1")] {
        world.lab.host(host, AssetClass::Workstation);
        world
            .accept(json!({ "id": id, "host": host, "class": "workstation" }))
            .await;
    }
    world.work_for(Duration::from_secs(60)).await;
    let state = |host: &str, actions: &[quell_model::Action]| {
        let key = format!("host:{host}");
        let of = |action: &&quell_model::Action| action.target.key().as_deref() == Some(&key);
        actions.iter().find(of).unwrap().state
    };
    let actions = world.actions().await;
    assert_eq!(actions[0].action, ActionType::ContainHost);
    assert_eq!(state("ws-1", &actions), ActionState::Completed);
    assert_eq!(state("kiosk-1", &actions), ActionState::AwaitingApproval);
}

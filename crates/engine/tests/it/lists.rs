//! Protection lists: looked at when proposed, and once more immediately before the vendor is called.

use std::time::Duration;

use jiff::ToSpan;
use quell_engine::{OWN, shown};
use quell_model::{ActionState, ActionType, AssetClass, Clock, Outcome};
use quell_policy::lists::{Draft, Entry, Strength};
use quell_store::ListChange;
use serde_json::json;

use crate::lab::Fault;
use crate::world::{World, entries, lab_id, responder};

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

#[tokio::test]
async fn an_entry_somebody_adds_after_a_yes_stops_the_call() {
    let world = World::new(8);
    world.lab.host("h1", AssetClass::Server);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": "server" }))
        .await;
    let action = world.only().await;
    world
        .engine
        .answer(action.id, &shown(&action), &responder("ana"), true, "seen")
        .await
        .unwrap();
    world.keep(&["host,h1,never,It runs the clinic."]).await;
    world.work_for(Duration::from_secs(60)).await;
    let action = world.only().await;
    assert_eq!(action.state, ActionState::Denied);
    assert_eq!(
        action.decision.reasons[0].text,
        "The host is on a never list: “It runs the clinic” (host h1, ben)."
    );
    assert!(!world.lab.contained("h1"));
}

#[tokio::test]
async fn an_entry_added_through_one_node_stops_the_next_call_of_another() {
    let world = World::new(0);
    let other = world.beside();
    world.lab.host("h1", AssetClass::Workstation);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": "workstation" }))
        .await;
    assert_eq!(world.state().await, ActionState::Scheduled);
    other.keep(&["host,h1,never,It runs the clinic."]).await;
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(world.state().await, ActionState::Denied);
    assert!(!world.lab.contained("h1"));
}

#[tokio::test]
async fn an_entry_added_between_the_read_and_the_write_stops_the_write() {
    let world = World::new(8);
    world.lab.host("h1", AssetClass::Workstation);
    world.lab.fault("read", Fault::Pause);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": "workstation" }))
        .await;
    world.lab.crash.notified().await;
    world.keep(&["host,h1,never,It runs the clinic."]).await;
    world.lab.resume.notify_one();
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(world.state().await, ActionState::Denied);
    assert!(!world.lab.contained("h1"));
}

#[tokio::test]
async fn an_entry_stays_in_force_when_the_policy_is_read_again_and_after_a_restart() {
    let mut world = World::new(8);
    world.keep(&["host,h?,never,It runs the clinic."]).await;
    world.reconfigure();
    world.lab.host("h1", AssetClass::Workstation);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": "workstation" }))
        .await;
    assert_eq!(world.state().await, ActionState::Denied);
    world.restart();
    world.lab.host("h2", AssetClass::Workstation);
    world
        .accept(json!({ "id": "a2", "host": "h2", "class": "workstation" }))
        .await;
    world.work_for(Duration::from_secs(60)).await;
    assert!(!world.lab.contained("h2"));
}

#[tokio::test]
async fn what_quell_works_through_is_on_a_list_of_its_own_and_stays_there() {
    let world = World::new(0);
    let protected = |world: &World| {
        let rules = world.engine.rules();
        let (lab, now) = (lab_id(), world.clock.now());
        let hash = "ab".repeat(32);
        let names = [
            "QUELL-01",
            "quell-01.corp.example",
            "quell-01.elsewhere",
            "quell",
            hash.as_str(),
            "labsensor.exe",
            "api.lab.example",
            "lab.example",
            "192.0.2.7",
            "192.0.2.0/24",
            "http://api.lab.example/v1",
            "somebody@lab.example",
        ];
        for name in names {
            let found = rules.guardrails.naming(name, &[&lab], now);
            // A name proves nothing: malware has it too.
            let strength = match name {
                "quell" | "labsensor.exe" => Strength::Ask,
                _ => Strength::Never,
            };
            let strong = |draft: &&&Draft| draft.strength == strength;
            let own = found.iter().find(strong).map(|draft| draft.source.as_str());
            assert_eq!(own, Some(OWN), "{name}");
        }
        for other in [
            "quell-02",
            "quellen",
            "example",
            "192.0.3.0/24",
            "x.example",
        ] {
            let found = rules.guardrails.naming(other, &[&lab], now);
            // A domain above a protected one is protected with it.
            assert_eq!(found.is_empty(), other != "example", "{other}: {found:?}");
        }
    };
    protected(&world);
    world.keep(&["host,h1,allow,A kiosk."]).await;
    world.reconfigure();
    protected(&world);
}

#[tokio::test]
async fn what_was_taken_off_no_longer_counts_and_the_record_says_who_did_it() {
    let world = World::new(8);
    let [id] = world.keep(&["host,h1,never,It runs the clinic."]).await[..] else {
        panic!("one entry");
    };
    let removal = world
        .engine
        .remove_list_entry("cleo", id, "the clinic moved")
        .await
        .unwrap();
    assert_eq!(removal.entry.value, "h1");
    world.lab.host("h1", AssetClass::Workstation);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": "workstation" }))
        .await;
    world.work_for(Duration::from_secs(60)).await;
    assert!(world.lab.contained("h1"));
    let organization = world.engine.organization().clone();
    let history = world.store.list_history(&organization, None, None, 10);
    let told: Vec<_> = history
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.change, row.person, row.reason))
        .collect();
    assert_eq!(
        told,
        [
            (
                ListChange::Removed,
                "cleo".to_owned(),
                "the clinic moved".to_owned()
            ),
            (ListChange::Added, "ben".to_owned(), String::new()),
        ]
    );
}

#[tokio::test]
async fn the_same_said_twice_by_people_is_one_entry() {
    let world = World::new(0);
    let rows = ["host,h1,never,One reason.", "host,h2,never,One reason."];
    assert_eq!(world.keep(&rows).await.len(), 2);
    let again = ["host,h1,never,Another reason.", "host,h3,never,New."];
    let addition = world.engine.add_list_entries("ben", entries(&again)).await;
    let addition = addition.unwrap();
    assert_eq!((addition.added.len(), addition.known), (1, 1));
}

#[tokio::test]
async fn an_entry_that_expired_is_swept_from_the_store() {
    let world = World::new(0);
    let [mut draft] = <[Entry; 1]>::try_from(entries(&["host,h1,never,For a day."]))
        .map(|entries| entries.map(Draft::from))
        .unwrap();
    draft.expires = Some(world.clock.now().checked_add(24.hours()).unwrap());
    let entry = Entry::new(draft).unwrap();
    world
        .engine
        .add_list_entries("ben", vec![entry])
        .await
        .unwrap();
    world.keep(&["host,h2,never,For ever."]).await;
    let organization = world.engine.organization().clone();
    world.work_for(Duration::from_secs(23 * 3600)).await;
    let (_, kept) = world.store.list_entries(&organization).await.unwrap();
    assert_eq!(kept.len(), 2);
    world.work_for(Duration::from_secs(25 * 3600)).await;
    let (_, kept) = world.store.list_entries(&organization).await.unwrap();
    assert_eq!(kept.len(), 1);
    let history = world.store.list_history(&organization, None, None, 1);
    assert_eq!(history.await.unwrap()[0].change, ListChange::Expired);
    assert_eq!(world.store.next_due().await.unwrap(), None);
}

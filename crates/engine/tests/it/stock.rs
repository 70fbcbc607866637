//! Taking stock: lists that fill themselves, and never empty themselves by mistake.

use std::time::Duration;

use quell_connector::{Inventory, Kind};
use quell_engine::{ListError, shown};
use quell_model::entity::Host;
use quell_model::{ActionState, AssetClass};
use quell_policy::Settings;
use quell_store::ListChange;
use serde_json::json;

use crate::lab::Fault;
use crate::world::{World, lab_id, responder};

const HOURS: Duration = Duration::from_secs(3600);

fn machines(count: u64, controllers: &[&str]) -> Inventory {
    let host = |id: &&str| Host {
        id: Some((*id).to_owned()),
        name: Some(format!("{id}.corp.example")),
        ..Host::default()
    };
    Inventory {
        machines: count,
        domain_controllers: controllers.iter().map(host).collect(),
    }
}

impl World {
    fn has(&self, inventory: Inventory) {
        self.lab.lock().inventory = inventory;
    }

    async fn take_stock(&self) {
        self.engine.take_stock_soon().await.unwrap();
        self.work_for(Duration::from_secs(1)).await;
    }

    /// The values on the list of the laboratory's connection, sorted.
    async fn controllers(&self) -> Vec<String> {
        let organization = self.engine.organization().clone();
        let (_, kept) = self.store.list_entries(&organization).await.unwrap();
        let mut values: Vec<String> = kept
            .iter()
            .filter(|row| row.source == lab_id().as_str())
            .map(|row| serde_json::from_str::<serde_json::Value>(&row.document).unwrap())
            .map(|entry| entry["value"].as_str().unwrap().to_owned())
            .collect();
        values.sort();
        values
    }

    async fn changes(&self) -> usize {
        let organization = self.engine.organization().clone();
        let history = self.store.list_history(&organization, None, None, 1000);
        history.await.unwrap().len()
    }

    fn told_of_inventories(&self) -> usize {
        let lab = self.lab.lock();
        let about = |title: &str| title == "The inventory of lab-prod is not believed";
        lab.told.iter().filter(|n| about(&n.title)).count()
    }
}

#[tokio::test]
async fn a_domain_controller_the_vendor_names_asks_even_when_the_alert_calls_it_a_workstation() {
    let world = World::new(8);
    world.has(machines(200, &["dc-1"]));
    world.take_stock().await;
    assert_eq!(world.controllers().await, ["dc-1", "dc-1.corp.example"]);
    world.lab.host("dc-1", AssetClass::Unknown);
    world
        .accept(json!({ "id": "a1", "host": "dc-1", "class": "workstation" }))
        .await;
    let action = world.only().await;
    assert_eq!(action.state, ActionState::AwaitingApproval);
    assert_eq!(
        action.decision.reasons[0].text,
        "The host is on a list that asks first: “Domain controller, says lab-prod” (host dc-1, lab-prod)."
    );
    world
        .engine
        .answer(action.id, &shown(&action), &responder("ana"), true, "sure")
        .await
        .unwrap();
    world.work_for(Duration::from_secs(60)).await;
    assert!(world.lab.contained("dc-1"), "a person may");
}

#[tokio::test]
async fn stock_is_taken_every_six_hours_and_what_did_not_change_is_not_written_again() {
    let world = World::new(0);
    world.has(machines(200, &["dc-1"]));
    world.take_stock().await;
    assert_eq!(world.changes().await, 2);
    world.work_for(HOURS * 13).await;
    assert_eq!(world.changes().await, 2);
    world.has(machines(200, &["dc-1", "dc-2"]));
    world.work_for(HOURS * 6).await;
    assert_eq!(world.changes().await, 4);
    world.has(machines(200, &["dc-2"]));
    world.work_for(HOURS * 6).await;
    assert_eq!(world.controllers().await, ["dc-2", "dc-2.corp.example"]);
    assert_eq!(world.changes().await, 6);
}

#[tokio::test]
async fn the_record_says_of_entries_that_came_nothing_of_why_others_go() {
    let world = World::new(0);
    world.has(machines(200, &["dc-1", "dc-2", "dc-3"]));
    world.take_stock().await;
    world.has(machines(200, &["dc-1", "dc-2"]));
    world.work_for(HOURS * 6).await;
    let organization = world.engine.organization().clone();
    let history = world.store.list_history(&organization, None, None, 1000);
    for change in history.await.unwrap() {
        let expected = match change.change {
            ListChange::Added => "",
            _ => "no longer a domain controller",
        };
        assert_eq!(change.reason, expected, "{change:?}");
    }
}

#[tokio::test]
async fn an_inventory_that_fails_changes_nothing_and_is_taken_again() {
    let world = World::new(0);
    world.has(machines(200, &["dc-1"]));
    world.take_stock().await;
    world.has(machines(200, &["dc-1", "dc-2"]));
    for kind in [Kind::VendorUnavailable, Kind::PermissionMissing] {
        world.lab.fault("take_stock", Fault::Refuse(kind));
    }
    world.work_for(HOURS * 7).await;
    assert_eq!(world.controllers().await.len(), 2);
    world.work_for(HOURS * 6).await;
    assert_eq!(world.controllers().await.len(), 4);
}

/// May 2025: automation put an empty table in the place of a full one, and nothing could be reached for
/// hours, the tools for mending it included.
#[tokio::test]
async fn empty_table_2025_an_empty_inventory_unprotects_nothing_and_people_are_told_once() {
    let world = World::new(0);
    world.has(machines(200, &["dc-1", "dc-2", "dc-3"]));
    world.take_stock().await;
    world.has(machines(0, &[]));
    world.work_for(HOURS * 20).await;
    assert_eq!(world.controllers().await.len(), 6);
    assert_eq!(world.told_of_inventories(), 1);
    assert_eq!(world.engine.rules().guardrails.fleet, Some(200));
    // Believed again, and doubted again: that is another matter, of which people are told again.
    world.has(machines(190, &["dc-1", "dc-2", "dc-4"]));
    world.work_for(HOURS * 6).await;
    assert_eq!(world.controllers().await.len(), 6);
    assert_eq!(world.engine.rules().guardrails.fleet, Some(190));
    world.has(machines(190, &["dc-9"]));
    world.work_for(HOURS * 6).await;
    assert_eq!(world.told_of_inventories(), 2);
    assert_eq!(world.controllers().await.len(), 6);
}

#[tokio::test]
async fn what_a_job_put_on_a_list_is_taken_off_by_hand_only_while_the_job_is_doubted() {
    let world = World::new(0);
    world.has(machines(200, &["dc-1"]));
    world.take_stock().await;
    let organization = world.engine.organization().clone();
    let (_, kept) = world.store.list_entries(&organization).await.unwrap();
    let remove = |id| world.engine.remove_list_entry("ana", id, "gone for good");
    let refused = remove(kept[0].id).await.unwrap_err();
    assert!(
        matches!(&refused, ListError::Refused(why) if why.contains("lab-prod")),
        "{refused}"
    );
    world.has(machines(200, &[]));
    world.work_for(HOURS * 6).await;
    for row in kept {
        remove(row.id).await.unwrap();
    }
    assert_eq!(world.controllers().await.len(), 0);
}

#[tokio::test]
async fn two_nodes_take_stock_once_and_both_know_of_it() {
    let world = World::new(0);
    let other = world.beside();
    world.has(machines(200, &["dc-1"]));
    other.engine.take_stock_soon().await.unwrap();
    world.take_stock().await;
    assert_eq!(other.engine.run_due().await.unwrap(), 0);
    assert_eq!(world.changes().await, 2);
    assert_eq!(other.engine.rules().guardrails.fleet, Some(200));
}

#[tokio::test]
async fn a_worker_that_lost_its_claim_writes_no_stock() {
    let world = World::new(0);
    world.has(machines(200, &["dc-1"]));
    world.lab.fault("take_stock", Fault::Pause);
    world.engine.take_stock_soon().await.unwrap();
    let slow = world.engine.clone();
    let slow = tokio::spawn(async move { slow.run_due().await.unwrap() });
    world.lab.crash.notified().await;
    // Its lease ends, and another takes stock meanwhile.
    world.clock.advance(Duration::from_secs(200));
    world.has(machines(300, &["dc-1", "dc-2"]));
    world.work_for(Duration::from_secs(1)).await;
    world.has(machines(100, &["dc-1"]));
    world.lab.resume.notify_one();
    slow.await.unwrap();
    assert_eq!(world.controllers().await.len(), 4);
    assert_eq!(world.engine.rules().guardrails.fleet, Some(300));
}

#[tokio::test]
async fn what_was_counted_is_the_fleet_unless_the_configuration_says_it() {
    let mut world = World::new(0);
    world.budgets = Settings::builtin().budgets.clone();
    world.has(machines(4_000, &[]));
    world.take_stock().await;
    let fleet = |world: &World| world.engine.rules().guardrails.fleet;
    assert_eq!(fleet(&world), Some(4_000));
    world.reconfigure();
    assert_eq!(fleet(&world), Some(4_000));
    world.fleet = Some(50);
    world.reconfigure();
    assert_eq!(fleet(&world), Some(50));
    world.keep(&["host,h1,never,Mine."]).await;
    assert_eq!(fleet(&world), Some(50));
    world.fleet = None;
    world.reconfigure();
    assert_eq!(fleet(&world), Some(4_000));
}

//! Backtests: what a changed policy would have decided about the alerts that are stored.

use std::time::Duration;

use jiff::Timestamp;
use quell_engine::backtest::{Backtest, BacktestError, Count, Report};
use quell_model::{ActionType, AssetClass, Clock, Outcome};
use quell_policy::Folder;
use serde_json::json;

use crate::world::World;

fn folder(files: &[(&str, &str)]) -> Folder {
    let own = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
    Folder {
        files: files.iter().map(own).collect(),
    }
}

async fn replay(world: &World, policy: Option<Folder>) -> Report {
    let since = Timestamp::UNIX_EPOCH;
    world
        .engine
        .backtest(Backtest { since, policy })
        .await
        .unwrap()
}

/// Workstations and servers, an alert about each.
async fn fleet(workstations: usize, servers: usize) -> World {
    let world = World::new(0);
    for number in 0..workstations + servers {
        let (class, name) = if number < workstations {
            (AssetClass::Workstation, "workstation")
        } else {
            (AssetClass::Server, "server")
        };
        let host = format!("h{number}");
        world.lab.host(&host, class);
        let document = json!({ "id": format!("a{number}"), "host": host, "class": name });
        world.accept(document).await;
    }
    world
}

#[tokio::test]
async fn a_changed_policy_is_tried_with_the_entries_kept_at_run_time() {
    let world = fleet(2, 0).await;
    world.keep(&["host,h0,never,It runs the clinic."]).await;
    let report = replay(&world, Some(folder(&[]))).await;
    let contain = report.outcomes[&ActionType::ContainHost];
    assert_eq!((contain.never, contain.auto), (1, 1), "{report:#?}");
    assert!(report.changes.is_empty(), "{:#?}", report.changes);
}

#[tokio::test]
async fn a_loosened_cell_shows_how_many_would_run_and_on_what() {
    let world = fleet(12, 3).await;
    let policy = folder(&[(
        "policy.toml",
        "[actions.contain_host]\nserver = \"auto\"\n[budgets.contain-hosts]\noff = true\n\
         [budgets.contain-servers]\noff = true",
    )]);
    let report = replay(&world, Some(policy)).await;
    assert_eq!((report.alerts, report.actions), (15, 15));
    let [change] = report.changes.as_slice() else {
        panic!("{:#?}", report.changes)
    };
    assert_eq!((change.before, change.after), (Outcome::Ask, Outcome::Auto));
    assert_eq!((change.count, change.classes[&AssetClass::Server]), (3, 3));
    assert!(change.loosens());
    assert_eq!(change.examples.len(), 3);
    assert_eq!(change.examples[0].reasons[0].rule, "contain-host-server");
}

#[tokio::test]
async fn the_policy_in_force_against_itself_changes_nothing_and_is_counted() {
    let world = fleet(4, 2).await;
    let report = replay(&world, None).await;
    assert_eq!(report.changes, []);
    let expected = Count {
        auto: 4,
        ask: 2,
        ..Count::default()
    };
    assert_eq!(report.outcomes[&ActionType::ContainHost], expected);
}

#[tokio::test]
async fn a_budget_is_counted_along_the_times_of_the_alerts() {
    let world = World::new(0);
    let mut documents = Vec::new();
    for number in 0..9 {
        let host = format!("h{number}");
        world.lab.host(&host, AssetClass::Workstation);
        let document = json!({ "id": format!("a{number}"), "host": host, "class": "workstation",
            "time": world.clock.now() });
        documents.push(document);
        world.clock.advance(Duration::from_secs(20 * 60));
    }
    // They come at once, as from a connection that was set up after them.
    for document in documents {
        world.accept(document).await;
    }
    let policy = folder(&[(
        "policy.toml",
        "[budgets.contain-hosts]\nactions = [\"contain_host\"]\nwindow = \"1h\"\ncount = 2",
    )]);
    let report = replay(&world, Some(policy)).await;
    // Two of three in each hour.
    let count = report.outcomes[&ActionType::ContainHost];
    assert_eq!((count.auto, count.held), (6, 3));
    let change = &report.changes[0];
    assert_eq!(
        (change.before, change.after, change.count),
        (Outcome::Auto, Outcome::Ask, 3)
    );
    let rules: Vec<&str> = change.examples[0]
        .reasons
        .iter()
        .map(|reason| reason.rule.as_str())
        .collect();
    assert_eq!(rules, ["contain-host-workstation", "budget-contain-hosts"]);
}

#[tokio::test]
async fn a_budget_does_not_hide_what_the_rules_would_newly_allow() {
    let world = fleet(0, 8).await;
    let policy = folder(&[(
        "policy.toml",
        "[actions.contain_host]\nserver = \"auto\"\n[budgets.contain-servers]\n\
         actions = [\"contain_host\"]\nwindow = \"1h\"\ncount = 3",
    )]);
    let report = replay(&world, Some(policy)).await;
    let change = &report.changes[0];
    assert_eq!(
        (change.after, change.count, change.held),
        (Outcome::Auto, 8, 5)
    );
}

#[tokio::test]
async fn several_alerts_about_one_target_of_an_incident_are_one_action() {
    let world = World::new(0);
    world.lab.host("h1", AssetClass::Server);
    for number in 0..7 {
        let document = json!({ "id": format!("a{number}"), "host": "h1", "class": "server" });
        world.accept(document).await;
    }
    let policy = folder(&[("policy.toml", "[actions.contain_host]\nserver = \"never\"")]);
    let report = replay(&world, Some(policy)).await;
    assert_eq!((report.alerts, report.actions), (7, 1));
    assert_eq!(report.changes[0].examples.len(), 1, "shown once");
}

#[tokio::test]
async fn a_backtest_changes_nothing() {
    let world = fleet(3, 1).await;
    let before = world.actions().await;
    let policy = folder(&[("policy.toml", "[actions.contain_host]\nserver = \"auto\"")]);
    replay(&world, Some(policy)).await;
    assert_eq!(world.actions().await, before);
    let report = replay(&world, None).await;
    assert_eq!(
        report.outcomes[&ActionType::ContainHost].ask,
        1,
        "the old policy is in force"
    );
}

#[tokio::test]
async fn only_alerts_from_the_given_moment_on_are_replayed() {
    let world = fleet(2, 0).await;
    world.clock.advance(Duration::from_secs(60));
    let since = quell_model::Clock::now(&*world.clock);
    world.lab.host("late", AssetClass::Workstation);
    world
        .accept(json!({ "id": "late", "host": "late", "class": "workstation" }))
        .await;
    let backtest = Backtest {
        since,
        policy: None,
    };
    assert_eq!(world.engine.backtest(backtest).await.unwrap().alerts, 1);
}

#[tokio::test]
async fn a_policy_that_does_not_load_is_refused() {
    let world = fleet(1, 0).await;
    let backtest = Backtest {
        since: Timestamp::UNIX_EPOCH,
        policy: Some(folder(&[("own.cedar", "permit (")])),
    };
    let refused = world.engine.backtest(backtest).await;
    assert!(
        matches!(refused, Err(BacktestError::Policy(_))),
        "{refused:?}"
    );
}

//! Budgets: what is read, what is refused, and what one means.

use std::time::Duration;

use quell_model::entity::Process;
use quell_model::{ActionType, AssetClass, Entity};
use quell_policy::budget::Counted;
use quell_policy::{Budget, Settings, Source, Storm};

const NAME: &str = "policy/policy.toml";

fn load(text: &str) -> Result<Settings, String> {
    Settings::load(&Source { name: NAME, text }).map_err(|wrong| wrong.to_string())
}

fn one(text: &str) -> Budget {
    let settings = load(&format!("[budgets.mine]\n{text}")).unwrap();
    settings
        .budgets
        .iter()
        .find(|budget| budget.name == "mine")
        .unwrap()
        .clone()
}

#[track_caller]
fn refused(text: &str, message: &str) {
    let wrong = load(&format!("\n{text}")).unwrap_err();
    assert!(wrong.starts_with(&format!("{NAME}:")), "{wrong}");
    assert!(wrong.contains(message), "{wrong}");
}

#[test]
fn every_action_that_ships_as_automatic_has_a_budget_that_is_on() {
    for action in [
        ActionType::ContainHost,
        ActionType::KillProcess,
        ActionType::BlockHash,
    ] {
        let covering = Settings::builtin()
            .budgets
            .covering(action, AssetClass::Workstation);
        let limits: Vec<u32> = covering.map(|budget| budget.limit(None)).collect();
        assert!(
            limits.len() >= 2 && limits.iter().all(|limit| *limit <= 100),
            "{action}: {limits:?}"
        );
    }
}

#[test]
fn a_budget_of_the_same_name_replaces_the_shipped_one_and_off_removes_it() {
    let settings = load(
        "[budgets.contain-hosts]\nactions = [\"contain_host\"]\nwindow = \"10m\"\ncount = 2\n\
         [budgets.one-detection]\noff = true",
    )
    .unwrap();
    let names: Vec<&str> = settings
        .budgets
        .iter()
        .map(|budget| budget.name.as_str())
        .collect();
    assert!(
        !names.contains(&"one-detection") && names.contains(&"ban-hashes"),
        "{names:?}"
    );
    let contain = settings
        .budgets
        .iter()
        .find(|budget| budget.name == "contain-hosts")
        .unwrap();
    assert_eq!(
        (contain.window, contain.count, contain.share),
        (Duration::from_secs(600), 2, None)
    );
}

#[test]
fn the_smaller_of_count_and_share_holds_and_a_few_are_always_left() {
    let budget = one("window = \"1h\"\ncount = 10\nshare = 2");
    assert_eq!(budget.limit(None), 10);
    assert_eq!(budget.limit(Some(10_000)), 10);
    assert_eq!(budget.limit(Some(200)), 4);
    assert_eq!(budget.limit(Some(100)), 3);
    assert_eq!(budget.limit(Some(0)), 3);
    assert_eq!(budget.limit(Some(u64::MAX)), 10);
    let narrow = one("window = \"1h\"\ncount = 2\nshare = 2");
    assert_eq!(narrow.limit(Some(0)), 2);
}

#[test]
fn a_budget_counts_only_what_it_covers() {
    let budget =
        one("actions = [\"contain_host\"]\nclasses = [\"server\"]\nwindow = \"1h\"\ncount = 1");
    assert!(budget.covers(ActionType::ContainHost, AssetClass::Server));
    assert!(!budget.covers(ActionType::ContainHost, AssetClass::Workstation));
    assert!(!budget.covers(ActionType::KillProcess, AssetClass::Server));
    let all = one("window = \"1h\"\ncount = 1");
    assert!(all.covers(ActionType::BlockSender, AssetClass::Unknown));
}

/// Whether a budget counts these two together.
fn together(per: &str, one_of: (&str, &str, &Entity), another: (&str, &str, &Entity)) -> bool {
    let budget = one(&format!("per = \"{per}\"\nwindow = \"1h\"\ncount = 1"));
    let [one, another] = [one_of, another].map(|(source, detection, target)| {
        budget.scope(&Counted {
            source,
            detection,
            action: ActionType::KillProcess,
            target,
        })
    });
    one == another
}

fn process(host: &str, id: &str) -> Entity {
    Process {
        host_id: Some(host.into()),
        vendor_id: Some(id.into()),
        ..Process::default()
    }
    .into()
}

#[test]
fn what_has_a_budget_of_its_own_is_counted_by_itself() {
    let (here, again, there) = (process("h1", "1"), process("h1", "2"), process("h2", "1"));
    assert!(together(
        "organization",
        ("a", "x", &here),
        ("b", "y", &there)
    ));
    assert!(together("source", ("a", "x", &here), ("a", "y", &there)));
    assert!(!together("source", ("a", "x", &here), ("b", "x", &here)));
    assert!(together("detection", ("a", "x", &here), ("a", "x", &there)));
    assert!(!together("detection", ("a", "x", &here), ("a", "y", &here)));
    assert!(!together("detection", ("a", "x", &here), ("b", "x", &here)));
    assert!(together("target", ("a", "x", &here), ("b", "y", &again)));
    assert!(!together("target", ("a", "x", &here), ("a", "x", &there)));
}

#[test]
fn a_budget_that_means_nothing_is_refused() {
    refused("[budgets.a]\ncount = 1", "count = 10, window = \"1h\"");
    refused(
        "[budgets.a]\nwindow = \"1h\"",
        "count = 10, window = \"1h\"",
    );
    refused(
        "[budgets.a]\ncount = 1\nwindow = \"1s\"",
        "from 1 minute to 30 days",
    );
    refused(
        "[budgets.a]\ncount = 1\nwindow = \"-1h\"",
        "from 1 minute to 30 days",
    );
    refused("[budgets.a]\ncount = 1\nwindow = \"31d\"", "window");
    refused(
        "[budgets.a]\ncount = 1\nwindow = \"1h\"\nshare = 0",
        "from 1 to 100",
    );
    refused("[budgets.a]\ncount = -1\nwindow = \"1h\"", "count");
    refused(
        "[budgets.a]\ncount = 1\nwindow = \"1h\"\noff = true",
        "it is off",
    );
    refused(
        "[budgets.A_b]\ncount = 1\nwindow = \"1h\"",
        "lower-case letters",
    );
    refused(
        "[budgets.a]\ncount = 1\nwindow = \"1h\"\nactions = [\"release_host\"]",
        "never runs by itself",
    );
    refused(
        "[budgets.a]\ncount = 1\nwindow = \"1h\"\nclases = []",
        "clases",
    );
    refused(
        "[budgets.a]\ncount = 1\nwindow = \"1h\"\nnew_for = \"1h\"",
        "per = \"source\" or per = \"detection\"",
    );
    refused(
        "[budgets.a]\nper = \"source\"\ncount = 1\nwindow = \"1h\"\nnew_for = \"1s\"",
        "`new_for` must be",
    );
}

#[test]
fn the_reason_says_which_budget_and_how_large() {
    let budget = one("per = \"detection\"\nwindow = \"15m\"\ncount = 30");
    assert_eq!(
        budget.spent(30).text,
        "The budget “mine” of 30 by itself in 15 minutes for one detection is spent, so a person decides."
    );
    assert_eq!(budget.spent(30).rule, "budget-mine");
    let shipped = |name: &str, limit| {
        let mut budgets = Settings::builtin().budgets.iter();
        let budget = budgets.find(|budget| budget.name == name).unwrap();
        budget.spent(limit).text
    };
    assert_eq!(
        shipped("new-connection", 0),
        "The first alert of this connection came less than 1 day ago, so a person decides."
    );
    assert_eq!(
        shipped("new-detection", 10),
        "The first alert of this detection came less than 1 day ago, and 10 of it ran by themselves, so a person decides."
    );
    assert_eq!(
        shipped("same-target", 10),
        "Quell did this 10 times here within 1 hour and it came back, so a person decides."
    );
}

#[test]
fn a_storm_can_be_turned_off_and_not_be_half_said() {
    assert!(Settings::builtin().storm.is_some());
    let off = load("[breakers]\nstorm = { off = true }").unwrap();
    assert_eq!(off.storm, None);
    let other = load("[breakers.storm]\nat_least = 50\ntimes = 4").unwrap();
    assert_eq!(
        other.storm,
        Some(Storm {
            at_least: 50,
            times: 4
        })
    );
    refused("[breakers.storm]\nat_least = 50", "write how many");
    refused("[breakers.storm]\nat_least = 0\ntimes = 4", "2 or more");
    refused("[breakers.storm]\noff = true\ntimes = 4", "it is off");
}

#[test]
fn the_age_of_a_decision_has_a_limit_that_can_be_changed_and_not_removed() {
    assert_eq!(Settings::builtin().stale_after, Duration::from_secs(3600));
    let changed = load("[breakers]\nstale_after = \"15m\"").unwrap();
    assert_eq!(changed.stale_after, Duration::from_secs(900));
    refused(
        "[breakers]\nstale_after = \"0s\"",
        "from 1 minute to 30 days",
    );
    refused("[breakers]\nstale = \"1h\"", "stale");
}

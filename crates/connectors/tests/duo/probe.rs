//! The connection check.

use quell_connector::Check;
use quell_twins::duo::{Application, Right};
use serde_json::json;

use crate::{call, lab};

fn verdicts(checks: &[Check]) -> Vec<(&str, Option<bool>)> {
    checks
        .iter()
        .map(|check| (check.name.as_str(), check.ok))
        .collect()
}

#[tokio::test]
async fn an_application_with_every_box_passes_and_nothing_is_changed() {
    let lab = lab([]).await;
    let checks = lab.connect().probe(&call(&lab)).await;
    assert_eq!(
        verdicts(&checks),
        [
            ("Signature", Some(true)),
            ("Grant read resource", Some(true)),
            ("Grant write resource", Some(true)),
            ("Grant read log", Some(true)),
            ("Trust Monitor", Some(true)),
        ]
    );
}

#[tokio::test]
async fn each_missing_box_is_named_with_what_depends_on_it() {
    for (missing, name) in [
        (Right::ReadResource, "Grant read resource"),
        (Right::WriteResource, "Grant write resource"),
        (Right::ReadLog, "Grant read log"),
    ] {
        let lab = lab([]).await;
        let rights: Vec<Right> = Right::ALL.into_iter().filter(|r| *r != missing).collect();
        lab.twin.put_application(Application::with(&rights));
        let checks = lab.connect().probe(&call(&lab)).await;
        let check = checks.iter().find(|check| check.name == name).unwrap();
        assert_eq!(check.ok, Some(false), "{name}");
        assert!(check.detail.contains(name), "{}", check.detail);
    }
}

#[tokio::test]
async fn a_plan_without_trust_monitor_is_said_with_what_to_do() {
    let lab = lab([]).await;
    lab.twin.set_trust_monitor(false);
    let checks = lab.connect().probe(&call(&lab)).await;
    let check = checks
        .iter()
        .find(|check| check.name == "Trust Monitor")
        .unwrap();
    assert_eq!(check.ok, Some(false));
    assert!(
        check.detail.contains("poll.trust_monitor = false"),
        "{}",
        check.detail
    );
}

#[tokio::test]
async fn wrong_keys_are_one_finding_and_not_five() {
    let lab = lab([]).await;
    let connected = lab.connect_with(json!({ "secret_key": "env:WRONG_SECRET" }));
    let checks = connected.probe(&call(&lab)).await;
    assert_eq!(verdicts(&checks), [("Signature", Some(false))]);
}

//! `quell plan` as a program and as a person meet it.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may fail the test where they stand"
)]

#[cfg(test)]
mod program;

use program::{Ran, quell, quell_reading};
use serde_json::{Value, json};

const ALERT: &str = include_str!("fixtures/endpoint-alert.json");

fn planned(arguments: &[&str], input: &str) -> Value {
    let mut all = vec!["plan", "--source", "crowdstrike", "-", "--format", "json"];
    all.extend(arguments);
    let ran = quell_reading(&all, input);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.err, "");
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn the_answer_has_the_documented_shape() {
    let plan = planned(&[], ALERT);
    let alert = &plan["alerts"][0];
    assert_eq!(alert["source"], "crowdstrike");
    assert_eq!(alert["severity"], "critical");
    assert_eq!(alert["confidence"], 90);
    assert_eq!(alert["kind"], "malicious_process");
    assert_eq!(alert["status"], "new");
    assert_eq!(alert["time"], "2026-05-04T09:14:03.517Z");
    assert_eq!(alert["techniques"][0]["id"], "T1003");
    assert!(
        alert["console_url"]
            .as_str()
            .unwrap()
            .starts_with("https://falcon.")
    );
    let types: Vec<&str> = alert["entities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        ["host", "process", "process", "process", "file", "account"]
    );
    assert!(alert["notes"].is_array() && alert["nothing_proposed"].is_null());

    let actions: Vec<_> = plan["actions"].as_array().unwrap().iter().collect();
    let decided: Vec<_> = actions
        .iter()
        .map(|a| {
            (
                a["action"].as_str().unwrap(),
                a["decision"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        decided,
        [
            ("kill_process", "auto"),
            ("block_hash", "auto"),
            ("contain_host", "ask")
        ]
    );
    for action in &actions {
        assert_eq!(action["alert"], alert["id"]);
        assert!(
            action["target"]["type"].is_string() && action["target"]["id"].is_string(),
            "{action}"
        );
        assert!(!action["reasons"].as_array().unwrap().is_empty());
    }
    assert_eq!(
        actions[2]["target"]["id"],
        "5d1c7a90b2e84f6391d0c7b8a6f5e4d3"
    );
    assert_eq!(actions[2]["reasons"][0]["rule"], "contain-host-server");
}

#[test]
fn every_shape_a_vendor_sends_is_planned_alike() {
    let one: Value = serde_json::from_str(ALERT).unwrap();
    let mut other = one.clone();
    other["composite_id"] = json!("0f1e2d3c4b5a69788796a5b4c3d2e1f0:ind:2");
    let two = |text: String| {
        let plan = planned(&[], &text);
        assert_eq!(plan["alerts"].as_array().unwrap().len(), 2, "{text:.80}");
        assert_eq!(plan["actions"].as_array().unwrap().len(), 6, "{text:.80}");
        plan
    };
    let array = two(json!([one, other]).to_string());
    assert_eq!(two(format!("{one}\n{other}\n")), array);
    let reply = json!({ "meta": { "trace_id": "x" }, "errors": [], "resources": [one, other] });
    assert_eq!(two(reply.to_string()), array);
    let none = planned(&[], "[]");
    assert_eq!(
        (&none["alerts"], &none["actions"]),
        (&json!([]), &json!([]))
    );
}

#[test]
fn an_alert_without_a_playbook_says_so() {
    let idp = json!({
        "composite_id": "c:ind:1", "cid": "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "product": "idp", "type": "idp-user",
        "display_name": "Privilege escalation", "severity": 70, "timestamp": "2026-05-04T09:14:03Z",
        "source_account_name": "ana",
    });
    let plan = planned(&[], &idp.to_string());
    let reason = &plan["alerts"][0]["nothing_proposed"];
    assert_eq!(reason["rule"], "no-playbook");
    assert!(
        reason["text"]
            .as_str()
            .unwrap()
            .ends_with("so nothing is proposed."),
        "{reason}"
    );
}

#[test]
fn a_configuration_decides_instead_of_what_ships() {
    let folder = program::Folder::new("plan-config");
    folder.file(
        "policy/policy.toml",
        "[actions.contain_host]\nserver = { ask_below_confidence = 90 }",
    );
    folder.file(
        "policy/lists/ours.csv",
        "subject,value,strength,reason\nprocess_name,credgrab.exe,never,ours\nfile_name,credgrab.exe,never,ours\n",
    );
    let config = folder.file(
        "quell.toml",
        r#"
        [organization]
        id = "northwind"
        [policy]
        directory = "policy"
        "#,
    );
    let plan = planned(&["--config", &config], ALERT);
    let find = |name: &str| {
        plan["actions"]
            .as_array()
            .unwrap()
            .iter()
            .find(|a| a["action"] == name)
            .cloned()
            .unwrap()
    };
    assert_eq!(
        find("contain_host")["decision"],
        "auto",
        "confidence 90 reaches the threshold"
    );
    assert_eq!(
        find("block_hash")["decision"],
        "never",
        "the file is on a never list"
    );
    assert_eq!(
        find("kill_process")["decision"],
        "never",
        "so is the process with that name"
    );
    let failed = quell(&[
        "plan",
        "--source",
        "crowdstrike",
        "--config",
        "/nowhere/quell.toml",
        "-",
    ]);
    assert_eq!(failed.code, 2);
    assert!(
        failed
            .err
            .contains("`/nowhere/quell.toml` cannot be read: there is no such file"),
        "{failed:?}"
    );
}

#[test]
fn a_document_that_cannot_be_read_ends_it_with_its_path() {
    let wrong = json!({ "cid": "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "product": "epp" });
    for (input, path) in [
        ("", "$"),
        ("{\"a\":", "$ (line 1, column 5)"),
        ("[1]", "$[0]"),
        ("\"text\"", "$"),
        (&wrong.to_string(), "$.composite_id"),
        (
            &json!([serde_json::from_str::<Value>(ALERT).unwrap(), wrong]).to_string(),
            "$[1].composite_id",
        ),
    ] {
        let arguments = ["plan", "--source", "crowdstrike", "-", "--format", "json"];
        let Ran { code, out, err } = quell_reading(&arguments, input);
        assert_eq!(code, 2, "{input:.60}");
        let error: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(error["error"]["path"], path, "{input:.60}");
        assert!(
            err.starts_with("error: standard input is not an alert of CrowdStrike Falcon: "),
            "{err}"
        );
        assert!(err.contains(path), "{err}");
    }
}

#[test]
fn a_saved_error_reply_is_recognised() {
    let reply = json!({
        "meta": { "powered_by": "csam" },
        "errors": [{ "code": 403, "message": "Failed to issue access token - Not Authorized" }],
    });
    let ran = quell_reading(
        &["plan", "--source", "crowdstrike", "-"],
        &reply.to_string(),
    );
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(
        ran.err
            .contains("“Failed to issue access token - Not Authorized”"),
        "{}",
        ran.err
    );
}

#[test]
fn a_source_that_is_not_one_is_refused_with_the_nearest() {
    let ran = quell(&["plan", "--source", "crowdstrke", "-"]);
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.err,
        "error: there is no connector `crowdstrke`\n  did you mean `crowdstrike`?\n"
    );
    let ran = quell(&["plan", "--source", "slack", "-"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("`slack` is not a source of alerts"),
        "{}",
        ran.err
    );
}

#[test]
fn what_a_person_reads_has_no_colours_when_it_is_not_a_terminal() {
    let ran = quell_reading(&["plan", "--source", "crowdstrike", "-"], ALERT);
    assert_eq!(ran.code, 0);
    assert!(!ran.out.contains('\u{1b}'));
    insta::assert_snapshot!("plan", ran.out);
}

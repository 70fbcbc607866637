//! `quell policy` as a person and as a program meet it.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may fail the test where they stand"
)]

#[cfg(test)]
mod program;

use program::{Folder, quell};
use serde_json::Value;

/// A folder made by `quell policy init`, and its path.
fn begun(name: &str) -> (Folder, String) {
    let folder = Folder::new(name);
    let path = folder.file("policy/README.md", "Ours.");
    let path = path.trim_end_matches("/README.md").to_owned();
    let ran = quell(&["policy", "init", &path]);
    assert_eq!(ran.code, 0, "{ran:?}");
    (folder, path)
}

fn json(arguments: &[&str]) -> Value {
    let ran = quell(arguments);
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn a_folder_that_was_just_made_is_good_and_decides_as_its_examples_say() {
    let (_folder, path) = begun("policy-init");
    let ran = quell(&["policy", "check", &path]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = quell(&["policy", "test", &path]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains(" as expected, 0 not"), "{ran:?}");
    let shown = json(&["policy", "show", &path, "--format", "json"]);
    let shipped = json(&["policy", "show", "--format", "json"]);
    assert_eq!(shown["actions"], shipped["actions"]);
}

#[test]
fn making_a_folder_overwrites_nothing() {
    let (_folder, path) = begun("policy-again");
    let ran = quell(&["policy", "init", &path]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.err.contains("is there already; nothing was written"),
        "{ran:?}"
    );
}

#[test]
fn a_change_that_an_example_forbids_fails_the_test_and_names_the_line() {
    let (folder, path) = begun("policy-test");
    folder.file(
        "policy/policy.toml",
        "[actions.contain_host]\nserver = \"auto\"",
    );
    let ran = quell(&["policy", "test", &path]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.out.contains("expected ask, but policy says auto"),
        "{ran:?}"
    );
    assert!(ran.out.contains("policy/tests/examples.toml:"), "{ran:?}");
    let told = json(&["policy", "test", &path, "--format", "json"]);
    assert_eq!(told["error"]["failed"], 1, "{told}");
}

#[test]
fn mistakes_are_told_with_file_line_and_column() {
    let (folder, path) = begun("policy-check");
    folder.file(
        "policy/policy.toml",
        "[actions.contain_host]\nserver = \"sometimes\"",
    );
    folder.file("policy/own.cedar", "permit (principal, action, resource);");
    let ran = quell(&["policy", "check", &path]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("policy/policy.toml:2:10: "), "{ran:?}");
    assert!(
        ran.err
            .contains("policy/own.cedar:1:1: the rule has no @id"),
        "{ran:?}"
    );
    let missing = quell(&["policy", "check", "/nowhere/at/all"]);
    assert_eq!(missing.code, 2, "{missing:?}");
    assert!(missing.err.contains("there is no such file"), "{missing:?}");
}

#[test]
fn without_a_solver_a_proof_says_what_to_install() {
    let (_folder, path) = begun("policy-prove");
    let ran = quell(&["policy", "prove", &path, "--solver", "/nowhere/cvc5"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("apt-get install cvc5"), "{ran:?}");
}

#[test]
fn a_property_that_permits_is_refused_by_the_check() {
    let (folder, path) = begun("policy-property");
    folder.file(
        "policy/properties/mine.cedar",
        "@id(\"a\") @reason(\"A.\")\npermit (principal, action, resource);",
    );
    let ran = quell(&["policy", "check", &path]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.err.contains("mine.cedar:1:1: a property cannot permit"),
        "{ran:?}"
    );
}

#[test]
fn a_configuration_whose_policy_folder_is_missing_is_refused_at_its_key() {
    let folder = Folder::new("policy-missing");
    let config = folder.file(
        "quell.toml",
        "[organization]\nid = \"northwind\"\n[policy]\ndirectory = \"nowhere\"\n",
    );
    let ran = quell(&["config", "check", "--config", &config]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("quell.toml:4:13: "), "{ran:?}");
    assert!(ran.err.contains("nowhere` cannot be read"), "{ran:?}");
}

/// The first block of a language in the guide that contains `text`.
fn snippet(language: &str, text: &str) -> String {
    let guide = include_str!("../../../docs/guides/policy.md");
    let fence = format!("```{language}\n");
    let mut blocks = guide
        .split(&fence)
        .skip(1)
        .map(|block| block.split("```").next().unwrap());
    blocks
        .find(|block| block.contains(text))
        .unwrap()
        .to_owned()
}

#[test]
fn what_the_guide_shows_can_be_used_as_it_stands() {
    let folder = Folder::new("policy-guide");
    let parts = [
        "ask_below_confidence",
        "[rules]",
        "[budgets.contain-hosts]",
        "[breakers]",
    ];
    let matrix: String = parts.map(|part| snippet("toml", part)).concat();
    folder.file("policy/policy.toml", &matrix);
    folder.file("policy/lists/ours.csv", &snippet("csv", "quell-01"));
    let path = folder.file("policy/tests/ours.toml", &snippet("toml", "[[example]]"));
    let path = path.trim_end_matches("/tests/ours.toml").to_owned();
    let ran = quell(&["policy", "check", &path]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("5 on lists; 1 example"), "{ran:?}");
    let people = snippet("toml", "{ ask = 2 }") + &snippet("toml", "[approvals]");
    folder.file("policy/policy.toml", &people);
    let ran = quell(&["policy", "check", &path]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn without_a_solver_the_check_says_what_it_did_not_look_at_and_passes() {
    let (_folder, path) = begun("policy-check-alone");
    let arguments = ["policy", "check", &path, "--solver", "/nowhere/cvc5"];
    let ran = quell(&arguments);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("was not looked at"), "{ran:?}");
    assert!(ran.err.contains("apt-get install cvc5"), "{ran:?}");
    let told = json(&[&arguments[..], &["--format", "json"]].concat());
    let why = told["not_looked_at"].as_str().unwrap();
    assert!(why.contains("apt-get install cvc5"), "{told}");
    assert_eq!(told["solver"], Value::Null);
}

#[test]
fn a_budget_that_cannot_be_spent_is_a_remark_and_no_failure() {
    let (folder, path) = begun("policy-check-remark");
    folder.file(
        "policy/policy.toml",
        "[budgets.mine]\nactions = [\"contain_host\"]\nwindow = \"10m\"\ncount = 20",
    );
    let ran = quell(&["policy", "check", &path]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let remark = "policy/policy.toml:1:1: `budgets.mine`: it can never be spent";
    assert!(ran.err.contains(remark), "{ran:?}");
    let told = json(&["policy", "check", &path, "--format", "json"]);
    assert_eq!(told["remarks"][0]["line"], 1, "{told}");
}

#[test]
fn a_rule_that_decides_nothing_fails_the_check_where_there_is_a_solver() {
    let (folder, path) = begun("policy-check-idle");
    folder.file("policy/own.cedar", IDLE);
    let told = json(&["policy", "check", &path, "--format", "json"]);
    if told["not_looked_at"].is_string() {
        return; // `cargo xtask test` sees to it that cvc5 is there.
    }
    let problem = &told["error"]["problems"][0];
    assert_eq!(problem["line"], 1, "{told}");
    let said = problem["message"].as_str().unwrap();
    assert!(
        said.contains("`mine` never permits anything") && said.contains("`ask-vital-process`"),
        "{told}"
    );
}

/// A permit that a shipped rule always forbids.
const IDLE: &str = "@id(\"mine\") @reason(\"Mine.\")
permit (principal == Mode::\"auto\", action == Action::\"kill_process\", resource)
when { resource.vital && resource.critical };";

#[test]
fn what_is_left_out_is_shown() {
    let (folder, path) = begun("policy-left-out");
    folder.file("policy/policy.toml", "[rules]\noff = [\"ask-ban-common\"]");
    let ran = quell(&["policy", "show", &path]);
    assert!(
        ran.out
            .contains("Of the shipped rules these are left out: ask-ban-common."),
        "{ran:?}"
    );
    let shown = json(&["policy", "show", &path, "--format", "json"]);
    assert_eq!(shown["rules_off"][0], "ask-ban-common");
    // The shipped examples hold the policy to the rule that is gone.
    let told = json(&["policy", "test", &path, "--format", "json"]);
    assert!(told["error"]["failed"].as_u64() >= Some(1), "{told}");
}

#[test]
fn the_table_is_what_a_person_can_read() {
    let ran = quell(&["policy", "show"]);
    insta::assert_snapshot!("policy_show", ran.out);
}

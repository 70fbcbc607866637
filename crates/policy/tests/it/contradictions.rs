//! What is refused because it could never say anything, or says two things at once. Each row is a text
//! and the lines that are complained of.

use jiff::Timestamp;
use quell_policy::Folder;

/// Complaints as `file:line: message`, the folder's name left out.
fn complaints(files: &[(&str, &str)]) -> Vec<String> {
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    match (Folder { files }).load("", Timestamp::UNIX_EPOCH) {
        Ok(_) => Vec::new(),
        Err(wrong) => wrong
            .iter()
            .map(|one| format!("{}:{}: {}", one.file, one.line, one.message))
            .collect(),
    }
}

/// The complaints begin with these places and contain these words, and there are no others.
#[track_caller]
fn check(files: &[(&str, &str)], expected: &[(&str, &str)]) {
    let said = complaints(files);
    assert_eq!(said.len(), expected.len(), "{files:#?}\n{said:#?}");
    for (said, (place, words)) in said.iter().zip(expected) {
        assert!(said.starts_with(&format!("{place}: ")), "{place}: {said}");
        assert!(said.contains(words), "{words}: {said}");
    }
}

/// As [`check`], for a `policy.toml` alone; the places are lines.
#[track_caller]
fn matrix(text: &str, expected: &[(usize, &str)]) {
    let expected: Vec<(String, &str)> = expected
        .iter()
        .map(|(line, words)| (format!("policy.toml:{line}"), *words))
        .collect();
    let expected: Vec<(&str, &str)> = expected
        .iter()
        .map(|(place, words)| (place.as_str(), *words))
        .collect();
    check(&[("policy.toml", text)], &expected);
}

#[test]
fn auto_in_a_column_on_top_is_refused_where_it_lifts_nothing() {
    matrix("[actions.contain_host]\nvip = \"auto\"", &[]);
    matrix(
        "[actions.contain_host]\nproduction = \"auto\"",
        &[(
            2,
            "`actions.contain_host.production`: a column that comes on top only takes away",
        )],
    );
    matrix(
        "[actions.kill_process]\nvip = \"auto\"",
        &[(2, "\"auto\" says nothing in it")],
    );
    matrix(
        "[every_action]\nvip = \"auto\"",
        &[(
            2,
            "`every_action.vip`: a column that comes on top only takes away",
        )],
    );
}

#[test]
fn a_row_cannot_be_looser_than_what_holds_for_every_action() {
    matrix(
        "[every_action]\ncritical = \"never\"\n[actions.kill_process]\ncritical = \"ask\"",
        &[(
            4,
            "`actions.kill_process.critical`: it says \"ask\", but `every_action.critical` (policy.toml:2) says \"never\"",
        )],
    );
    matrix(
        "[every_action]\nvip = \"ask\"\n[actions.contain_host]\nvip = \"auto\"",
        &[(
            4,
            "it says \"auto\", but `every_action.vip` (policy.toml:2) says \"ask\"",
        )],
    );
    matrix(
        "[every_action]\nvip = { ask_below_confidence = 95 }\n[actions.kill_process]\nvip = { ask_below_confidence = 90 }",
        &[(4, "it says { ask_below_confidence = 90 }")],
    );
    // The same again, and stricter, say nothing wrong; nor does a shipped cell that nobody wrote.
    matrix(
        "[every_action]\nvip = \"ask\"\n[actions.kill_process]\nvip = \"ask\"\nred_team = \"never\"",
        &[],
    );
    matrix("[every_action]\ncritical = \"never\"", &[]);
}

#[test]
fn a_column_on_top_cannot_be_looser_than_every_class_of_its_row() {
    matrix(
        "[actions.disable_account]\nprivileged = { ask_below_confidence = 95 }",
        &[(2, "no class of the row says less than \"ask\"")],
    );
    matrix(
        "[actions.disable_account]\nany = \"never\"\nvip = \"ask\"",
        &[(3, "no class of the row says less than \"never\"")],
    );
    matrix(
        "[actions.disable_account]\nany = { ask_below_confidence = 95 }\nvip = { ask_below_confidence = 90 }\nprivileged = { ask_below_confidence = 99 }",
        &[(
            3,
            "no class of the row says less than { ask_below_confidence = 95 }",
        )],
    );
    // Asking where everybody asks takes nothing away and promises nothing.
    matrix("[actions.disable_account]\nvip = \"ask\"", &[]);
    matrix("[every_action]\nvip = { ask_below_confidence = 95 }", &[]);
}

#[test]
fn any_is_refused_where_no_class_is_left_for_it() {
    for answer in ["auto", "ask", "never"] {
        matrix(
            &format!("[actions.contain_host]\nany = \"{answer}\""),
            &[(
                2,
                "`actions.contain_host.any`: it stands for the classes without a cell",
            )],
        );
    }
    matrix("[actions.kill_process]\nany = \"ask\"", &[]);
    matrix("[actions.block_sender]\nany = \"auto\"", &[]);
}

#[test]
fn a_labelled_server_may_be_stricter_than_a_server_and_looser() {
    matrix(
        "[actions.contain_host]\nserver = \"auto\"\nnon_essential_server = \"ask\"",
        &[],
    );
    matrix(
        "[actions.contain_host]\nserver = \"ask\"\nnon_essential_server = \"ask\"",
        &[],
    );
}

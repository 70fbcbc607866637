//! The demo, whole: unattended, and with a person in another terminal.

#[cfg(test)]
mod program;

use program::{Running, quell, quell_with};

#[test]
fn the_unattended_demo_finds_every_effect_in_the_vendors_state() {
    let ran = quell(&["demo", "--once", "--listen", "127.0.0.1:0"]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("19 of 19 as expected"), "{}", ran.out);
    assert!(!ran.out.contains('\u{1b}'));
}

#[test]
fn a_person_approves_with_the_command_that_is_printed() {
    let mut demo = Running::talking(&["demo", "--listen", "127.0.0.1:0"]);
    let command = demo.line(" approve ");
    let words: Vec<&str> = command.split_whitespace().collect();
    let value = |name: &str| {
        words
            .iter()
            .find_map(|word| word.strip_prefix(name))
            .unwrap()
    };
    let (url, token) = (value("QUELL_URL="), value("QUELL_TOKEN="));
    let asking = [("QUELL_URL", url), ("QUELL_TOKEN", token)];
    let id = words[words.iter().position(|word| *word == "approve").unwrap() + 1];

    let listed = quell_with(&asking, &["actions", "--state", "awaiting_approval"]);
    assert!(listed.out.contains(id), "{}", listed.out);
    let before = quell_with(&asking, &["show", id]);
    assert_eq!(before.code, 0);
    assert!(
        before
            .out
            .contains("On a critical asset, “contain host” needs a person"),
        "{}",
        before.out
    );
    assert!(
        before.out.contains(&format!("quell approve {id} --reason")),
        "{}",
        before.out
    );

    let explained = quell_with(&asking, &["policy", "explain", id]);
    assert_eq!(explained.code, 0, "{explained:?}");
    for said in [
        "May Quell contain host SRV-FILES-01?",
        "decided when it was proposed: only after a person's yes",
        "known of it  server, critical",
        "it was on none",
        "Now it is awaiting approval",
    ] {
        assert!(explained.out.contains(said), "{said}:\n{}", explained.out);
    }

    let stale = quell_with(
        &asking,
        &["approve", id, "--reason", "yes", "--shown", "0000"],
    );
    assert_eq!(stale.code, 1);
    assert!(
        stale.err.contains("changed since you looked at it"),
        "{}",
        stale.err
    );
    let approved = quell_with(
        &asking,
        &["approve", id, "--reason", "the theft is confirmed"],
    );
    assert_eq!(approved.code, 0, "{approved:?}");
    assert!(approved.out.contains("Approved."), "{}", approved.out);
    let again = quell_with(
        &asking,
        &["approve", id, "--reason", "the theft is confirmed"],
    );
    assert_eq!(again.code, 1, "{again:?}");

    demo.line("on-call approves: the theft is confirmed");
    demo.line("The server keeps running.");
    let after = quell_with(&asking, &["show", id]);
    assert!(after.out.contains("on-call said yes at"), "{}", after.out);
    assert!(
        after.out.contains(&format!("quell revert {id} --reason")),
        "{}",
        after.out
    );
    let back = quell_with(&asking, &["revert", id, "--reason", "enough"]);
    assert!(
        back.out
            .starts_with("On its way: release host SRV-FILES-01."),
        "{}",
        back.out
    );
    demo.line("SRV-FILES-01 is released");
    let rejected = quell_with(
        &asking,
        &[
            "actions",
            "--state",
            "awaiting_approval",
            "--format",
            "json",
        ],
    );
    let rejected: serde_json::Value = serde_json::from_str(&rejected.out).unwrap();
    let other = rejected["items"][0]["id"].as_str().unwrap();
    assert_eq!(
        quell_with(&asking, &["reject", other, "--reason", "no"]).code,
        0
    );
    demo.line("on-call rejects: no");
    let (code, said) = demo.stop("-INT");
    assert_eq!(code, 0, "{said}");
    let folder = said
        .lines()
        .find_map(|line| line.strip_prefix("The database and the log stay in "));
    let folder = folder.unwrap().split(';').next().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

//! A policy folder: which file means what, and the examples that hold a policy to what was meant.

use jiff::Timestamp;
use quell_model::Outcome;
use quell_policy::{Example, Folder, Source};

use crate::support::{builtin, rule_ids};

fn folder(files: &[(&str, &str)]) -> Folder {
    Folder {
        files: files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect(),
    }
}

fn wrong(files: &[(&str, &str)]) -> String {
    match folder(files).load("policy", Timestamp::UNIX_EPOCH) {
        Ok(_) => "it loaded".to_owned(),
        Err(wrong) => wrong.to_string(),
    }
}

const RULE: &str = "@id(\"freeze\") @reason(\"Not today.\")\nforbid (principal, action, resource);";

#[test]
fn without_files_what_ships_holds() {
    let loaded = folder(&[]).load("policy", Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(loaded.policy.rules(), builtin().rules());
    assert!(loaded.examples.is_empty());
}

#[test]
fn every_part_of_a_folder_is_read() {
    let loaded = folder(&[
        ("policy.toml", "[actions.contain_host]\nmobile = \"auto\""),
        ("freeze.cedar", RULE),
        (
            "lists/ours.csv",
            "subject,value,strength,reason\nhost,quell-01,never,Quell runs here.\n",
        ),
        (
            "tests/a.toml",
            "[[example]]\nname = \"frozen\"\naction = \"contain_host\"\nexpect = \"never\"",
        ),
    ])
    .load("policy", Timestamp::UNIX_EPOCH)
    .unwrap();
    let ids: Vec<&str> = loaded
        .policy
        .rules()
        .iter()
        .map(|rule| rule.id.as_str())
        .collect();
    assert!(
        ids.contains(&"freeze") && ids.contains(&"contain-host-mobile"),
        "{ids:?}"
    );
    let [example] = loaded.examples.as_slice() else {
        panic!("{:?}", loaded.examples)
    };
    assert_eq!(loaded.lists.entries().len(), 1);
    let checked = example.check(&loaded.policy);
    assert_eq!(
        (checked.problems, rule_ids(&checked.decision)),
        (vec![], vec!["freeze"])
    );
}

#[test]
fn a_file_that_nothing_would_read_is_refused() {
    for path in [
        "polciy.toml",
        "rules/a.cedar",
        "playbooks/deeper/a.toml",
        "tests/a.cedar",
    ] {
        assert!(Folder::takes(path), "{path}");
        let said = wrong(&[(path, "")]);
        assert!(
            said.starts_with(&format!("policy/{path}:1:1: nothing reads")),
            "{said}"
        );
    }
    assert!(!Folder::takes("README.md") && !Folder::takes("notes.txt"));
}

#[test]
fn mistakes_in_all_files_are_told_at_once() {
    let said = wrong(&[
        ("policy.toml", "[actions.contain_hosts]\nany = \"ask\""),
        (
            "own.cedar",
            "permit (principal, action, resource) when { resource.typo };",
        ),
        ("playbooks/p.toml", "name = 3"),
        ("tests/t.toml", "[[example]]\nname = \"x\""),
        (
            "lists/l.csv",
            "subject,value,strength,reason\nhost,,never,x\n",
        ),
    ]);
    for file in [
        "lists/l.csv:2",
        "policy.toml:1",
        "own.cedar:1",
        "playbooks/p.toml:1",
        "tests/t.toml:1",
    ] {
        assert!(said.contains(&format!("policy/{file}")), "{file}: {said}");
    }
}

#[test]
fn the_shipped_examples_are_decided_as_they_say() {
    let examples = Example::parse(&Example::shipped()).unwrap();
    assert!(examples.len() > 20);
    for example in examples {
        let checked = example.check(builtin());
        assert!(
            checked.problems.is_empty(),
            "{}: {:?}",
            example.name,
            checked.problems
        );
    }
}

#[test]
fn an_example_that_is_decided_otherwise_says_how() {
    let text = "[[example]]\nname = \"x\"\naction = \"contain_host\"\nclass = \"server\"\n\
                expect = \"auto\"\nbecause = [\"contain-host-workstation\"]";
    let source = Source {
        name: "t.toml",
        text,
    };
    let examples = Example::parse(&source).unwrap();
    let checked = examples[0].check(builtin());
    assert_eq!(checked.decision.outcome, Outcome::Ask);
    assert_eq!(
        checked.problems,
        [
            "expected auto, but policy says ask",
            "expected rule `contain-host-workstation` among the reasons, which are `contain-host-server`",
        ]
    );
}

#[test]
fn an_example_that_says_what_nobody_reads_is_refused_at_its_line() {
    let refused = |lines: &str, message: &str| {
        let text = format!("\n[[example]]\nname = \"x\"\nexpect = \"ask\"\n{lines}");
        let source = Source {
            name: "t.toml",
            text: &text,
        };
        let said = Example::parse(&source).unwrap_err().to_string();
        assert!(
            said.starts_with("t.toml:") && said.contains(message),
            "{said}"
        );
    };
    refused("action = \"contain_hosts\"", "contain_hosts");
    refused("action = \"contain_host\"\nclas = \"server\"", "clas");
    refused(
        "action = \"contain_host\"\ntarget = { nam = \"a\" }",
        "`target.nam`",
    );
    refused(
        "action = \"contain_host\"\nconfidence = 101",
        "101 is more than 100",
    );
    refused("action = \"contain_host\"\nseverity = \"huge\"", "huge");
}

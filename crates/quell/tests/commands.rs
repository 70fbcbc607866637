//! Exit codes, help, and how a server starts and stops.

#[cfg(test)]
mod program;

use program::{Folder, Running, quell, quell_with};
use serde_json::Value;
use sha2::Digest as _;

#[test]
fn help_is_no_failure_and_a_wrong_option_is() {
    let help = quell(&["--help"]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    assert!(
        help.out.contains("Exit codes: 0 done, 1 failed, 2 "),
        "{}",
        help.out
    );
    assert_eq!(quell(&["--version"]).code, 0);
    for wrong in [
        &["--nonsense"][..],
        &["aprove"],
        &[],
        &["plan"],
        &["approve", "x"],
    ] {
        let ran = quell(wrong);
        assert_eq!(ran.code, 2, "{ran:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_told_with_what_to_do() {
    let nowhere = [
        ("QUELL_URL", "http://127.0.0.1:9"),
        ("QUELL_TOKEN", "some-token-0123456789"),
    ];
    let ran = quell_with(&nowhere, &["actions"]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "error: no Quell server answers at http://127.0.0.1:9\n  start one with `quell serve` or `quell demo`, or say where it is with QUELL_URL\n"
    );
    let ran = quell_with(&nowhere, &["actions", "--format", "json"]);
    let error: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(error["error"]["code"], "failed");
    assert!(!ran.err.contains("some-token"), "{}", ran.err);
}

#[test]
fn a_token_never_leaves_this_machine_in_clear() {
    let ran = quell_with(
        &[("QUELL_URL", "http://quell.example"), ("QUELL_TOKEN", "t")],
        &["actions"],
    );
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("must use https"), "{}", ran.err);
}

fn configuration(folder: &Folder, falcon: &str) -> String {
    let text = format!(
        r#"
        [log]
        format = "json"
        [[server.tokens]]
        name = "ana"
        role = "administrator"
        token = "env:TOKEN_ANA"
        [organization]
        id = "northwind"
        [[connections]]
        id = "falcon"
        connector = "crowdstrike"
        settings = {{ base_url = "{falcon}", client_id = "twin-client-id", client_secret = "env:FALCON_SECRET" }}
        "#
    );
    folder.file("quell.toml", &text)
}

const ENVIRONMENT: [(&str, &str); 2] = [
    ("TOKEN_ANA", "ana-0123456789abcdef"),
    ("FALCON_SECRET", "twin-client-secret"),
];

#[test]
fn a_server_starts_answers_and_stops_when_told() {
    let mut range = Running::talking(&[
        "range",
        "--listen",
        "127.0.0.1:0",
        "--slack",
        "127.0.0.1:0",
        "--hosts",
        "3",
    ]);
    let line = range.line("base_url");
    let falcon = line.split_whitespace().last().unwrap().to_owned();
    let folder = Folder::new("serve");
    let config = configuration(&folder, &falcon);
    let check = quell_with(&ENVIRONMENT, &["config", "check", "--config", &config]);
    assert_eq!(check.code, 0, "{check:?}");
    assert!(
        check.out.contains("is good: 1 connection, "),
        "{}",
        check.out
    );

    let mut server = Running::logging(
        &ENVIRONMENT,
        &["serve", "--config", &config, "--listen", "127.0.0.1:0"],
    );
    let ready: Value = serde_json::from_str(&server.line("\"ready\"")).unwrap();
    let url = format!("http://{}", ready["address"].as_str().unwrap());
    let asking = [
        ("QUELL_URL", url.as_str()),
        ("QUELL_TOKEN", "ana-0123456789abcdef"),
    ];

    let actions = quell_with(&asking, &["actions"]);
    assert_eq!(
        (actions.code, actions.out.as_str()),
        (0, "No actions yet: no alert has asked for one.\n")
    );
    let check = quell_with(&asking, &["connections", "check"]);
    assert_eq!(check.code, 0, "{check:?}");
    insta::assert_snapshot!("connections_check", check.out);
    let direct = ["connections", "check", "--config", &config];
    assert_eq!(quell_with(&ENVIRONMENT, &direct).out, check.out);
    let paused = quell_with(&asking, &["pause", "--reason", "a drill"]);
    assert_eq!(
        paused.out,
        "Automation is paused by ana: a drill. Alerts are still taken in; `quell resume` lets actions go on.\n"
    );
    assert_eq!(quell_with(&asking, &["resume"]).out, "Automation runs.\n");
    let show = quell_with(&asking, &["show", "act_01930000000070008000000000000001"]);
    assert_eq!(show.code, 1, "{show:?}");
    let stranger = quell_with(&[("QUELL_URL", &url)], &["actions"]);
    assert_eq!(stranger.code, 1);
    assert!(stranger.err.contains("set QUELL_TOKEN"), "{}", stranger.err);

    let second = quell_with(
        &ENVIRONMENT,
        &["serve", "--config", &config, "--listen", "127.0.0.1:0"],
    );
    assert_eq!(second.code, 1);
    assert!(
        second.err.contains("is in use by another Quell"),
        "{}",
        second.err
    );
    let address = url.strip_prefix("http://").unwrap();
    let second = quell_with(
        &ENVIRONMENT,
        &["serve", "--config", &config, "--listen", address],
    );
    assert_eq!(second.code, 1);
    assert!(
        second.err.contains(&format!("{address} is in use")),
        "{}",
        second.err
    );

    let (code, log) = server.stop("-TERM");
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("\"stopped\""), "{log}");
    assert!(
        !log.contains("ana-0123") && !log.contains("twin-client-secret"),
        "{log}"
    );
    assert_eq!(range.stop("-INT").0, 0);
}

#[test]
fn a_changed_policy_is_put_in_force_by_a_signal_and_a_broken_one_is_not() {
    let folder = Folder::new("reload");
    let config = configuration(&folder, "http://127.0.0.1:9");
    let text = std::fs::read_to_string(&config).unwrap();
    folder.file(
        "quell.toml",
        &format!("{text}\n[policy]\ndirectory = \"policy\"\n"),
    );
    folder.file("policy/policy.toml", "");
    let mut server = Running::logging(
        &ENVIRONMENT,
        &["serve", "--config", &config, "--listen", "127.0.0.1:0"],
    );
    server.line("\"ready\"");
    folder.file(
        "policy/lists/ours.csv",
        "subject,value,strength,reason\nhost,quell-01,never,Quell runs here.\n",
    );
    server.signal("-HUP");
    let line = server.line("read again");
    assert!(
        line.contains("is in force") && line.contains("\"entries\":1"),
        "{line}"
    );
    folder.file(
        "policy/policy.toml",
        "[actions.contain_hosts]\nany = \"auto\"",
    );
    server.signal("-HUP");
    let line = server.line("policy.toml:1");
    assert!(line.contains("there is no such action"), "{line}");
    server.line("the old one stays in force");
    assert_eq!(server.stop("-TERM").0, 0);
}

#[test]
fn lists_are_kept_from_the_command_line() {
    let folder = Folder::new("lists");
    let config = configuration(&folder, "http://127.0.0.1:9");
    let mut server = Running::logging(
        &ENVIRONMENT,
        &["serve", "--config", &config, "--listen", "127.0.0.1:0"],
    );
    let ready: Value = serde_json::from_str(&server.line("\"ready\"")).unwrap();
    let url = format!("http://{}", ready["address"].as_str().unwrap());
    let asking = [
        ("QUELL_URL", url.as_str()),
        ("QUELL_TOKEN", "ana-0123456789abcdef"),
    ];
    let lists = |arguments: &[&str]| {
        let ran = quell_with(&asking, &[&["lists"], arguments].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.out
    };
    // What Quell needs itself is there from the start, its own program first of all.
    let own = lists(&["--source", "quell", "--format", "json"]);
    let program = std::fs::read(env!("CARGO_BIN_EXE_quell")).unwrap();
    let sha256: String = sha2::Sha256::digest(program)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    for value in [&sha256, "CSFalconService.exe", "127.0.0.1", "cloudsink.net"] {
        assert!(own.contains(&format!("\"value\": \"{value}\"")), "{own}");
    }

    let add = ["add", "host", "mri-*", "--strength", "ask"];
    let why = ["--action", "contain_host", "--reason", "Call the ward."];
    let added = lists(&[&add[..], &why].concat());
    assert!(added.starts_with("On the lists: 1 entry. lst_"), "{added}");
    let file = folder.file(
        "more.csv",
        "subject,value,strength,reason\nhost,mri-*,ask,Everywhere.\nip,192.0.2.0/24,never,Ours.\n",
    );
    assert_eq!(lists(&["import", &file]), "On the lists: 2 entries.\n");
    assert_eq!(
        lists(&["import", &file]),
        "On the lists: 0 entries. There already: 2.\n"
    );
    let check = lists(&["check", "MRI-7"]);
    assert!(
        check.contains("Call the ward.") && check.contains("Everywhere."),
        "{check}"
    );
    assert_eq!(lists(&["check", "fin-042"]), "It is on no list.\n");
    assert_eq!(
        lists(&["check", "google.com"]),
        "It is on no list.\nIt is never blocked. It is one of the most visited domains: a block would hit everybody.\n"
    );
    let copy = folder.file("copy.csv", "");
    lists(&["export", "--file", &copy]);
    let copy = std::fs::read_to_string(copy).unwrap();
    assert_eq!(copy.lines().count(), 4, "{copy}");

    let id = added.split_whitespace().last().unwrap();
    let removed = lists(&["remove", id, "--reason", "the ward moved"]);
    assert_eq!(removed, "Taken off: host mri-*, which was ask.\n");
    let history = lists(&["history"]);
    let newest = history.lines().nth(1).unwrap();
    assert!(
        newest.contains("removed") && newest.contains("ana") && newest.contains("the ward moved"),
        "{history}"
    );
    let again = quell_with(&asking, &["lists", "remove", id, "--reason", "again"]);
    assert_eq!(again.code, 1, "{again:?}");
    assert_eq!(server.stop("-TERM").0, 0);
}

#[test]
fn a_changed_policy_is_put_in_force_by_an_order_and_a_broken_one_is_told_with_its_place() {
    let folder = Folder::new("apply");
    let config = configuration(&folder, "http://127.0.0.1:9");
    let text = std::fs::read_to_string(&config).unwrap();
    folder.file(
        "quell.toml",
        &format!("{text}\n[policy]\ndirectory = \"policy\"\n"),
    );
    folder.file("policy/policy.toml", "");
    let mut server = Running::logging(
        &ENVIRONMENT,
        &["serve", "--config", &config, "--listen", "127.0.0.1:0"],
    );
    let ready: Value = serde_json::from_str(&server.line("\"ready\"")).unwrap();
    let url = format!("http://{}", ready["address"].as_str().unwrap());
    let apply = || {
        let token = ("QUELL_TOKEN", ENVIRONMENT[0].1);
        quell_with(&[("QUELL_URL", &url), token], &["policy", "apply"])
    };
    folder.file(
        "policy/policy.toml",
        "[actions.contain_host]\nserver = { ask = 2 }",
    );
    let ran = apply();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("contain-host-server"), "{ran:?}");
    folder.file(
        "policy/policy.toml",
        "[approvals]\nescalate_to = [\"falcon\", \"pager\"]",
    );
    let ran = apply();
    assert_eq!(ran.code, 2, "{ran:?}");
    for wrong in [
        "policy/policy.toml:2:16: `approvals.escalate_to`: connection `falcon` cannot tell people",
        "policy/policy.toml:2:26: `approvals.escalate_to`: there is no connection `pager`",
        "the old policy stays in force",
    ] {
        assert!(ran.err.contains(wrong), "{wrong}\n{ran:?}");
    }
    // The same is said before a server is started with it.
    let ran = quell_with(&ENVIRONMENT, &["config", "check", "--config", &config]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("policy.toml:2:26: "), "{ran:?}");
    assert_eq!(server.stop("-TERM").0, 0);
}

#[test]
fn a_secret_that_is_not_there_is_named_with_its_place() {
    let folder = Folder::new("no-secret");
    let config = configuration(&folder, "http://127.0.0.1:9");
    let ran = quell(&["serve", "--config", &config]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err
            .contains("quell.toml:7:17: environment variable `TOKEN_ANA` is not set"),
        "{}",
        ran.err
    );
    assert!(
        ran.err
            .contains("environment variable `FALCON_SECRET` is not set"),
        "{}",
        ran.err
    );
}

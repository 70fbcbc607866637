//! What is proposed for an alert, what is not, and why.

use quell_model::alert::Prevention;
use quell_model::entity::{Account, File, Host, Process, ProcessRole};
use quell_model::{Alert, AlertKind, AlertStatus, AssetFacts, Entity, Severity};
use quell_policy::{Plan, Playbook, Playbooks, Source};

fn alert(entities: Vec<Entity>) -> Alert {
    Alert {
        occurrence: None,
        source: "crowdstrike".into(),
        id: "a1".into(),
        title: "Malware".into(),
        description: None,
        severity: Severity::High,
        confidence: None,
        kind: AlertKind::MaliciousProcess,
        detection: "Malware".into(),
        time: "2026-01-01T00:00:00Z".parse().unwrap(),
        updated: None,
        techniques: Vec::new(),
        status: AlertStatus::New,
        console_url: None,
        tenant: None,
        prevention: Prevention::default(),
        asset: AssetFacts::default(),
        entities,
        notes: Vec::new(),
    }
}

fn host() -> Host {
    Host {
        id: Some("h1".into()),
        ..Host::default()
    }
}

fn process() -> Process {
    Process {
        host_id: Some("h1".into()),
        pid: Some(42),
        name: Some("evil.exe".into()),
        ..Process::default()
    }
}

fn file() -> File {
    File {
        sha256: Some("ab".repeat(32)),
        ..File::default()
    }
}

fn plan(alert: &Alert) -> Plan {
    Playbooks::builtin().unwrap().propose(alert)
}

/// What is proposed as `action` or `action!gap`, then what is skipped as `action?reason`.
#[track_caller]
fn check(alert: &Alert, expected: &[&str]) {
    let plan = plan(alert);
    let proposed = plan.proposals.iter().map(|proposal| match &proposal.gap {
        Some(gap) => format!("{}!{}", proposal.action, gap.rule),
        None => proposal.action.to_string(),
    });
    let skipped = plan
        .skipped
        .iter()
        .map(|skipped| format!("{}?{}", skipped.action, skipped.reason.rule));
    assert_eq!(
        proposed.chain(skipped).collect::<Vec<_>>(),
        expected,
        "{plan:#?}"
    );
}

#[test]
fn a_malicious_process_is_killed_its_file_banned_and_its_host_contained() {
    check(
        &alert(vec![host().into(), process().into(), file().into()]),
        &["kill_process", "block_hash", "contain_host"],
    );
}

#[test]
fn a_target_without_what_the_action_needs_is_proposed_with_its_gap() {
    let whole = |host: Host, process: Process, file: File| {
        alert(vec![host.into(), process.into(), file.into()])
    };
    check(
        &whole(
            Host { id: None, ..host() },
            Process {
                pid: None,
                ..process()
            },
            File {
                sha256: None,
                ..file()
            },
        ),
        &[
            "kill_process!process-id-missing",
            "block_hash!file-hash-missing",
            "contain_host!device-id-missing",
        ],
    );
    check(
        &whole(
            Host {
                id: Some("N/A".into()),
                ..host()
            },
            Process {
                host_id: None,
                ..process()
            },
            file(),
        ),
        &[
            "kill_process!device-id-missing",
            "block_hash",
            "contain_host!device-id-missing",
        ],
    );
    let md5 = File {
        sha256: None,
        md5: Some("cd".repeat(16)),
        ..file()
    };
    check(
        &alert(vec![md5.into()]),
        &[
            "block_hash",
            "kill_process?target-missing",
            "contain_host?target-missing",
        ],
    );

    let gap = plan(&whole(Host::default(), process(), file())).proposals[2]
        .gap
        .clone()
        .unwrap();
    assert_eq!(
        gap.text,
        "The alert lacks the vendor's device id, so “contain host” is left to a person."
    );
}

#[test]
fn a_process_the_vendor_already_stopped_is_not_killed_again() {
    let mut stopped = alert(vec![process().into(), file().into(), host().into()]);
    stopped.prevention.process_stopped = true;
    check(
        &stopped,
        &[
            "block_hash",
            "contain_host",
            "kill_process?process-already-stopped",
        ],
    );
    assert_eq!(plan(&stopped).skipped[0].target, Some(process().into()));

    stopped.prevention.kill_failed = true;
    check(&stopped, &["kill_process", "block_hash", "contain_host"]);
}

#[test]
fn the_parents_of_a_process_are_not_killed() {
    let role = |role| Entity::from(Process { role, ..process() });
    check(
        &alert(vec![
            role(ProcessRole::Parent),
            role(ProcessRole::Grandparent),
            host().into(),
            file().into(),
        ]),
        &["block_hash", "contain_host", "kill_process?target-missing"],
    );
}

#[test]
fn an_entity_named_twice_is_proposed_once() {
    let renamed = Host {
        name: Some("WS-1".into()),
        ..host()
    };
    let twice = alert(vec![
        host().into(),
        renamed.into(),
        file().into(),
        file().into(),
    ]);
    check(
        &twice,
        &["block_hash", "contain_host", "kill_process?target-missing"],
    );
}

#[test]
fn a_kind_of_alert_without_a_playbook_says_so() {
    let mut other = alert(vec![host().into()]);
    other.kind = AlertKind::Other;
    check(&other, &[]);
    let none = plan(&other).none.unwrap();
    assert_eq!(none.rule, "no-playbook");
    assert_eq!(
        none.text,
        "No playbook answers alerts of the kind “other”, so nothing is proposed."
    );
    assert_eq!(plan(&alert(vec![host().into()])).none, None);
}

#[test]
fn people_are_always_told_at_high_severity_on_a_critical_asset() {
    let playbooks = Playbooks::builtin().unwrap();
    for (severity, critical, expected) in [
        (Severity::Medium, true, false),
        (Severity::High, true, true),
        (Severity::Critical, true, true),
        (Severity::Critical, false, false),
    ] {
        let alert = Alert {
            severity,
            ..alert(vec![])
        };
        let asset = AssetFacts {
            critical,
            ..AssetFacts::default()
        };
        assert_eq!(
            playbooks.notifies(&alert, &asset).is_some(),
            expected,
            "{severity:?} {critical}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_playbook_is_said_with_file_line_and_field() {
    let check = |text: &str, line: usize, expected: &str| {
        let wrong = Playbook::parse("own.toml", text).expect_err("it loaded");
        let found = wrong.iter().next().unwrap();
        assert_eq!(
            (found.file.as_str(), found.line),
            ("own.toml", line),
            "{wrong}"
        );
        assert!(found.message.contains(expected), "{wrong}");
    };
    let good = "name = \"own\"\ntitle = \"Own\"\nalert = \"other\"\n[[propose]]\naction = \"contain_host\"\n";
    assert!(Playbook::parse("own.toml", good).is_ok());
    check(
        &good.replace("contain_host", "contain_hots"),
        5,
        "`propose[0].action`: unknown variant `contain_hots`",
    );
    check(
        &format!("{good}whenever = true\n"),
        6,
        "unknown field `whenever`",
    );
    check(
        &good.replace("title = \"Own\"\n", ""),
        1,
        "missing field `title`",
    );
    check(&good.replace("\"Own\"", "7"), 2, "`title`: invalid type");
    check(
        &good.replace("\"other\"", "\"others\""),
        3,
        "`alert`: unknown variant",
    );
    check("name = ", 1, "");
    check(
        &format!("{good}[[propose]]\naction = \"contain_host\"\n"),
        1,
        "`propose[1].action` names `contain_host`",
    );
    check(&good.replace("\"own\"", "\" \""), 1, "`name` is empty");
}

#[test]
fn a_playbook_of_one_s_own_stands_beside_the_shipped_ones_or_replaces_one() {
    let text = "name = \"malicious-process\"\ntitle = \"Ours\"\nalert = \"malicious_process\"\n\
                [[propose]]\naction = \"contain_host\"\n";
    let own = Source {
        name: "own.toml",
        text,
    };
    let replaced = Playbooks::load(&[own]).unwrap();
    assert_eq!(
        replaced
            .iter()
            .map(|playbook| playbook.title.as_str())
            .collect::<Vec<_>>(),
        ["Risky sign-in", "Ours"]
    );

    let other = text.replace("malicious-process", "ours");
    let beside = Playbooks::load(&[Source {
        name: "own.toml",
        text: &other,
    }])
    .unwrap();
    assert_eq!(beside.iter().count(), 3);
    let plan = beside.propose(&alert(vec![host().into()]));
    assert_eq!(
        plan.proposals.len(),
        1,
        "both propose it, it is proposed once"
    );

    let twice = Playbooks::load(&[
        own,
        Source {
            name: "again.toml",
            text,
        },
    ])
    .unwrap_err();
    assert_eq!(
        twice.to_string(),
        "again.toml:1:1: the playbook name `malicious-process` is used twice"
    );
}

#[test]
fn an_alert_somebody_closed_proposes_nothing_and_says_so() {
    let mut closed = alert(vec![host().into()]);
    closed.status = AlertStatus::Closed;
    check(&closed, &[]);
    assert_eq!(plan(&closed).none.unwrap().rule, "alert-closed");
    closed.status = AlertStatus::Reopened;
    check(
        &closed,
        &[
            "contain_host",
            "kill_process?target-missing",
            "block_hash?target-missing",
        ],
    );
}

#[test]
fn the_second_time_is_proposed_with_its_window_and_only_where_the_alert_counts() {
    let ana = Account {
        principal: Some("ana@corp.example".into()),
        ..Account::default()
    };
    let sign_in = |severity| Alert {
        kind: AlertKind::RiskySignIn,
        severity,
        ..alert(vec![ana.clone().into()])
    };
    check(
        &sign_in(Severity::High),
        &["revoke_sessions", "reset_password"],
    );
    check(
        &sign_in(Severity::Medium),
        &["revoke_sessions", "reset_password?does-not-count"],
    );
    let again: Vec<_> = plan(&sign_in(Severity::High))
        .proposals
        .iter()
        .map(|proposal| proposal.again.map(|again| again.within.as_secs() / 3600))
        .collect();
    assert_eq!(again, [None, Some(24)]);
}

#[test]
fn a_window_that_makes_no_sense_is_refused_at_its_line() {
    for within in ["0s", "800h", "-1h"] {
        let text = format!(
            "name = \"x\"\ntitle = \"X\"\nalert = \"risky_sign_in\"\n[[propose]]\n\
             action = \"reset_password\"\nagain = {{ within = \"{within}\" }}\n"
        );
        let refused = Playbook::parse("x.toml", &text).unwrap_err().to_string();
        assert!(refused.contains("a minute to 30 days"), "{refused}");
        assert!(refused.contains("x.toml:6"), "{refused}");
    }
}

#[test]
fn the_playbook_in_the_guide_loads() {
    let guide = include_str!("../../../../docs/guides/risky-sign-in.md");
    let mut blocks = guide.split("```toml\n").skip(1);
    let text = blocks.find(|block| block.starts_with("name =")).unwrap();
    let text = text.split("```").next().unwrap();
    let playbook = Playbook::parse("guide", text).unwrap();
    assert_eq!(playbook.name, "risky-sign-in");
}

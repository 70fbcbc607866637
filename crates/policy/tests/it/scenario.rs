//! The shipped rules, held against what the product promises for a malicious process.

use quell_model::Outcome::{Ask, Auto, Never};
use quell_model::entity::{File, Host, Process};
use quell_model::{ActionType, AssetClass, AssetFacts, Outcome, Severity};

use quell_policy::{Policy, Source};
use std::sync::LazyLock;

use crate::blocks::block;
use crate::support::{Case, builtin, rule_ids, shipped_rules, with_matrix};

use ActionType::{BlockHash, ContainHost, KillProcess};
use AssetClass::{DomainController, Mobile, Server, Unknown, Workstation};
use Severity::{Critical, High, Informational, Low, Medium};

#[track_caller]
fn check(case: Case, outcome: Outcome, rules: &[&str]) {
    let decision = case.decide(builtin());
    assert_eq!(
        (decision.outcome, rule_ids(&decision)),
        (outcome, rules.to_vec()),
        "{case:#?}\n{decision:#?}"
    );
}

fn host(class: AssetClass) -> Case {
    Case::new(ContainHost).with(|case| case.asset.class = class)
}

fn sure(mut case: Case, confidence: Option<u8>) -> Case {
    case.basis.confidence = confidence;
    case
}

/// The shipped rules where servers and critical assets are contained from confidence 95 on.
fn confident() -> &'static Policy {
    static CONFIDENT: LazyLock<Policy> = LazyLock::new(|| {
        with_matrix(
            "[actions.contain_host]\nserver = { ask_below_confidence = 95 }\n\
             critical = { ask_below_confidence = 95 }",
        )
    });
    &CONFIDENT
}

fn labelled(mut case: Case, label: &str) -> Case {
    case.asset.labels.insert(label.into());
    case
}

fn critical(mut case: Case) -> Case {
    case.asset.critical = true;
    case
}

#[test]
fn containment_follows_class_criticality_and_labels() {
    check(host(Workstation), Auto, &["contain-host-workstation"]);
    check(host(Server), Ask, &["contain-host-server"]);
    check(
        host(DomainController),
        Ask,
        &["contain-host-domain-controller"],
    );
    check(host(Mobile), Ask, &["contain-host-mobile"]);
    check(host(Unknown), Ask, &["contain-host-unknown"]);

    check(critical(host(Workstation)), Ask, &["contain-host-critical"]);
    check(
        critical(host(Server)),
        Ask,
        &["contain-host-critical", "contain-host-server"],
    );

    check(
        labelled(host(Server), "non-essential"),
        Auto,
        &["contain-host-non-essential-server"],
    );
    check(
        critical(labelled(host(Server), "non-essential")),
        Ask,
        &["contain-host-critical"],
    );
    for class in [DomainController, Mobile, Unknown] {
        let decision = labelled(host(class), "non-essential").decide(builtin());
        assert_eq!(decision.outcome, Ask, "{class:?}");
    }
}

#[test]
fn a_threshold_that_is_turned_on_and_reached_contains_servers_and_critical_assets() {
    for case in [
        host(Server),
        critical(host(Server)),
        critical(host(Workstation)),
    ] {
        for confidence in [Some(95), Some(100)] {
            let case = sure(case.clone(), confidence);
            assert_eq!(case.decide(confident()).outcome, Auto, "{case:#?}");
            assert_eq!(case.decide(builtin()).outcome, Ask, "{case:#?}");
        }
        for confidence in [Some(94), None, Some(200)] {
            let case = sure(case.clone(), confidence);
            assert_eq!(case.decide(confident()).outcome, Ask, "{case:#?}");
        }
    }
    for class in [DomainController, Mobile, Unknown] {
        for case in [host(class), critical(host(class))] {
            let decision = sure(case, Some(100)).decide(confident());
            assert_eq!(
                decision.outcome, Ask,
                "{class:?} asks whatever the confidence"
            );
        }
    }
}

#[test]
fn the_whole_table_of_containment_is_what_the_product_says() {
    for class in AssetClass::ALL {
        for is_critical in [false, true] {
            for label in [
                None,
                Some("non-essential"),
                Some("red-team"),
                Some("break-glass"),
            ] {
                for confidence in [None, Some(94), Some(95)] {
                    for threshold in [false, true] {
                        let policy = if threshold { confident() } else { builtin() };
                        for severity in [Informational, Low, Medium, High, Critical] {
                            let mut case = sure(host(class), confidence);
                            case.asset.critical = is_critical;
                            case.asset.labels.extend(label.map(str::to_owned));
                            case.basis.severity = severity;

                            let reached = threshold && confidence == Some(95);
                            let free = match class {
                                Workstation => !is_critical,
                                Server => label == Some("non-essential") && !is_critical,
                                _ => false,
                            };
                            let lifted = reached && matches!(class, Workstation | Server);
                            let expected = match (severity, label) {
                                (Informational | Low, _) | (_, Some("break-glass")) => Never,
                                (Medium, _) | (_, Some("red-team")) => Ask,
                                _ if free || lifted => Auto,
                                _ => Ask,
                            };
                            assert_eq!(case.decide(policy).outcome, expected, "{case:#?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_process_is_killed_and_a_hash_banned_on_servers_and_workstations_alike() {
    for class in [Workstation, Server, Mobile, Unknown] {
        for is_critical in [false, true] {
            for severity in [High, Critical] {
                let asset = AssetFacts {
                    class,
                    critical: is_critical,
                    ..AssetFacts::default()
                };
                let case = |action| {
                    Case::new(action).with(|case| {
                        case.asset = asset.clone();
                        case.basis.severity = severity;
                    })
                };
                check(case(KillProcess), Auto, &["kill-process-any"]);
                check(case(BlockHash), Auto, &["block-hash-any"]);
            }
        }
    }
    let on_dc = |action| Case::new(action).with(|case| case.asset.class = DomainController);
    check(on_dc(KillProcess), Ask, &["kill-process-domain-controller"]);
    check(on_dc(BlockHash), Auto, &["block-hash-any"]);
}

#[test]
fn severity_below_medium_is_never_and_medium_asks() {
    for action in [
        ContainHost,
        KillProcess,
        BlockHash,
        ActionType::DisableAccount,
        ActionType::DeleteAccessKey,
    ] {
        let at = |severity| Case::new(action).with(|case| case.basis.severity = severity);
        for severity in [Informational, Low] {
            check(at(severity), Never, &["below-severity"]);
        }
        assert_eq!(at(Medium).decide(builtin()).outcome, Ask, "{action}");
    }
    let low = Case::new(KillProcess)
        .with(|case| case.basis.severity = Low)
        .decide(builtin());
    assert_eq!(
        low.reasons[0].text,
        "Severity is low; nothing is done below medium."
    );
}

#[test]
fn a_file_that_good_work_depends_on_is_banned_only_after_a_yes() {
    let file = |change: fn(&mut File)| {
        let mut file = File {
            sha256: Some("ab".repeat(32)),
            ..File::default()
        };
        change(&mut file);
        Case::new(BlockHash).with(|case| case.target = file.into())
    };
    check(
        file(|f| f.path = Some(r"\Device\HarddiskVolume3\Windows\System32\evil.exe".into())),
        Ask,
        &["ask-ban-system-file"],
    );
    check(
        file(|f| f.path = Some(r"\Device\HarddiskVolume3\Windows\System32\rundll32.exe".into())),
        Ask,
        &["ask-ban-system-file", "ask-ban-well-known"],
    );
    check(
        file(|f| f.name = Some("PowerShell.exe".into())),
        Ask,
        &["ask-ban-well-known"],
    );
    check(
        file(|f| f.name = Some("WINWORD.EXE".into())),
        Ask,
        &["ask-ban-well-known"],
    );
    check(file(|_| ()), Ask, &["ask-ban-unnamed"]);
    check(
        file(|f| f.name = Some("evil.exe".into())),
        Auto,
        &["block-hash-any"],
    );

    let known = |os_signed, prevalence| {
        Case::new(BlockHash).with(|case| {
            case.file.os_signed = os_signed;
            case.file.prevalence = prevalence;
        })
    };
    check(known(Some(true), None), Ask, &["ask-ban-os-signed"]);
    check(known(Some(false), Some(99)), Auto, &["block-hash-any"]);
    check(known(None, Some(100)), Ask, &["ask-ban-common"]);
    check(known(None, Some(u32::MAX)), Ask, &["ask-ban-common"]);
}

#[test]
fn a_process_the_machine_cannot_do_without_is_killed_only_after_a_yes() {
    let process = |path: &str| {
        let process = Process {
            path: Some(path.into()),
            ..Process::default()
        };
        Case::new(KillProcess).with(|case| case.target = process.into())
    };
    check(
        process(r"C:\Windows\System32\lsass.exe"),
        Ask,
        &["ask-vital-process"],
    );
    check(
        process(r"C:\Windows\System32\rundll32.exe"),
        Auto,
        &["kill-process-any"],
    );
    check(
        process(r"C:\Users\ana\lsass.exe"),
        Auto,
        &["kill-process-any"],
    );
}

#[test]
fn lists_and_labels_hold_for_every_action_against_an_attack() {
    let reverts: Vec<_> = ActionType::ALL
        .iter()
        .filter_map(|action| action.revert())
        .collect();
    for action in ActionType::ALL
        .iter()
        .copied()
        .filter(|action| !reverts.contains(action))
    {
        let on = |list: &str| Case::new(action).with(|case| case.lists.push(list.into()));
        check(on("never"), Never, &["never-list"]);
        check(
            labelled(Case::new(action), "break-glass"),
            Never,
            &["every-action-break-glass"],
        );
        for case in [on("ask"), labelled(Case::new(action), "red-team")] {
            assert_eq!(case.decide(builtin()).outcome, Ask, "{case:#?}");
        }
    }
    let both = Case::new(KillProcess).with(|case| case.lists = vec!["ask".into(), "never".into()]);
    check(both, Never, &["never-list"]);
}

#[test]
fn taking_an_action_back_asks_whatever_the_severity_and_the_lists_say() {
    for revert in ActionType::ALL.iter().filter_map(|action| action.revert()) {
        let case = Case::new(revert).with(|case| {
            case.basis.severity = Informational;
            case.lists.push("never".into());
        });
        check(case, Ask, &["approve-reversal"]);
    }
}

#[test]
fn an_account_at_risk_loses_its_sessions_and_its_password_unless_much_depends_on_it() {
    use ActionType::{DisableAccount, ResetPassword, RevokeSessions};
    let on = |action, label: Option<&str>, severity| {
        let case = Case::new(action).with(|case| case.basis.severity = severity);
        match label {
            Some(label) => labelled(case, label),
            None => case,
        }
        .decide(builtin())
        .outcome
    };
    for (label, revoke, reset, disable) in [
        (None, Auto, Auto, Ask),
        (Some("privileged"), Auto, Ask, Ask),
        (Some("vip"), Auto, Ask, Ask),
        (Some("service-account"), Ask, Never, Never),
        (Some("break-glass"), Never, Never, Never),
    ] {
        assert_eq!(on(RevokeSessions, label, High), revoke, "{label:?}");
        assert_eq!(on(ResetPassword, label, High), reset, "{label:?}");
        assert_eq!(on(DisableAccount, label, High), disable, "{label:?}");
    }
    assert_eq!(on(RevokeSessions, None, Medium), Ask);
}

#[test]
fn nothing_outside_the_scenarios_runs_by_itself() {
    for action in ActionType::ALL {
        let scenarios = [
            ContainHost,
            KillProcess,
            BlockHash,
            ActionType::RevokeSessions,
            ActionType::ResetPassword,
        ];
        if scenarios.contains(action) {
            continue;
        }
        for severity in [High, Critical] {
            let case = Case::new(*action).with(|case| case.basis.severity = severity);
            assert_eq!(case.decide(builtin()).outcome, Ask, "{action}");
        }
    }
    check(
        Case::new(ActionType::DeleteAccessKey),
        Ask,
        &["ask-key-deletion", "delete-access-key-any"],
    );
}

#[test]
fn a_document_cannot_talk_a_domain_controller_down_or_be_outdone_by_missing_facts() {
    let claims = |known: AssetClass, document: AssetClass| {
        let host = Host {
            id: Some("h1".into()),
            class: document,
            ..Host::default()
        };
        host_case(known, host)
    };
    check(
        claims(DomainController, Workstation),
        Ask,
        &["contain-host-domain-controller"],
    );
    check(
        claims(Workstation, DomainController),
        Ask,
        &["contain-host-domain-controller"],
    );
    check(
        claims(Workstation, Unknown),
        Auto,
        &["contain-host-workstation"],
    );
}

fn host_case(known: AssetClass, target: Host) -> Case {
    host(known).with(|case| case.target = target.into())
}

#[test]
fn an_action_on_the_wrong_kind_of_target_is_never() {
    let case = Case::new(KillProcess).with(|case| case.target = Host::default().into());
    let decision = case.decide(builtin());
    assert_eq!(rule_ids(&decision), ["wrong-target"]);
    assert_eq!(
        decision.reasons[0].text,
        "“kill process” is about a process, not about a host."
    );
}

#[test]
fn every_reason_is_one_sentence_with_its_details_filled_in() {
    let asked = sure(critical(host(Server)), Some(80)).decide(confident());
    let texts: Vec<_> = asked
        .reasons
        .iter()
        .map(|reason| reason.text.as_str())
        .collect();
    assert_eq!(
        texts,
        [
            "On a critical asset, “contain host” needs a person below confidence 95 (it is 80).",
            "On a server, “contain host” needs a person below confidence 95 (it is 80).",
        ]
    );
    let unset = host(Server).decide(confident());
    assert_eq!(
        unset.reasons[0].text,
        "On a server, “contain host” needs a person below confidence 95 (it is not given)."
    );
    let alone = host(Workstation).decide(builtin());
    assert_eq!(
        alone.reasons[0].text,
        "On a workstation, “contain host” runs by itself at high severity."
    );
}

#[test]
fn every_shipped_rule_makes_a_difference() {
    let mut cases: Vec<Case> = ActionType::ALL
        .iter()
        .map(|action| Case::new(*action))
        .collect();
    for class in AssetClass::ALL {
        cases.extend([host(class), critical(host(class))]);
        cases.push(labelled(host(class), "non-essential"));
        cases.push(sure(host(class), Some(99)));
    }
    let file = |name: Option<&str>, path: Option<&str>| {
        let (name, path) = (name.map(str::to_owned), path.map(str::to_owned));
        let file = File {
            name,
            path,
            ..File::default()
        };
        Case::new(BlockHash).with(|case| case.target = file.into())
    };
    let lsass = r"C:\Windows\System32\lsass.exe";
    let process = Process {
        path: Some(lsass.into()),
        ..Process::default()
    };
    cases.extend([
        Case::new(KillProcess).with(|case| case.target = process.into()),
        Case::new(KillProcess).with(|case| case.basis.severity = Low),
        Case::new(KillProcess).with(|case| case.basis.severity = Medium),
        Case::new(KillProcess).with(|case| case.lists.push("never".into())),
        Case::new(KillProcess).with(|case| case.lists.push("ask".into())),
        Case::new(KillProcess).with(|case| case.lists.push("not-allowed".into())),
        labelled(Case::new(KillProcess), "break-glass"),
        labelled(Case::new(KillProcess), "red-team"),
        labelled(Case::new(ContainHost), "vip"),
        labelled(Case::new(ActionType::DisableAccount), "service-account"),
        labelled(Case::new(ActionType::RevokeSessions), "service-account"),
        labelled(Case::new(ActionType::ResetPassword), "service-account"),
        labelled(Case::new(ActionType::ResetPassword), "privileged"),
        labelled(Case::new(ActionType::ResetPassword), "vip"),
        Case::new(KillProcess).with(|case| case.asset.class = DomainController),
        Case::new(ActionType::QuarantineFile).with(|case| case.asset.class = DomainController),
        Case::new(ActionType::StopInstance).with(|case| case.asset.class = DomainController),
        file(None, None),
        file(Some("powershell.exe"), None),
        file(None, Some(r"C:\Windows\System32\evil.exe")),
        Case::new(BlockHash).with(|case| case.file.os_signed = Some(true)),
        Case::new(BlockHash).with(|case| case.file.prevalence = Some(100)),
        block("com"),
        block("104.16.132.229"),
    ]);
    let rules = shipped_rules();
    for left_out in &rules {
        let text: String = rules
            .iter()
            .filter(|rule| *rule != left_out)
            .cloned()
            .collect();
        let without = Policy::load(&[Source {
            name: "without.cedar",
            text: &text,
        }])
        .unwrap();
        let differs = cases
            .iter()
            .any(|case| case.decide(&without) != case.decide(builtin()));
        assert!(differs, "nothing changes without {left_out}");
    }
}

/// April 2010, and again in 2013 and 2017: definitions went wrong and quarantined svchost.exe and
/// signed Microsoft files; machines did not start again.
#[test]
fn svchost_2010_a_file_of_the_operating_system_is_not_banned_by_itself() {
    let svchost = File {
        sha256: Some("ab".repeat(32)),
        path: Some(r"C:\Windows\System32\svchost.exe".into()),
        ..File::default()
    };
    let case = Case::new(BlockHash).with(|case| {
        case.target = svchost.into();
        case.basis.severity = Critical;
        case.basis.confidence = Some(100);
    });
    assert_eq!(case.decide(builtin()).outcome, Ask);
    let signed = Case::new(BlockHash).with(|case| case.file.os_signed = Some(true));
    assert_eq!(signed.decide(builtin()).outcome, Ask);
}

/// Case study of a bank: the laptop of the head of finance was isolated in the middle of a deal.
#[test]
fn laptop_of_the_head_of_finance_waits_for_a_person() {
    check(
        labelled(host(Workstation), "vip"),
        Ask,
        &["contain-host-vip"],
    );
}

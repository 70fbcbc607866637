//! What holds for every decision, not only for the ones somebody thought of.

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use quell_model::action::Basis;
use quell_model::entity::{Account, File, Host, Process};
use quell_model::{ActionType, AssetClass, AssetFacts, Entity, FileFacts, Outcome, Severity};
use quell_policy::{Policy, Source};

use crate::support::{Case, builtin, shipped_rules, target};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        any::<String>(),
        Just("\" || true //\n\\\u{0}\u{202e}{severity}".to_owned()),
        Just(r"C:\Windows\System32\cmd.exe".to_owned()),
        Just("../..//\\\\..\\".to_owned()),
        Just("é".repeat(100_000)),
    ]
}

fn entity(action: ActionType, texts: Vec<Option<String>>, pid: Option<u32>) -> Entity {
    let [a, b, c, d] = <[_; 4]>::try_from(texts).unwrap();
    match target(action.target()) {
        Entity::Host(_) => Host {
            id: a,
            name: b,
            platform: c,
            domain: d,
            ..Host::default()
        }
        .into(),
        Entity::Process(_) => Process {
            host_id: a,
            name: b,
            path: c,
            command_line: d,
            pid,
            ..Process::default()
        }
        .into(),
        Entity::File(_) => File {
            sha256: a,
            name: b,
            path: c,
            host_id: d,
            ..File::default()
        }
        .into(),
        Entity::Account(_) => Account {
            id: a,
            name: b,
            principal: c,
            domain: d,
            ..Account::default()
        }
        .into(),
        other => other,
    }
}

fn case() -> impl Strategy<Value = Case> {
    let labels = btree_set(
        prop_oneof![
            Just("non-essential".to_owned()),
            Just("red-team".into()),
            Just("break-glass".into()),
            text()
        ],
        0..3,
    );
    let lists = vec(
        prop_oneof![Just("ask".to_owned()), Just("never".to_owned()), text()],
        0..3,
    );
    let classes = [
        AssetClass::Workstation,
        AssetClass::Server,
        AssetClass::DomainController,
        AssetClass::Mobile,
        AssetClass::Unknown,
    ];
    let severities = [
        Severity::Informational,
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];
    let asset = (
        proptest::sample::select(classes.to_vec()),
        any::<bool>(),
        labels,
    )
        .prop_map(|(class, critical, labels)| AssetFacts {
            class,
            critical,
            labels,
            owner: None,
        });
    let basis = (
        proptest::sample::select(severities.to_vec()),
        option::of(any::<u8>()),
        text(),
        text(),
    )
        .prop_map(|(severity, confidence, source, detection)| Basis {
            severity,
            confidence,
            source,
            detection,
        });
    let file = (option::of(any::<bool>()), option::of(any::<u32>())).prop_map(
        |(os_signed, prevalence)| FileFacts {
            os_signed,
            prevalence,
        },
    );
    let action = proptest::sample::select(ActionType::ALL.to_vec());
    let target = (action, vec(option::of(text()), 4), option::of(any::<u32>()));
    (target, asset, basis, file, lists).prop_map(
        |((action, texts, pid), asset, basis, file, lists)| Case {
            action,
            target: entity(action, texts, pid),
            asset,
            basis,
            file,
            lists,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_facts_are_decided_with_reasons_and_without_an_evaluation_error(case in case()) {
        let decision = case.decide(builtin());
        prop_assert!(!decision.reasons.is_empty());
        prop_assert!(decision.outcome != Outcome::Manual);
        for reason in &decision.reasons {
            prop_assert!(reason.rule != "evaluation-error", "{decision:?}");
            prop_assert!(reason.text.ends_with('.') && !reason.text.contains(['\n', '{']), "{decision:?}");
        }
        prop_assert!(decision.reasons.is_sorted());
    }

    #[test]
    fn a_decision_is_a_pure_function_of_the_question(case in case()) {
        prop_assert_eq!(case.decide(builtin()), case.clone().decide(builtin()));
    }

    #[test]
    fn being_on_one_more_list_never_makes_anything_more_permissive(case in case(), name in text()) {
        let policy = builtin();
        let before = case.decide(policy).outcome;
        for list in ["never", "ask", &name] {
            let listed = case.clone().with(|case| case.lists.push(list.into()));
            prop_assert!(listed.decide(policy).outcome >= before, "list {list:?}");
        }
    }

    #[test]
    fn a_protecting_fact_never_makes_anything_more_permissive(case in case()) {
        let policy = builtin();
        let before = case.decide(policy).outcome;
        let stricter: [fn(&mut Case); 6] = [
            |case| case.asset.critical = true,
            |case| case.asset.labels.extend(["break-glass".to_owned()]),
            |case| case.asset.labels.extend(["red-team".to_owned()]),
            |case| case.file.os_signed = Some(true),
            |case| case.file.prevalence = Some(u32::MAX),
            |case| case.asset.labels.extend(["vip".to_owned()]),
        ];
        for change in stricter {
            let changed = case.clone().with(change);
            prop_assert!(changed.decide(policy).outcome >= before, "{changed:#?}");
        }
    }

    #[test]
    fn a_domain_controller_is_never_touched_by_itself(case in case()) {
        let case = case.with(|case| case.asset.class = AssetClass::DomainController);
        if matches!(case.action, ActionType::ContainHost | ActionType::KillProcess | ActionType::QuarantineFile) {
            prop_assert!(case.decide(builtin()).outcome >= Outcome::Ask);
        }
    }

}

proptest! {
    // Each case loads the rules anew, which takes longer than thousands of decisions.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_rules_and_files_does_not_matter(
        cases in vec(case(), 20),
        order in Just((0..shipped_rules().len()).collect::<Vec<_>>()).prop_shuffle(),
        cut in 0..shipped_rules().len(),
    ) {
        let rules = shipped_rules();
        let shuffled: Vec<&str> = order.iter().map(|index| rules[*index].as_str()).collect();
        let (one, two) = shuffled.split_at(cut);
        let (one, two) = (one.join("\n"), two.join("\n"));
        let policy = Policy::load(&[
            Source { name: "two.cedar", text: &two },
            Source { name: "one.cedar", text: &one },
        ]).unwrap();
        for case in cases {
            prop_assert_eq!(case.decide(&policy), case.decide(builtin()));
        }
    }
}

//! What may load, and how it is said when something may not.

use std::collections::BTreeSet;

use quell_model::{ActionType, Outcome};
use quell_policy::{Policy, Settings, Source};

use crate::support::{Case, builtin, rule_ids, with_rule};

const NAME: &str = "policy/own.cedar";

#[track_caller]
fn check(text: &str, line: usize, column: usize, expected: &str) {
    let wrong = Policy::load(&[Source { name: NAME, text }]).expect_err("it loaded");
    let found = wrong
        .iter()
        .find(|diagnostic| diagnostic.to_string().contains(expected))
        .unwrap_or_else(|| panic!("nothing says {expected:?}:\n{wrong}"));
    assert_eq!(
        (found.file.as_str(), found.line, found.column),
        (NAME, line, column),
        "{found}"
    );
}

#[test]
fn an_unknown_name_is_refused_with_its_line() {
    check(
        "@id(\"a\") @reason(\"A.\")\npermit (principal, action == Action::\"contain_host\", resource)\n\
         when { resource.klass == Class::\"server\" };",
        3,
        8,
        "`klass`",
    );
    check(
        "@id(\"a\") @reason(\"A.\")\nforbid (principal, action, resource)\nwhen { context.budget > 3 };",
        3,
        8,
        "`budget`",
    );
    check(
        "\n@id(\"a\") @reason(\"A.\")\npermit (principal, action == Action::\"contain_hots\", resource);",
        3,
        30,
        "contain_hots",
    );
    check(
        "@id(\"a\") @reason(\"A.\")\npermit (principal == Mode::\"atuo\", action, resource);",
        2,
        22,
        "atuo",
    );
    check(
        "@id(\"a\") @reason(\"A.\")\npermit (principal, action == Action::\"contain_host\", resource)\n\
         when { resource.class == Class::\"servr\" };",
        3,
        26,
        "servr",
    );
}

#[test]
fn an_optional_fact_must_be_checked_before_it_is_used() {
    check(
        "@id(\"a\") @reason(\"A.\")\npermit (principal, action == Action::\"contain_host\", resource)\n\
         when { context.confidence >= 90 };",
        3,
        8,
        "confidence",
    );
}

#[test]
fn a_comparison_of_unlike_things_is_refused() {
    check(
        "@id(\"a\") @reason(\"A.\")\npermit (principal, action == Action::\"contain_host\", resource)\n\
         when { resource.class == \"server\" };",
        3,
        8,
        "not compatible",
    );
}

#[test]
fn a_rule_that_can_never_apply_is_an_error() {
    check(
        "@id(\"a\") @reason(\"A.\")\npermit (principal, action == Action::\"contain_host\", resource is File);",
        1,
        1,
        "impossible",
    );
}

#[test]
fn a_text_that_is_not_cedar_is_refused_where_it_stops_being_it() {
    check(
        "@id(\"a\") @reason(\"A.\")\npermit (principal action, resource);",
        2,
        19,
        "unexpected token",
    );
}

#[test]
fn every_rule_has_a_name_of_its_own_and_a_sentence() {
    let rule = "permit (principal, action, resource);";
    check(&format!("// why\n@reason(\"A.\") {rule}"), 2, 1, "no @id");
    check(&format!("@id(\"a\")\n{rule}"), 1, 1, "no @reason");
    check(
        &format!("@id(\"a\") @reason(\"\") {rule}"),
        1,
        1,
        "one sentence",
    );
    check(
        &format!("@id(\"a\") @reason(\"Is {{klass}}.\") {rule}"),
        1,
        1,
        "{klass}",
    );
    check(
        &format!("@id(\"A b\") @reason(\"A.\") {rule}"),
        1,
        1,
        "not well formed",
    );
    check(
        &format!("@id(\"no-rule\") @reason(\"A.\") {rule}"),
        1,
        1,
        "Quell's own",
    );
    let named = format!("@id(\"a\") @reason(\"A.\") {rule}\n");
    check(
        &format!("{named}{named}"),
        2,
        1,
        "used twice (it is also at policy/own.cedar:1)",
    );
}

#[test]
fn a_name_taken_in_another_file_is_taken() {
    let own = Source {
        name: NAME,
        text: "@id(\"ask-vital-process\") @reason(\"A.\")\npermit (principal, action, resource);",
    };
    let wrong = with_rule(own).unwrap_err();
    let text = wrong.to_string();
    assert!(
        text.starts_with("policy/own.cedar:1:1: the @id `ask-vital-process` is used twice"),
        "{text}"
    );
    assert!(text.contains("policies/default.cedar:"), "{text}");
}

#[test]
fn templates_are_refused() {
    check(
        "@id(\"a\") @reason(\"A.\")\npermit (principal == ?principal, action, resource);",
        1,
        1,
        "templates are not supported",
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once_in_order() {
    let text = "@reason(\"A.\")\npermit (principal, action, resource) when { resource.a };\n\
                @id(\"b\") @reason(\"B.\")\nforbid (principal, action, resource) when { resource.b };";
    let wrong = Policy::load(&[Source { name: NAME, text }]).unwrap_err();
    let lines: Vec<_> = wrong.iter().map(|diagnostic| diagnostic.line).collect();
    assert_eq!(lines.first(), Some(&1));
    assert!(lines.contains(&2) && lines.contains(&4), "{wrong}");
    assert!(lines.is_sorted(), "{wrong}");
}

#[test]
fn every_action_type_has_a_shipped_rule_that_names_it() {
    let text = Settings::builtin().matrix.rules() + Policy::builtin_source().text;
    for action in ActionType::ALL {
        assert!(
            text.contains(&format!("Action::\"{action}\"")),
            "no rule names {action}"
        );
        let policy = builtin();
        let permitted = policy
            .rules()
            .iter()
            .any(|rule| !rule.forbids && rule.actions.contains(action));
        assert!(permitted, "no rule permits {action}");
    }
}

#[test]
fn the_groups_of_actions_are_those_of_the_catalogue() {
    let policy = builtin();
    let reverts: BTreeSet<_> = ActionType::ALL
        .iter()
        .filter_map(|action| action.revert())
        .collect();
    let rule = |id: &str| policy.rules().iter().find(|rule| rule.id == id).unwrap();
    for action in ActionType::ALL {
        assert_ne!(
            rule("never-list").actions.contains(action),
            reverts.contains(action),
            "{action}"
        );
        assert_eq!(
            rule("approve-reversal").actions.contains(action),
            reverts.contains(action),
            "{action}"
        );
    }
}

#[test]
fn without_rules_nothing_is_permitted() {
    let policy = Policy::load(&[]).unwrap();
    let decision = Case::new(ActionType::KillProcess).decide(&policy);
    assert_eq!(
        (decision.outcome, rule_ids(&decision)),
        (Outcome::Never, vec!["no-rule"])
    );
}

#[test]
fn a_rule_that_fails_never_lets_anything_run_by_itself() {
    for effect in ["forbid", "permit"] {
        let text = format!(
            "@id(\"broken\") @reason(\"Broken.\")\n{effect} (principal, action, resource)\n\
             when {{ context.severity * 9223372036854775807 > 0 }};"
        );
        let own = Source {
            name: NAME,
            text: &text,
        };
        let policy = with_rule(own).unwrap();
        let decision = Case::new(ActionType::KillProcess).decide(&policy);
        assert_eq!(
            (decision.outcome, rule_ids(&decision)),
            (Outcome::Ask, vec!["evaluation-error"])
        );
        assert!(
            decision.reasons[0].text.contains("`broken`"),
            "{decision:?}"
        );
    }
}

#[test]
fn a_permit_for_quell_alone_is_no_permit_for_a_person() {
    let text = "@id(\"alone\") @reason(\"Alone.\")\n\
                permit (principal == Mode::\"auto\", action == Action::\"kill_process\", resource);\n\
                @id(\"stop\") @reason(\"Stop.\")\n\
                forbid (principal == Mode::\"auto\", action, resource in List::\"vip\");";
    let policy = Policy::load(&[Source { name: NAME, text }]).unwrap();
    let case = Case::new(ActionType::KillProcess);
    assert_eq!(case.decide(&policy).outcome, Outcome::Auto);
    let listed = case
        .with(|case| case.lists.push("vip".into()))
        .decide(&policy);
    assert_eq!(
        (listed.outcome, rule_ids(&listed)),
        (Outcome::Never, vec!["no-rule"])
    );
}

#[test]
fn a_rule_can_name_one_target_by_the_vendor_s_id() {
    let text = "@id(\"one\") @reason(\"Not this one.\")\n\
                forbid (principal, action, resource == Host::\"h1\");";
    let own = Source { name: NAME, text };
    let policy = with_rule(own).unwrap();
    let decision = Case::new(ActionType::ContainHost).decide(&policy);
    assert_eq!(
        (decision.outcome, rule_ids(&decision)),
        (Outcome::Never, vec!["one"])
    );
}

#[test]
fn hostile_text_is_refused_and_never_a_crash() {
    let rule = |expression: String| {
        format!(
            "@id(\"a\") @reason(\"A.\")\npermit (principal, action, resource) when {{ {expression} }};"
        )
    };
    let texts = [
        rule(format!("{}true{}", "(".repeat(5000), ")".repeat(5000))),
        rule(format!("{}1{}", "[".repeat(20), "]".repeat(20))),
        rule(format!("{}true", "!".repeat(5000))),
        "\u{0}".into(),
        "permit".into(),
        "@id(\"".into(),
        "\u{202e}permit(principal,action,resource);".into(),
        "{{{{".into(),
        "\"".into(),
    ];
    for text in texts {
        assert!(
            Policy::load(&[Source {
                name: NAME,
                text: &text
            }])
            .is_err(),
            "{text}"
        );
    }
}

#[test]
fn a_rule_as_large_as_may_be_is_still_checked_to_its_end() {
    for filler in [
        "true&&",
        "context.severity==1||",
        "if context.severity==1 then true else ",
    ] {
        let tail = "resource.typo";
        let head = "@id(\"a\")@reason(\"A.\")permit(principal,action,resource)when{";
        let room = (8 << 10) - head.len() - tail.len() - 2;
        let text = format!("{head}{}{tail}}};", filler.repeat(room / filler.len()));
        // A short stack of the caller must make no difference: that is where Cedar goes quiet.
        let load = move || match Policy::load(&[Source {
            name: NAME,
            text: &text,
        }]) {
            Ok(_) => "it loaded".to_owned(),
            Err(wrong) => wrong.to_string(),
        };
        let small = std::thread::Builder::new().stack_size(256 << 10);
        let said = small.spawn(load).unwrap().join().unwrap();
        assert!(said.contains("`typo`"), "{filler}: {said}");
    }
}

#[test]
fn a_policy_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    shared(builtin());
}

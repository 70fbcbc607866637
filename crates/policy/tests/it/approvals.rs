//! Who has to say yes, and by when: what the texts mean, and what of them is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use quell_model::Outcome::{Ask, Never};
use quell_model::{ActionType, AssetClass, Decision, Quorum, Role};
use quell_policy::matrix::{Cell, Column, rows};
use quell_policy::{Approvals, Policy, Settings, Source};

use crate::support::{Case, builtin, with_matrix, with_rule};

const NAME: &str = "policy/policy.toml";

fn load(text: &str) -> Result<Settings, String> {
    Settings::load(&Source { name: NAME, text }).map_err(|wrong| wrong.to_string())
}

#[track_caller]
fn refused(text: &str, line: usize, message: &str) {
    let wrong = load(text).err().unwrap_or_default();
    assert!(wrong.starts_with(&format!("{NAME}:{line}:")), "{wrong}");
    assert!(wrong.contains(message), "{wrong}");
}

fn approvals(text: &str) -> Approvals {
    load(text).unwrap().approvals
}

fn quorum(approvers: u8, role: Role) -> Quorum {
    Quorum { approvers, role }
}

fn server(policy: &Policy) -> Decision {
    Case::new(ActionType::ContainHost)
        .with(|case| case.asset.class = AssetClass::Server)
        .decide(policy)
}

#[test]
fn of_what_ships_only_deleting_a_key_takes_two_people() {
    let key = ActionType::DeleteAccessKey;
    for action in rows() {
        for column in Column::all() {
            let expected = if action == key { 2 } else { 1 };
            if let Some(Cell::Ask(quorum)) = Settings::builtin().matrix.cell(action, column) {
                assert_eq!(quorum.approvers, expected, "{action} {}", column.as_str());
            }
        }
    }
    let decision = Case::new(key).decide(builtin());
    assert_eq!(
        (decision.outcome, decision.quorum),
        (Ask, quorum(2, Role::Responder))
    );
}

#[test]
fn a_cell_says_how_many_and_of_which_role() {
    for (cell, expected, words) in [
        ("\"ask\"", Quorum::ONE, "needs a person."),
        ("{ ask = 1 }", Quorum::ONE, "needs a person."),
        (
            "{ ask = 2 }",
            quorum(2, Role::Responder),
            "needs two people.",
        ),
        (
            "{ ask = 1, role = \"administrator\" }",
            quorum(1, Role::Administrator),
            "needs an administrator.",
        ),
        (
            "{ role = \"administrator\", ask = 2 }",
            quorum(2, Role::Administrator),
            "needs two administrators.",
        ),
    ] {
        let decision = server(&with_matrix(&format!(
            "[actions.contain_host]\nserver = {cell}"
        )));
        assert_eq!(
            (decision.outcome, decision.quorum),
            (Ask, expected),
            "{cell}"
        );
        assert!(decision.reasons[0].text.ends_with(words), "{decision:?}");
    }
}

#[test]
fn of_several_that_ask_the_most_people_and_the_highest_role_are_needed() {
    let policy = with_matrix(
        "[actions.contain_host]\nserver = { ask = 2 }\ncritical = { ask = 1, role = \"administrator\" }",
    );
    let decision = Case::new(ActionType::ContainHost)
        .with(|case| {
            case.asset.class = AssetClass::Server;
            case.asset.critical = true;
        })
        .decide(&policy);
    assert_eq!(decision.quorum, quorum(2, Role::Administrator));
    assert_eq!(server(&policy).quorum, quorum(2, Role::Responder));
}

#[test]
fn a_cell_that_cannot_be_meant_is_refused_at_its_line() {
    for (cell, message) in [
        ("{ ask = 0 }", "write 1 or 2"),
        ("{ ask = 3 }", "write 1 or 2"),
        ("{ ask = 2, role = \"viewer\" }", "`viewer` cannot approve"),
        ("{ ask = 2, role = \"boss\" }", "`boss` cannot approve"),
        ("{ role = \"administrator\" }", "write { ask = 2 }"),
        (
            "{ ask = 2, ask_below_confidence = 90 }",
            "write { ask = 2 }",
        ),
        ("{ ask = 2, roles = \"responder\" }", "`roles` is not known"),
    ] {
        refused(
            &format!("[actions.contain_host]\nserver = {cell}"),
            2,
            message,
        );
    }
    let guarded = "[actions.contain_host]\ndomain_controller = { ask = 2 }";
    assert!(load(guarded).is_ok(), "it is no less strict than \"ask\"");
    refused(
        "[every_action]\nbreak_glass = { ask = 2 }",
        2,
        "write \"never\"",
    );
}

fn own(text: &str) -> Result<Policy, String> {
    let name = "policy/own.cedar";
    with_rule(Source { name, text }).map_err(|wrong| wrong.to_string())
}

#[test]
fn a_rule_of_one_s_own_asks_for_two_people_as_a_cell_does() {
    let policy = own(
        "@id(\"a\") @reason(\"A.\") @approvers(\"2\") @role(\"administrator\")\n\
         forbid (principal == Mode::\"auto\", action, resource) when { resource.critical };",
    );
    let policy = policy.unwrap();
    let critical = |case: &mut Case| case.asset.critical = true;
    let decision = Case::new(ActionType::ContainHost)
        .with(critical)
        .decide(&policy);
    assert_eq!(decision.quorum, quorum(2, Role::Administrator));
    // It adds to what decides and changes nothing else.
    let decision = Case::new(ActionType::ContainHost).decide(&policy);
    assert!(decision.quorum.is_one());
}

#[test]
fn annotations_that_mean_nothing_are_refused_at_their_rule() {
    let rule = |annotation: &str, head: &str| {
        own(&format!(
            "\n@id(\"a\") @reason(\"A.\") {annotation}\n{head} when {{ resource.critical }};"
        ))
    };
    let auto = "forbid (principal == Mode::\"auto\", action, resource)";
    assert!(rule("@approvers(\"1\") @ticket(\"SEC-1\")", auto).is_ok());
    for (annotation, head, expected) in [
        ("@approvers(\"3\")", auto, "write 1 or 2"),
        ("@approvers(\"two\")", auto, "@approvers is no number"),
        ("@role(\"viewer\")", auto, "`viewer` cannot approve"),
        ("@aprovers(\"2\")", auto, "did you mean `approvers`?"),
        (
            "@approvers(\"2\")",
            "forbid (principal, action, resource)",
            "leaves nothing to decide",
        ),
        (
            "@role(\"administrator\")",
            "permit (principal == Mode::\"auto\", action, resource)",
            "leaves nothing to decide",
        ),
        (
            "@approvers(\"2\")",
            "forbid (principal == Mode::\"approved\", action, resource)",
            "leaves nothing to decide",
        ),
    ] {
        let wrong = rule(annotation, head).err().unwrap_or_default();
        assert!(
            wrong.starts_with("policy/own.cedar:2:"),
            "{annotation} {wrong}"
        );
        assert!(wrong.contains(expected), "{annotation} {wrong}");
    }
}

#[test]
fn a_rule_that_asks_for_more_never_turns_a_never_into_an_ask() {
    let policy = with_matrix("[actions.contain_host]\nserver = \"never\"\ncritical = { ask = 2 }");
    assert_eq!(server(&policy).outcome, Never);
}

fn digests(policy: &Policy) -> BTreeMap<String, String> {
    let rules = policy.rules().iter();
    rules
        .map(|rule| (rule.id.clone(), rule.digest.clone()))
        .collect()
}

#[test]
fn a_digest_changes_with_what_a_rule_says_and_not_with_where_it_stands() {
    let at = |text: &str| digests(&with_matrix(text));
    let ask = at("[actions.contain_host]\nserver = \"ask\"");
    assert_eq!(
        at("# A note.\n\n[actions.contain_host]\nserver = \"ask\""),
        ask
    );
    let id = "contain-host-server";
    for changed in ["{ ask = 2 }", "\"never\"", "{ ask_below_confidence = 90 }"] {
        let other = at(&format!("[actions.contain_host]\nserver = {changed}"));
        assert_ne!(other[id], ask[id], "{changed}");
    }
    // A cell changes what `any` is left with.
    let rest = at("[actions.kill_process]\nserver = \"ask\"");
    assert_ne!(rest["kill-process-any"], ask["kill-process-any"]);
}

#[test]
fn how_people_are_asked_can_be_changed_key_by_key() {
    assert_eq!(&Settings::builtin().approvals, &Approvals::default());
    let changed = approvals(
        "[approvals]\ndeadline = \"30m\"\nremind_after = \"0s\"\nalone_per_hour = 5\nauthor_excluded_for = \"0s\"",
    );
    assert_eq!(changed.deadline, Duration::from_secs(1800));
    assert_eq!((changed.remind_after, changed.alone_per_hour), (None, 5));
    assert_eq!(changed.escalate_after, Duration::from_secs(7200));
    assert!(changed.author_excluded_for.is_zero());
    for (text, message) in [
        (
            "deadline = \"0s\"",
            "`approvals.deadline` must be from 1 minute to 30 days",
        ),
        ("remind_after = \"10s\"", "\"0s\" turns it off"),
        (
            "remind_after = \"4h\"",
            "is 4 hours, and after 4 hours nobody is asked any more",
        ),
        (
            "escalate_after = \"0s\"",
            "must be from 1 minute to 30 days",
        ),
        (
            "escalate_after = \"24h\"",
            "and after 4 hours nobody is asked",
        ),
        ("alone_per_hour = 0", "must be from 1 to 10000"),
        ("escalate_to = [\"Not an id\"]", "escalate_to"),
        ("dead_line = \"1h\"", "dead_line"),
    ] {
        refused(&format!("[approvals]\n{text}"), 2, message);
    }
}

#[test]
fn a_connection_that_cannot_tell_people_is_refused_where_it_is_named() {
    let approvals = approvals("[approvals]\nescalate_to = [\"pager\", \"edr\", \"pagre\"]");
    let wrong = approvals.reach(|id| match id.as_str() {
        "pager" => Some(true),
        "edr" => Some(false),
        _ => None,
    });
    let help = "(name a connection of quell.toml that tells people)";
    assert_eq!(
        wrong.unwrap_err().to_string(),
        format!(
            "{NAME}:2:25: `approvals.escalate_to`: connection `edr` cannot tell people {help}\n\
             {NAME}:2:32: `approvals.escalate_to`: there is no connection `pagre` {help}"
        )
    );
}

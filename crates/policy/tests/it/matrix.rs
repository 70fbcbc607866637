//! The table of who decides: what it means, and what of it is refused.

use quell_model::Outcome::{Ask, Auto, Never};
use quell_model::{ActionType, AssetClass, EntityType, Outcome, Severity};
use quell_policy::matrix::{Cell, Column, rows};
use quell_policy::{Policy, Settings, Source};

use crate::support::{Case, builtin, rule_ids, with_matrix};

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

fn on(action: ActionType, class: AssetClass) -> Case {
    Case::new(action).with(|case| case.asset.class = class)
}

#[test]
fn every_action_against_an_attack_has_a_row_and_no_other_has() {
    for action in ActionType::ALL {
        let row = rows().any(|row| row == *action);
        let filled =
            Column::all().any(|column| Settings::builtin().matrix.cell(*action, column).is_some());
        assert_eq!(row, filled, "{action}");
    }
}

#[test]
fn a_cell_of_one_s_own_replaces_the_shipped_one_and_leaves_the_others() {
    let policy = with_matrix("[actions.contain_host]\nmobile = \"auto\"\nworkstation = \"never\"");
    let outcome = |class| on(ActionType::ContainHost, class).decide(&policy).outcome;
    assert_eq!(outcome(AssetClass::Mobile), Auto);
    assert_eq!(outcome(AssetClass::Workstation), Never);
    assert_eq!(outcome(AssetClass::Server), Ask);
}

#[test]
fn a_rule_of_the_matrix_stands_where_its_cell_stands() {
    let policy = with_matrix("# ours\n[actions.contain_host]\nmobile = \"auto\"");
    let place = |id: &str| {
        let rule = policy.rules().iter().find(|rule| rule.id == id).unwrap();
        (rule.file.clone(), rule.line)
    };
    assert_eq!(place("contain-host-mobile"), (NAME.to_owned(), 3));
    assert_eq!(place("contain-host-server").0, "policies/policy.toml");
}

#[test]
fn any_is_what_no_other_class_of_the_row_names() {
    let policy = with_matrix(
        "[actions.kill_process]\nany = \"ask\"\nworkstation = \"auto\"\nunknown = \"never\"",
    );
    for (class, outcome) in [
        (AssetClass::Workstation, Auto),
        (AssetClass::Server, Ask),
        (AssetClass::Mobile, Ask),
        (AssetClass::Unknown, Never),
    ] {
        let decision = on(ActionType::KillProcess, class).decide(&policy);
        assert_eq!(decision.outcome, outcome, "{class:?} {decision:?}");
    }
}

#[test]
fn of_all_columns_that_apply_the_strictest_holds() {
    let policy = with_matrix(
        "[actions.revoke_sessions]\nany = \"auto\"\nvip = \"ask\"\nservice_account = \"never\"\nprivileged = { ask_below_confidence = 90 }",
    );
    let decide = |labels: &[&str], confidence| {
        let case = Case::new(ActionType::RevokeSessions).with(|case| {
            case.asset
                .labels
                .extend(labels.iter().map(ToString::to_string));
            case.basis.confidence = confidence;
        });
        case.decide(&policy).outcome
    };
    assert_eq!(decide(&[], None), Auto);
    assert_eq!(decide(&["vip"], None), Ask);
    assert_eq!(decide(&["vip", "service-account"], Some(100)), Never);
    assert_eq!(decide(&["privileged"], None), Ask);
    assert_eq!(decide(&["privileged"], Some(90)), Auto);
    assert_eq!(decide(&["privileged", "vip"], Some(90)), Ask);
}

#[test]
fn without_a_cell_for_labelled_servers_the_cell_of_servers_covers_them() {
    let policy = with_matrix("[actions.kill_process]\nserver = \"ask\"");
    let labelled = on(ActionType::KillProcess, AssetClass::Server)
        .with(|case| case.asset.labels.extend(["non-essential".to_owned()]));
    assert_eq!(labelled.decide(&policy).outcome, Ask);
}

#[test]
fn severity_moves_what_is_done_and_what_runs_by_itself() {
    let policy = with_matrix("[severity]\nact_from = \"low\"\nauto_from = \"critical\"");
    let at = |severity| {
        let case = Case::new(ActionType::KillProcess).with(|case| case.basis.severity = severity);
        let decision = case.decide(&policy);
        let ids = rule_ids(&decision).join(" ");
        (decision.outcome, ids)
    };
    assert_eq!(
        at(Severity::Informational),
        (Never, "below-severity".into())
    );
    assert_eq!(at(Severity::Low), (Ask, "ask-severity".into()));
    assert_eq!(at(Severity::High), (Ask, "ask-severity".into()));
    assert_eq!(at(Severity::Critical), (Auto, "kill-process-any".into()));
    let always =
        with_matrix("[severity]\nact_from = \"informational\"\nauto_from = \"informational\"");
    let case = Case::new(ActionType::KillProcess)
        .with(|case| case.basis.severity = Severity::Informational);
    assert_eq!(case.decide(&always).outcome, Auto);
}

/// Whether a row can have cells for classes of machine.
fn has_classes(action: ActionType) -> bool {
    load(&format!("[actions.{action}]\nserver = \"ask\"")).is_ok()
}

#[test]
fn every_cell_that_is_taken_compiles_to_rules_that_load_and_mean_it() {
    let classes = [
        ("workstation", AssetClass::Workstation),
        ("server", AssetClass::Server),
        ("domain_controller", AssetClass::DomainController),
        ("mobile", AssetClass::Mobile),
        ("unknown", AssetClass::Unknown),
    ];
    let mut checked = 0;
    for (value, outcome) in [
        ("\"auto\"", Auto),
        ("\"ask\"", Ask),
        ("\"never\"", Never),
        ("{ ask_below_confidence = 50 }", Ask),
    ] {
        // One text for all of them, or the test would load a policy for each cell.
        let mut text = String::new();
        for action in rows() {
            text.push_str(&format!("[actions.{action}]\n"));
            for column in Column::all() {
                let cell = format!("{} = {value}\n", column.as_str());
                let alone = format!("[actions.{action}]\n{cell}");
                // Beside a cell for each class there is nothing left for `any`.
                let empty = column == Column::Any && has_classes(action);
                if load(&alone).is_ok() && !empty {
                    text.push_str(&cell);
                }
            }
        }
        let policy = with_matrix(&text);
        for action in rows().filter(|action| {
            matches!(
                action.target(),
                EntityType::Host | EntityType::Process | EntityType::CloudInstance
            )
        }) {
            for (name, class) in classes {
                if text.contains(&format!("{name} = {value}"))
                    && (class, outcome) != (AssetClass::DomainController, Auto)
                {
                    let decision = on(action, class).decide(&policy);
                    let expected: Outcome = if class == AssetClass::DomainController {
                        outcome.max(Ask)
                    } else {
                        outcome
                    };
                    assert_eq!(
                        decision.outcome, expected,
                        "{action} {name} = {value}: {decision:?}"
                    );
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 40, "only {checked} cells checked");
}

#[test]
fn what_cannot_be_meant_is_refused_at_its_line() {
    refused(
        "[actions.contain_hosts]\nany = \"ask\"",
        1,
        "did you mean `contain_host`?",
    );
    refused(
        "[actions.contain_host]\nworkstaton = \"ask\"",
        2,
        "did you mean `workstation`?",
    );
    refused(
        "[actions.contain_host]\nserver = \"maybe\"",
        2,
        "`maybe` is no answer",
    );
    refused(
        "[actions.contain_host]\nserver = 3",
        2,
        "ask_below_confidence",
    );
    refused(
        "[actions.contain_host]\nserver = { ask_below = 3 }",
        2,
        "ask_below_confidence",
    );
    refused(
        "[actions.contain_host]\nserver = { ask_below_confidence = 0 }",
        2,
        "from 1 to 100",
    );
    refused(
        "[actions.contain_host]\nserver = { ask_below_confidence = 101 }",
        2,
        "from 1 to 100",
    );
    refused(
        "[actions.release_host]\nany = \"auto\"",
        1,
        "always waits for a person",
    );
    refused(
        "[actions.block_sender]\nserver = \"ask\"",
        2,
        "has no class",
    );
    refused(
        "[every_action]\nserver = \"ask\"",
        2,
        "put it under [actions",
    );
    refused(
        "[severity]\nauto_from = \"low\"",
        2,
        "below `severity.act_from`",
    );
    refused("[severity]\nauto_form = \"low\"", 2, "auto_form");
    refused(
        "[actions.contain_host]\nany = \"ask\"\nany = \"auto\"",
        3,
        "duplicate",
    );
    refused("what = 1", 1, "what");
}

#[test]
fn domain_controllers_exercises_and_break_glass_cannot_be_left_to_quell() {
    for value in ["\"auto\"", "{ ask_below_confidence = 99 }"] {
        for text in [
            format!("[actions.contain_host]\ndomain_controller = {value}"),
            format!("[every_action]\nred_team = {value}"),
        ] {
            refused(&text, 2, "write \"ask\" or \"never\"");
        }
        refused(
            &format!("[every_action]\nbreak_glass = {value}"),
            2,
            "write \"never\"",
        );
    }
    refused(
        "[every_action]\nbreak_glass = \"ask\"",
        2,
        "write \"never\"",
    );
}

#[test]
fn leaving_everything_to_quell_leaves_out_what_happens_on_a_domain_controller() {
    let text: String = rows()
        .filter(|action| *action != ActionType::ContainHost)
        .map(|action| format!("[actions.{action}]\nany = \"auto\"\n"))
        .collect();
    let policy = with_matrix(&text);
    // The hash of a file is banned everywhere, not on the machine that raised the alert.
    let on_machine = |action: &ActionType| {
        use EntityType::{CloudInstance, File, Host, Process};
        matches!(action.target(), Host | Process | File | CloudInstance)
            && *action != ActionType::BlockHash
    };
    let mut checked = 0;
    for action in rows().filter(on_machine) {
        let decision = on(action, AssetClass::DomainController).decide(&policy);
        assert_eq!(decision.outcome, Ask, "{action}: {decision:?}");
        checked += 1;
    }
    assert_eq!(checked, 4);
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let wrong =
        load("[actions.x]\nany = \"ask\"\n[actions.contain_host]\ny = \"ask\"").unwrap_err();
    assert!(wrong.contains(":1:") && wrong.contains(":4:"), "{wrong}");
}

#[test]
fn a_rule_of_one_s_own_cannot_claim_to_be_of_the_matrix() {
    let own = Source {
        name: "policy/own.cedar",
        text: "@id(\"a\") @reason(\"A.\") @origin(\"policies/policy.toml:1\")\nforbid (principal, action, resource);",
    };
    let policy = Policy::with(&Settings::builtin().matrix, &[own]).unwrap();
    let rule = policy.rules().iter().find(|rule| rule.id == "a").unwrap();
    assert_eq!((rule.file.as_str(), rule.line), ("policy/own.cedar", 1));
}

#[test]
fn the_shipped_matrix_is_the_one_that_is_in_force() {
    assert_eq!(
        Settings::builtin()
            .matrix
            .cell(ActionType::ContainHost, Column::Workstation),
        Some(Cell::Auto)
    );
    assert_eq!(
        Settings::builtin().matrix.every_action(Column::BreakGlass),
        Some(Cell::Never)
    );
    assert_eq!(
        on(ActionType::ContainHost, AssetClass::Workstation)
            .decide(builtin())
            .outcome,
        Auto
    );
}

/// Case study of a bank: the finance chief's laptop was isolated in the middle of a deal.
#[test]
fn bank_deal_the_laptop_of_a_vip_is_not_cut_off_without_a_person() {
    let case = Case::new(ActionType::ContainHost).with(|case| {
        case.basis.severity = Severity::Critical;
        case.basis.confidence = Some(100);
        case.asset.labels = ["vip".to_owned()].into();
    });
    let decision = case.decide(builtin());
    assert_eq!(decision.outcome, Ask);
    assert_eq!(rule_ids(&decision), ["contain-host-vip"]);
}

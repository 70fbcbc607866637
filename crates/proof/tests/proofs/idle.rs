//! Rules that decide nothing: each is found with what covers it, no other is, and a solver that cannot be
//! trusted finds none.

use std::error::Error;
use std::time::Duration;

use quell_policy::{Matrix, Policy, Settings};
use quell_proof::{Idle, Solver, Why, idle};

use crate::support::{CAREFUL, Outcome, checks, named, pretender, solver};

checks! {
    Solver: rules_that_decide_something_are_not_named,
    Solver: a_condition_that_no_request_meets_is_found,
    Solver: a_permit_that_is_always_forbidden_is_found_with_what_forbids_it,
    Solver: a_forbid_that_changes_no_answer_is_found,
    Solver: a_freeze_is_not_held_against_the_rules_it_stops,
    Solver: a_cell_that_a_shipped_rule_forbids_is_found_at_its_line,
    Solver: of_what_ships_only_second_locks_are_idle,
    Nothing: a_solver_that_cannot_be_trusted_finds_no_idle_rule,
}

/// What is said of the rules of `own.cedar`, beside the careful ones.
fn judged(solver: &Solver, own: &str) -> Result<Vec<Idle>, Box<dyn Error>> {
    let sources = [named("rules.cedar", CAREFUL), named("own.cedar", own)];
    Ok(idle(solver, &sources, |rule| rule.file == "own.cedar")?)
}

fn rule(id: &str, body: &str) -> String {
    format!("@id(\"{id}\") @reason(\"{id}.\")\n{body}\n")
}

/// Each body alone, and the sentence about it; an empty one where there is none.
fn check(rows: &[(&str, &str)]) -> Outcome {
    let solver = solver()?;
    for (body, expected) in rows {
        let found = judged(&solver, &rule("own", body))?;
        let said: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(said.join("\n"), *expected, "{body}");
        assert!(
            found
                .iter()
                .all(|one| (one.file.as_str(), one.line) == ("own.cedar", 1))
        );
    }
    Ok(())
}

fn rules_that_decide_something_are_not_named() -> Outcome {
    check(&[
        (
            "permit (principal == Mode::\"auto\", action == Action::\"kill_process\", resource) when { resource.vital };",
            "",
        ),
        (
            "permit (principal == Mode::\"auto\", action == Action::\"contain_host\", resource) when { context.severity == 5 };",
            "",
        ),
        (
            "forbid (principal, action, resource) when { context.severity < 2 };",
            "",
        ),
        // Covered where Quell acts alone, and not where a person said yes.
        (
            "forbid (principal, action == Action::\"contain_host\", resource) when { resource.class == Class::\"domain_controller\" };",
            "",
        ),
        // Forbidden for one of its actions only.
        (
            "permit (principal == Mode::\"auto\", action in [Action::\"contain_host\", Action::\"kill_process\"], resource) when { resource.class == Class::\"domain_controller\" };",
            "",
        ),
    ])
}

fn a_condition_that_no_request_meets_is_found() -> Outcome {
    let never = "no request there can be matches `own`";
    check(&[
        (
            "forbid (principal, action, resource) when { context.severity > 5 };",
            never,
        ),
        (
            "permit (principal, action == Action::\"contain_host\", resource) when { resource.class == Class::\"server\" && resource.class == Class::\"mobile\" };",
            never,
        ),
        (
            "permit (principal, action == Action::\"block_hash\", resource) when { resource.unnamed && resource has path };",
            never,
        ),
        (
            "permit (principal, action == Action::\"contain_host\", resource) when { context has confidence && context.confidence > 100 };",
            never,
        ),
    ])
}

fn a_permit_that_is_always_forbidden_is_found_with_what_forbids_it() -> Outcome {
    check(&[
        (
            "permit (principal == Mode::\"auto\", action == Action::\"contain_host\", resource) when { resource.class == Class::\"domain_controller\" && context.severity == 5 };",
            "`own` never permits anything: what it matches is forbidden by `ask-domain-controller` (rules.cedar:6)",
        ),
        (
            "permit (principal, action in Action::\"remediation\", resource) when { resource.labels.contains(\"break-glass\") && resource.critical };",
            "`own` never permits anything: what it matches is forbidden by `break-glass` (rules.cedar:18)",
        ),
        (
            "permit (principal == Mode::\"auto\", action == Action::\"contain_host\", resource) when { resource.class == Class::\"domain_controller\" || resource.labels.contains(\"break-glass\") };",
            "`own` never permits anything: what it matches is forbidden by `ask-domain-controller` (rules.cedar:6) and `break-glass` (rules.cedar:18)",
        ),
    ])
}

fn a_forbid_that_changes_no_answer_is_found() -> Outcome {
    check(&[(
        "forbid (principal, action == Action::\"kill_process\", resource) when { resource.vital && resource.labels.contains(\"break-glass\") };",
        "`own` changes no answer: what it matches is forbidden by `break-glass` (rules.cedar:18)",
    )])
}

fn a_freeze_is_not_held_against_the_rules_it_stops() -> Outcome {
    let permit = rule(
        "own",
        "permit (principal == Mode::\"auto\", action == Action::\"kill_process\", resource);",
    );
    let freeze = |body: &str| permit.clone() + &rule("freeze", body);
    let solver = solver()?;
    let all = freeze("forbid (principal, action in Action::\"remediation\", resource);");
    assert_eq!(judged(&solver, &all)?, []);
    let one = freeze("forbid (principal, action == Action::\"kill_process\", resource);");
    let found = judged(&solver, &one)?;
    let rules: Vec<&str> = found.iter().map(|one| one.rule.as_str()).collect();
    assert_eq!(rules, ["own"], "{found:#?}");
    Ok(())
}

fn a_cell_that_a_shipped_rule_forbids_is_found_at_its_line() -> Outcome {
    let text = "[actions.delete_access_key]\nany = \"auto\"\n[actions.kill_process]\nvip = \"ask\"";
    let matrix = Settings::load(&named("policy/policy.toml", text))?
        .matrix
        .rules();
    let sources = [Matrix::compiled(&matrix), Policy::builtin_source()];
    let found = idle(&solver()?, &sources, |rule| {
        rule.file == "policy/policy.toml"
    })?;
    let [found] = <[_; 1]>::try_from(found).map_err(|found| format!("{found:#?}"))?;
    assert_eq!(
        (found.rule.as_str(), found.line),
        ("delete-access-key-any", 2)
    );
    let said = found.to_string();
    assert!(
        said.contains("never permits anything: what it matches is forbidden by `ask-key-deletion`"),
        "{said}"
    );
    Ok(())
}

fn of_what_ships_only_second_locks_are_idle() -> Outcome {
    let matrix = Settings::builtin().matrix.rules();
    let sources = [Matrix::compiled(&matrix), Policy::builtin_source()];
    let found = idle(&solver()?, &sources, |_| true)?;
    let rules: Vec<&str> = found.iter().map(|idle| idle.rule.as_str()).collect();
    assert_eq!(rules, ["ask-shared", "ask-key-deletion"]);
    let locks = |idle: &Idle| matches!(idle.why, Why::ForbiddenAnyway { .. });
    assert!(found.iter().all(locks), "{found:#?}");
    Ok(())
}

fn a_solver_that_cannot_be_trusted_finds_no_idle_rule() -> Outcome {
    for (name, milliseconds) in [
        ("always_unsat.sh", 60_000),
        ("unsat_after_the_first.sh", 60_000),
        ("dies.sh", 60_000),
        ("talks_nonsense.sh", 60_000),
        ("hangs.sh", 200),
    ] {
        let solver = pretender(name)?.with_time_limit(Duration::from_millis(milliseconds));
        let own = rule(
            "own",
            "forbid (principal, action, resource) when { context.severity < 2 };",
        );
        let found = judged(&solver, &own)?;
        let [found] = <[_; 1]>::try_from(found).map_err(|found| format!("{name} {found:#?}"))?;
        assert!(
            matches!(found.why, Why::Undecided { .. }),
            "{name}: {found}"
        );
    }
    Ok(())
}

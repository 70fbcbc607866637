//! Comparing two policies: what is new is found, in the mode it is new in, and nothing else.

use std::error::Error;

use quell_model::{ActionType, Severity};
use quell_policy::{Matrix, Policy, Settings};
use quell_proof::{Comparison, Mode, Solver, compare};

use crate::support::{
    CAREFUL, Outcome, careful_but, checks, counter_example, named, pretender, solver,
};

checks! {
    Solver: a_loosened_severity_is_found_where_it_is_loosened,
    Solver: a_tightened_policy_permits_nothing_new,
    Solver: what_a_person_may_newly_approve_is_found,
    Solver: a_loosened_cell_of_the_matrix_is_found_and_named,
    Nothing: the_same_rules_need_no_solver,
    Nothing: rules_that_do_not_load_are_refused_with_their_line,
}

fn between(solver: &Solver, old: &str, new: &str) -> Result<Vec<Comparison>, Box<dyn Error>> {
    let answers = compare(
        solver,
        &[named("old.cedar", old)],
        &[named("new.cedar", new)],
    )?;
    assert_eq!(answers.len(), ActionType::ALL.len() * Mode::ALL.len());
    Ok(answers)
}

/// The only answers that are not "holds".
fn exceptions(answers: Vec<Comparison>) -> Vec<Comparison> {
    answers
        .into_iter()
        .filter(|answer| !answer.verdict.holds())
        .collect()
}

fn a_loosened_severity_is_found_where_it_is_loosened() -> Outcome {
    let new = careful_but("severity >= 4", "severity >= 3");
    let found = exceptions(between(&solver()?, CAREFUL, &new)?);
    let [found] = <[_; 1]>::try_from(found).map_err(|found| format!("{found:#?}"))?;
    assert_eq!(
        (found.action, found.mode),
        (ActionType::ContainHost, Mode::Auto)
    );
    let json = serde_json::to_value(&found)?;
    for (place, expected) in [
        ("/action", "contain_host"),
        ("/mode", "auto"),
        ("/verdict", "fails"),
        ("/counter_example/severity", "medium"),
    ] {
        let value = json.pointer(place).and_then(serde_json::Value::as_str);
        assert_eq!(value, Some(expected), "{place}");
    }
    let shown = counter_example(found.verdict)?;
    assert_eq!(shown.severity, Severity::Medium);
    assert_eq!(
        shown.permitted_by.first().map(|by| by.file.as_str()),
        Some("new.cedar")
    );
    Ok(())
}

fn a_tightened_policy_permits_nothing_new() -> Outcome {
    let new = careful_but("severity >= 4", "severity >= 5");
    assert_eq!(exceptions(between(&solver()?, CAREFUL, &new)?), []);
    Ok(())
}

fn what_a_person_may_newly_approve_is_found() -> Outcome {
    let new = careful_but("severity >= 3", "severity >= 2");
    let found = exceptions(between(&solver()?, CAREFUL, &new)?);
    let actions: Vec<_> = found.iter().map(|answer| answer.action).collect();
    assert_eq!(
        actions,
        [
            ActionType::ContainHost,
            ActionType::BlockHash,
            ActionType::DisableAccount
        ]
    );
    for found in found {
        assert_eq!(found.mode, Mode::Approved, "{found:#?}");
        assert_eq!(counter_example(found.verdict)?.severity, Severity::Low);
    }
    Ok(())
}

fn a_loosened_cell_of_the_matrix_is_found_and_named() -> Outcome {
    let text = "[actions.disable_account]\nany = \"auto\"\nvip = \"ask\"";
    let mine = Settings::load(&named("policy/policy.toml", text))?
        .matrix
        .rules();
    let shipped = Settings::builtin().matrix.rules();
    let old = [Matrix::compiled(&shipped), Policy::builtin_source()];
    let new = [Matrix::compiled(&mine), Policy::builtin_source()];
    let found = exceptions(compare(&solver()?, &old, &new)?);
    let [found] = <[_; 1]>::try_from(found).map_err(|found| format!("{found:#?}"))?;
    assert_eq!(
        (found.action, found.mode),
        (ActionType::DisableAccount, Mode::Auto)
    );
    assert_eq!(
        counter_example(found.verdict)?.to_string(),
        "Quell may disable account by itself. Target: account (not critical, no labels, on no list). \
         Alert: severity high, no confidence given. Permitted by `disable-account-any` \
         (policy/policy.toml:2)."
    );
    Ok(())
}

fn the_same_rules_need_no_solver() -> Outcome {
    assert_eq!(
        exceptions(between(&pretender("hangs.sh")?, CAREFUL, CAREFUL)?),
        []
    );
    Ok(())
}

fn rules_that_do_not_load_are_refused_with_their_line() -> Outcome {
    let old = [named("old.cedar", CAREFUL)];
    let new = [named(
        "new.cedar",
        "\npermit (principal, action, resource);",
    )];
    let wrong = compare(&pretender("hangs.sh")?, &old, &new)
        .err()
        .ok_or("it loads")?;
    assert!(wrong.to_string().starts_with("new.cedar:2:"), "{wrong}");
    Ok(())
}

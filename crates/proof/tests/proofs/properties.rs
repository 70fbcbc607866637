//! Properties: those that ship hold, those that do not hold are shown to, and what is not one is
//! refused.

use quell_policy::{Matrix, Policy, Settings};
use quell_proof::{Attribute, Mode, Property, prove};
use serde_json::json;

use crate::support::{
    CAREFUL, DOMAIN_CONTROLLER, Outcome, careful_but, checks, counter_example, judge, named,
    solver, undecided,
};

checks! {
    Solver: the_shipped_rules_keep_the_shipped_properties,
    Solver: careful_rules_keep_a_property,
    Solver: a_rule_that_lets_go_of_domain_controllers_is_shown_one,
    Solver: what_needs_a_person_is_told_apart_from_what_runs_by_itself,
    Solver: a_counter_example_says_only_what_matters,
    Solver: a_property_that_no_request_can_match_is_not_said_to_hold,
    Solver: a_rule_that_cannot_be_evaluated_decides_nothing,
    Solver: a_property_that_cannot_be_evaluated_is_not_said_to_hold,
    Solver: a_severity_that_cannot_be_is_no_counter_example,
    Nothing: a_property_about_an_unknown_attribute_is_refused_with_its_line,
    Nothing: a_property_that_permits_is_refused_with_its_line,
    Nothing: a_text_without_a_property_is_refused,
    Nothing: the_shipped_properties_load,
}

fn the_shipped_rules_keep_the_shipped_properties() -> Outcome {
    let properties = Property::load(&[Property::shipped_source()])?;
    let matrix = Settings::builtin().matrix.rules();
    let rules = [Matrix::compiled(&matrix), Policy::builtin_source()];
    let verdicts = prove(&solver()?, &rules, &properties)?;
    assert_eq!(verdicts.len(), properties.len());
    for (property, verdict) in properties.iter().zip(verdicts) {
        assert!(verdict.holds(), "{}: {verdict}", property.id());
    }
    Ok(())
}

fn careful_rules_keep_a_property() -> Outcome {
    let verdict = judge(&solver()?, CAREFUL, DOMAIN_CONTROLLER)?;
    assert!(verdict.holds(), "{verdict}");
    Ok(())
}

fn a_rule_that_lets_go_of_domain_controllers_is_shown_one() -> Outcome {
    let start = CAREFUL.find("@id(\"ask-domain").ok_or("no such rule")?;
    let end = CAREFUL.find("@id(\"approve-end").ok_or("no such rule")?;
    let rule = CAREFUL.get(start..end).ok_or("no such rule")?;
    let rules = careful_but(rule, "").replace("&& resource.class == Class::\"workstation\"", "");
    let found = counter_example(judge(&solver()?, &rules, DOMAIN_CONTROLLER)?)?;
    assert_eq!(found.mode, Mode::Auto);
    let class = Attribute::Text("domain_controller".to_owned());
    assert_eq!(found.attributes.get("class"), Some(&class));
    assert_eq!(
        found.to_string(),
        "Quell may contain host by itself. Target: host (domain controller, not critical, no labels, \
         on no list). Alert: severity high, no confidence given. Permitted by `contain-workstation` \
         (rules.cedar:2)."
    );
    assert_eq!(
        serde_json::to_value(&found)?,
        json!({
            "action": "contain_host",
            "mode": "auto",
            "target": "host",
            "attributes": { "class": "domain_controller", "critical": false, "labels": [] },
            "lists": [],
            "severity": "high",
            "source": "example",
            "detection": "example",
            "permitted_by": [
                { "rule": "contain-workstation", "file": "rules.cedar", "line": 2 }
            ],
        })
    );
    Ok(())
}

fn what_needs_a_person_is_told_apart_from_what_runs_by_itself() -> Outcome {
    let untouched = r#"
        @id("untouched") @reason("Nothing labelled break-glass is touched.")
        forbid (principal, action == Action::"disable_account", resource)
        when { resource.labels.contains("break-glass") };
    "#;
    let verdict = judge(&solver()?, CAREFUL, untouched)?;
    assert!(verdict.holds(), "{verdict}");
    let rules = careful_but(
        "labels.contains(\"break-glass\")",
        "labels.contains(\"breakglass\")",
    );
    let found = counter_example(judge(&solver()?, &rules, untouched)?)?;
    assert_eq!(found.mode, Mode::Approved);
    let said = found.to_string();
    assert!(
        said.starts_with("Quell may disable account after a yes."),
        "{said}"
    );
    assert!(said.contains("labels “break-glass”"), "{said}");
    assert!(
        said.contains("`approve-endpoint` (rules.cedar:10)"),
        "{said}"
    );
    Ok(())
}

fn a_counter_example_says_only_what_matters() -> Outcome {
    let never = r#"
        @id("never") @reason("Nothing on a never list is banned.")
        forbid (principal, action == Action::"block_hash", resource in List::"never");
    "#;
    let found = counter_example(judge(&solver()?, CAREFUL, never)?)?;
    assert_eq!(found.lists, ["never"]);
    let said = found.to_string();
    assert!(said.contains("on the list “never”"), "{said}");
    assert!(
        said.contains("on a workstation, not critical, no labels"),
        "{said}"
    );
    assert!(
        !said.contains("system") && !said.contains("detection"),
        "{said}"
    );
    Ok(())
}

fn a_property_that_no_request_can_match_is_not_said_to_hold() -> Outcome {
    let nothing = r#"
        @id("nothing") @reason("It is about nothing.")
        forbid (principal, action, resource) when { context.severity > 5 };
    "#;
    let why = undecided(judge(&solver()?, CAREFUL, nothing)?)?;
    assert!(why.contains("no request can match"), "{why}");
    Ok(())
}

fn a_rule_that_cannot_be_evaluated_decides_nothing() -> Outcome {
    // Too large a number: Cedar passes over the forbid, and Quell asks a person.
    let rules = careful_but(
        "when { resource.class == Class::\"domain_controller\" }",
        "when { context.severity + 9223372036854775807 > 0 }",
    )
    .replace("&& resource.class == Class::\"workstation\"", "");
    let why = undecided(judge(&solver()?, &rules, DOMAIN_CONTROLLER)?)?;
    assert!(why.contains("cannot be evaluated"), "{why}");
    Ok(())
}

fn a_property_that_cannot_be_evaluated_is_not_said_to_hold() -> Outcome {
    let property = DOMAIN_CONTROLLER.replace(
        "when { ",
        "when { (context.severity != 4 || context.severity + 9223372036854775807 > 0) && ",
    );
    let why = undecided(judge(&solver()?, CAREFUL, &property)?)?;
    assert!(why.contains("cannot be evaluated"), "{why}");
    Ok(())
}

fn a_severity_that_cannot_be_is_no_counter_example() -> Outcome {
    let property = r#"
        @id("medium") @reason("Nothing is done at other severities.")
        forbid (principal, action == Action::"contain_host", resource)
        unless { [3, 4, 5].contains(context.severity) };
    "#;
    let verdict = judge(&solver()?, CAREFUL, property)?;
    assert!(verdict.holds(), "{verdict}");
    Ok(())
}

fn refused(text: &str) -> String {
    match Property::load(&[named("mine.cedar", text)]) {
        Ok(_) => "nothing".to_owned(),
        Err(wrong) => wrong.to_string(),
    }
}

fn a_property_about_an_unknown_attribute_is_refused_with_its_line() -> Outcome {
    let text = "@id(\"a\") @reason(\"A.\")\nforbid (principal, action == Action::\"contain_host\", \
                resource)\nwhen { resource.klass == Class::\"server\" };";
    let said = refused(text);
    assert!(
        said.starts_with("mine.cedar:3:") && said.contains("klass"),
        "{said}"
    );
    Ok(())
}

fn a_property_that_permits_is_refused_with_its_line() -> Outcome {
    let permit = "\n\n@id(\"a\") @reason(\"A.\")\npermit (principal, action, resource);";
    assert_eq!(
        refused(permit),
        "mine.cedar:3:1: a property cannot permit (say what must never happen, as a `forbid`)"
    );
    Ok(())
}

fn a_text_without_a_property_is_refused() -> Outcome {
    let said = refused("// nothing yet");
    assert!(
        said.starts_with("mine.cedar:1:1: there is no property"),
        "{said}"
    );
    Ok(())
}

fn the_shipped_properties_load() -> Outcome {
    let properties = Property::load(&[Property::shipped_source()])?;
    assert!(properties.len() >= 6);
    for property in &properties {
        assert!(property.statement().ends_with('.'), "{}", property.id());
        assert!(!property.actions().is_empty(), "{}", property.id());
    }
    Ok(())
}

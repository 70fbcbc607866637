//! `quell policy test`: the examples of a policy, asked and compared.

use std::path::Path;

use quell_policy::{Checked, Example};
use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::output::{self, BAD, Format, GOOD, QUIET, STRONG, styled};

pub(super) fn run(path: &Path, format: Format) -> Result<()> {
    let loaded = super::load(path)?;
    if loaded.examples.is_empty() {
        let message = format!("`{}` has no examples", path.display());
        return Err(Failure::bad_input(message).hint(
            "write some into tests/*.toml; `quell policy init` makes a folder with examples",
        ));
    }
    let checked: Vec<(Example, Checked)> = loaded
        .examples
        .into_iter()
        .map(|example| {
            let checked = example.check(&loaded.policy);
            (example, checked)
        })
        .collect();
    let failed = checked
        .iter()
        .filter(|(_, checked)| !checked.problems.is_empty())
        .count();
    let passed = checked.len() - failed;
    let views: Vec<Value> = checked.iter().map(view).collect();
    match format {
        Format::Human => output::say(&text(&checked, failed)),
        Format::Json if failed == 0 => {
            output::json(&json!({ "passed": passed, "failed": failed, "examples": views }))?;
        }
        // The failure is the one document then.
        Format::Json => {}
    }
    if failed == 0 {
        return Ok(());
    }
    let are = if failed == 1 {
        "example is"
    } else {
        "examples are"
    };
    let message = format!("{failed} {are} not decided as expected");
    Err(Failure::failed(message)
        .with("passed", passed)
        .with("failed", failed)
        .with("examples", views))
}

fn view((example, checked): &(Example, Checked)) -> Value {
    json!({
        "name": example.name,
        "file": example.file,
        "line": example.line,
        "action": example.action,
        "expected": example.expect,
        "decision": checked.decision,
        "problems": checked.problems,
    })
}

fn text(checked: &[(Example, Checked)], failed: usize) -> String {
    let mut text = String::new();
    for (example, checked) in checked
        .iter()
        .filter(|(_, checked)| !checked.problems.is_empty())
    {
        let place = format!("{}:{}", example.file, example.line);
        text.push_str(&format!(
            "{} {} {}\n",
            styled(BAD, "not as expected:"),
            styled(STRONG, &example.name),
            styled(QUIET, &place)
        ));
        for problem in &checked.problems {
            text.push_str(&output::wrapped(problem, "    "));
        }
        for reason in &checked.decision.reasons {
            text.push_str(&output::reasoned(reason, "    - "));
        }
        text.push('\n');
    }
    let passed = checked.len() - failed;
    let summary = format!("{passed} as expected, {failed} not");
    let style = if failed == 0 { GOOD } else { BAD };
    text.push_str(&format!("{}\n", styled(style, &summary)));
    text
}

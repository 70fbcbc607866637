//! The page about the rules and playbooks that ship.

use quell_policy::{Playbooks, Policy, Settings};

use super::markdown::{Page, table};
use crate::failure::Result;

pub(super) fn page() -> Result<String> {
    let mut page = Page::new("Shipped policy", INTRODUCTION.trim());
    page.heading("Playbooks");
    for playbook in Playbooks::builtin()?.iter() {
        page.subheading(&format!("`{}`", playbook.name));
        page.text(&format!(
            "{}. Answers alerts of the kind `{}`.",
            playbook.title,
            playbook.alert.as_str()
        ));
        let rows = playbook.propose.iter().map(|step| {
            let unless = step.unless.map_or_else(String::new, |unless| {
                format!("{unless:?}")
                    .chars()
                    .fold(String::new(), |mut words, c| {
                        if c.is_uppercase() && !words.is_empty() {
                            words.push(' ');
                        }
                        words.push(c.to_ascii_lowercase());
                        words
                    })
            });
            [format!("`{}`", step.action), unless]
        });
        page.text(&table(
            ["Proposes", "Unless the vendor's prevention did it"],
            rows,
        ));
    }
    page.heading("Matrix");
    page.text("The shipped `policy.toml`. Yours replaces the cells it names; `quell policy show` prints the result.");
    page.code("toml", Settings::builtin_source().text);
    page.heading("Rules");
    page.text("A forbid wins over a permit. What stands in braces is filled in for each decision.");
    let policy = Policy::builtin()?;
    let rows = policy.rules().iter().map(|rule| {
        let effect = match (rule.forbids, rule.quorum.is_one()) {
            (false, _) => "permits".to_owned(),
            (true, true) => "forbids".to_owned(),
            (true, false) => format!("forbids, and asks {}", rule.quorum.words()),
        };
        [format!("`{}`", rule.id), effect, rule.reason.clone()]
    });
    page.text(&table(["Rule", "", "Sentence"], rows));
    page.heading("What a rule may ask about");
    page.text("Rules are written in [Cedar](https://docs.cedarpolicy.com) and checked against this schema before they load: a name that does not stand here is refused with its line.");
    page.code("cedarschema", Policy::schema_source().text);
    Ok(page.end())
}

const INTRODUCTION: &str = r#"
A playbook says which actions make sense for a kind of alert; the rules say of each whether it runs
by itself (`auto`), waits for a person (`ask`), or does not run (`never`). Most rules come from a
matrix, a table of actions and kinds of target; some are written by hand. A policy folder of your own
(`quell policy init`, and `directory` under `[policy]` in the [configuration](configuration.md#policy))
changes cells of the matrix and adds rules and playbooks.
"#;

//! The reference pages: written from the code, so that they cannot say something else than it does.
//!
//! Owns the form of the pages. What stands in them comes from doc comments, from the connectors'
//! rows, from the action catalogue, from the command line and from the server's route table.

mod actions;
mod commands;
mod configuration;
mod connectors;
mod markdown;
mod members;
mod plan;
mod policy;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use quell_connectors::catalog::CATALOG;

use crate::failure::{Failure, Result, why};
use markdown::{Page, table};

/// Writes the reference pages below a folder, under their paths in the repository.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder.
    folder: PathBuf,
}

/// Where the pages are in the repository.
const HOME: &str = "docs/reference";

/// Runs the command.
///
/// # Errors
/// When a page cannot be written.
pub fn run(arguments: &Arguments) -> Result<()> {
    for (name, text) in pages()? {
        let path = arguments.folder.join(HOME).join(name);
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| {
                Failure::failed(format!(
                    "`{}` cannot be written: {}",
                    path.display(),
                    why(&error)
                ))
            })?;
    }
    Ok(())
}

/// Every page by its name below [`HOME`].
///
/// # Errors
/// When something that ships does not load, which tests exclude.
pub fn pages() -> Result<BTreeMap<String, String>> {
    let mut pages = BTreeMap::new();
    pages.insert("README.md".to_owned(), index());
    pages.insert("actions.md".to_owned(), actions::page());
    pages.insert("cli.md".to_owned(), commands::page());
    pages.insert("configuration.md".to_owned(), configuration::page());
    pages.insert(
        "configuration.schema.json".to_owned(),
        json(&crate::config::schema())?,
    );
    pages.insert("openapi.json".to_owned(), json(&quell_server::openapi())?);
    pages.insert("plan.md".to_owned(), plan::page()?);
    pages.insert("policy.md".to_owned(), policy::page()?);
    for connector in CATALOG {
        pages.insert(
            format!("connectors/{}.md", connector.id),
            connectors::page(connector),
        );
    }
    Ok(pages)
}

fn index() -> String {
    let mut page = Page::new(
        "Reference",
        "These pages are written by `cargo xtask gen` from the code.",
    );
    let rows = [
        ("[cli.md](cli.md)", "Every command and option."),
        (
            "[configuration.md](configuration.md)",
            "Every key of `quell.toml`.",
        ),
        (
            "[configuration.schema.json](configuration.schema.json)",
            "The same for editors: JSON Schema.",
        ),
        (
            "[plan.md](plan.md)",
            "What `quell plan` answers, and what alerts and entities look like.",
        ),
        (
            "[actions.md](actions.md)",
            "What Quell can do, to what, and what takes it back; the states of an action.",
        ),
        (
            "[policy.md](policy.md)",
            "The rules and playbooks that ship with Quell.",
        ),
        ("[openapi.json](openapi.json)", "The HTTP API: OpenAPI 3.1."),
    ];
    page.text(&table(
        ["Page", "What stands there"],
        rows.map(|(page, about)| [page.to_owned(), about.to_owned()]),
    ));
    page.heading("Connectors");
    let rows = CATALOG.iter().map(|connector| {
        let alerts = if connector.normalise.is_some() {
            "yes"
        } else {
            ""
        };
        let actions: Vec<String> = connectors::actions(connector)
            .iter()
            .map(|action| format!("`{}`", action.as_str()))
            .collect();
        [
            format!("[{}](connectors/{}.md)", connector.name, connector.id),
            alerts.to_owned(),
            actions.join(", "),
        ]
    });
    page.text(&table(["Connector", "Alerts", "Actions"], rows));
    page.end()
}

fn json(value: &serde_json::Value) -> Result<String> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::failed("a document cannot be written as JSON").because(&error))?;
    Ok(format!("{text}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_says_something_and_is_the_same_each_time() {
        let first = pages().unwrap();
        for (name, text) in &first {
            assert!(text.len() > 300, "{name} says next to nothing:\n{text}");
            assert!(text.ends_with('\n') && !text.contains("\u{1b}["), "{name}");
        }
        assert_eq!(first, pages().unwrap());
    }
}

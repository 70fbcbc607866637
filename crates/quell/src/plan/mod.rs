//! `quell plan`: what would be done about an alert, and why. No network, no writes: the same pure
//! functions that the server uses, on documents from a file or from standard input.

mod text;
mod view;

use std::io::Read;
use std::path::{Path, PathBuf};

use quell_connector::contract::About;
use quell_connector::{Connector, DocumentError, SystemClock};
use quell_connectors::catalog::{self, CATALOG};
use quell_engine::{Events, Guardrails, Rules, Standpoint, documents};
use quell_model::{Clock, ConnectionId, Effect, Entity};
use quell_policy::{Playbooks, Policy};

pub(crate) use text::{outcome, severity_style, text};
pub use view::{ActionView, AlertView, PlanView, PolicyView, SkippedView};

use crate::config::Document;
use crate::failure::{Failure, Result, why};
use crate::output::{self, Format};

/// Largest input read, in bytes: a vendor's list reply of a thousand alerts is a few megabytes.
const LARGEST: u64 = 64 << 20;

/// Says what would be done about alerts, and why; touches nothing.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The connector that the documents come from.
    #[arg(long, value_name = "CONNECTOR")]
    source: String,
    /// Configuration to decide by. Without it: the rules that ship with Quell.
    #[arg(long, value_name = "QUELL.TOML")]
    config: Option<PathBuf>,
    /// File with alert documents, `-` for standard input. One document, an array, one a line, or a
    /// vendor's list reply.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When the input or the configuration cannot be used.
pub fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let connector = source(&arguments.source)?;
    let (rules, policy) = match &arguments.config {
        None => (shipped()?, PolicyView { config: None }),
        Some(path) => {
            let config = Some(path.display().to_string());
            (Document::open(path)?.rules()?, PolicyView { config })
        }
    };
    let body = read(&arguments.file)?;
    let view = plan(connector, &rules, policy, &body)
        .map_err(|error| unreadable(&arguments.file, connector, &error, &body))?;
    match format {
        Format::Json => output::json(&view),
        Format::Human => {
            output::say(&text(&view, connector.name));
            Ok(())
        }
    }
}

/// Plans for every document in `body`.
///
/// # Errors
/// With the place at fault; then nothing is planned at all.
pub fn plan(
    connector: &Connector,
    rules: &Rules,
    policy: PolicyView,
    body: &str,
) -> Result<PlanView, DocumentError> {
    let Some(normalise) = connector.normalise else {
        return Ok(PlanView::empty(policy));
    };
    let rows = connector.rows();
    // A document alone does not say through which connection it came; one named after its connector
    // is what most configurations have.
    let Ok(connection) = connector.id.parse::<ConnectionId>() else {
        return Ok(PlanView::empty(policy));
    };
    let through = |effect: Effect, _: &Entity| {
        let about = match effect {
            Effect::Set { property, .. } => About::Property(property),
            Effect::Once(one_shot) => About::OneShot(one_shot),
        };
        let able = rows.iter().any(|row| row.about == about);
        able.then_some(&connection)
    };
    let mut view = PlanView::empty(policy);
    let mut events = Events::default();
    for (alert, _) in documents(body, connector.envelope, normalise)? {
        let at = Standpoint {
            connection: &connection,
            now: SystemClock.now(),
        };
        let plan = quell_engine::plan(rules, at, &alert, through);
        view.add(&connection, alert, plan, &mut events);
    }
    Ok(view)
}

/// The rules that ship with Quell.
///
/// # Errors
/// When they do not load, which tests exclude.
pub fn shipped() -> Result<Rules> {
    Ok(Rules {
        playbooks: Playbooks::builtin()?,
        policy: Policy::builtin()?.into(),
        settings: quell_policy::Settings::builtin().clone(),
        guardrails: Guardrails::default(),
    })
}

fn source(id: &str) -> Result<&'static Connector> {
    let sources: Vec<&str> = CATALOG
        .iter()
        .filter(|connector| connector.normalise.is_some())
        .map(|connector| connector.id)
        .collect();
    match catalog::find(id) {
        Some(connector) if connector.normalise.is_some() => Ok(connector),
        Some(connector) => Err(
            Failure::bad_input(format!("`{id}` is not a source of alerts")).hint(format!(
                "{} only tells people; sources are {}",
                connector.name,
                sources.join(", ")
            )),
        ),
        None => Err(Failure::bad_input(format!("there is no connector `{id}`"))
            .hint(quell_policy::suggestion(id, &sources))),
    }
}

fn read(path: &Path) -> Result<String> {
    let shown = path.display();
    let refuse = |why: String| Failure::bad_input(format!("`{shown}` cannot be read: {why}"));
    let mut text = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(LARGEST + 1)
            .read_to_end(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut text))
    };
    read.map_err(|error| refuse(why(&error)))?;
    if text.len() as u64 > LARGEST {
        return Err(refuse(format!("it is larger than {} MiB", LARGEST >> 20)));
    }
    String::from_utf8(text).map_err(|_| {
        Failure::bad_input(format!("`{shown}`: $: not UTF-8 text"))
            .with("path", "$")
            .hint("alert documents are JSON text in UTF-8")
    })
}

fn unreadable(file: &Path, connector: &Connector, error: &DocumentError, body: &str) -> Failure {
    let name = match file.display().to_string() {
        dash if dash == "-" => "standard input".to_owned(),
        path => format!("`{path}`"),
    };
    let failure = Failure::bad_input(format!(
        "{name} is not an alert of {}: {error}",
        connector.name
    ))
    .with("path", error.path.clone())
    .with("problem", error.problem.clone());
    match complaint(body) {
        Some(words) => failure.hint(format!("it is an error reply of the vendor's: “{words}”")),
        None => failure,
    }
}

/// What an error reply says, when somebody saved one of those instead of alerts.
fn complaint(body: &str) -> Option<String> {
    let reply: serde_json::Value = serde_json::from_str(body).ok()?;
    let words = reply.pointer("/errors/0/message")?.as_str()?;
    Some(quell_model::text::line(words))
}

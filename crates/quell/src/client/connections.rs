//! `quell connections check`: what each connection's credentials really allow.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use quell_connector::{Call, SystemClock};
use quell_model::{Clock, ConnectionId};
use quell_server::api::{CheckReply, CheckRequest, ConnectionChecks};

use super::{Where, wait};
use crate::config::Document;
use crate::failure::{Failure, Result};
use crate::output::{self, BAD, Columns, Format, GOOD, PLAIN, QUIET, STRONG, WAITS, styled};

/// What can be asked about connections.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Finds out what each connection's credentials really allow, changing nothing.
    ///
    /// Asks the running server, or, with `--config`, the vendors directly: before a server runs.
    Check {
        /// Where the server is.
        #[command(flatten)]
        server: Where,
        /// A configuration whose connections are checked from here, without a server.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Only these connections; all, when none is named.
        #[arg(value_name = "CONNECTION")]
        connections: Vec<String>,
    },
}

/// Longest time for the check of one connection.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the command.
///
/// # Errors
/// When something is found wanting.
pub fn run(command: &Command, format: Format) -> Result<()> {
    let Command::Check {
        server,
        config,
        connections,
    } = command;
    let connections = connections
        .iter()
        .map(|id| {
            id.parse()
                .map_err(|error| Failure::bad_input(format!("{error}")))
        })
        .collect::<Result<Vec<ConnectionId>>>()?;
    let reply = if let Some(path) = config {
        wait(directly(path, &connections))?
    } else {
        let client = server.client()?;
        let order = CheckRequest { connections };
        wait(client.post("/api/v1/connections/check", &order))?
    };
    match format {
        Format::Json => output::json(&reply)?,
        Format::Human => output::say(&text(&reply)),
    }
    let wanting = reply.connections.iter().filter(|c| !c.ok).count();
    match (wanting, reply.connections.len()) {
        (0, _) => Ok(()),
        (1, 1) => Err(Failure::failed("the connection lacks something")),
        (some, all) => Err(Failure::failed(format!(
            "{some} of {all} connections lack something"
        ))),
    }
}

/// Asks the vendors from here.
async fn directly(path: &Path, wanted: &[ConnectionId]) -> Result<CheckReply> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let built = Document::open(path)?.connections(&clock)?;
    let known = |id: &ConnectionId| built.iter().any(|c| c.connected.id == *id);
    if let Some(unknown) = wanted.iter().find(|id| !known(id)) {
        let ids: Vec<&str> = built.iter().map(|c| c.connected.id.as_str()).collect();
        return Err(
            Failure::bad_input(format!("there is no connection `{unknown}`"))
                .hint(quell_policy::suggestion(unknown.as_str(), &ids)),
        );
    }
    let mut connections = Vec::new();
    for connection in built {
        let connected = connection.connected;
        if wanted.is_empty() || wanted.contains(&connected.id) {
            let call = Call::new(clock.clone(), PATIENCE, "check");
            let checks = connected.probe(&call).await;
            connections.push(ConnectionChecks {
                ok: checks.iter().all(|check| check.ok != Some(false)),
                checks: checks.into_iter().map(Into::into).collect(),
                connection: connected.id,
            });
        }
    }
    Ok(CheckReply { connections })
}

fn text(reply: &CheckReply) -> String {
    if reply.connections.is_empty() {
        return "There are no connections.\n".to_owned();
    }
    let mut out = String::new();
    for (index, connection) in reply.connections.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        out.push_str(&format!(
            "{}\n",
            styled(STRONG, connection.connection.as_str())
        ));
        let mut columns = Columns::limited(&[7, 32, 40]);
        for check in &connection.checks {
            let (style, word) = match check.ok {
                Some(true) => (GOOD, "ok"),
                Some(false) => (BAD, "missing"),
                None => (WAITS, "unknown"),
            };
            columns.row([
                (style, word.to_owned()),
                (PLAIN, check.name.clone()),
                (QUIET, check.used_by.clone()),
                (PLAIN, check.detail.clone()),
            ]);
        }
        out.push_str(&columns.lines("  "));
    }
    out
}

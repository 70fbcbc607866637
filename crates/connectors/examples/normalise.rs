//! Prints what a connector makes of alert documents: `normalise CONNECTOR FILE…`, one line of JSON for
//! each document, and the place at fault for those that cannot be read.

use std::error::Error;
use std::io::Write as _;

use quell_connector::document;
use quell_connectors::catalog;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let id = arguments
        .next()
        .ok_or("give a connector and files with alert documents")?;
    let connector = catalog::find(&id).ok_or_else(|| format!("no connector `{id}`"))?;
    let normalise = connector
        .normalise
        .ok_or("this connector reads no alerts")?;
    let mut out = std::io::stdout().lock();
    for path in arguments {
        let body = std::fs::read_to_string(&path)?;
        for found in document::split(&body, connector.envelope)? {
            match normalise(found.json) {
                Ok(alert) => writeln!(
                    out,
                    "{path} {}\n{}",
                    found.path,
                    serde_json::to_string_pretty(&alert)?
                )?,
                Err(error) => writeln!(out, "{path} {}", error.inside(&found.path))?,
            }
        }
    }
    Ok(())
}

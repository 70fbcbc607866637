//! A CrowdStrike twin with the small demo fleet, for another process to use.
//!
//! `cargo run -p quell-twins --example crowdstrike -- 127.0.0.1:8601 [--region us-1]`

use std::error::Error;
use std::io::Write as _;

use quell_twins::crowdstrike::{CLIENT_ID, CLIENT_SECRET, Config, CrowdStrike, Fleet};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:8601".into())
        .parse()?;
    let region = arguments
        .find(|argument| argument == "--region")
        .and_then(|_| arguments.next());
    let twin = CrowdStrike::start(Config {
        listen,
        region,
        fleet: Fleet::small(),
        ..Config::default()
    })
    .await?;
    writeln!(
        std::io::stdout(),
        "{} (client id {CLIENT_ID}, secret {CLIENT_SECRET})",
        twin.base_url()
    )?;
    tokio::signal::ctrl_c().await?;
    Ok(())
}

//! `quell range`: the simulated vendors in a process of their own, for load tests, rehearsals and
//! for getting to know the product without touching anything real.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::SignedDuration;
use quell_connector::SystemClock;
use quell_model::Clock;
use quell_twins::crowdstrike::{self, Company, CrowdStrike, Fleet, Settle};
use quell_twins::slack::{self, Slack};
use serde_json::json;

use crate::failure::{Failure, Result};
use crate::output::{self, Columns, Format, PLAIN, QUIET, styled};
use crate::serve;

/// Runs the simulated vendors until it is told to stop.
///
/// They keep state and answer over HTTP as the vendors do. State, faults and clock can be read and
/// changed below `/_twin`, without any credential: keep them on this machine.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where the simulated CrowdStrike Falcon listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7900")]
    listen: SocketAddr,
    /// Where the simulated Slack listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7901")]
    slack: SocketAddr,
    /// How many workstations there are, in place of the small fleet of servers and workstations.
    #[arg(long, value_name = "N", conflicts_with_all = ["machines", "alerts"])]
    hosts: Option<usize>,
    /// How many machines a made-up company has: workstations, servers and domain controllers.
    #[arg(long, value_name = "N", requires = "alerts")]
    machines: Option<usize>,
    /// How many alerts were raised on them over the last 24 hours.
    #[arg(long, value_name = "N", requires = "machines")]
    alerts: Option<usize>,
    /// Another number makes another company; the same number the same.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How long containing, releasing and killing take, with unit; as long as at the vendor, when missing.
    #[arg(long, value_name = "DURATION")]
    settle: Option<SignedDuration>,
    /// How many requests are kept for `/_twin/requests`; 0 for load tests.
    #[arg(long, value_name = "N", default_value_t = 4096)]
    request_log: usize,
}

/// Runs the command.
///
/// # Errors
/// When an address cannot be listened on.
pub fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let company = arguments.machines.zip(arguments.alerts);
    let seed = company.map(|_| arguments.seed);
    let Company { fleet, alerts } = match (company, arguments.hosts) {
        (Some((machines, alerts)), _) => {
            Company::made_up(machines, alerts, arguments.seed, SystemClock.now())
        }
        (None, Some(count)) => Company::quiet(Fleet::of(count, "WS")),
        (None, None) => Company::quiet(Fleet::small()),
    };
    serve::runtime()?.block_on(async {
        let falcon = CrowdStrike::start(crowdstrike::Config {
            listen: arguments.listen,
            settle: arguments.settle.map_or_else(Settle::default, |each| settle(each.unsigned_abs())),
            request_log: arguments.request_log,
            seed,
            fleet,
            ..crowdstrike::Config::default()
        });
        let falcon = falcon.await.map_err(|error| not_started(&error))?;
        falcon.add_alerts(&alerts).map_err(|error| not_started(&error))?;
        let slack = Slack::start(slack::Config {
            listen: arguments.slack,
            request_log: arguments.request_log,
            ..slack::Config::default()
        });
        let slack = slack.await.map_err(|error| not_started(&error))?;
        match format {
            Format::Json => output::json(&json!({
                "crowdstrike": {
                    "base_url": falcon.base_url(),
                    "client_id": crowdstrike::CLIENT_ID,
                    "client_secret": crowdstrike::CLIENT_SECRET,
                    "hosts": falcon.hosts().len(),
                },
                "slack": { "base_url": slack.base_url(), "token": slack::TOKEN, "channel": "C0SOCALERTS" },
            }))?,
            Format::Human => output::say(&text(&falcon, &slack)),
        }
        serve::told_to_stop().await;
        Ok(())
    })
}

/// The same time for everything.
pub(crate) const fn settle(each: Duration) -> Settle {
    Settle {
        containment: each,
        lift: each,
        command: each,
    }
}

fn text(falcon: &CrowdStrike, slack: &Slack) -> String {
    let mut columns = Columns::default();
    let mut row = |name: &str, key: &str, value: String| {
        columns.row([
            (PLAIN, name.to_owned()),
            (QUIET, key.to_owned()),
            (PLAIN, value),
        ]);
    };
    row("CrowdStrike", "base_url", falcon.base_url());
    row("", "client_id", crowdstrike::CLIENT_ID.to_owned());
    row("", "client_secret", crowdstrike::CLIENT_SECRET.to_owned());
    row("", "hosts", falcon.hosts().len().to_string());
    row("Slack", "base_url", slack.base_url());
    row("", "token", slack::TOKEN.to_owned());
    row("", "channel", "C0SOCALERTS".to_owned());
    let hint = format!(
        "State, faults and clock: {}/_twin/state and others. Ctrl-C stops it.",
        falcon.base_url()
    );
    format!(
        "Simulated vendors\n\n{}\n{}\n",
        columns.lines("  "),
        styled(QUIET, &hint)
    )
}

pub(crate) fn not_started(error: &quell_twins::Error) -> Failure {
    Failure::failed("a simulated vendor cannot start")
        .because(error)
        .hint(
            "is the port in use? choose another with --listen or --slack; port 0 picks a free one",
        )
}

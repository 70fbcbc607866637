//! What the simulated vendors' own state says in the end. Nothing here believes Quell.

use std::collections::BTreeMap;
use std::time::Duration;

use quell_twins::crowdstrike::{Containment, CrowdStrike, Endpoint, Host};

use super::player::Player;
use super::sign_ins;
use super::stage::Stage;
use super::story::{
    COPIER, COPIER_PID, DIRECTORY, FALSE_ALARM, FILE_SERVER, GRABBER, GRABBER_PID, LOADER,
    LOADER_PID, PATIENT_ZERO, SHELL_PID,
};
use crate::failure::{Failure, Result};
use crate::output::{self, BAD, Columns, GOOD, PLAIN, QUIET, styled};

/// How long comments may take to reach the alerts.
const PATIENCE: Duration = Duration::from_secs(20);

/// The hosts and the bans, for a person.
pub(super) fn state(stage: &Stage) -> String {
    let mut columns = Columns::default();
    columns.head(["HOST", "CLASS", "NETWORK", "MALICIOUS PROCESS"]);
    for host in stage.twin.hosts() {
        let network = host.containment.name().replace('_', " ");
        let style = if host.containment == Containment::Contained {
            BAD
        } else {
            PLAIN
        };
        let process = match subject(&host.hostname) {
            None => (QUIET, "none".to_owned()),
            Some(pid) if runs(&host, pid) => (PLAIN, format!("pid {pid} runs")),
            Some(pid) => (GOOD, format!("pid {pid} is gone")),
        };
        let class = host.class.description().to_lowercase();
        columns.row([
            (PLAIN, host.hostname),
            (QUIET, class),
            (style, network),
            process,
        ]);
    }
    let bans = stage.twin.iocs().len();
    let mut accounts = Columns::default();
    accounts.head(["ACCOUNT", "SESSIONS", "PASSWORD"]);
    for row in sign_ins::state(&stage.tenant) {
        accounts.row(row.map(|cell| (PLAIN, cell)));
    }
    format!(
        "{}\n  {bans} file hashes are banned.\n\n{}\n",
        columns.lines("  "),
        accounts.lines("  ")
    )
}

/// The offending process of a host of the story.
fn subject(host: &str) -> Option<u32> {
    match host {
        PATIENT_ZERO => Some(LOADER_PID),
        FILE_SERVER => Some(GRABBER_PID),
        FALSE_ALARM => Some(SHELL_PID),
        DIRECTORY => Some(COPIER_PID),
        "MAC-DESIGN-02" => Some(super::story::BAR_PID),
        _ => None,
    }
}

fn runs(host: &Host, pid: u32) -> bool {
    host.processes.iter().any(|process| process.pid == pid)
}

/// Compares the vendors' state with what the story must have led to. `password` is the temporary one that
/// was shown.
///
/// # Errors
/// With what is missing, or what was touched and should not have been.
pub(super) async fn check(
    stage: &Stage,
    player: &Player<'_>,
    password: Option<&str>,
) -> Result<()> {
    let comments = comments(stage, player).await;
    let mut checks = checks(&stage.twin);
    checks.extend(comments);
    checks.extend(sign_ins::checks(&stage.tenant, password));
    let mut missing = Vec::new();
    for (claim, holds) in &checks {
        let mark = if *holds {
            styled(GOOD, "ok  ")
        } else {
            styled(BAD, "NO  ")
        };
        output::say(&format!("  {mark}  {claim}\n"));
        if !holds {
            missing.push(claim.clone());
        }
    }
    output::say(&format!(
        "\n  {} of {} as expected\n",
        checks.len() - missing.len(),
        checks.len()
    ));
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Failure::failed(format!(
            "the vendors' state is not as it should be: not so: {}",
            missing.join("; ")
        )))
    }
}

fn checks(twin: &CrowdStrike) -> Vec<(String, bool)> {
    let hosts: BTreeMap<String, Host> = twin
        .hosts()
        .into_iter()
        .map(|host| (host.hostname.clone(), host))
        .collect();
    let mut checks: Vec<(String, bool)> = Vec::new();
    let mut claim = |claim: String, holds: bool| checks.push((claim, holds));
    for (name, pid) in [(PATIENT_ZERO, LOADER_PID), (FILE_SERVER, GRABBER_PID)] {
        let host = hosts.get(name);
        let contained = host.is_some_and(|host| {
            host.containment == Containment::Contained
                && host.calls.contain_received == 1
                && host.calls.lift_received == 0
        });
        claim(format!("{name} is contained, asked for once"), contained);
        let killed = host.is_some_and(|host| !runs(host, pid) && host.calls.kill_received == 1);
        claim(
            format!("the malicious process on {name} is gone, ended once"),
            killed,
        );
    }
    let host = hosts.get(FALSE_ALARM);
    let released = host.is_some_and(|host| {
        host.containment == Containment::Normal
            && host.calls.contain_applied == 1
            && host.calls.lift_applied == 1
    });
    claim(
        format!("{FALSE_ALARM} was contained once, released once, and is back on the network"),
        released,
    );
    claim(
        format!("the shell on {FALSE_ALARM} is gone"),
        host.is_some_and(|host| !runs(host, SHELL_PID)),
    );
    let untouched = |host: &Host| {
        let calls = host.calls;
        host.containment == Containment::Normal
            && calls.contain_received + calls.lift_received + calls.kill_received == 0
    };
    let host = hosts.get(DIRECTORY);
    let left = host.is_some_and(|host| untouched(host) && runs(host, COPIER_PID));
    claim(
        format!("{DIRECTORY} was not touched: it waits for a person"),
        left,
    );
    let others = hosts.values().filter(|host| {
        ![PATIENT_ZERO, FILE_SERVER, FALSE_ALARM, DIRECTORY].contains(&host.hostname.as_str())
    });
    let others: Vec<_> = others.collect();
    let quiet = others
        .iter()
        .all(|host| untouched(host) && subject(&host.hostname).is_none_or(|pid| runs(host, pid)));
    claim(
        format!("the other {} hosts were not touched", others.len()),
        quiet && others.len() == 4,
    );
    let bans = twin.iocs();
    for (what, hash) in [
        ("loader", LOADER),
        ("credential grabber", GRABBER),
        ("directory copier", COPIER),
    ] {
        let banned = bans.iter().any(|ban| {
            ban.value == hash
                && ban.kind == "sha256"
                && ban.action.starts_with("prevent")
                && ban.source == "quell"
        });
        claim(
            format!("the {what} is banned, with quell as source"),
            banned,
        );
    }
    claim(
        "no other file is banned: not the shell, which every machine needs".to_owned(),
        bans.len() == 3,
    );
    checks
}

/// Waits for the comments on the alerts: they are sent apart from the actions, and none may hold one up.
async fn comments(stage: &Stage, player: &Player<'_>) -> Vec<(String, bool)> {
    let twin = &stage.twin;
    // All but the nuisance, which nothing was done about.
    let acted: Vec<&String> = player
        .raised
        .iter()
        .enumerate()
        .filter(|(beat, _)| *beat != 4)
        .map(|(_, id)| id)
        .collect();
    let commented = |id: &&&String| !twin.alert_comments(id).is_empty();
    let taken_back = || {
        let comments = player
            .raised
            .get(3)
            .map(|id| twin.alert_comments(id))
            .unwrap_or_default();
        comments
            .iter()
            .any(|comment| comment.contains("Taken back"))
    };
    let polls = twin.count(Endpoint::AlertCombined) + twin.count(Endpoint::AlertQuery);
    let polled =
        || twin.count(Endpoint::AlertCombined) + twin.count(Endpoint::AlertQuery) >= polls + 2;
    let now = stage.clock.now();
    let due = now.checked_add(PATIENCE).unwrap_or(now);
    loop {
        let complete = acted.iter().filter(commented).count() == acted.len() && taken_back();
        // Two more polls bring the comments back as changed alerts; nothing may be done about them again.
        if (complete && polled()) || stage.clock.now() >= due {
            break;
        }
        stage.clock.sleep(Duration::from_millis(50)).await;
    }
    let count = acted.iter().filter(commented).count();
    vec![
        (
            format!(
                "all {} alerts that were acted on carry a comment",
                acted.len()
            ),
            count == acted.len(),
        ),
        (
            format!("the alert on {FALSE_ALARM} says that its containment was taken back"),
            taken_back(),
        ),
    ]
}

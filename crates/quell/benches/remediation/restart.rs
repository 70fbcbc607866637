//! Starting: on an empty store, on one with many actions, and with many that were left open.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quell_twins::crowdstrike::{Config, CrowdStrike, Fleet, Settle};

use crate::process::Running;
use crate::{
    Folder, TOKEN, completed, exchange, free_address, load, millis, opt_in, quell, wait_until_ready,
};

/// Actions left open by the process that was killed.
const OPEN: usize = 10_000;

/// Measures with `stored` finished actions in the store.
pub(crate) async fn measure(stored: usize) {
    let twin = CrowdStrike::start(Config {
        fleet: Fleet::of(stored + OPEN, "WS"),
        settle: Settle::INSTANT,
        rate_limit: None,
        region: None,
        request_log: 0,
        ..Config::default()
    })
    .await
    .unwrap();
    let hosts = twin.hosts();
    let alerts: Vec<String> = hosts
        .iter()
        .enumerate()
        .map(|(number, host)| load::alert(&host.aid, number))
        .collect();
    let (finished, open) = alerts.split_at(stored);
    let (folder, address) = (Folder::new(), free_address());
    let start = async || {
        let began = Instant::now();
        let running = Running::start(&mut quell(&folder.0, address, &twin.base_url()));
        wait_until_ready(address).await;
        (running, began.elapsed())
    };

    let (running, took) = start().await;
    println!("ready on an empty store: {:.0} ms", millis(took));
    opt_in(address).await;
    load::send_all(address, TOKEN, Arc::new(finished.to_vec()), 32).await;
    until_completed(address, stored as u64).await;
    let (_, highest) = running.memory();
    println!("{stored} alerts remediated, {highest:.0} MB at most");
    drop(running);

    let (running, took) = start().await;
    println!("ready with {stored} stored actions: {:.0} ms", millis(took));
    exchange(
        address,
        "POST",
        "/api/v1/automation/pause",
        r#"{"reason":"bench"}"#,
    )
    .await;
    load::send_all(address, TOKEN, Arc::new(open.to_vec()), 32).await;
    // Killed, not stopped: what it left has to be found again.
    drop(running);

    let (_running, took) = start().await;
    println!(
        "ready with {stored} stored and {OPEN} open actions after a kill: {:.0} ms",
        millis(took)
    );
    let began = Instant::now();
    exchange(address, "POST", "/api/v1/automation/resume", "{}").await;
    until_completed(address, OPEN as u64).await;
    println!(
        "all {OPEN} open actions carried out and verified: {:.0} ms",
        millis(began.elapsed())
    );
}

async fn until_completed(address: std::net::SocketAddr, count: u64) {
    while completed(address).await < count {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

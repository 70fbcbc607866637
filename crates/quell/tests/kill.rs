//! The real server, killed with SIGKILL at random points under load, again and again, with alerts that are
//! pushed to it and alerts it finds by polling. After all of it every alert has led to exactly one
//! containment and one ban at the vendor, and to at most one kill.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the harness lives in real time, as the process it kills does, and says how much it saw"
)]

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use quell_twins::crowdstrike::{
    AlertSpec, CLIENT_ID, CLIENT_SECRET, Config, Containment, CrowdStrike, HostSpec, Process,
    Settle,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const KILLS: usize = 30;
const SENDERS: usize = 6;
/// Alerts that come with one poll.
const PAGE: usize = 12;
/// What pushes alerts, and what reads; the server keeps the two apart.
const TOKEN: &str = "kill-harness-intake-0123456789";
const READER: &str = "kill-harness-reader-0123456789";

struct Target {
    aid: String,
    sha256: String,
    document: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_kills_under_load_lose_nothing_and_double_nothing() {
    let site = Site::new("push").await;
    let (next, stop) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let accepted = Arc::new(Mutex::new(Vec::new()));
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (twin, address) = (site.twin.clone(), site.address);
            let (next, stop, accepted) = (next.clone(), stop.clone(), accepted.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let target = target(&twin, next.fetch_add(1, Ordering::SeqCst));
                    // A sender that got no answer sends again: what it sent may or may not be stored.
                    while !push(address, &target.document).await {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    accepted.lock().unwrap().push(target);
                }
            })
        })
        .collect();
    for kill in 0..KILLS {
        site.serve_and_kill(kill).await;
    }
    stop.store(true, Ordering::SeqCst);
    let server = site.serve();
    for sender in senders {
        sender.await.unwrap();
    }
    let accepted = std::mem::take(&mut *accepted.lock().unwrap());
    let actions = quiet(site.address, accepted.len() * 3).await;
    drop(server);
    site.judge(&accepted, &actions);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_kills_while_polling_lose_nothing_and_double_nothing() {
    let site = Site::new("poll").await;
    let mut raised = Vec::new();
    for kill in 0..KILLS {
        // A page of them, so that kills fall between alerts that are taken in side by side.
        raised.extend((0..PAGE).map(|at| target(&site.twin, kill * PAGE + at)));
        site.serve_and_kill(kill).await;
    }
    let server = site.serve();
    let actions = quiet(site.address, raised.len() * 3).await;
    drop(server);
    site.judge(&raised, &actions);
}

/// A server that is killed when it is dropped, also when the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A vendor, and where the server that is killed keeps its files.
struct Site {
    twin: Arc<CrowdStrike>,
    folder: PathBuf,
    address: SocketAddr,
}

impl Site {
    /// Where alerts come by `way`: push or poll. The server may do all it can, and does not run yet.
    async fn new(way: &str) -> Self {
        let twin = CrowdStrike::start(Config {
            region: None,
            request_log: 0,
            settle: Settle {
                containment: Duration::from_millis(30),
                ..Settle::INSTANT
            },
            ..Config::default()
        })
        .await
        .unwrap();
        let folder = std::env::temp_dir().join(format!("quell-kill-{way}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let address = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        write_config(&folder, address, &twin.base_url(), way == "poll");
        let site = Self {
            twin: Arc::new(twin),
            folder,
            address,
        };
        let server = site.serve();
        opt_in(address).await;
        drop(server);
        site
    }

    fn serve(&self) -> Running {
        let server = Command::new(env!("CARGO_BIN_EXE_quell"))
            .args(["serve", "--config"])
            .arg(self.folder.join("quell.toml"))
            .env("KILL_TOKEN", TOKEN)
            .env("KILL_READER", READER)
            .env("KILL_SECRET", CLIENT_SECRET)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Running(server)
    }

    /// Starts the server and kills it after a number of vendor calls, so that kills fall between calls and
    /// not between alerts.
    async fn serve_and_kill(&self, kill: usize) {
        let calls = 1 + RandomState::new().hash_one(kill) % 120;
        let mut server = self.serve();
        let began = Instant::now();
        let until = self.twin.total_requests() + calls;
        while self.twin.total_requests() < until {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "kill {kill}: the server does no work"
            );
            assert!(
                server.0.try_wait().unwrap().is_none(),
                "kill {kill}: the server ended by itself"
            );
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
        drop(server);
    }

    /// Holds what there is against what there should be.
    fn judge(&self, targets: &[Target], actions: &[Value]) {
        let mut states: BTreeMap<(String, String), usize> = BTreeMap::new();
        for action in actions {
            let key = (text(&action["action"]), text(&action["state"]));
            *states.entry(key).or_default() += 1;
        }
        println!(
            "{KILLS} kills, {} alerts accepted, actions: {states:?}",
            targets.len()
        );
        assert!(
            targets.len() > KILLS,
            "too little load to mean anything: {} alerts",
            targets.len()
        );
        for target in targets {
            let host = self.twin.host(&target.aid).unwrap();
            assert_eq!(
                host.containment,
                Containment::Contained,
                "{} was lost",
                target.aid
            );
            assert_eq!(
                host.calls.contain_applied, 1,
                "{} was contained more than once",
                target.aid
            );
            assert!(
                host.calls.kill_received <= 1,
                "the process on {} was killed twice",
                target.aid
            );
            let bans = self
                .twin
                .iocs()
                .iter()
                .filter(|ioc| ioc.value == target.sha256)
                .count();
            assert_eq!(bans, 1, "{} has {bans} bans", target.sha256);
        }
        for action in actions {
            let (kind, state) = (text(&action["action"]), text(&action["state"]));
            let ended = match kind.as_str() {
                // An intent without a receipt: nobody knows, so a person is asked.
                "kill_process" => ["completed", "unknown"].contains(&state.as_str()),
                _ => state == "completed",
            };
            assert!(ended, "{kind} ended as {state}: {}", action["note"]);
        }
        assert_eq!(
            actions.len(),
            targets.len() * 3,
            "three actions an alert, each once"
        );
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// A host of its own with a malicious process of its own, and the alert about it.
fn target(twin: &CrowdStrike, number: usize) -> Target {
    let sha256 = format!("{:064x}", number + 1);
    let process = Process {
        // Not where the operating system keeps its own: such a file would not be banned by itself.
        path: format!("C:\\Users\\ana\\Downloads\\loader-{number}.exe"),
        ..Process::new(1000 + u32::try_from(number).unwrap(), "loader.exe").with_sha256(&sha256)
    };
    let host = HostSpec::workstation(format!("WS-{number:05}")).running(process.clone());
    let aid = twin.add_host(host);
    let id = twin.add_alert(&AlertSpec::on(&aid, process)).unwrap();
    Target {
        aid,
        sha256,
        document: twin.alert(&id).unwrap().to_string(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn write_config(folder: &Path, listen: SocketAddr, base: &str, polls: bool) {
    let config = format!(
        r#"
[server]
listen = "{listen}"
[[server.tokens]]
name = "harness"
role = "administrator"
token = "env:KILL_READER"
[log]
filter = "error"
[organization]
id = "harness"
[policy]
directory = "policy"
[[connections]]
id = "falcon"
connector = "crowdstrike"
[connections.intake]
token = "env:KILL_TOKEN"
[connections.settings]
base_url = "{base}"
client_id = "{CLIENT_ID}"
client_secret = "env:KILL_SECRET"
[connections.settings.http]
requests_per_minute = 1000000
[connections.settings.poll]
enabled = {polls}
interval = "1s"
"#
    );
    std::fs::write(folder.join("quell.toml"), config).unwrap();
    std::fs::create_dir_all(folder.join("policy")).unwrap();
    std::fs::write(folder.join("policy/policy.toml"), POLICY).unwrap();
}

/// Budgets that count and hold nothing back.
const POLICY: &str = r#"[budgets.contain-hosts]
actions = ["contain_host"]
window = "1h"
count = 1000000
[budgets.contain-hosts-in-a-day]
actions = ["contain_host"]
window = "24h"
count = 1000000
[budgets.contain-servers]
off = true
[budgets.kill-processes]
actions = ["kill_process"]
window = "1h"
count = 1000000
[budgets.ban-hashes]
actions = ["block_hash"]
window = "1h"
count = 1000000
[budgets.one-detection]
per = "detection"
window = "15m"
count = 1000000
[budgets.new-connection]
per = "source"
new_for = "24h"
window = "24h"
count = 1000000
[budgets.new-detection]
per = "detection"
new_for = "24h"
window = "24h"
count = 1000000
[breakers.storm]
at_least = 1000000000
times = 10
"#;

/// Pushes an alert; whether it was answered with a 2xx.
async fn push(address: SocketAddr, body: &str) -> bool {
    let request = format!(
        "POST /api/v1/intake/falcon HTTP/1.1\r\nhost: quell\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    exchange(address, &request)
        .await
        .is_some_and(|reply| reply.starts_with("HTTP/1.1 2"))
}

async fn exchange(address: SocketAddr, request: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.ok()?;
    Some(String::from_utf8_lossy(&reply).into_owned())
}

/// Lets the server do all it can, as soon as it answers.
async fn opt_in(address: SocketAddr) {
    let began = Instant::now();
    let head = |line: &str, length: usize| {
        format!(
            "{line} HTTP/1.1\r\nhost: quell\r\nauthorization: Bearer {READER}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        )
    };
    let offers = loop {
        let reply = exchange(address, &head("GET /api/v1/automation", 0)).await;
        let view = reply
            .and_then(|reply| serde_json::from_str::<Value>(reply.split_once("\r\n\r\n")?.1).ok());
        if let Some(view) = view {
            break view["offers"].as_array().unwrap().clone();
        }
        assert!(began.elapsed() < Duration::from_secs(30), "no answer");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    for offer in offers {
        let body = json!({ "action": offer["action"], "agreed": offer["text"] }).to_string();
        let head = head("POST /api/v1/automation/opt-in", body.len());
        let reply = exchange(address, &format!("{head}{body}")).await.unwrap();
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    }
}

/// All actions, once there are at least `count` and none of them has work to come.
async fn quiet(address: SocketAddr, count: usize) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let actions = all_actions(address).await;
        let live = |action: &Value| {
            ["proposed", "scheduled", "running", "verifying"]
                .contains(&text(&action["state"]).as_str())
        };
        match actions {
            Some(actions) if actions.len() >= count && !actions.iter().any(live) => return actions,
            _ => {}
        }
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "work does not end, or less than {count} actions come of the alerts"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn all_actions(address: SocketAddr) -> Option<Vec<Value>> {
    let mut all = Vec::new();
    let mut next = String::new();
    loop {
        let request = format!(
            "GET /api/v1/actions?limit=200{next} HTTP/1.1\r\nhost: quell\r\nauthorization: Bearer {READER}\r\n\
             connection: close\r\n\r\n"
        );
        let reply = exchange(address, &request).await?;
        let page: Value = serde_json::from_str(reply.split_once("\r\n\r\n")?.1).ok()?;
        all.extend(page["items"].as_array()?.iter().cloned());
        match page["next"].as_str() {
            Some(cursor) => next = format!("&before={cursor}"),
            None => return Some(all),
        }
    }
}

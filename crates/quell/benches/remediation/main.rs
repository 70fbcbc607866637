//! Quell against two small programs that do less: `bare` stores nothing, `limit` stores one flushed
//! row per alert. All figures of one run come from one machine in one go; quote the ratios.
//!
//! `cargo bench -p quell --bench remediation [-- quick] [-- restart] [-- alone [SENDERS]]`. The generator and the simulated vendor live
//! in this process, what is measured in another.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark reads the real clock, and has nobody to report an error to but its reader"
)]

mod baselines;
mod load;
mod process;
mod restart;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use process::Running;
use quell_twins::crowdstrike::{
    CLIENT_ID, CLIENT_SECRET, Config, Containment, CrowdStrike, Fleet, Settle,
};

/// What pushes alerts, and what reads; the server keeps the two apart.
const TOKEN: &str = "bench-intake-token-0123456789abcdef";
const READER: &str = "bench-reader-token-0123456789abcdef";

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments
        .iter()
        .position(|argument| argument == "--baseline")
    {
        let listen = arguments[at + 1].parse().unwrap();
        let database = arguments.get(at + 3).cloned();
        return baselines::serve(listen, arguments[at + 2].clone(), database).await;
    }
    let quick = arguments.iter().any(|argument| argument == "quick");
    let (singles, many, rounds) = if quick {
        (200, 4_000, 1)
    } else {
        (1_000, 20_000, 3)
    };
    if arguments.iter().any(|argument| argument == "restart") {
        return restart::measure(if quick { 10_000 } else { 100_000 }).await;
    }
    if arguments.iter().any(|argument| argument == "alone") {
        let senders = arguments.iter().find_map(|argument| argument.parse().ok());
        return alone(many, senders.unwrap_or(32)).await;
    }
    println!(
        "one alert at a time ({singles} alerts): received by the vendor's door after sending, p50 / p99"
    );
    for round in 1..=rounds {
        println!("  round {round}");
        for subject in [Subject::Bare, Subject::Limit, Subject::Quell] {
            let bench = Bench::start(subject, singles).await;
            let (p50, p99) = bench.one_at_a_time().await;
            println!(
                "    {subject:?}: {:.2} ms / {:.2} ms",
                millis(p50),
                millis(p99)
            );
        }
    }
    for senders in [32, 128] {
        println!("{senders} senders ({many} alerts): remediated per second, CPU per alert, memory");
        for round in 1..=rounds {
            println!("  round {round}");
            let mut limit = None;
            for subject in [Subject::Bare, Subject::Limit, Subject::Quell] {
                let bench = Bench::start(subject, many).await;
                let result = bench.throughput(senders).await;
                let ratio = limit.map_or(String::new(), |limit: f64| {
                    format!(", {:.2} of limit", result.per_second / limit)
                });
                println!(
                    "    {subject:?}: {:.0}/s{ratio}, {:.3} ms CPU, {:.0} MB idle, {:.0} MB at most",
                    result.per_second,
                    millis(result.cpu) / many as f64,
                    result.idle,
                    result.highest
                );
                if matches!(subject, Subject::Limit) {
                    limit = Some(result.per_second);
                }
            }
        }
    }
}

/// Only Quell: what a profiler is attached to.
async fn alone(many: usize, senders: usize) {
    let bench = Bench::start(Subject::Quell, many).await;
    let own = process::cpu_of("self");
    let result = bench.throughput(senders).await;
    println!(
        "{:.0}/s, {:.3} ms CPU, {:.3} ms CPU of generator and simulated vendor",
        result.per_second,
        millis(result.cpu) / many as f64,
        millis(process::cpu_of("self") - own) / many as f64
    );
}

#[derive(Debug, Clone, Copy)]
enum Subject {
    Bare,
    Limit,
    Quell,
}

struct Throughput {
    per_second: f64,
    cpu: Duration,
    idle: f64,
    highest: f64,
}

struct Bench {
    subject: Subject,
    twin: CrowdStrike,
    hosts: Vec<String>,
    alerts: Arc<Vec<String>>,
    address: SocketAddr,
    running: Running,
    _folder: Folder,
}

impl Bench {
    async fn start(subject: Subject, count: usize) -> Self {
        let config = Config {
            fleet: Fleet::of(count, "WS"),
            settle: Settle::INSTANT,
            rate_limit: None,
            region: None,
            request_log: if count <= 2_000 { 16_384 } else { 0 },
            ..Config::default()
        };
        let twin = CrowdStrike::start(config).await.unwrap();
        let hosts: Vec<String> = twin.hosts().into_iter().map(|host| host.aid).collect();
        let alerts = hosts
            .iter()
            .enumerate()
            .map(|(number, host)| load::alert(host, number))
            .collect();
        let folder = Folder::new();
        let address = free_address();
        let mut command = match subject {
            Subject::Bare | Subject::Limit => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args(["--baseline", &address.to_string(), &twin.base_url()]);
                if matches!(subject, Subject::Limit) {
                    command.arg(folder.0.join("limit.db"));
                }
                command
            }
            Subject::Quell => quell(&folder.0, address, &twin.base_url()),
        };
        let running = Running::start(&mut command);
        wait_until_ready(address).await;
        if matches!(subject, Subject::Quell) {
            opt_in(address).await;
        }
        Self {
            subject,
            twin,
            hosts,
            alerts: Arc::new(alerts),
            address,
            running,
            _folder: folder,
        }
    }

    /// From sending an alert to its containment call arriving at the vendor.
    async fn one_at_a_time(&self) -> (Duration, Duration) {
        let mut sender = load::Sender::connect(self.address, TOKEN).await;
        let mut sent = Vec::new();
        for (alert, host) in self.alerts.iter().zip(&self.hosts) {
            sent.push(self.twin.now());
            sender.send(alert).await;
            while self.twin.containment(host) != Some(Containment::Contained) {
                tokio::task::yield_now().await;
            }
        }
        let calls = loop {
            // A request is logged when it has been answered, a moment after its effect shows.
            let mut records = self.twin.requests();
            records.retain(|record| record.target.contains("action_name=contain"));
            if records.len() >= sent.len() {
                break records;
            }
            tokio::task::yield_now().await;
        };
        let mut delays: Vec<Duration> = calls
            .iter()
            .zip(&sent)
            // The first ones open connections and fetch a token.
            .skip(20)
            .map(|(record, sent)| Duration::try_from(record.at.duration_since(*sent)).unwrap())
            .collect();
        assert_eq!(delays.len(), self.alerts.len() - 20);
        delays.sort_unstable();
        (delays[delays.len() / 2], delays[delays.len() * 99 / 100])
    }

    /// Until the last host is contained and, for Quell, its effect is verified and recorded.
    async fn throughput(&self, senders: usize) -> Throughput {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (idle, _) = self.running.memory();
        let before = self.running.cpu();
        let began = Instant::now();
        load::send_all(self.address, TOKEN, self.alerts.clone(), senders).await;
        while !self.finished().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let took = began.elapsed();
        for host in &self.hosts {
            assert_eq!(self.twin.containment(host), Some(Containment::Contained));
        }
        Throughput {
            per_second: self.alerts.len() as f64 / took.as_secs_f64(),
            cpu: self.running.cpu() - before,
            idle,
            highest: self.running.memory().1,
        }
    }

    async fn finished(&self) -> bool {
        match self.subject {
            Subject::Quell => completed(self.address).await >= self.alerts.len() as u64,
            // They call before they answer.
            Subject::Bare | Subject::Limit => true,
        }
    }
}

/// Actions Quell counts as completed, from its own metrics.
async fn completed(address: SocketAddr) -> u64 {
    let text = get(address, "/metrics").await;
    text.lines()
        .filter(|line| {
            line.starts_with("quell_transitions_total") && line.contains("to=\"completed\"")
        })
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

async fn get(address: SocketAddr, path: &str) -> String {
    exchange(address, "GET", path, "").await
}

async fn exchange(address: SocketAddr, method: &str, path: &str, body: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let Ok(mut stream) = tokio::net::TcpStream::connect(address).await else {
        return String::new();
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: quell\r\nauthorization: Bearer {READER}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    // A server that is just starting may close early; the caller asks again.
    let _ended = stream.read_to_end(&mut reply).await;
    String::from_utf8_lossy(&reply).into_owned()
}

async fn wait_until_ready(address: SocketAddr) {
    let began = Instant::now();
    while !get(address, "/readyz").await.starts_with("HTTP/1.1 200") {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "it does not become ready"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Opts in to containing hosts.
async fn opt_in(address: SocketAddr) {
    let reply = get(address, "/api/v1/automation").await;
    let view: serde_json::Value =
        serde_json::from_str(reply.split_once("\r\n\r\n").unwrap().1).unwrap();
    let offers = view["offers"].as_array().unwrap();
    let contain = offers
        .iter()
        .find(|offer| offer["action"] == "contain_host");
    let agreed = &contain.unwrap()["text"];
    let order = serde_json::json!({ "action": "contain_host", "agreed": agreed }).to_string();
    let reply = exchange(address, "POST", "/api/v1/automation/opt-in", &order).await;
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
}

/// Budgets that count and hold nothing back, at a connection that is long known.
const POLICY: &str = r#"[budgets.contain-hosts]
actions = ["contain_host"]
window = "1h"
count = 1000000
[budgets.contain-hosts-in-a-day]
actions = ["contain_host"]
window = "24h"
count = 1000000
[budgets.one-detection]
per = "detection"
window = "15m"
count = 1000000
[budgets.new-connection]
off = true
[budgets.new-detection]
off = true
[breakers.storm]
at_least = 1000000000
times = 10
"#;

/// The real server, as a user would start it, without polling and comments: one containment per alert.
fn quell(folder: &Path, listen: SocketAddr, base: &str) -> Command {
    let config = format!(
        r#"
[server]
listen = "{listen}"
[[server.tokens]]
name = "bench"
role = "administrator"
token = "env:BENCH_READER"
[log]
filter = "warn"
[organization]
id = "bench"
[policy]
directory = "policy"
[[connections]]
id = "falcon"
connector = "crowdstrike"
[connections.intake]
token = "env:BENCH_TOKEN"
[connections.settings]
base_url = "{base}"
client_id = "{CLIENT_ID}"
client_secret = "env:BENCH_SECRET"
[connections.settings.http]
requests_per_minute = 10000000
[connections.settings.poll]
enabled = false
"#
    );
    std::fs::write(folder.join("quell.toml"), config).unwrap();
    std::fs::create_dir_all(folder.join("policy")).unwrap();
    std::fs::write(folder.join("policy/policy.toml"), POLICY).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_quell"));
    command
        .arg("serve")
        .arg("--config")
        .arg(folder.join("quell.toml"));
    command
        .env("BENCH_TOKEN", TOKEN)
        .env("BENCH_READER", READER)
        .env("BENCH_SECRET", CLIENT_SECRET);
    command
}

fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// A folder of its own, removed when dropped.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!(
            "quell-bench-{}-{}",
            std::process::id(),
            Instant::now().elapsed().as_nanos()
        );
        let path = std::env::temp_dir().join(format!("{name}-{:p}", &name));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

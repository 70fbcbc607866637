//! How long it takes to find the entries a target is on, among 100,000 exact values, domains and
//! networks and 500 patterns. A plain loop that times each call, as in `decide.rs`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark may stop on a mistake of its own"
)]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use quell_model::entity::{File, Host, IndicatorKind, NetworkIndicator, Process, Sender};
use quell_model::{ActionType, ConnectionId, Entity};
use quell_policy::lists::{Draft, Entry, Lists, Lookup, Strength, Subject};

const WARM_UP: usize = 2_000;
const ROUNDS: usize = 50_000;

fn main() {
    let start = Instant::now();
    let exact: Vec<Entry> = (0..20_000).flat_map(exact).collect();
    println!("check of {} entries: {:?}", exact.len(), start.elapsed());
    let with = |pattern: fn(u32) -> Entry| {
        let patterns = (0..500).map(pattern);
        exact.iter().cloned().chain(patterns).collect()
    };
    let (spread, crowded) = (with(pattern), with(open_pattern));
    let start = Instant::now();
    let lists = Lists::new(spread);
    println!(
        "index of {} entries: {:?}",
        lists.entries().len(),
        start.elapsed()
    );

    let text = |text: &str| Some(text.to_owned());
    let host = |name: &str| -> Entity {
        Host {
            id: text("b47f0c2e11d94a7f"),
            name: text(name),
            ..Host::default()
        }
        .into()
    };
    let process: Entity = Process {
        host_id: text("b47f0c2e11d94a7f"),
        host_name: text("ws-finance-0042"),
        name: text("invoice.exe"),
        path: text(r"\Device\HarddiskVolume3\Users\ana\Downloads\invoice.exe"),
        sha256: Some("cd".repeat(32)),
        ..Process::default()
    }
    .into();
    let file: Entity = File {
        sha256: Some(format!("{:064x}", 7)),
        name: text("invoice.exe"),
        ..File::default()
    }
    .into();
    let indicator = |kind, value: &str| -> Entity {
        NetworkIndicator {
            kind,
            value: value.to_owned(),
        }
        .into()
    };
    let domain = |value| indicator(IndicatorKind::Domain, value);
    let ip = |value| indicator(IndicatorKind::Ip, value);
    let url = "https://www.shop.unlisted.example.net:8443/login?next=%2Faccount";
    let sender: Entity = Sender {
        value: "billing@mail.unlisted.example.net".to_owned(),
    }
    .into();

    for (what, action, target) in [
        (
            "host, on no list",
            ActionType::ContainHost,
            host("ws-finance-0042"),
        ),
        ("host, by name", ActionType::ContainHost, host("SRV-00042")),
        (
            "host, by pattern",
            ActionType::ContainHost,
            host("dc-7-frankfurt"),
        ),
        ("process, on no list", ActionType::KillProcess, process),
        ("file, by hash", ActionType::BlockHash, file),
        (
            "domain, on no list",
            ActionType::BlockIndicator,
            domain("cdn.evil.example.net"),
        ),
        (
            "domain, below a listed",
            ActionType::BlockIndicator,
            domain("a.b.site42.example.com"),
        ),
        (
            "domain, above 20,000",
            ActionType::BlockIndicator,
            domain("example.com"),
        ),
        (
            "url, on no list",
            ActionType::BlockIndicator,
            indicator(IndicatorKind::Url, url),
        ),
        (
            "address, on no list",
            ActionType::BlockIndicator,
            ip("198.51.100.7"),
        ),
        (
            "address, in a network",
            ActionType::BlockIndicator,
            ip("10.0.44.9"),
        ),
        (
            "IPv6, on no list",
            ActionType::BlockIndicator,
            ip("2a00:1450:4001:81c::200e"),
        ),
        (
            "network, around 20,000",
            ActionType::BlockIndicator,
            ip("10.0.0.0/8"),
        ),
        ("sender, on no list", ActionType::BlockSender, sender),
    ] {
        time(&lists, what, action, &target);
    }
    let crowded = Lists::new(crowded);
    for name in ["ws-finance-0042", "x-prod123-web"] {
        let what = format!("{name}, all open");
        time(&crowded, &what, ActionType::ContainHost, &host(name));
    }
}

/// The worst kind: about one subject, and open at both ends.
fn open_pattern(number: u32) -> Entry {
    entry(Subject::Host, format!("*-prod{number}-*"), Strength::Ask)
}

fn entry(subject: Subject, value: String, strength: Strength) -> Entry {
    Entry::new(Draft {
        subject,
        value,
        strength,
        actions: BTreeSet::new(),
        connection: None,
        reason: "It is ours.".to_owned(),
        author: "ana".to_owned(),
        source: "inventory".to_owned(),
        added: Timestamp::UNIX_EPOCH,
        expires: None,
    })
    .expect("the entry makes sense")
}

/// Five entries of five kinds, different for every number.
fn exact(number: u32) -> [Entry; 5] {
    let network = match number % 4 {
        0 => format!("10.{}.{}.0/24", number >> 8, number & 255),
        1 => format!("10.{}.{}.128/25", number >> 8, number & 255),
        2 => format!("172.{}.{}.1", number >> 8, number & 255),
        _ => format!("2001:db8:{number:x}::/{}", 48 + number % 16),
    };
    let strength = [Strength::Never, Strength::Ask][number as usize % 2];
    [
        entry(Subject::Host, format!("srv-{number:05}"), strength),
        entry(Subject::Hash, format!("{number:064x}"), strength),
        entry(
            Subject::Domain,
            format!("site{number}.example.com"),
            strength,
        ),
        entry(Subject::Ip, network, strength),
        entry(
            Subject::Sender,
            format!("person{number}@example.com"),
            strength,
        ),
    ]
}

fn pattern(number: u32) -> Entry {
    let (subject, value) = match number % 5 {
        0 => (Subject::Host, format!("dc-{number}-*")),
        1 => (Subject::Host, format!("*-prod-{number}")),
        2 => (Subject::Domain, format!("*login{number}.*")),
        3 => (Subject::Sender, format!("no-reply*@vendor{number}.example")),
        _ => (Subject::ProcessName, format!("agent-{number}?.exe")),
    };
    // `dc-7-…` is asked for above.
    let value = if number == 0 {
        "dc-7-*".to_owned()
    } else {
        value
    };
    entry(subject, value, Strength::Ask)
}

fn time(lists: &Lists, what: &str, action: ActionType, target: &Entity) {
    let labels: BTreeSet<String> = ["eu".to_owned(), "finance".to_owned()].into();
    let connection: ConnectionId = "prod".parse().expect("it is an id");
    let lookup = Lookup {
        action,
        target,
        labels: &labels,
        connection: &connection,
        now: Timestamp::UNIX_EPOCH,
    };
    for _ in 0..WARM_UP {
        black_box(lists.find(black_box(&lookup)));
    }
    let mut taken: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            black_box(lists.find(black_box(&lookup)));
            start.elapsed()
        })
        .collect();
    taken.sort_unstable();
    let found = lists.find(&lookup);
    let strength = found.strength.map_or("-", Strength::as_str);
    println!(
        "{what:<24} {strength:<6} {:>2} entries  p50 {:>8.2?}  p99 {:>8.2?}",
        found.entries.len(),
        taken[ROUNDS / 2],
        taken[ROUNDS * 99 / 100]
    );
}

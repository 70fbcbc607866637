//! How long one decision takes with the shipped rules. A plain loop that times each call: what is
//! wanted is the distribution people will see, not the smallest number.

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark may stop on a mistake of its own"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use quell_model::action::Basis;
use quell_model::entity::{File, Host, IndicatorKind, NetworkIndicator, Process};
use quell_model::{ActionType, AssetClass, AssetFacts, Entity, FileFacts, Severity};
use quell_policy::{Policy, Question, lists};

const WARM_UP: usize = 2_000;
const ROUNDS: usize = 50_000;

fn main() {
    let load = Instant::now();
    let policy = Policy::builtin().expect("the shipped rules load");
    println!(
        "load of {} rules: {:?}",
        policy.rules().len(),
        load.elapsed()
    );

    let text = |text: &str| Some(text.to_owned());
    let path = || text(r"\Device\HarddiskVolume3\Users\ana\Downloads\invoice.exe");
    let host: Entity = Host {
        id: text("b47f"),
        name: text("SRV-ERP-01"),
        platform: text("windows"),
        ..Host::default()
    }
    .into();
    let process: Entity = Process {
        host_id: text("b47f"),
        pid: Some(4711),
        name: text("invoice.exe"),
        path: path(),
        ..Process::default()
    }
    .into();
    let file: Entity = File {
        sha256: Some("ab".repeat(32)),
        name: text("invoice.exe"),
        path: path(),
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
    let start = Instant::now();
    let address = indicator(IndicatorKind::Ip, "104.16.132.229");
    let Entity::NetworkIndicator(first) = &address else {
        return;
    };
    black_box(lists::shared(first));
    println!("first look at shared ranges: {:?}", start.elapsed());
    let page = "https://www.shop.unlisted.example.net:8443/login?next=%2Faccount";
    let (page, top) = (
        indicator(IndicatorKind::Url, page),
        indicator(IndicatorKind::Domain, "accounts.google.com"),
    );
    let asset = |class| AssetFacts {
        class,
        labels: ["eu".to_owned(), "finance".to_owned()].into(),
        ..AssetFacts::default()
    };
    let (workstation, server) = (asset(AssetClass::Workstation), asset(AssetClass::Server));
    let basis = Basis {
        severity: Severity::High,
        confidence: Some(80),
        source: "crowdstrike".into(),
        detection: "Ransomware".into(),
    };
    let question = |action, target, asset, lists| Question {
        action,
        target,
        asset,
        basis: &basis,
        file: FileFacts {
            os_signed: Some(false),
            prevalence: Some(3),
        },
        lists,
        entry: None,
    };

    time(
        &policy,
        "contain workstation (auto)",
        &question(ActionType::ContainHost, &host, &workstation, &[]),
    );
    time(
        &policy,
        "contain server (ask)",
        &question(ActionType::ContainHost, &host, &server, &[]),
    );
    time(
        &policy,
        "contain listed (never)",
        &question(ActionType::ContainHost, &host, &server, &["never"]),
    );
    time(
        &policy,
        "kill process (auto)",
        &question(ActionType::KillProcess, &process, &server, &[]),
    );
    time(
        &policy,
        "ban hash (auto)",
        &question(ActionType::BlockHash, &file, &server, &[]),
    );
    for (what, target) in [
        ("block shared address (ask)", &address),
        ("block unlisted URL (ask)", &page),
        ("block top host (never)", &top),
    ] {
        time(
            &policy,
            what,
            &question(ActionType::BlockIndicator, target, &server, &[]),
        );
    }
}

fn time(policy: &Policy, what: &str, question: &Question<'_>) {
    for _ in 0..WARM_UP {
        black_box(policy.decide(black_box(question)));
    }
    let mut taken: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            black_box(policy.decide(black_box(question)));
            start.elapsed()
        })
        .collect();
    taken.sort_unstable();
    let outcome = policy.decide(question).outcome.as_str();
    println!(
        "{what:<28} {outcome:<6} p50 {:>8.2?}  p99 {:>8.2?}",
        taken[ROUNDS / 2],
        taken[ROUNDS * 99 / 100]
    );
}

//! The feed: repeats are allowed, gaps are not.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quell_connector::{Connected, Kind};
use quell_model::Clock as _;
use quell_twins::crowdstrike::{AlertSpec, Endpoint, Process};
use quell_twins::{Fault, FaultRule};
use serde_json::{Value, json};

use crate::kit::{call, workstation};
use crate::support::Lab;

/// The feed as the engine runs it: the cursor goes through the store as text.
struct Reader {
    cursor: Option<String>,
    seen: Vec<String>,
}

impl Reader {
    fn new() -> Self {
        Self {
            cursor: None,
            seen: Vec::new(),
        }
    }

    /// Polls until there is no more.
    async fn drain(&mut self, lab: &Lab, connected: &Connected) {
        let feed = connected.abilities.feed.clone().unwrap();
        for _ in 0..1000 {
            let cursor: Option<Value> = self
                .cursor
                .as_deref()
                .map(|text| serde_json::from_str(text).unwrap());
            let batch = feed.poll(&call(lab), cursor.as_ref()).await.unwrap();
            for document in &batch.documents {
                let document: Value = serde_json::from_str(document.get()).unwrap();
                self.seen
                    .push(document["composite_id"].as_str().unwrap().to_owned());
            }
            self.cursor = Some(batch.cursor.to_string());
            if !batch.more {
                return;
            }
        }
        panic!("the feed never ends");
    }

    fn distinct(&self) -> BTreeSet<String> {
        self.seen.iter().cloned().collect()
    }
}

fn alert(lab: &Lab, aid: &str, updated: Timestamp) -> String {
    let spec = AlertSpec {
        created_at: Some(updated),
        updated_at: Some(updated),
        ..AlertSpec::on(aid, Process::new(5260, "stealer.exe"))
    };
    lab.twin.add_alert(&spec).unwrap()
}

fn before(at: Timestamp, seconds: i64) -> Timestamp {
    at - SignedDuration::from_secs(seconds)
}

#[tokio::test]
async fn nothing_is_missed_at_page_borders_or_within_one_instant() {
    let (lab, aid) = workstation().await;
    let now = lab.clock.now();
    // Alerts that share one instant, more of them than fit a page.
    let mut all: BTreeSet<String> = (0..25)
        .map(|_| alert(&lab, &aid, before(now, 60)))
        .collect();
    all.extend((0..10).map(|second| alert(&lab, &aid, before(now, second))));
    let connected = lab.connect_with(json!({ "poll": { "page_size": 10 } }));
    let mut reader = Reader::new();
    reader.drain(&lab, &connected).await;
    assert_eq!(reader.distinct(), all);
    assert_eq!(reader.seen.len(), all.len(), "and nothing came twice");
    // The same instant again, after a restart.
    all.insert(alert(&lab, &aid, before(now, 60)));
    all.insert(alert(&lab, &aid, now));
    reader
        .drain(
            &lab,
            &lab.connect_with(json!({ "poll": { "page_size": 10 } })),
        )
        .await;
    assert_eq!(reader.distinct(), all);
    assert_eq!(reader.seen.len(), all.len());
}

#[tokio::test]
async fn an_alert_that_becomes_searchable_late_is_not_missed() {
    let (lab, aid) = workstation().await;
    let connected = lab.connect();
    let mut reader = Reader::new();
    let first = alert(&lab, &aid, lab.clock.now());
    reader.drain(&lab, &connected).await;
    let late = alert(&lab, &aid, before(lab.clock.now(), 110));
    reader.drain(&lab, &connected).await;
    assert_eq!(reader.seen, [first, late]);
}

#[tokio::test]
async fn whatever_happens_while_polling_nothing_is_missed() {
    let (lab, aid) = workstation().await;
    let mut number = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: u64| {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        number % below
    };
    let mut all = BTreeSet::new();
    let mut reader = Reader::new();
    for _ in 0..30 {
        for _ in 0..random(12) {
            let age = SignedDuration::from_millis(i64::try_from(random(115_000)).unwrap());
            all.insert(alert(&lab, &aid, lab.clock.now() - age));
        }
        if random(4) == 0 {
            let fault = Fault::StatusBeforeApply { status: 503 };
            lab.twin
                .inject(FaultRule::next(Endpoint::AlertCombined, fault));
        }
        let connected = lab.connect_with(json!({ "poll": { "page_size": 1 + random(7) } }));
        reader.drain(&lab, &connected).await;
        assert_eq!(reader.distinct(), all);
        lab.clock.advance(Duration::from_millis(random(5000)));
    }
}

#[tokio::test]
async fn a_change_of_an_alert_comes_again() {
    let (lab, aid) = workstation().await;
    let connected = lab.connect();
    let mut reader = Reader::new();
    let id = alert(&lab, &aid, before(lab.clock.now(), 30));
    reader.drain(&lab, &connected).await;
    reader.drain(&lab, &connected).await;
    assert_eq!(reader.seen.len(), 1);
    let update = quell_connector::AlertUpdate {
        status: None,
        comment: "looked at".into(),
        verdict: None,
    };
    connected
        .abilities
        .write_back
        .clone()
        .unwrap()
        .write_back(&call(&lab), &id, &update)
        .await
        .unwrap();
    reader.drain(&lab, &connected).await;
    assert_eq!(reader.seen, [id.clone(), id]);
}

#[tokio::test]
async fn the_first_poll_looks_back_as_far_as_it_is_told() {
    let (lab, aid) = workstation().await;
    let now = lab.clock.now();
    let (old, young) = (
        alert(&lab, &aid, before(now, 3000)),
        alert(&lab, &aid, before(now, 1000)),
    );
    let mut short = Reader::new();
    short
        .drain(
            &lab,
            &lab.connect_with(json!({ "poll": { "lookback": "20m" } })),
        )
        .await;
    assert_eq!(short.seen, std::slice::from_ref(&young));
    let mut long = Reader::new();
    long.drain(
        &lab,
        &lab.connect_with(json!({ "poll": { "lookback": "1h" } })),
    )
    .await;
    assert_eq!(long.seen, [old, young]);
}

#[tokio::test]
async fn a_page_in_which_something_failed_does_not_move_the_cursor() {
    let (lab, aid) = workstation().await;
    alert(&lab, &aid, lab.clock.now());
    let connected = lab.connect();
    let fault = Fault::ErrorInBody {
        code: 500,
        message: "shard not available".into(),
    };
    lab.twin
        .inject(FaultRule::next(Endpoint::AlertCombined, fault));
    let feed = connected.abilities.feed.clone().unwrap();
    let error = feed.poll(&call(&lab), None).await.unwrap_err();
    assert!(error.kind.passes(), "{error:?}");
}

#[tokio::test]
async fn a_page_mark_the_vendor_forgot_starts_the_sweep_again() {
    let (lab, aid) = workstation().await;
    let all: BTreeSet<String> = (0..9)
        .map(|s| alert(&lab, &aid, before(lab.clock.now(), s)))
        .collect();
    let connected = lab.connect_with(json!({ "poll": { "page_size": 4 } }));
    let feed = connected.abilities.feed.clone().unwrap();
    let batch = feed.poll(&call(&lab), None).await.unwrap();
    assert!(batch.more);
    let mut cursor = batch.cursor.clone();
    cursor["after"] = "forgotten".into();
    let mut reader = Reader {
        cursor: Some(cursor.to_string()),
        seen: Vec::new(),
    };
    reader.drain(&lab, &connected).await;
    assert_eq!(batch.documents.len() + reader.distinct().len(), all.len());
}

#[tokio::test]
async fn a_cursor_that_cannot_be_read_is_not_silently_replaced() {
    let (lab, _) = workstation().await;
    let feed = lab.connect().abilities.feed.clone().unwrap();
    let error = feed
        .poll(&call(&lab), Some(&json!({ "nonsense": 1 })))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::ConfigInvalid);
}

//! The feed: repeats are allowed, gaps are not.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quell_connector::ability::{AlertUpdate, Verdict};
use quell_connector::{Connected, Kind};
use quell_model::{AlertStatus, Clock as _};
use quell_twins::entra_id::{Endpoint, RiskSpec};
use quell_twins::{Fault, FaultRule};
use serde_json::{Value, json};

use crate::kit::{NOOR, call, lab};
use crate::lab::Lab;

/// The feed as the engine runs it: the cursor goes through the store as text.
#[derive(Default)]
pub(crate) struct Reader {
    cursor: Option<String>,
    pub(crate) seen: Vec<String>,
    /// State of each detection as it came last.
    pub(crate) last: std::collections::BTreeMap<String, AlertStatus>,
}

impl Reader {
    pub(crate) async fn poll(
        &mut self,
        lab: &Lab,
        connected: &Connected,
    ) -> quell_connector::Result<bool> {
        let feed = connected.abilities.feed.clone().unwrap();
        let cursor: Option<Value> = self
            .cursor
            .as_deref()
            .map(|text| serde_json::from_str(text).unwrap());
        let batch = feed.poll(&call(lab), cursor.as_ref()).await?;
        for document in &batch.documents {
            let alert = connected.normalise.unwrap()(document).unwrap();
            self.last.insert(alert.id.clone(), alert.status);
            self.seen.push(alert.id);
        }
        self.cursor = Some(batch.cursor.to_string());
        Ok(batch.more)
    }

    /// Polls until there is no more.
    pub(crate) async fn drain(&mut self, lab: &Lab, connected: &Connected) {
        for _ in 0..1000 {
            if !self.poll(lab, connected).await.unwrap() {
                return;
            }
        }
        panic!("the feed never ends");
    }

    fn distinct(&self) -> BTreeSet<String> {
        self.seen.iter().cloned().collect()
    }
}

fn raise(lab: &Lab, detected: Timestamp, shown_after_seconds: u64) -> String {
    let spec = RiskSpec {
        detected_at: Some(detected),
        shown_after_seconds,
        ..RiskSpec::of(NOOR)
    };
    lab.twin.raise(&spec).unwrap()
}

fn before(at: Timestamp, seconds: i64) -> Timestamp {
    at - SignedDuration::from_secs(seconds)
}

fn paged(size: u64) -> Value {
    json!({ "poll": { "page_size": size } })
}

#[tokio::test]
async fn nothing_is_missed_at_page_borders_or_within_one_instant() {
    let lab = lab(&[]).await;
    let now = lab.clock.now();
    // More detections of one instant than fit a page, and the very first instant that is read.
    let mut all: BTreeSet<String> = (0..25).map(|_| raise(&lab, before(now, 60), 0)).collect();
    all.insert(raise(&lab, before(now, 3600), 0));
    let mut reader = Reader::default();
    reader.drain(&lab, &lab.connect_with(paged(10))).await;
    assert_eq!(reader.distinct(), all);
    assert_eq!(reader.seen.len(), all.len(), "and nothing came twice");
    // The same instant again, after a restart.
    all.insert(raise(&lab, before(now, 60), 0));
    all.insert(raise(&lab, lab.clock.now(), 0));
    reader.drain(&lab, &lab.connect_with(paged(10))).await;
    assert_eq!(reader.distinct(), all);
    assert_eq!(reader.seen.len(), all.len());
}

#[tokio::test]
async fn a_detection_that_shows_up_late_is_not_missed() {
    let lab = lab(&[]).await;
    let connected = lab.connect();
    let mut reader = Reader::default();
    let first = raise(&lab, lab.clock.now(), 0);
    let late = raise(&lab, before(lab.clock.now(), 14 * 60), 30);
    let very_late = raise(&lab, before(lab.clock.now(), 45 * 60), 7200);
    reader.drain(&lab, &connected).await;
    assert_eq!(reader.seen, std::slice::from_ref(&first));
    lab.clock.advance(Duration::from_secs(60));
    reader.drain(&lab, &connected).await;
    assert_eq!(reader.seen, [first.clone(), late.clone()]);
    // Found by the sweep that now and then reads further back.
    for _ in 0..3 {
        lab.clock.advance(Duration::from_secs(3600));
        reader.drain(&lab, &connected).await;
    }
    assert_eq!(reader.seen, [first, late, very_late]);
}

#[tokio::test]
async fn whatever_happens_while_polling_nothing_is_missed() {
    let lab = lab(&[]).await;
    let mut number = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: u64| {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        number % below
    };
    let mut all = BTreeSet::new();
    let mut reader = Reader::default();
    for _ in 0..30 {
        for _ in 0..random(12) {
            let age = SignedDuration::from_millis(i64::try_from(random(800_000)).unwrap());
            all.insert(raise(&lab, lab.clock.now() - age, 0));
        }
        if random(4) == 0 {
            let fault = match random(2) {
                0 => Fault::StatusBeforeApply { status: 503 },
                _ => Fault::Throttled {
                    retry_after_seconds: None,
                },
            };
            lab.twin
                .inject(FaultRule::next(Endpoint::RiskDetections, fault));
        }
        let connected = lab.connect_with(paged(1 + random(7)));
        reader.drain(&lab, &connected).await;
        assert_eq!(reader.distinct(), all);
        lab.clock.advance(Duration::from_millis(random(60_000)));
    }
}

#[tokio::test]
async fn a_state_that_changes_later_comes_as_an_update_that_closes_the_alert() {
    let lab = lab(&[]).await;
    let connected = lab.connect();
    let mut reader = Reader::default();
    let id = raise(&lab, lab.clock.now(), 0);
    reader.drain(&lab, &connected).await;
    lab.clock.advance(Duration::from_secs(26 * 3600));
    reader.drain(&lab, &connected).await;
    lab.twin
        .settle_risk(NOOR, "remediated", "userPerformedSecuredPasswordChange");
    for _ in 0..3 {
        lab.clock.advance(Duration::from_secs(900));
        reader.drain(&lab, &connected).await;
    }
    assert_eq!(reader.seen, [id.clone(), id.clone()]);
    assert_eq!(reader.last[&id], AlertStatus::Closed);
}

#[tokio::test]
async fn the_tenants_one_request_a_second_is_kept() {
    let lab = lab(&[]).await;
    for second in 0..30 {
        raise(&lab, before(lab.clock.now(), second), 0);
    }
    let mut reader = Reader::default();
    reader.drain(&lab, &lab.connect_with(paged(2))).await;
    assert_eq!(reader.distinct().len(), 30);
    let refused = lab
        .twin
        .requests()
        .into_iter()
        .filter(|one| one.status == Some(429));
    assert_eq!(refused.count(), 0);
}

#[tokio::test]
async fn told_to_wait_without_a_time_it_waits_seconds() {
    let lab = lab(&[]).await;
    let connected = lab.connect();
    let start = lab.clock.now();
    lab.twin.fail_next(
        Endpoint::RiskDetections,
        Fault::Throttled {
            retry_after_seconds: None,
        },
    );
    Reader::default().drain(&lab, &connected).await;
    assert!(lab.clock.now().duration_since(start) >= SignedDuration::from_secs(5));
}

#[tokio::test]
async fn a_page_mark_the_vendor_forgot_starts_the_sweep_again() {
    let lab = lab(&[]).await;
    let all: BTreeSet<String> = (0..9)
        .map(|s| raise(&lab, before(lab.clock.now(), s), 0))
        .collect();
    let connected = lab.connect_with(paged(4));
    let mut reader = Reader::default();
    assert!(reader.poll(&lab, &connected).await.unwrap());
    let cursor = reader.cursor.take().unwrap();
    let mut cursor: Value = serde_json::from_str(&cursor).unwrap();
    cursor["next"] = "/v1.0/identityProtection/riskDetections?$skiptoken=***".into();
    reader.cursor = Some(cursor.to_string());
    reader.drain(&lab, &connected).await;
    assert_eq!(reader.distinct(), all);
}

#[tokio::test]
async fn a_cursor_that_cannot_be_read_is_not_silently_replaced() {
    let lab = lab(&[]).await;
    let mut reader = Reader {
        cursor: Some(r#"{"nonsense":1}"#.to_owned()),
        ..Reader::default()
    };
    let error = reader.poll(&lab, &lab.connect()).await.unwrap_err();
    assert_eq!(error.kind, Kind::ConfigInvalid);
}

#[tokio::test]
async fn a_detection_is_fetched_by_its_id_and_an_odd_id_fetches_nothing() {
    let lab = lab(&[]).await;
    let id = raise(&lab, lab.clock.now(), 0);
    let fetch = lab.connect().abilities.fetch.clone().unwrap();
    let found = fetch.fetch(&call(&lab), &id).await.unwrap().unwrap();
    assert!(found.get().contains(&id));
    for odd in ["nobody", "", "..", "a/b", "'\"?&=%00"] {
        let found = fetch.fetch(&call(&lab), odd).await.unwrap();
        assert!(found.is_none(), "{odd}");
    }
}

#[tokio::test]
async fn a_verdict_is_told_once_and_overrules_nobody() {
    let lab = lab(&[]).await;
    let connected = lab.connect();
    let write_back = connected.abilities.write_back.clone().unwrap();
    let id = raise(&lab, lab.clock.now(), 0);
    let tell = |verdict| {
        let (lab, id, write_back) = (&lab, &id, &write_back);
        async move {
            let update = AlertUpdate {
                status: None,
                comment: "seen to".into(),
                verdict,
            };
            write_back
                .write_back(&call(lab), id, &update)
                .await
                .unwrap();
            lab.twin.risky_user(NOOR).unwrap().state
        }
    };
    assert_eq!(tell(None).await, "atRisk");
    assert_eq!(lab.twin.count(Endpoint::RiskDetection), 0);
    assert_eq!(
        tell(Some(Verdict::Compromised)).await,
        "confirmedCompromised"
    );
    assert_eq!(
        tell(Some(Verdict::Compromised)).await,
        "confirmedCompromised"
    );
    assert_eq!(lab.twin.count(Endpoint::ConfirmCompromised), 1);
    assert_eq!(tell(Some(Verdict::Benign)).await, "dismissed");
    lab.twin
        .settle_risk(NOOR, "confirmedSafe", "adminConfirmedSigninSafe");
    assert_eq!(tell(Some(Verdict::Compromised)).await, "confirmedSafe");
    let silent = lab.connect_with(json!({ "write_back": false }));
    assert!(silent.abilities.write_back.is_none());
}

//! Budgets: charged with the placement, whole or not at all.

use std::time::Duration;

use quell_model::ActionState;
use quell_store::{Brake, Budgeted, Charge, Of, Placed, Proposed, Store, StormLimit};

use crate::world::{acme, alert, at, contain, ingest, take};

const HOUR: Duration = Duration::from_secs(3600);

fn charge(scope: &str, limit: u32) -> Charge {
    Charge {
        budget: "contain".into(),
        scope: scope.into(),
        entity: None,
        window: HOUR,
        limit,
        while_new: None,
    }
}

/// A containment of a host of its own, on these budgets; without one left it asks.
fn on(number: u128, charges: Vec<Charge>) -> Proposed {
    let mut proposed = contain(number, &format!("h{number}"), ActionState::Scheduled);
    let instead = contain(number, &format!("h{number}"), ActionState::AwaitingApproval);
    proposed.budgeted = Some(Budgeted::new(charges, move |action, spent| {
        let mut held = instead.clone();
        held.action.alert = action.alert;
        held.action.incident = action.incident;
        held.action.note = spent.iter().map(name).collect();
        held
    }));
    proposed
}

fn name(brake: &Brake) -> String {
    match brake {
        Brake::Spent(charge) => charge.scope.clone(),
        Brake::Storm(storm) => format!("{:?} {:.0} {:.1}", storm.of, storm.recent, storm.usual),
    }
}

async fn place(store: &Store, number: u128, second: i64, charges: Vec<Charge>) -> Placed {
    let host = format!("h{number}");
    let document = alert(&format!("a{number}"), &[&host]);
    take(
        store,
        number,
        document,
        second,
        vec![on(1_000 + number, charges)],
    )
    .await
    .placed
    .remove(0)
}

fn ran(placed: &Placed) -> bool {
    matches!(placed, Placed::New { .. })
}

#[tokio::test]
async fn no_moment_sees_more_than_the_limit_in_any_window() {
    let store = Store::in_memory().unwrap();
    let mut moments = Vec::new();
    // Uneven steps, so that windows begin anywhere in a slice.
    for number in 0..300_u128 {
        let second = i64::try_from(number).unwrap() * 47;
        if ran(&place(&store, number, second, vec![charge("c", 7)]).await) {
            moments.push(second);
        }
    }
    for (index, moment) in moments.iter().enumerate() {
        let within = moments[index..]
            .iter()
            .filter(|later| **later < moment + 3600)
            .count();
        assert!(within <= 7, "{within} within an hour of {moment}");
    }
    // Free again at most a slice late: hardly fewer than seven an hour.
    let hours = 300 * 47 / 3600;
    assert!(
        moments.len() >= 7 * hours - hours,
        "{} in {hours} hours",
        moments.len()
    );
}

#[tokio::test]
async fn an_action_that_one_budget_refuses_costs_the_others_nothing() {
    let store = Store::in_memory().unwrap();
    let both = || vec![charge("wide", 100), charge("narrow", 1)];
    assert!(ran(&place(&store, 1, 0, both()).await));
    for number in 2..10 {
        let Placed::Held { action, .. } = place(&store, number, 1, both()).await else {
            panic!("it ran");
        };
        assert_eq!(action.note, "narrow");
        assert_eq!(action.state, ActionState::AwaitingApproval);
    }
    assert_eq!(
        store
            .spent(&acme(), &charge("wide", 100), at(1))
            .await
            .unwrap(),
        1
    );
}

#[tokio::test]
async fn what_has_left_the_window_is_forgotten() {
    let store = Store::in_memory().unwrap();
    for number in 0..5 {
        place(&store, number, 0, vec![charge("c", 5)]).await;
    }
    let used = async |second| {
        store
            .spent(&acme(), &charge("c", 5), at(second))
            .await
            .unwrap()
    };
    assert_eq!(used(3599).await, 5);
    assert_eq!(used(3600 + 61).await, 0);
}

#[tokio::test]
async fn each_entity_has_a_budget_of_its_own_beside_its_incident() {
    let store = Store::in_memory().unwrap();
    let of = |entity: &str, limit| Charge {
        entity: Some(entity.into()),
        ..charge("each", limit)
    };
    // Alert 1 is about h1, which is then remembered for its incident as well.
    assert!(ran(&place(&store, 1, 0, vec![of("host:h1", 2)]).await));
    assert!(ran(&place(&store, 2, 60, vec![of("host:h1", 2)]).await));
    assert!(!ran(&place(&store, 3, 120, vec![of("host:h1", 2)]).await));
    assert!(ran(&place(&store, 4, 120, vec![of("host:h2", 2)]).await));
    let other = Charge {
        scope: "another".into(),
        ..of("host:h1", 1)
    };
    assert!(ran(&place(&store, 5, 120, vec![other.clone()]).await));
    let used = async |charge: &Charge| store.spent(&acme(), charge, at(121)).await.unwrap();
    assert_eq!(used(&of("host:h1", 2)).await, 2);
    assert_eq!(used(&of("host:h2", 2)).await, 1);
    assert_eq!(used(&other).await, 1);
    let again = take(&store, 6, alert("a6", &["h1"]), 130, Vec::new()).await;
    let first = take(&store, 7, alert("a1", &["h1"]), 130, Vec::new()).await;
    assert_eq!(again.incident, first.incident);
    assert_eq!(used(&of("host:h1", 2)).await, 2);
}

#[tokio::test]
async fn a_write_that_fails_takes_its_counts_with_it_and_leaves_those_of_its_group() {
    let store = Store::in_memory().unwrap();
    let all: Vec<_> = (0..60)
        .map(|number| {
            let mut proposed = on(1_000 + number, vec![charge("c", 100)]);
            if number % 3 == 2 {
                // It is charged, and then there is an action of that id already.
                proposed.action.id = on(1_000, Vec::new()).action.id;
            }
            let document = alert(&format!("a{number}"), &[&format!("h{number}")]);
            let (store, ingest) = (store.clone(), ingest(number, document, 0, vec![proposed]));
            tokio::spawn(async move { store.ingest(ingest).await.is_ok() })
        })
        .collect();
    let mut kept = 0;
    for one in all {
        kept += u32::from(one.await.unwrap());
    }
    assert_eq!(kept, 40);
    let used = store.spent(&acme(), &charge("c", 100), at(1)).await;
    assert_eq!(used.unwrap(), kept);
}

#[tokio::test]
async fn a_redelivered_alert_is_charged_once() {
    let store = Store::in_memory().unwrap();
    for _ in 0..3 {
        let document = alert("a1", &["h1"]);
        take(
            &store,
            1,
            document,
            0,
            vec![on(1_001, vec![charge("c", 5)])],
        )
        .await;
    }
    assert_eq!(
        store.spent(&acme(), &charge("c", 5), at(0)).await.unwrap(),
        1
    );
}

const DAY: i64 = 24 * 3600;

#[tokio::test]
async fn a_budget_for_what_is_new_counts_until_the_span_since_the_first_alert_is_over() {
    let store = Store::in_memory().unwrap();
    for (of, other) in [(Of::Source, "Other"), (Of::Detection, "Pattern")] {
        let store = Store::in_memory().unwrap();
        let new = |limit| Charge {
            while_new: Some((of, Duration::from_secs(24 * 3600))),
            ..charge("new", limit)
        };
        let placed = |number, detection: &str, second| {
            let host = format!("h{number}");
            let mut document = alert(&format!("a{number}"), &[&host]);
            document.detection = detection.into();
            let proposed = vec![on(1_000 + number, vec![new(0)])];
            let store = store.clone();
            async move { take(&store, number, document, second, proposed).await }
        };
        let mut ran = Vec::new();
        for (number, second) in [(1, 0), (2, DAY - 1), (3, DAY)] {
            let detection = if number == 1 { other } else { "Pattern" };
            ran.push(self::ran(
                &placed(number, detection, second).await.placed[0],
            ));
        }
        assert_eq!(ran, [false, false, true], "{of:?}");
        let another = placed(4, "Another", DAY + 1).await;
        assert_eq!(self::ran(&another.placed[0]), of == Of::Source, "{of:?}");
    }
    drop(store);
}

/// An action that only a storm holds back.
fn unless_storm(number: u128) -> Proposed {
    let mut proposed = on(number, Vec::new());
    let limit = StormLimit {
        at_least: 30,
        times: 10,
    };
    proposed.budgeted = proposed
        .budgeted
        .map(|budgeted| budgeted.calm_below(Some(limit)));
    proposed
}

/// Places `count` alerts of a detection, `apart` seconds apart; which of them ran.
async fn run(store: &Store, detection: &str, from: i64, count: u32, apart: i64) -> Vec<bool> {
    let mut ran = Vec::new();
    for number in 0..count {
        let second = from + i64::from(number) * apart;
        let id = u128::from(number) + u128::try_from(from).unwrap() * 1_000 + 1_000_000_000;
        let host = format!("h{id}");
        let mut document = alert(&format!("a{id}"), &[&host]);
        document.detection = detection.into();
        let proposed = vec![unless_storm(id + 500)];
        let taken = take(store, id, document, second, proposed).await;
        ran.extend(taken.placed.iter().map(self::ran));
    }
    ran
}

#[tokio::test]
async fn a_sudden_rise_is_a_storm_and_a_steady_stream_is_none() {
    let store = Store::in_memory().unwrap();
    // Ten days of an alert every two minutes: five in ten minutes.
    let steady = run(&store, "Steady", 0, 7200, 120).await;
    assert_eq!(steady.iter().filter(|ran| !**ran).count(), 0);
    // Forty within a minute are eight times as many as usual, and no storm yet.
    let more = run(&store, "Steady", 10 * DAY, 40, 1).await;
    assert!(more.iter().all(|ran| *ran));
}

#[tokio::test]
async fn a_storm_of_one_detection_leaves_the_others_alone_and_passes() {
    let store = Store::in_memory().unwrap();
    run(&store, "Steady", 0, 7200, 120).await;
    let storm = run(&store, "Sudden", 10 * DAY, 45, 1).await;
    assert_eq!(storm.iter().filter(|ran| **ran).count(), 30);
    assert!(!storm[44]);
    let others = run(&store, "Steady", 10 * DAY + 60, 1, 1).await;
    assert_eq!(others, [true]);
    let later = run(&store, "Sudden", 10 * DAY + 3600, 1, 1).await;
    assert_eq!(later, [true]);
}

#[tokio::test]
async fn a_storm_of_a_source_is_seen_whatever_its_detections() {
    let store = Store::in_memory().unwrap();
    let mut ran = Vec::new();
    for number in 0..60 {
        let detection = format!("D{}", number % 20);
        ran.extend(run(&store, &detection, number, 1, 1).await);
    }
    assert_eq!(ran.iter().filter(|ran| **ran).count(), 30, "{ran:?}");
}

#[tokio::test]
async fn an_alert_that_comes_again_does_not_count_towards_a_storm() {
    let store = Store::in_memory().unwrap();
    for version in 0..60 {
        let mut document = alert("a1", &["h1"]);
        document.title = format!("Version {version}");
        take(&store, 1, document, version, Vec::new()).await;
    }
    assert_eq!(run(&store, "Pattern", 61, 1, 1).await, [true]);
}

//! Budgets: charged with the placement, whole or not at all.

use std::time::Duration;

use quell_model::ActionState;
use quell_store::{Budgeted, Charge, Placed, Proposed, Store};

use crate::world::{acme, alert, at, contain, take};

const HOUR: Duration = Duration::from_secs(3600);

fn charge(scope: &str, limit: u32) -> Charge {
    Charge {
        budget: "contain".into(),
        scope: scope.into(),
        window: HOUR,
        limit,
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
        held.action.note = spent.iter().map(|charge| charge.scope.as_str()).collect();
        held
    }));
    proposed
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

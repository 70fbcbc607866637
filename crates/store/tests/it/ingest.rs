//! Dedupe, correlate, place.

use proptest::prelude::*;
use quell_model::{ActionState, Severity};
use quell_store::{ActionFilter, Advance, Freshness, Placed, Store};

use crate::world::{acme, alert, at, contain, node, take};

async fn count(store: &Store, states: &[ActionState]) -> usize {
    let filter = ActionFilter {
        states: states.to_vec(),
        limit: 1000,
        ..ActionFilter::default()
    };
    store.actions(&acme(), filter).await.unwrap().len()
}

#[tokio::test]
async fn a_redelivered_alert_is_a_duplicate_and_a_changed_one_an_update() {
    let store = Store::in_memory().unwrap();
    let first = take(&store, 1, alert("a", &["h1"]), 0, Vec::new()).await;
    let again = take(&store, 2, alert("a", &["h1"]), 1, Vec::new()).await;
    assert_eq!(
        (again.id, again.freshness),
        (first.id, Freshness::Duplicate)
    );
    let mut worse = alert("a", &["h1"]);
    worse.severity = Severity::Critical;
    let changed = take(&store, 3, worse, 2, Vec::new()).await;
    assert_eq!(
        (changed.id, changed.freshness),
        (first.id, Freshness::Updated)
    );
    let incident = store.incident(&acme(), first.incident).await.unwrap();
    assert_eq!(
        incident.severity, 5,
        "the incident is as bad as its worst alert"
    );
}

/// Takes in `revision` of one alert about one host, with a containment in `state`.
async fn revise(store: &Store, revision: u128, state: ActionState) -> Placed {
    let mut document = alert("a", &["h1"]);
    document.title = format!("revision {revision}");
    let proposed = vec![contain(10 + revision, "h1", state)];
    let second = i64::try_from(revision).unwrap();
    take(store, revision, document, second, proposed)
        .await
        .placed
        .remove(0)
}

#[tokio::test]
async fn an_update_of_an_alert_does_not_record_the_same_twice() {
    let store = Store::in_memory().unwrap();
    revise(&store, 1, ActionState::Shadowed).await;
    let recorded = contain(11, "h1", ActionState::Shadowed).action.id;
    assert_eq!(
        revise(&store, 2, ActionState::Shadowed).await,
        Placed::Joined(recorded)
    );
    assert_eq!(count(&store, &[]).await, 1);
}

#[tokio::test]
async fn an_alert_that_became_worse_is_acted_on_although_it_was_not_before() {
    let store = Store::in_memory().unwrap();
    revise(&store, 1, ActionState::Denied).await;
    assert!(matches!(
        revise(&store, 2, ActionState::Scheduled).await,
        Placed::New { .. }
    ));
}

#[tokio::test]
async fn an_alert_that_became_worse_no_longer_waits_for_a_person() {
    let store = Store::in_memory().unwrap();
    revise(&store, 1, ActionState::AwaitingApproval).await;
    let waiting = contain(11, "h1", ActionState::Scheduled).action.id;
    assert_eq!(
        revise(&store, 2, ActionState::Scheduled).await,
        Placed::Promoted(waiting)
    );
}

#[tokio::test]
async fn what_an_alert_has_led_to_is_not_done_again_when_the_vendor_touches_the_alert() {
    let store = Store::in_memory().unwrap();
    revise(&store, 1, ActionState::Scheduled).await;
    let job = store
        .claim_due(node(1), at(9), at(60), 10)
        .await
        .unwrap()
        .remove(0);
    let mut stored = store.job_action(&job.subject).await.unwrap();
    stored.action.state = ActionState::Completed;
    let advance = Advance {
        stored,
        transitions: Vec::new(),
        claim: Some(job.claim),
        keep: false,
        moved: false,
        jobs: Vec::new(),
        cancel: Vec::new(),
        messages: Vec::new(),
    };
    store.advance(advance).await.unwrap();
    assert_eq!(
        revise(&store, 2, ActionState::Scheduled).await,
        Placed::Known
    );
    assert_eq!(count(&store, &[]).await, 1);
}

#[tokio::test]
async fn alerts_that_share_an_entity_share_an_incident_within_the_window_only() {
    let store = Store::in_memory().unwrap();
    let first = take(&store, 1, alert("a", &["h1"]), 0, Vec::new()).await;
    let shares = take(&store, 2, alert("b", &["h2", "h1"]), 3000, Vec::new()).await;
    let chained = take(&store, 3, alert("c", &["h2"]), 6000, Vec::new()).await;
    let late = take(&store, 4, alert("d", &["h1"]), 9000, Vec::new()).await;
    let other = take(&store, 5, alert("e", &["h9"]), 0, Vec::new()).await;
    assert_eq!(first.incident, shares.incident);
    assert_eq!(first.incident, chained.incident);
    assert_ne!(first.incident, late.incident);
    assert_ne!(first.incident, other.incident);
}

#[tokio::test]
async fn an_organization_does_not_see_what_is_another_one_s() {
    let store = Store::in_memory().unwrap();
    let taken = take(
        &store,
        1,
        alert("a", &["h1"]),
        0,
        vec![contain(10, "h1", ActionState::Shadowed)],
    )
    .await;
    let other = "globex".parse().unwrap();
    assert!(store.incident(&other, taken.incident).await.is_err());
    let filter = ActionFilter {
        limit: 10,
        ..ActionFilter::default()
    };
    assert!(store.actions(&other, filter).await.unwrap().is_empty());
    let id = contain(10, "h1", ActionState::Shadowed).action.id;
    assert!(store.action(&other, id).await.is_err());
    assert!(store.action(&acme(), id).await.is_ok());
}

#[tokio::test]
async fn a_second_alert_joins_the_live_action_and_a_new_one_follows_when_it_is_over() {
    let store = Store::in_memory().unwrap();
    take(
        &store,
        1,
        alert("a", &["h1"]),
        0,
        vec![contain(10, "h1", ActionState::Scheduled)],
    )
    .await;
    let joined = take(
        &store,
        2,
        alert("b", &["h1"]),
        1,
        vec![contain(11, "h1", ActionState::Scheduled)],
    )
    .await;
    let live = contain(10, "h1", ActionState::Scheduled).action.id;
    assert_eq!(joined.placed, [Placed::Joined(live)]);
    assert_eq!(store.alerts_of(live).await.unwrap().len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn however_alerts_come_there_is_one_live_action_per_target(
        alerts in prop::collection::vec((0..6_u8, 0..4_u8, 0..3_u8), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = Store::in_memory().unwrap();
            for (number, (id, target, state)) in alerts.iter().enumerate() {
                let number = u128::try_from(number).unwrap();
                let (id, target) = (format!("a{id}"), format!("h{target}"));
                let state = [ActionState::Scheduled, ActionState::AwaitingApproval, ActionState::Denied][usize::from(*state)];
                let mut document = alert(&id, &[&target]);
                document.title = format!("revision {number}");
                let proposed = vec![contain(1000 + number, &target, state)];
                take(&store, number, document, i64::try_from(number).unwrap(), proposed).await;
            }
            let live = [ActionState::Scheduled, ActionState::AwaitingApproval];
            for target in 0..4 {
                let filter = ActionFilter { states: live.to_vec(), limit: 1000, ..ActionFilter::default() };
                let stored = store.actions(&acme(), filter).await.unwrap();
                let key = format!("host:h{target}");
                let same = stored.iter().filter(|s| s.action.target.key().as_deref() == Some(key.as_str())).count();
                assert!(same <= 1, "{same} live actions on {key}");
            }
        });
    }
}

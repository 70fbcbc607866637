//! The queue: claims, leases, fences, the pause switch.

use quell_model::ActionState;
use quell_store::{Advance, Error, JobKind, NewJob, Store};
use serde_json::json;

use crate::world::{alert, at, contain, falcon, node, take};

async fn with_job() -> Store {
    let store = Store::in_memory().unwrap();
    take(
        &store,
        1,
        alert("a", &["h1"]),
        0,
        vec![contain(10, "h1", ActionState::Scheduled)],
    )
    .await;
    store
}

#[tokio::test]
async fn a_held_job_is_nobody_else_s_until_its_lease_ends() {
    let store = with_job().await;
    let held = store.claim_due(node(1), at(0), at(60), 10).await.unwrap();
    assert_eq!(held.len(), 1);
    assert!(
        store
            .claim_due(node(2), at(59), at(120), 10)
            .await
            .unwrap()
            .is_empty()
    );
    let taken_over = store.claim_due(node(2), at(60), at(120), 10).await.unwrap();
    assert_eq!(taken_over[0].attempts, 2);
}

#[tokio::test]
async fn a_worker_whose_claim_was_taken_over_changes_nothing() {
    let store = with_job().await;
    let slow = store
        .claim_due(node(1), at(0), at(60), 10)
        .await
        .unwrap()
        .remove(0);
    let fast = store
        .claim_due(node(2), at(60), at(120), 10)
        .await
        .unwrap()
        .remove(0);
    let stored = store.job_action(&slow.subject).await.unwrap();
    let mut late = stored.clone();
    late.action.note = "late".into();
    let advance = |stored, claim| Advance {
        stored,
        transitions: Vec::new(),
        claim: Some(claim),
        keep: false,
        moved: false,
        jobs: Vec::new(),
        cancel: Vec::new(),
        messages: Vec::new(),
    };
    let refused = store.advance(advance(late, slow.claim.clone())).await;
    assert!(matches!(refused, Err(Error::Fenced(_))));
    assert!(matches!(
        store.finish(slow.claim.clone()).await,
        Err(Error::Fenced(_))
    ));
    assert!(matches!(
        store.postpone(slow.claim, at(5)).await,
        Err(Error::Fenced(_))
    ));
    assert_eq!(store.job_action(&fast.subject).await.unwrap(), stored);
    store.advance(advance(stored, fast.claim)).await.unwrap();
}

#[tokio::test]
async fn a_change_based_on_an_old_reading_is_refused_and_leaves_nothing_behind() {
    let store = with_job().await;
    let subject = contain(10, "h1", ActionState::Scheduled)
        .action
        .id
        .to_string();
    let old = store.job_action(&subject).await.unwrap();
    let advance = |stored, jobs| Advance {
        stored,
        transitions: Vec::new(),
        claim: None,
        keep: false,
        moved: false,
        jobs,
        cancel: Vec::new(),
        messages: Vec::new(),
    };
    store
        .advance(advance(old.clone(), Vec::new()))
        .await
        .unwrap();
    let job = NewJob::at(JobKind::Settle, &subject, at(0));
    let refused = store.advance(advance(old, vec![job])).await;
    assert!(matches!(refused, Err(Error::Stale(_))));
    let due = store.claim_due(node(1), at(0), at(60), 10).await.unwrap();
    assert!(
        due.iter().all(|job| job.kind == JobKind::Act),
        "the refused change left a job behind"
    );
}

#[tokio::test]
async fn while_paused_actions_are_not_taken_and_other_work_is() {
    let store = with_job().await;
    store
        .enqueue(NewJob::at(JobKind::Settle, "x", at(0)))
        .await
        .unwrap();
    store
        .set_paused(None, Some(json!({ "by": "ana" })))
        .await
        .unwrap();
    let kinds =
        |jobs: Vec<quell_store::Job>| jobs.into_iter().map(|job| job.kind).collect::<Vec<_>>();
    assert_eq!(
        kinds(store.claim_due(node(1), at(0), at(60), 10).await.unwrap()),
        [JobKind::Settle]
    );
    store.set_paused(None, None).await.unwrap();
    assert_eq!(
        kinds(store.claim_due(node(1), at(0), at(60), 10).await.unwrap()),
        [JobKind::Act]
    );
}

#[tokio::test]
async fn a_paused_connection_holds_back_its_own_actions_alone() {
    let store = with_job().await;
    let (own, other) = (falcon(), "other".parse().unwrap());
    let claimed = async || {
        store
            .claim_due(node(1), at(0), at(0), 10)
            .await
            .unwrap()
            .len()
    };
    let note = || Some(json!({ "by": "ana" }));
    store.set_paused(Some(&own), note()).await.unwrap();
    assert_eq!(claimed().await, 0);
    assert_eq!(store.next_due().await.unwrap(), None);
    store.set_paused(Some(&own), None).await.unwrap();
    store.set_paused(Some(&other), note()).await.unwrap();
    assert_eq!(
        store.pauses().await.unwrap(),
        [(Some(other), json!({ "by": "ana" }))]
    );
    assert_eq!(claimed().await, 1);
}

#[tokio::test]
async fn a_job_is_queued_once_and_keeps_its_earlier_time() {
    let store = Store::in_memory().unwrap();
    for second in [20, 10, 30] {
        store
            .enqueue(NewJob::at(JobKind::Settle, "x", at(second)))
            .await
            .unwrap();
    }
    assert_eq!(store.next_due().await.unwrap(), Some(at(10)));
    assert_eq!(
        store
            .claim_due(node(1), at(40), at(60), 10)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn many_writers_at_once_share_commits_and_a_failing_one_takes_nobody_with_it() {
    let store = with_job().await;
    let gone = quell_store::Claim::new(node(9), "no such job".into(), at(60));
    let good = (0..200).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            store
                .enqueue(NewJob::at(JobKind::Settle, number, at(0)))
                .await
        })
    });
    let bad = (0..50).map(|_| {
        let (store, gone) = (store.clone(), gone.clone());
        tokio::spawn(async move { store.finish(gone).await })
    });
    let (good, bad): (Vec<_>, Vec<_>) = (good.collect(), bad.collect());
    for task in good {
        task.await.unwrap().unwrap();
    }
    for task in bad {
        assert!(matches!(task.await.unwrap(), Err(Error::Fenced(_))));
    }
    assert_eq!(
        store
            .claim_due(node(1), at(0), at(60), 1000)
            .await
            .unwrap()
            .len(),
        201
    );
}

//! The outbox: gathered, sent once, never lost when more arrives meanwhile.

use quell_model::{ActionState, IncidentId, Notice, NoticeKind};
use quell_store::{Envelope, JobKind, Store};

use crate::world::{alert, at, contain, node, take, uuid};

fn notice(title: &str) -> Notice {
    Notice {
        kind: NoticeKind::Decided,
        incident: Some(IncidentId::new(uuid(0))),
        action: Some(contain(10, "h1", ActionState::Scheduled).action.id),
        at: at(0),
        title: title.into(),
        lines: Vec::new(),
        answer: None,
        console_url: None,
    }
}

async fn post(store: &Store, number: u128, titles: &[&str]) {
    let target = format!("h{number}");
    let mut proposed = contain(number + 100, &target, ActionState::Denied);
    proposed.messages = titles
        .iter()
        .map(|title| Envelope {
            channel: "slack".into(),
            thread: "t".into(),
            notice: notice(title),
        })
        .collect();
    take(
        store,
        number,
        alert(&format!("a{number}"), &[&target]),
        0,
        vec![proposed],
    )
    .await;
}

#[tokio::test]
async fn messages_of_one_thread_are_sent_together_and_what_comes_meanwhile_is_sent_next() {
    let store = Store::in_memory().unwrap();
    post(&store, 1, &["one", "two"]).await;
    let job = store
        .claim_due(node(1), at(0), at(60), 10)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(job.kind, JobKind::Send);
    let (channel, thread, dispatch) = store.dispatch(&job.subject, 10).await.unwrap().unwrap();
    assert_eq!((channel.as_str(), thread.as_str()), ("slack", "t"));
    assert_eq!(dispatch.notices.len(), 2);
    post(&store, 2, &["three"]).await;
    store
        .dispatched(job.claim, &job.subject, dispatch, at(1))
        .await
        .unwrap();
    let next = store
        .claim_due(node(1), at(1), at(60), 10)
        .await
        .unwrap()
        .remove(0);
    let (_, _, rest) = store.dispatch(&next.subject, 10).await.unwrap().unwrap();
    assert_eq!(
        rest.notices
            .iter()
            .map(|n| n.title.as_str())
            .collect::<Vec<_>>(),
        ["three"]
    );
    store
        .dispatched(next.claim, &next.subject, rest, at(2))
        .await
        .unwrap();
    assert!(
        store
            .claim_due(node(1), at(99), at(120), 10)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn the_key_of_a_repeated_sending_is_the_same() {
    let store = Store::in_memory().unwrap();
    post(&store, 1, &["one"]).await;
    let first = store.dispatch("slack/t", 10).await.unwrap().unwrap().2;
    let again = store.dispatch("slack/t", 10).await.unwrap().unwrap().2;
    assert_eq!(first.key(), again.key());
}

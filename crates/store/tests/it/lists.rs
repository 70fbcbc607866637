//! List entries: changed together with their record, and swept and replaced by jobs.

use jiff::Timestamp;
use quell_model::{ListEntryId, Notice, NoticeKind};
use quell_store::{
    Claim, Envelope, Error, JobKind, ListChange, ListEntry, ListHand, NewJob, Stock, Store,
};

use crate::world::{acme, at, node, uuid};

fn hand(person: &str, second: i64) -> ListHand {
    ListHand {
        organization: acme(),
        person: person.to_owned(),
        reason: "because".to_owned(),
        at: at(second),
    }
}

fn entry(number: u128, source: &str, document: &str) -> ListEntry {
    ListEntry {
        id: ListEntryId::new(uuid(number)),
        source: source.to_owned(),
        expires: None,
        document: document.to_owned(),
    }
}

async fn documents(store: &Store) -> Vec<String> {
    let (_, entries) = store.list_entries(&acme()).await.unwrap();
    entries.into_iter().map(|entry| entry.document).collect()
}

async fn history(store: &Store) -> Vec<(ListChange, String, String)> {
    let rows = store.list_history(&acme(), None, None, 100).await.unwrap();
    rows.into_iter()
        .map(|row| (row.change, row.person, row.document))
        .collect()
}

/// The one job that is due.
async fn claim(store: &Store, now: Timestamp) -> Claim {
    let until = now.checked_add(std::time::Duration::from_secs(60)).unwrap();
    let jobs = store.claim_due(node(1), now, until, 10).await.unwrap();
    let [job] = <[_; 1]>::try_from(jobs).unwrap();
    job.claim
}

async fn stock_job(store: &Store) -> Claim {
    let job = NewJob::at(JobKind::TakeStock, "falcon", at(0));
    store.enqueue(job).await.unwrap();
    claim(store, at(0)).await
}

fn stock(entries: Vec<ListEntry>) -> Stock {
    Stock {
        connection: "falcon".to_owned(),
        machines: 40,
        entries,
    }
}

#[tokio::test]
async fn a_change_leaves_another_state_and_a_line_in_the_record() {
    let store = Store::in_memory().unwrap();
    let before = store.list_state(&acme()).await.unwrap();
    let rows = vec![entry(1, "person", "a"), entry(2, "person", "b")];
    store.add_list_entries(hand("ana", 0), rows).await.unwrap();
    let added = store.list_state(&acme()).await.unwrap();
    assert_ne!(before, added);
    let id = ListEntryId::new(uuid(1));
    store.remove_list_entry(hand("ben", 1), id).await.unwrap();
    assert_ne!(store.list_state(&acme()).await.unwrap(), added);
    let again = store.remove_list_entry(hand("ben", 2), id).await;
    assert!(matches!(again, Err(Error::Missing { .. })));
    let row =
        |change, person: &str, document: &str| (change, person.to_owned(), document.to_owned());
    assert_eq!(documents(&store).await, ["b"]);
    assert_eq!(
        history(&store).await,
        [
            row(ListChange::Removed, "ben", "a"),
            row(ListChange::Added, "ana", "b"),
            row(ListChange::Added, "ana", "a"),
        ]
    );
    let one = store
        .list_history(&acme(), Some(id), None, 10)
        .await
        .unwrap();
    assert_eq!(one.len(), 2);
    let before = Some(one[0].seq);
    let older = store.list_history(&acme(), None, before, 10).await.unwrap();
    assert_eq!(older.len(), 2);
}

#[tokio::test]
async fn another_organization_sees_and_removes_nothing() {
    let store = Store::in_memory().unwrap();
    let rows = vec![entry(1, "person", "a")];
    store.add_list_entries(hand("ana", 0), rows).await.unwrap();
    let other = "acme.x".parse().unwrap();
    let (state, entries) = store.list_entries(&other).await.unwrap();
    assert_eq!((entries.len(), state), (0, Default::default()));
    let theirs = ListHand {
        organization: other.clone(),
        ..hand("eve", 1)
    };
    let refused = store.remove_list_entry(theirs, ListEntryId::new(uuid(1)));
    assert!(matches!(refused.await, Err(Error::Missing { .. })));
    assert_eq!(
        store.list_history(&other, None, None, 10).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn entries_are_added_all_or_none() {
    let store = Store::in_memory().unwrap();
    let twice = vec![entry(1, "person", "a"), entry(1, "person", "b")];
    let refused = store.add_list_entries(hand("ana", 0), twice).await;
    assert!(refused.is_err());
    assert!(documents(&store).await.is_empty());
    assert!(history(&store).await.is_empty());
}

#[tokio::test]
async fn a_sweep_takes_off_what_expired_and_comes_back_for_the_next() {
    let store = Store::in_memory().unwrap();
    let ends = |number, second| ListEntry {
        expires: Some(at(second)),
        ..entry(number, "person", &format!("until {second}"))
    };
    let rows = vec![ends(1, 100), ends(2, 50), entry(3, "person", "for ever")];
    store.add_list_entries(hand("ana", 0), rows).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(50)));
    let held = claim(&store, at(50)).await;
    let lost = Claim {
        token: "another".to_owned(),
        ..held.clone()
    };
    let refused = store.sweep_lists(lost, hand("quell", 50)).await;
    assert!(matches!(refused, Err(Error::Fenced(_))));
    store.sweep_lists(held, hand("quell", 50)).await.unwrap();
    assert_eq!(documents(&store).await, ["until 100", "for ever"]);
    assert_eq!(store.next_due().await.unwrap(), Some(at(100)));
    let held = claim(&store, at(100)).await;
    store.sweep_lists(held, hand("quell", 100)).await.unwrap();
    assert_eq!(documents(&store).await, ["for ever"]);
    assert_eq!(store.next_due().await.unwrap(), None);
    assert_eq!(history(&store).await[0].0, ListChange::Expired);
}

#[tokio::test]
async fn stock_replaces_what_its_source_said_and_nothing_else() {
    let store = Store::in_memory().unwrap();
    let rows = vec![entry(1, "person", "mine"), entry(2, "falcon", "dc-1")];
    store.add_list_entries(hand("ana", 0), rows).await.unwrap();
    let held = stock_job(&store).await;
    let found = stock(vec![entry(3, "falcon", "dc-1"), entry(4, "falcon", "dc-2")]);
    store
        .restock(held.clone(), at(600), hand("falcon", 1), found.clone())
        .await
        .unwrap();
    assert_eq!(documents(&store).await, ["mine", "dc-1", "dc-2"]);
    // The same again is refused, because the job was handed back.
    let again = store.restock(held, at(600), hand("falcon", 1), found).await;
    assert!(matches!(again, Err(Error::Fenced(_))));
    assert_eq!(history(&store).await.len(), 3);
    let state = store.list_state(&acme()).await.unwrap();
    assert_eq!(state.machines.get("falcon"), Some(&40));
    assert_eq!(store.next_due().await.unwrap(), Some(at(600)));
    let held = claim(&store, at(600)).await;
    let none = stock(Vec::new());
    store
        .restock(held, at(1200), hand("falcon", 600), none)
        .await
        .unwrap();
    assert_eq!(documents(&store).await, ["mine"]);
}

#[tokio::test]
async fn doubt_is_told_once_until_the_connection_is_believed_again() {
    let store = Store::in_memory().unwrap();
    let message = Envelope {
        channel: "slack".to_owned(),
        thread: "stock-falcon".to_owned(),
        notice: Notice {
            kind: NoticeKind::Failed,
            incident: None,
            action: None,
            at: at(5_000),
            title: "Not believed".to_owned(),
            lines: Vec::new(),
            answer: None,
            console_url: None,
        },
    };
    let waiting = async || {
        let found = store.dispatch("slack/stock-falcon", 10).await.unwrap();
        found.map_or(0, |(_, _, dispatch)| dispatch.notices.len())
    };
    let doubt = async |claim, next| {
        let messages = vec![message.clone()];
        store
            .doubt_stock(claim, next, &acme(), "falcon", messages)
            .await
            .unwrap();
    };
    doubt(stock_job(&store).await, at(10)).await;
    doubt(claim(&store, at(10)).await, at(20)).await;
    assert_eq!(waiting().await, 1);
    assert!(store.stock_is_doubted(&acme(), "falcon").await.unwrap());
    let held = claim(&store, at(20)).await;
    let found = stock(Vec::new());
    store
        .restock(held, at(30), hand("falcon", 20), found)
        .await
        .unwrap();
    assert!(!store.stock_is_doubted(&acme(), "falcon").await.unwrap());
    doubt(claim(&store, at(30)).await, at(40)).await;
    assert_eq!(waiting().await, 2);
}

//! Yeses are counted in the transaction that records them.

use std::collections::BTreeMap;

use quell_model::{ActionState, Cause, Transition};
use quell_store::{Advance, Answer, Approved, Error, JobKind, Needs, NewJob, Store, Stored};

use crate::world::{acme, alert, at, contain, take};

const TWO: Needs = Needs {
    approvers: 2,
    alone: 20,
    since: jiff::Timestamp::UNIX_EPOCH,
};

/// An action that waits for people.
async fn waiting(store: &Store, number: u128) -> Stored {
    let target = format!("h{number}");
    let proposed = contain(number + 100, &target, ActionState::AwaitingApproval);
    let id = proposed.action.id;
    let alert = alert(&format!("a{number}"), &[&target]);
    take(store, number, alert, 0, vec![proposed]).await;
    store.action(&acme(), id).await.unwrap()
}

fn said(person: &str, shown: &str) -> Answer {
    Answer {
        shown: shown.into(),
        person: person.into(),
        yes: true,
        reason: "seen".into(),
        at: at(10),
    }
}

/// What follows from a yes that is enough, and from one that is not.
fn changes(stored: &Stored) -> (Advance, Advance) {
    let more = Advance {
        stored: stored.clone(),
        transitions: Vec::new(),
        claim: None,
        keep: false,
        moved: false,
        jobs: Vec::new(),
        cancel: Vec::new(),
        messages: Vec::new(),
    };
    let mut enough = more.clone();
    enough.stored.action.state = ActionState::Scheduled;
    enough.transitions.push(Transition {
        at: at(10),
        from: Some(ActionState::AwaitingApproval),
        to: ActionState::Scheduled,
        cause: Cause::Engine,
        note: String::new(),
        evidence: serde_json::Value::Null,
    });
    let id = stored.action.id;
    enough.jobs.push(NewJob::at(JobKind::Act, id, at(10)));
    (enough, more)
}

async fn approve(
    store: &Store,
    stored: &Stored,
    answer: Answer,
    needs: Needs,
) -> quell_store::Result<Approved> {
    let (enough, more) = changes(stored);
    store.approve(answer, needs, enough, more).await
}

#[tokio::test]
async fn people_are_counted_and_not_yeses_and_only_those_about_the_same() {
    let store = Store::in_memory().unwrap();
    let action = waiting(&store, 1).await;
    let other = approve(&store, &action, said("cem", "what was before"), TWO).await;
    let Ok(Approved::More(action)) = other else {
        panic!("{other:?}");
    };
    let first = approve(&store, &action, said("ana", "this"), TWO).await;
    let Ok(Approved::More(action)) = first else {
        panic!("{first:?}");
    };
    let again = approve(&store, &action, said("ana", "this"), TWO).await;
    assert_eq!(again.unwrap(), Approved::Repeated);
    let second = approve(&store, &action, said("ben", "this"), TWO).await;
    assert!(matches!(second, Ok(Approved::Enough(_))), "{second:?}");
    let recorded = store.approvals(action.action.id).await.unwrap();
    assert_eq!(recorded.len(), 3);
}

#[tokio::test]
async fn of_two_yeses_to_one_version_the_later_is_stale_and_leaves_no_trace() {
    let store = Store::in_memory().unwrap();
    let action = waiting(&store, 1).await;
    let (ana, ben) = tokio::join!(
        approve(&store, &action, said("ana", "this"), TWO),
        approve(&store, &action, said("ben", "this"), TWO),
    );
    assert!(matches!(ana, Ok(Approved::More(_))), "{ana:?}");
    assert!(matches!(ben, Err(Error::Stale(_))), "{ben:?}");
    let recorded = store.approvals(action.action.id).await.unwrap();
    assert_eq!(recorded.len(), 1);
    assert_eq!(store.next_due().await.unwrap(), None, "nothing may run yet");
}

#[tokio::test]
async fn one_person_counts_alone_only_so_often_since_a_moment() {
    let store = Store::in_memory().unwrap();
    let limited = Needs {
        approvers: 1,
        alone: 2,
        since: at(0),
    };
    let mut enough = Vec::new();
    for number in 1..=4 {
        let action = waiting(&store, number).await;
        // The last one when the others are an hour old.
        let needs = Needs {
            since: if number == 4 { at(11) } else { at(0) },
            ..limited
        };
        let approved = approve(&store, &action, said("ana", "this"), needs).await;
        enough.push(matches!(approved, Ok(Approved::Enough(_))));
    }
    assert_eq!(enough, [true, true, false, true]);
}

#[tokio::test]
async fn a_rule_keeps_its_author_until_it_changes_and_one_that_comes_back_is_new() {
    let store = Store::in_memory().unwrap();
    let apply = async |rules: &[(&str, &str)], person: Option<&str>, second: i64| {
        let rules: BTreeMap<String, String> = rules
            .iter()
            .map(|(id, digest)| ((*id).to_owned(), (*digest).to_owned()))
            .collect();
        let person = person.map(str::to_owned);
        let changed = store.put_in_force(&acme(), rules, person, at(second)).await;
        changed.unwrap()
    };
    let author = async |rule: &str| {
        let authors = store.rule_authors(&acme(), vec![rule.to_owned()]).await;
        let author = authors.unwrap().pop().unwrap();
        (author.person, author.since)
    };
    let ana = Some("ana".to_owned());
    assert_eq!(apply(&[("a", "1"), ("b", "1")], None, 1).await, ["a", "b"]);
    assert_eq!(
        apply(&[("a", "2"), ("b", "1")], Some("ana"), 2).await,
        ["a"]
    );
    assert!(apply(&[("a", "2"), ("b", "1")], None, 3).await.is_empty());
    assert_eq!(author("a").await, (ana.clone(), at(2)));
    assert_eq!(author("b").await, (None, at(1)));
    assert!(apply(&[("a", "2")], None, 4).await.is_empty());
    assert_eq!(
        apply(&[("a", "2"), ("b", "1")], Some("ana"), 5).await,
        ["b"]
    );
    assert_eq!(author("b").await, (ana, at(5)));
}

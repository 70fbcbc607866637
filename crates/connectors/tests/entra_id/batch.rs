//! Many looks at once share requests, and each is answered as if it had been alone.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use quell_connector::contract::Sight;
use quell_connector::{Kind, Result};
use quell_model::entity::{Account, Entity};
use quell_model::{ActionType, Clock as _};
use quell_twins::entra_id::{Endpoint, USER_ADMINISTRATOR, UserSpec};
use quell_twins::{Fault, FaultRule};
use serde_json::Value;

use crate::kit::{NOOR, call, lab, look};
use crate::lab::Lab;

/// So many users, every third of them an administrator.
fn users(count: usize) -> Vec<UserSpec> {
    let user = |number: usize| {
        let user = UserSpec {
            id: format!("00000000-0000-4000-8000-{number:012}"),
            ..UserSpec::new(&format!("user{number}@northwind.example"))
        };
        match number % 3 {
            0 => user.with_role(USER_ADMINISTRATOR),
            _ => user,
        }
    };
    (0..count).map(user).collect()
}

fn by_id(id: &str) -> Entity {
    Account {
        id: Some(id.to_owned()),
        ..Account::default()
    }
    .into()
}

/// Looks at all of them at once.
async fn look_at(lab: &Lab, ids: &[String]) -> BTreeMap<String, Result<Sight>> {
    let connected = lab.connect();
    let mut looks = tokio::task::JoinSet::new();
    for id in ids {
        let perform = connected.perform(ActionType::ResetPassword.effect());
        let perform = perform.unwrap().clone();
        let (cx, id) = (call(lab), id.clone());
        looks.spawn(async move {
            let sight = perform.look(&cx, &by_id(&id)).await;
            (id, sight)
        });
    }
    looks.join_all().await.into_iter().collect()
}

fn ids(users: &[UserSpec]) -> Vec<String> {
    users.iter().map(|user| user.id.clone()).collect()
}

/// How many parts each batch had.
fn sizes(lab: &Lab) -> Vec<usize> {
    let batches = lab.twin.requests().into_iter();
    let batches = batches.filter(|request| request.endpoint == "batch");
    let parts = |body: String| {
        let body: Value = serde_json::from_str(&body).unwrap();
        body["requests"].as_array().unwrap().len()
    };
    batches.map(|batch| parts(batch.body.unwrap())).collect()
}

#[tokio::test]
async fn a_storm_costs_few_requests_and_everybody_gets_the_answer_about_their_own() {
    let users = users(90);
    let lab = lab(&users).await;
    let found = look_at(&lab, &ids(&users)).await;
    for user in &users {
        let sight = found[&user.id].as_ref().unwrap();
        let privileged = sight.asset.labels.contains("privileged");
        assert_eq!(privileged, !user.roles.is_empty(), "{}", user.id);
        let obstacle = sight.obstacle.as_ref();
        assert_eq!(
            obstacle.map(|one| one.rule),
            privileged.then_some("above-quell")
        );
        if let Some(obstacle) = obstacle {
            assert!(obstacle.text.contains(&user.principal), "{obstacle:?}");
        }
    }
    let sizes = sizes(&lab);
    assert!(sizes.iter().all(|size| *size <= 20), "{sizes:?}");
    // Two reads for each of ninety users.
    let reads = lab.twin.count(Endpoint::UserRead) + lab.twin.count(Endpoint::UserRoles);
    assert_eq!(reads, 180);
    assert!(sizes.len() <= 14, "{sizes:?}");
    assert!(sizes.iter().sum::<usize>() >= 170, "{sizes:?}");
}

#[tokio::test]
async fn one_caller_asks_plainly_and_at_once() {
    let lab = lab(&[]).await;
    let before = lab.clock.now();
    let id = lab.twin.id_of(NOOR).unwrap();
    look(
        &lab,
        &lab.connect(),
        ActionType::RevokeSessions,
        &by_id(&id),
    )
    .await
    .unwrap();
    assert_eq!(lab.twin.count(Endpoint::Batch), 0);
    assert_eq!(lab.twin.count(Endpoint::UserRead), 1);
    assert_eq!(lab.clock.now(), before);
}

#[tokio::test]
async fn an_unknown_user_and_a_refusal_are_theirs_alone() {
    let users = users(10);
    let lab = lab(&users).await;
    let nobody = "00000000-0000-4000-9000-000000000000".to_owned();
    lab.twin.fail_next(Endpoint::UserRead, Fault::ScopeMissing);
    let all: Vec<_> = ids(&users).into_iter().chain([nobody.clone()]).collect();
    let found = look_at(&lab, &all).await;
    let mut errors: Vec<_> = found
        .values()
        .filter_map(|one| one.as_ref().err())
        .collect();
    errors.sort_by_key(|error| error.kind.as_str());
    let kinds: Vec<_> = errors.iter().map(|error| error.kind).collect();
    assert_eq!(kinds, [Kind::PermissionMissing, Kind::TargetNotFound]);
    assert!(
        errors[0].to_string().contains("User.Read.All"),
        "{}",
        errors[0]
    );
    assert_eq!(
        found[&nobody].as_ref().unwrap_err().kind,
        Kind::TargetNotFound
    );
    assert!(lab.twin.count(Endpoint::Batch) > 0);
}

#[tokio::test]
async fn parts_that_are_throttled_are_asked_again_after_their_wait_and_the_others_are_not() {
    let users = users(10);
    let lab = lab(&users).await;
    let slow = Fault::Throttled {
        retry_after_seconds: Some(7),
    };
    lab.twin
        .inject(FaultRule::next(Endpoint::UserRead, slow).times(3));
    let before = lab.clock.now();
    let found = look_at(&lab, &ids(&users)).await;
    assert!(found.values().all(Result::is_ok));
    assert!(lab.clock.now() >= before + SignedDuration::from_secs(7));
    assert_eq!(lab.twin.count(Endpoint::UserRead), 10 + 3);
    assert_eq!(lab.twin.count(Endpoint::UserRoles), 10);
}

#[tokio::test]
async fn a_batch_that_fails_as_a_whole_is_asked_again_as_a_whole() {
    let users = users(10);
    for fault in [
        Fault::StatusBeforeApply { status: 503 },
        Fault::DropAfterApply,
        Fault::TokenRevoked,
    ] {
        let lab = lab(&users).await;
        lab.twin.fail_next(Endpoint::Batch, fault);
        let found = look_at(&lab, &ids(&users)).await;
        assert!(found.values().all(Result::is_ok));
    }
    let lab = lab(&users).await;
    lab.twin.fail_next(Endpoint::Batch, Fault::WrongContentType);
    let found = look_at(&lab, &ids(&users)).await;
    let unreadable = found.values().filter_map(|one| one.as_ref().err());
    let unreadable: Vec<_> = unreadable.map(|error| error.kind).collect();
    assert!(!unreadable.is_empty());
    assert!(unreadable.iter().all(|kind| *kind == Kind::ReplyUnreadable));
}

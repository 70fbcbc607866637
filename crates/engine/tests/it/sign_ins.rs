//! Risky sign-ins: sessions at once, the password when it happens again, and what must not be touched.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quell_connector::{Instead, Obstacle};
use quell_model::{Action, ActionState, ActionType, Clock, NoticeKind, Person, Role};
use quell_store::Store;
use serde_json::{Value, json};

use crate::directory::{User, synchronized};
use crate::lab::Lab;
use crate::world::{World, cloud_id, responder};

pub(crate) fn administrator() -> Person {
    Person {
        name: "ada".to_owned(),
        role: Role::Administrator,
    }
}

/// A world whose identity provider knows `ana`.
pub(crate) fn world() -> World {
    let mut world = World::new(0);
    world.opted_in = vec![
        ActionType::RevokeSessions,
        ActionType::ResetPassword,
        ActionType::DisableAccount,
    ];
    world.reconfigure();
    world.cloud.put("ana", User::default());
    world
}

/// A sign-in of `ana`, so many minutes after a moment.
pub(crate) fn sign_in(id: &str, minutes: i64) -> Value {
    let time = Timestamp::constant(1_790_000_000, 0)
        .checked_add(SignedDuration::from_mins(minutes))
        .unwrap();
    json!({ "id": id, "user": "ana", "time": time, "sign_in": format!("request-{id}") })
}

pub(crate) async fn accept(world: &World, document: Value) {
    let body = document.to_string();
    world.engine.accept(&cloud_id(), &body).await.unwrap();
    world.work().await;
}

async fn of_type(world: &World, action: ActionType) -> Vec<Action> {
    let actions = world.actions().await;
    actions.into_iter().filter(|a| a.action == action).collect()
}

pub(crate) async fn reset(world: &World) -> Action {
    let mut resets = of_type(world, ActionType::ResetPassword).await;
    assert_eq!(resets.len(), 1, "{resets:#?}");
    resets.remove(0)
}

pub(crate) fn passwords(world: &World) -> usize {
    world.cloud.user("ana").passwords.len()
}

#[tokio::test]
async fn a_risky_sign_in_revokes_the_sessions_and_leaves_the_password() {
    let world = world();
    accept(&world, sign_in("a", 0)).await;
    let action = world.only().await;
    assert_eq!(
        (action.action, action.state),
        (ActionType::RevokeSessions, ActionState::Completed)
    );
    assert!(
        action.note.contains("tokens may work until"),
        "{}",
        action.note
    );
    assert_eq!((world.cloud.user("ana").revoked, passwords(&world)), (1, 0));
    world.journals_are_chains().await;
}

#[tokio::test]
async fn another_sign_in_within_a_day_resets_the_password_whichever_is_heard_of_first() {
    const DAY: i64 = 24 * 60;
    for (first, second, resets) in [
        (0, 0, 1),
        (0, DAY - 1, 1),
        (0, DAY, 1),
        (0, DAY + 1, 0),
        (DAY - 1, 0, 1),
        (DAY + 1, 0, 0),
    ] {
        let world = world();
        accept(&world, sign_in("a", first)).await;
        accept(&world, sign_in("b", second)).await;
        assert_eq!(passwords(&world), resets, "{first} and {second} minutes");
        world.journals_are_chains().await;
    }
}

#[tokio::test]
async fn whoever_asks_why_the_password_is_told_of_the_other_sign_in() {
    let world = world();
    accept(&world, sign_in("a", 0)).await;
    accept(&world, sign_in("b", 60)).await;
    let reasons = reset(&world).await.decision.reasons;
    let second = reasons.iter().find(|reason| reason.rule == "second-time");
    let text = &second.unwrap().text;
    assert!(
        text.contains("the other was at 2026-09-21 14:13 UTC"),
        "{text}"
    );
}

#[tokio::test]
async fn the_day_goes_on_when_another_process_takes_over() {
    let mut world = world();
    accept(&world, sign_in("a", 0)).await;
    world.restart();
    accept(&world, sign_in("b", 60)).await;
    assert_eq!(passwords(&world), 1);
}

#[tokio::test]
async fn two_nodes_that_hear_of_two_sign_ins_at_once_reset_the_password_once() {
    let world = world();
    let other = world.beside();
    let (a, b) = (sign_in("a", 0).to_string(), sign_in("b", 0).to_string());
    let id = cloud_id();
    let (first, second) = tokio::join!(world.engine.accept(&id, &a), other.engine.accept(&id, &b));
    first.unwrap();
    second.unwrap();
    world.work().await;
    assert_eq!(passwords(&world), 1);
}

#[tokio::test]
async fn one_sign_in_is_one_however_many_alerts_and_deliveries_tell_of_it() {
    let world = world();
    let mut twice = sign_in("a", 0);
    accept(&world, twice.clone()).await;
    accept(&world, twice.clone()).await;
    // Another detection about the same sign-in, and a changed version of the first.
    twice["id"] = "a2".into();
    accept(&world, twice.clone()).await;
    twice["id"] = "a".into();
    twice["severity"] = "critical".into();
    accept(&world, twice).await;
    assert_eq!(passwords(&world), 0);
}

#[tokio::test]
async fn alerts_without_a_sign_in_of_their_own_stand_for_themselves() {
    let world = world();
    for id in ["leaked-1", "leaked-2"] {
        let mut alert = sign_in(id, 0);
        alert["sign_in"] = Value::Null;
        accept(&world, alert).await;
    }
    assert_eq!(passwords(&world), 1);
}

#[tokio::test]
async fn what_happened_before_the_reset_does_not_reset_again_and_what_happens_after_does() {
    let world = world();
    let now = |minutes: i64| {
        let start = Timestamp::constant(1_790_000_000, 0);
        world.clock.now().duration_since(start).as_secs() / 60 + minutes
    };
    accept(&world, sign_in("a", now(-30))).await;
    accept(&world, sign_in("b", now(-20))).await;
    assert_eq!(passwords(&world), 1);
    // Found late, of before the reset: the stolen password is gone already.
    accept(&world, sign_in("c", now(-10))).await;
    assert_eq!(passwords(&world), 1);
    assert_eq!(world.cloud.user("ana").revoked, 1, "sessions neither");
    world.clock.advance(Duration::from_secs(7200));
    accept(&world, sign_in("d", now(-5))).await;
    assert_eq!(passwords(&world), 2);
}

#[tokio::test]
async fn a_sign_in_of_medium_risk_asks_and_counts_for_nothing() {
    let world = world();
    let mut medium = sign_in("a", 0);
    medium["severity"] = "medium".into();
    accept(&world, medium).await;
    assert_eq!(world.only().await.state, ActionState::AwaitingApproval);
    accept(&world, sign_in("b", 10)).await;
    assert_eq!(passwords(&world), 0);
    assert!(of_type(&world, ActionType::ResetPassword).await.is_empty());
}

#[tokio::test]
async fn medium_risk_counts_where_the_organization_says_so() {
    let mut world = world();
    world.playbook = "name = \"risky-sign-in\"\ntitle = \"Risky sign-in\"\nalert = \"risky_sign_in\"\n\
        [[propose]]\naction = \"reset_password\"\nagain = { within = \"24h\", from = \"medium\" }\n";
    world.policy = "[severity]\nauto_from = \"medium\"\n".to_owned();
    world.reconfigure();
    for id in ["a", "b"] {
        let mut medium = sign_in(id, 0);
        medium["severity"] = "medium".into();
        accept(&world, medium).await;
    }
    assert_eq!(passwords(&world), 1);
}

#[tokio::test]
async fn one_person_is_one_at_two_providers() {
    let world = world();
    world.cloud.put("00u7", User::default());
    let mut first = sign_in("a", 0);
    first["principal"] = "Ana@corp.example".into();
    accept(&world, first).await;
    let mut second = sign_in("b", 10);
    second["user"] = "00u7".into();
    second["principal"] = "ana@corp.example".into();
    accept(&world, second).await;
    assert_eq!(world.cloud.user("00u7").passwords.len(), 1);
}

#[tokio::test]
async fn an_account_that_the_live_record_calls_privileged_asks_before_its_password_is_reset() {
    let world = world();
    let user = User {
        labels: vec!["privileged"],
        ..User::default()
    };
    world.cloud.put("ana", user);
    accept(&world, sign_in("a", 0)).await;
    accept(&world, sign_in("b", 10)).await;
    let action = reset(&world).await;
    assert_eq!(action.state, ActionState::AwaitingApproval);
    assert_eq!(passwords(&world), 0);
    world
        .answer(&action, &responder("ben"), true)
        .await
        .unwrap();
    world.work().await;
    assert_eq!(
        (reset(&world).await.state, passwords(&world)),
        (ActionState::Completed, 1)
    );
}

#[tokio::test]
async fn what_nobody_may_touch_is_denied_with_the_reason_and_what_only_a_person_can_is_left_to_one()
{
    for (instead, state) in [
        (Instead::Nothing, ActionState::Denied),
        (Instead::Person, ActionState::Manual),
    ] {
        let world = world();
        let obstacle = Obstacle {
            rule: "last-administrator",
            text: "Ana is the last administrator.".to_owned(),
            instead,
        };
        let user = User {
            obstacle: Some(obstacle),
            ..User::default()
        };
        world.cloud.put("ana", user);
        accept(&world, sign_in("a", 0)).await;
        accept(&world, sign_in("b", 10)).await;
        let action = reset(&world).await;
        assert_eq!((action.state, passwords(&world)), (state, 0));
        assert_eq!(action.decision.reasons[0].rule, "last-administrator");
        assert!(
            action.note.contains("last administrator"),
            "{}",
            action.note
        );
        world.journals_are_chains().await;
    }
}

#[tokio::test]
async fn a_password_that_lives_elsewhere_is_reset_there() {
    let world = world();
    let user = User {
        obstacle: Some(synchronized("ana", "CORP.example")),
        ..User::default()
    };
    world.cloud.put("ana", user);
    world.premises.0.put("S-1-5-21-7", User::default());
    accept(&world, sign_in("a", 0)).await;
    accept(&world, sign_in("b", 10)).await;
    let action = reset(&world).await;
    assert_eq!(action.state, ActionState::Completed, "{}", action.note);
    assert_eq!(action.connection.as_str(), "premises");
    assert_eq!(passwords(&world), 0);
    assert_eq!(world.premises.0.user("S-1-5-21-7").passwords.len(), 1);
    world.journals_are_chains().await;
}

#[tokio::test]
async fn a_yes_to_one_system_is_not_a_yes_to_another() {
    let mut world = world();
    world.policy = "[actions.reset_password]\nany = \"ask\"\n".to_owned();
    world.reconfigure();
    let user = User {
        obstacle: Some(synchronized("ana", "corp.example")),
        ..User::default()
    };
    world.cloud.put("ana", user);
    world.premises.0.put("S-1-5-21-7", User::default());
    accept(&world, sign_in("a", 0)).await;
    accept(&world, sign_in("b", 10)).await;
    let action = reset(&world).await;
    world
        .answer(&action, &responder("ben"), true)
        .await
        .unwrap();
    world.work().await;
    let action = reset(&world).await;
    assert_eq!(action.state, ActionState::AwaitingApproval);
    assert_eq!(action.connection.as_str(), "premises");
    world
        .answer(&action, &responder("ben"), true)
        .await
        .unwrap();
    world.work().await;
    assert_eq!(world.premises.0.user("S-1-5-21-7").passwords.len(), 1);
}

#[tokio::test]
async fn a_password_of_a_domain_that_no_connection_holds_is_for_a_person() {
    let world = world();
    let user = User {
        obstacle: Some(synchronized("ana", "other.example")),
        ..User::default()
    };
    world.cloud.put("ana", user);
    accept(&world, sign_in("a", 0)).await;
    accept(&world, sign_in("b", 10)).await;
    let action = reset(&world).await;
    assert_eq!(action.state, ActionState::Manual);
    assert!(action.note.contains("Active Directory"), "{}", action.note);
    let rules: Vec<_> = action
        .decision
        .reasons
        .iter()
        .map(|r| r.rule.as_str())
        .collect();
    assert_eq!(rules, ["synchronized-account", "no-connection"]);
}

#[tokio::test]
async fn a_temporary_password_is_nowhere_but_where_it_is_shown() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sealed.db");
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let _absent = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    let store = Store::open(&path).unwrap();
    let mut world = World::over(store, Lab::default(), Arc::default(), 0);
    world.opted_in = vec![ActionType::RevokeSessions, ActionType::ResetPassword];
    world.reconfigure();
    world.cloud.put("ana", User::default());
    accept(&world, sign_in("a", 0)).await;
    accept(&world, sign_in("b", 10)).await;
    let password = world.cloud.user("ana").passwords[0].clone();
    let mut texts = Vec::new();
    for action in world.actions().await {
        texts.push(serde_json::to_string(&action).unwrap());
        texts.push(format!(
            "{:?}",
            world.store.history(action.id).await.unwrap()
        ));
    }
    texts.push(format!("{:?}", world.lab.lock().told));
    for text in texts {
        assert!(!text.contains(&password), "{text}");
    }
    // Whatever SQLite wrote, in the database and in its log.
    let mut written = Vec::new();
    for suffix in ["", "-wal"] {
        written.extend(std::fs::read(format!("{}{suffix}", path.display())).unwrap_or_default());
    }
    let holds = |text: &str| {
        written
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(holds("reset_password"), "the files are read wrongly");
    assert!(!holds(&password));
}

#[tokio::test]
async fn a_disabled_account_is_enabled_again_only_if_quell_disabled_it() {
    for (before, enabled_again) in [(false, true), (true, false)] {
        let mut world = world();
        world.playbook = "name = \"risky-sign-in\"\ntitle = \"Risky sign-in\"\nalert = \"risky_sign_in\"\n\
            [[propose]]\naction = \"disable_account\"\n";
        world.policy = "[actions.disable_account]\nany = \"auto\"\n".to_owned();
        world.reconfigure();
        let user = User {
            disabled: before,
            ..User::default()
        };
        world.cloud.put("ana", user);
        accept(&world, sign_in("a", 0)).await;
        let action = world.only().await;
        assert_eq!(action.state, ActionState::Completed);
        let reverted = world
            .engine
            .revert(action.id, "ben", "it was her", false)
            .await;
        world.work().await;
        assert_eq!(
            !world.cloud.user("ana").disabled,
            enabled_again,
            "{reverted:?}"
        );
    }
}

#[tokio::test]
async fn upkeep_begins_at_the_start_goes_on_from_what_it_left_and_survives_a_failure() {
    let mut world = world();
    world.cloud.lock().subscribes = true;
    world.restart();
    world.cloud.lock().upkeep_fails = true;
    world.engine.queue_upkeep().await.unwrap();
    world.work_for(Duration::from_secs(7 * 3600)).await;
    let upkeeps = world.cloud.lock().upkeeps.clone();
    assert_eq!(upkeeps, [None, Some(json!({ "subscription": 1 }))]);
}

#[tokio::test]
async fn people_are_told_how_to_see_the_password_and_not_what_it_is() {
    let world = world();
    accept(&world, sign_in("a", 0)).await;
    accept(&world, sign_in("b", 10)).await;
    let id = reset(&world).await.id;
    let told = world.lab.lock().told.clone();
    let done = told
        .iter()
        .find(|notice| notice.kind == NoticeKind::Completed && notice.action == Some(id))
        .unwrap();
    assert_eq!(
        done.answer.as_deref(),
        Some(format!("quell password {id}").as_str())
    );
}

#[tokio::test]
async fn a_feed_is_polled_at_once_when_its_vendor_says_that_something_changed() {
    let mut world = world();
    world.cloud.lock().subscribes = true;
    world.restart();
    let running = world.engine.clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        running
            .run(async {
                let _asked_or_gone = stopped.await;
            })
            .await;
    });
    let polled = world.cloud.lock().polled.clone();
    polled.notified().await;
    // It rests for an hour now, and nobody moves the clock.
    world.engine.poll_now(&cloud_id());
    polled.notified().await;
    stop.send(()).unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn an_alert_of_a_second_factor_ends_the_sessions_at_the_identity_provider() {
    let world = world();
    let mut alert = sign_in("a", 0);
    alert["user"] = "DU7".into();
    alert["principal"] = "ana@corp.example".into();
    let badge = "badge".parse().unwrap();
    let body = alert.to_string();
    world.engine.accept(&badge, &body).await.unwrap();
    world.work().await;
    let action = world.only().await;
    assert_eq!(action.connection, cloud_id());
    assert_eq!(
        (action.state, world.cloud.user("ana").revoked),
        (ActionState::Completed, 1)
    );
    // An id of its own alone says nothing to anybody else.
    alert["id"] = "b".into();
    alert["principal"] = Value::Null;
    let body = alert.to_string();
    world.engine.accept(&badge, &body).await.unwrap();
    let manual = world.actions().await;
    assert!(
        manual
            .iter()
            .any(|action| action.state == ActionState::Manual),
        "{manual:#?}"
    );
}

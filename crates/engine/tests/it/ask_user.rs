//! "Was this you?": what each answer does, who may give it, and what happens when things go wrong.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quell_connector::{Identity, Kind};
use quell_engine::AnswerError;
use quell_model::{Action, ActionState, ActionType, Clock};
use quell_store::{Answered, Asked};
use serde_json::{Value, json};

use crate::directory::User;
use crate::lab::Fault;
use crate::world::{World, cloud_id};

const ANA: &str = "ana@corp.example";

/// A world that asks, and whose identity provider knows `ana`.
fn world() -> World {
    let mut world = World::new(0);
    world.opted_in = vec![ActionType::RevokeSessions, ActionType::ResetPassword];
    world.policy = "[ask_user]\non = true\n".to_owned();
    world.reconfigure();
    world.cloud.put("ana", User::default());
    world
}

/// A sign-in of `ana`, so many minutes after a moment an hour before the world begins.
fn sign_in(id: &str, minutes: i64) -> Value {
    let time = Timestamp::constant(1_790_000_000, 0)
        .checked_add(SignedDuration::from_mins(minutes - 60))
        .unwrap();
    json!({
        "id": id, "user": "ana", "principal": "Ana@corp.example", "time": time,
        "sign_in": format!("request-{id}"),
    })
}

async fn accept(world: &World, document: Value) {
    let body = document.to_string();
    world.engine.accept(&cloud_id(), &body).await.unwrap();
    world.work().await;
}

fn letters(world: &World) -> usize {
    world.lab.lock().letters.len()
}

/// What the link of the latest letter holds.
fn token(world: &World) -> String {
    let letters = world.lab.lock().letters.clone();
    let link = letters.last().unwrap().1.link.clone();
    let token = link.strip_prefix("https://quell.example/was-it-you/");
    token.unwrap().to_owned()
}

async fn asked(world: &World) -> Asked {
    let found = world.engine.asked(&token(world)).await.unwrap();
    found.unwrap()
}

fn identity(principal: &str) -> Identity {
    Identity {
        subject: "248289761001".to_owned(),
        principals: vec![principal.to_owned()],
        account: None,
    }
}

/// Ana answers the latest question.
async fn answer(world: &World, yes: bool) -> Answered {
    let question = asked(world).await.question;
    let answered = world
        .engine
        .answer_question(&question, &identity(ANA), yes)
        .await
        .unwrap();
    world.work().await;
    answered
}

async fn resets(world: &World) -> Vec<Action> {
    let actions = world.actions().await;
    let resets = |action: &Action| action.action == ActionType::ResetPassword;
    actions.into_iter().filter(resets).collect()
}

fn passwords(world: &World) -> usize {
    world.cloud.user("ana").passwords.len()
}

#[tokio::test]
async fn nobody_is_asked_unless_policy_says_so() {
    let mut world = world();
    world.policy = String::new();
    world.reconfigure();
    accept(&world, sign_in("a", 0)).await;
    assert_eq!(letters(&world), 0);
}

#[tokio::test]
async fn the_person_is_asked_and_the_security_channels_are_not() {
    let world = world();
    accept(&world, sign_in("a", 0)).await;
    let (letters, told) = {
        let lab = world.lab.lock();
        (lab.letters.clone(), lab.told.clone())
    };
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].0, ANA);
    let token = token(&world);
    assert_eq!(token.len(), 32);
    assert!(!format!("{told:?}").contains(&token));
    // Once it is sent, nothing here could make the link again.
    assert_eq!(asked(&world).await.sealed, None);
}

#[tokio::test]
async fn a_no_resets_the_password_in_the_same_incident_once() {
    let world = world();
    accept(&world, sign_in("a", 0)).await;
    assert_eq!(passwords(&world), 0);
    assert_eq!(answer(&world, false).await, Answered::Now);
    assert_eq!(passwords(&world), 1);
    let actions = world.actions().await;
    assert!(actions.iter().all(|a| a.incident == actions[0].incident));
    assert_eq!(resets(&world).await[0].basis.detection, "user-says-no");
    assert_eq!(letters(&world), 1, "nobody is asked about an answer");
    assert_eq!(world.cloud.user("ana").revoked, 1);
    world.journals_are_chains().await;
}

#[tokio::test]
async fn a_no_counts_whatever_the_severity_of_what_it_is_about() {
    let world = world();
    let mut medium = sign_in("a", 0);
    medium["severity"] = "medium".into();
    accept(&world, medium).await;
    answer(&world, false).await;
    assert_eq!(passwords(&world), 1);
}

#[tokio::test]
async fn what_the_person_did_themselves_does_not_count_however_often_it_is_reported() {
    let world = world();
    accept(&world, sign_in("a", 0)).await;
    assert_eq!(answer(&world, true).await, Answered::Now);
    accept(&world, sign_in("b", 10)).await;
    assert_eq!(passwords(&world), 0);
    // The vendor changes the first alert, and another detection tells of the same sign-in.
    let mut changed = sign_in("a", 0);
    changed["severity"] = "critical".into();
    accept(&world, changed.clone()).await;
    changed["id"] = "a2".into();
    accept(&world, changed).await;
    assert_eq!(passwords(&world), 0);
    // A third one is the second that counts.
    accept(&world, sign_in("c", 20)).await;
    assert_eq!(passwords(&world), 1);
}

#[tokio::test]
async fn a_yes_takes_nothing_back_and_approves_nothing() {
    let mut world = world();
    world.policy += "[actions.reset_password]\nany = \"ask\"\n";
    world.reconfigure();
    accept(&world, sign_in("a", 0)).await;
    let first = token(&world);
    accept(&world, sign_in("b", 10)).await;
    let waiting = resets(&world).await.remove(0);
    assert_eq!(waiting.state, ActionState::AwaitingApproval);
    let question = world.engine.asked(&first).await.unwrap().unwrap().question;
    world
        .engine
        .answer_question(&question, &identity(ANA), true)
        .await
        .unwrap();
    world.work().await;
    let waiting = resets(&world).await.remove(0);
    assert_eq!(waiting.state, ActionState::AwaitingApproval);
    assert!(
        waiting.note.contains("ana@corp.example says it was them"),
        "{}",
        waiting.note
    );
    assert_eq!(world.cloud.user("ana").revoked, 1);
    world.journals_are_chains().await;
}

#[tokio::test]
async fn silence_changes_nothing() {
    let world = world();
    accept(&world, sign_in("a", 0)).await;
    let before = world.actions().await;
    world.work_for(Duration::from_secs(5 * 3600)).await;
    assert_eq!(world.actions().await, before);
    // It counts as before.
    accept(&world, sign_in("b", 10)).await;
    assert_eq!(passwords(&world), 1);
}

#[tokio::test]
async fn an_answer_that_comes_late_is_none() {
    let world = world();
    accept(&world, sign_in("a", 0)).await;
    world.clock.advance(Duration::from_secs(4 * 3600));
    assert_eq!(answer(&world, false).await, Answered::Late);
    assert_eq!(passwords(&world), 0);
}

#[tokio::test]
async fn of_two_answers_at_once_one_holds_and_the_other_is_told_which() {
    let world = world();
    let other = world.beside();
    accept(&world, sign_in("a", 0)).await;
    let question = asked(&world).await.question;
    let ana = identity(ANA);
    let (yes, no) = tokio::join!(
        world.engine.answer_question(&question, &ana, true),
        other.engine.answer_question(&question, &ana, false),
    );
    world.work().await;
    let held = asked(&world).await.answer.unwrap();
    let (first, second) = match held.yes {
        true => (yes.unwrap(), no.unwrap()),
        false => (no.unwrap(), yes.unwrap()),
    };
    assert_eq!(
        (first, second),
        (Answered::Now, Answered::Before(held.clone()))
    );
    assert_eq!(passwords(&world), usize::from(!held.yes));
}

#[tokio::test]
async fn somebody_else_cannot_answer() {
    let world = world();
    accept(&world, sign_in("a", 0)).await;
    let question = asked(&world).await.question;
    for principal in [
        "eve@corp.example",
        "ana",
        "",
        "ana@corp.example.evil.example",
    ] {
        let refused = world
            .engine
            .answer_question(&question, &identity(principal), true)
            .await;
        assert!(
            matches!(refused, Err(AnswerError::SomebodyElse)),
            "{principal}"
        );
    }
    assert_eq!(asked(&world).await.answer, None);
}

#[tokio::test]
async fn a_restart_between_answer_and_alert_loses_neither_and_repeats_neither() {
    let mut world = world();
    accept(&world, sign_in("a", 0)).await;
    let question = asked(&world).await.question;
    world
        .engine
        .answer_question(&question, &identity(ANA), false)
        .await
        .unwrap();
    // The answer is durable, and nothing was done about it yet.
    world.restart();
    world.work().await;
    assert_eq!(passwords(&world), 1);
    world.restart();
    world.work().await;
    assert_eq!((passwords(&world), resets(&world).await.len()), (1, 1));
}

#[tokio::test]
async fn a_letter_that_could_not_be_sent_is_sent_later_with_the_same_link() {
    let world = world();
    let lose = [Fault::Refuse(Kind::VendorUnavailable), Fault::Lose];
    world.lab.lock().faults.insert("tell", lose.into());
    accept(&world, sign_in("a", 0)).await;
    assert_eq!(letters(&world), 2, "one of them whose reply was lost");
    let sent = world.lab.lock().letters.clone();
    assert_eq!(sent[0], sent[1]);
}

#[tokio::test]
async fn one_sign_in_is_asked_about_once() {
    let world = world();
    accept(&world, sign_in("a", 0)).await;
    accept(&world, sign_in("a", 0)).await;
    let mut changed = sign_in("a", 0);
    changed["severity"] = "critical".into();
    accept(&world, changed.clone()).await;
    changed["id"] = "a2".into();
    accept(&world, changed).await;
    assert_eq!(letters(&world), 1);
}

#[tokio::test]
async fn a_mailbox_is_not_flooded() {
    let world = world();
    for number in 0..10 {
        accept(&world, sign_in(&format!("a{number}"), number)).await;
    }
    assert_eq!(letters(&world), 3);
}

#[tokio::test]
async fn only_a_mail_address_is_written_to() {
    let world = world();
    for (number, principal) in [
        "CORP\\ana",
        "ana",
        "ana@corp",
        "ana@corp.example, eve@corp.example",
        "ana@corp.example\r\nBcc: eve@corp.example",
        "<ana@corp.example>",
    ]
    .into_iter()
    .enumerate()
    {
        let mut document = sign_in(&format!("a{number}"), 0);
        document["principal"] = principal.into();
        accept(&world, document).await;
    }
    assert_eq!(letters(&world), 0);
}

#[tokio::test]
async fn the_link_of_another_question_is_no_link_to_this_one() {
    let world = world();
    accept(&world, sign_in("a", 0)).await;
    for wrong in ["", "0", &"0".repeat(32), &format!("{}0", token(&world))] {
        assert_eq!(world.engine.asked(wrong).await.unwrap(), None, "{wrong}");
    }
    assert!(asked(&world).await.question.expires > world.clock.now());
}

#[tokio::test]
async fn what_a_no_led_to_is_told_on_the_page_of_the_alert_it_is_about() {
    let mut world = world();
    world.cloud.lock().takes_comments = true;
    world.restart();
    accept(&world, sign_in("a", 0)).await;
    answer(&world, false).await;
    assert_eq!(passwords(&world), 1);
    let comments = world.cloud.lock().comments.clone();
    assert!(
        comments.iter().all(|(alert, _)| alert == "a"),
        "{comments:#?}"
    );
    let last = &comments.last().unwrap().1;
    assert!(last.contains("Done: reset"), "{last}");
}

//! Two people: what takes them, what makes a first yes void, and who may not be one of them.

use std::time::Duration;

use quell_engine::ActError;
use quell_model::{Action, ActionState, AssetClass, Person, Role};
use serde_json::json;

use crate::world::{World, responder};

fn administrator(name: &str) -> Person {
    Person {
        name: name.to_owned(),
        role: Role::Administrator,
    }
}

/// One server, whose containment waits for people as `cell` says.
async fn server(cell: &str) -> World {
    let mut world = World::new(8);
    world.policy = format!("[actions.contain_host]\nserver = {cell}\n");
    world.reconfigure();
    world.lab.host("h1", AssetClass::Server);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": "server", "confidence": 80 }))
        .await;
    world.work_for(Duration::from_secs(60)).await;
    world
}

async fn yes(world: &World, action: &Action, person: &Person) -> Result<Action, ActError> {
    world.answer(action, person, true).await
}

#[track_caller]
fn refused(answer: Result<Action, ActError>, expected: &str) {
    match answer {
        Err(ActError::Refused(why)) => assert_eq!(why, expected),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn where_two_are_needed_the_first_yes_waits_and_the_second_acts() {
    let world = server("{ ask = 2 }").await;
    let action = world.only().await;
    let first = yes(&world, &action, &responder("ana")).await.unwrap();
    assert_eq!(first.state, ActionState::AwaitingApproval);
    assert_eq!(first.note, "ana approves (1 of 2): seen the tree");
    world.work_for(Duration::from_secs(60)).await;
    assert!(!world.lab.contained("h1"));
    let told = world.lab.lock().told.last().unwrap().clone();
    assert_eq!(told.title, "One more yes needed: contain host H1");
    refused(
        yes(&world, &action, &responder("ana")).await,
        "you said yes already; now another responder has to",
    );
    let second = yes(&world, &action, &responder("ben")).await.unwrap();
    assert_eq!(second.note, "ben approves (2 of 2): seen the tree");
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(world.state().await, ActionState::Completed);
    world.journals_are_chains().await;
}

#[tokio::test]
async fn a_no_ends_it_at_once_whoever_said_yes_before() {
    let world = server("{ ask = 2, role = \"administrator\" }").await;
    let action = world.only().await;
    yes(&world, &action, &administrator("ada")).await.unwrap();
    let no = world.answer(&action, &responder("ben"), false).await;
    assert_eq!(no.unwrap().state, ActionState::Rejected);
}

#[tokio::test]
async fn a_role_that_is_too_low_is_refused_and_told_why() {
    let world = server("{ ask = 1, role = \"administrator\" }").await;
    let action = world.only().await;
    refused(
        yes(&world, &action, &responder("ben")).await,
        "this is for people with the role administrator to answer; ben has the role responder",
    );
    let viewer = Person {
        name: "vera".into(),
        role: Role::Viewer,
    };
    let no = world.answer(&action, &viewer, false).await;
    assert!(matches!(no, Err(ActError::Refused(_))));
    let done = yes(&world, &action, &administrator("ada")).await.unwrap();
    assert_eq!(done.state, ActionState::Scheduled);
}

#[tokio::test]
async fn two_people_in_the_same_moment_are_two_and_one_person_twice_is_one() {
    let world = server("{ ask = 2 }").await;
    let other = world.beside();
    let action = world.only().await;
    let ana = responder("ana");
    let (one, two) = tokio::join!(yes(&world, &action, &ana), yes(&other, &action, &ana));
    assert_eq!(u8::from(one.is_ok()) + u8::from(two.is_ok()), 1);
    assert_eq!(world.state().await, ActionState::AwaitingApproval);

    let world = server("{ ask = 2 }").await;
    let other = world.beside();
    let action = world.only().await;
    let ben = responder("ben");
    let (one, two) = tokio::join!(yes(&world, &action, &ana), yes(&other, &action, &ben));
    let mut states = [one.unwrap().state, two.unwrap().state];
    states.sort();
    assert_eq!(
        states,
        [ActionState::AwaitingApproval, ActionState::Scheduled]
    );
    assert_eq!(world.store.approvals(action.id).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_yes_to_an_earlier_asking_does_not_count_for_a_later_one() {
    let world = server("{ ask = 2 }").await;
    let first = world.only().await;
    for name in ["ana", "ben"] {
        yes(&world, &first, &responder(name)).await.unwrap();
    }
    // An outage makes both yeses too old before anything is done.
    world.clock.advance(Duration::from_secs(2 * 3600));
    world.work_for(Duration::from_secs(60)).await;
    let again = world.only().await;
    assert_eq!(again.state, ActionState::AwaitingApproval);
    assert_eq!(again.decision.quorum.approvers, 2);
    assert!(again.clocks.asked > first.clocks.asked);
    assert!(matches!(
        yes(&world, &first, &responder("cem")).await,
        Err(ActError::Changed)
    ));
    let one = yes(&world, &again, &responder("ana")).await.unwrap();
    assert_eq!(one.state, ActionState::AwaitingApproval);
}

#[tokio::test]
async fn a_yes_of_one_is_not_enough_once_policy_wants_two() {
    let mut world = server("\"ask\"").await;
    world
        .engine
        .pause(None, "ana", "change window")
        .await
        .unwrap();
    let action = world.only().await;
    yes(&world, &action, &responder("ana")).await.unwrap();
    world.policy = "[actions.contain_host]\nserver = { ask = 2 }\n".into();
    world.reconfigure();
    world.engine.resume(None, "ana").await.unwrap();
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(world.state().await, ActionState::AwaitingApproval);
    assert!(!world.lab.contained("h1"));
}

#[tokio::test]
async fn whoever_changed_the_rule_does_not_approve_by_it_until_the_time_is_over() {
    let mut world = server("{ ask = 2 }").await;
    world.policy = "[actions.contain_host]\nserver = \"ask\"\n".into();
    world
        .engine
        .put_in_force(world.rules(), None)
        .await
        .unwrap();
    world.policy =
        "[actions.contain_host]\nserver = { ask = 1, role = \"administrator\" }\n".into();
    let changed = world
        .engine
        .put_in_force(world.rules(), Some("ada"))
        .await
        .unwrap();
    assert_eq!(changed, ["contain-host-server"]);
    // Reading the same once more, by whomever, changes no author.
    for person in [None, Some("ben")] {
        let again = world.engine.put_in_force(world.rules(), person).await;
        assert!(again.unwrap().is_empty());
    }
    world.lab.host("h2", AssetClass::Server);
    world
        .accept(json!({ "id": "a2", "host": "h2", "class": "server" }))
        .await;
    let action = world.actions().await.pop().unwrap();
    refused(
        yes(&world, &action, &administrator("ada")).await,
        "you put the rule `contain-host-server` in force at 2026-09-21 14:13 UTC, so another \
         administrator has to say yes (you may from 2026-09-22 14:13 UTC on)",
    );
    let other = yes(&world, &action, &administrator("ida")).await.unwrap();
    assert_eq!(other.state, ActionState::Scheduled);

    world.clock.advance(Duration::from_secs(24 * 3600));
    world.lab.host("h3", AssetClass::Server);
    world
        .accept(json!({ "id": "a3", "host": "h3", "class": "server" }))
        .await;
    let action = world.actions().await.pop().unwrap();
    let own = yes(&world, &action, &administrator("ada")).await.unwrap();
    assert_eq!(own.state, ActionState::Scheduled);
}

#[tokio::test]
async fn a_rule_that_only_moved_keeps_its_author() {
    let mut world = server("\"ask\"").await;
    world
        .engine
        .put_in_force(world.rules(), None)
        .await
        .unwrap();
    world.policy = format!("# A note.\n\n{}", world.policy);
    let changed = world.engine.put_in_force(world.rules(), Some("ada")).await;
    assert!(changed.unwrap().is_empty());
}

#[tokio::test]
async fn one_person_s_yeses_count_alone_only_so_often_within_an_hour_however_fast_they_come() {
    let mut world = World::new(8);
    world.policy = "[approvals]\nalone_per_hour = 3\n".into();
    world.reconfigure();
    for number in 0..6 {
        let host = format!("h{number}");
        world.lab.host(&host, AssetClass::Server);
        let id = format!("a{number}");
        world
            .accept(json!({ "id": id, "host": host, "class": "server", "detection": id }))
            .await;
    }
    let ana = responder("ana");
    let actions = world.actions().await;
    let [a, b, c, d, e, f] = actions.as_slice() else {
        panic!("{actions:#?}");
    };
    let at_once = tokio::join!(
        yes(&world, a, &ana),
        yes(&world, b, &ana),
        yes(&world, c, &ana),
        yes(&world, d, &ana),
        yes(&world, e, &ana),
    );
    let (a, b, c, d, e) = at_once;
    let answers = [a, b, c, d, e].map(Result::unwrap);
    let alone = |action: &&Action| action.state == ActionState::Scheduled;
    assert_eq!(answers.iter().filter(alone).count(), 3);
    let waiting = answers.iter().find(|action| !alone(action)).unwrap();
    assert_eq!(
        waiting.note,
        "ana approves (1 of 2; more than 3 by one person within an hour need a second): seen the tree"
    );
    let second = yes(&world, waiting, &responder("ben")).await.unwrap();
    assert_eq!(second.state, ActionState::Scheduled);
    world.clock.advance(Duration::from_secs(3601));
    let later = yes(&world, f, &ana).await.unwrap();
    assert_eq!(later.state, ActionState::Scheduled);
}

#[tokio::test]
async fn a_yes_to_a_server_is_no_yes_to_what_turns_out_to_be_a_domain_controller() {
    let world = World::new(0);
    world.lab.host("h1", AssetClass::DomainController);
    let document = json!({ "id": "a1", "host": "h1", "class": "server" });
    world.accept(document).await;
    let asked = world.only().await;
    world.answer(&asked, &responder("ana"), true).await.unwrap();
    world.work_for(Duration::from_secs(60)).await;
    let action = world.only().await;
    assert_eq!(action.state, ActionState::AwaitingApproval);
    assert_eq!(
        action.decision.reasons[0].rule,
        "contain-host-domain-controller"
    );
    assert!(!world.lab.contained("h1"));
    world
        .answer(&action, &responder("ana"), true)
        .await
        .unwrap();
    world.work_for(Duration::from_secs(60)).await;
    assert!(world.lab.contained("h1"), "now it is known what it is");
    world.journals_are_chains().await;
}

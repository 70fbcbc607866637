//! Properties: contain a host, from the alert to the verified effect.

use std::time::Duration;

use quell_connector::Kind;
use quell_model::{ActionState, ActionType, AssetClass, EffectBy, NoticeKind, Outcome};
use quell_store::Freshness;
use serde_json::json;

use crate::lab::Fault;
use crate::world::World;

fn workstation(id: &str) -> serde_json::Value {
    json!({ "id": id, "host": "h1", "class": "workstation" })
}

fn world(workers: usize) -> World {
    let world = World::new(workers);
    world.lab.host("h1", AssetClass::Workstation);
    world
}

#[tokio::test]
async fn a_workstation_is_contained_verified_and_people_are_told() {
    for workers in [0, 8] {
        let world = world(workers);
        world.accept(workstation("a1")).await;
        world.work().await;
        let action = world.only().await;
        assert_eq!(action.state, ActionState::Completed, "{}", action.note);
        assert_eq!(action.effect_by, EffectBy::Quell);
        assert!(world.lab.contained("h1"));
        assert_eq!(world.lab.applied("contain h1"), 1);
        let clocks = &action.clocks;
        assert!(clocks.received <= clocks.decided && clocks.decided <= clocks.executed);
        assert!(clocks.executed <= clocks.verified);
        let kinds: Vec<_> = world
            .lab
            .lock()
            .told
            .iter()
            .map(|notice| notice.kind)
            .collect();
        assert_eq!(kinds, [NoticeKind::Decided, NoticeKind::Completed]);
        assert_eq!(world.lab.lock().comments.len(), 1);
        assert!(
            world.lab.lock().comments[0]
                .1
                .comment
                .contains("contain host")
        );
        world.journals_are_chains().await;
    }
}

#[tokio::test]
async fn the_same_alert_twice_contains_once() {
    let world = world(8);
    let first = world.accept(workstation("a1")).await;
    let second = world.accept(workstation("a1")).await;
    world.work().await;
    assert_eq!(second.freshness, Freshness::Duplicate);
    assert_eq!(first.id, second.id);
    assert_eq!(world.lab.applied("contain h1"), 1);
    world.only().await;
}

#[tokio::test]
async fn alerts_on_one_host_share_an_incident_and_join_one_action() {
    let world = world(0);
    let first = world.accept(workstation("a1")).await;
    let second = world.accept(workstation("a2")).await;
    assert_eq!(first.incident, second.incident);
    assert_eq!(first.actions, second.actions);
    world.work().await;
    assert_eq!(world.lab.applied("contain h1"), 1);
    let joined = world.store.alerts_of(world.only().await.id).await.unwrap();
    assert_eq!(joined.len(), 2);
}

#[tokio::test]
async fn a_file_on_two_hosts_makes_one_incident_unless_many_machines_run_it() {
    for (name, one) in [("loader.exe", true), ("powershell.exe", false)] {
        let world = world(0);
        let found = |id, host| json!({ "id": id, "host": host, "class": "workstation", "file": name, "sha256": "ab".repeat(32) });
        let first = world.accept(found("a1", "h1")).await;
        let second = world.accept(found("a2", "h2")).await;
        assert_eq!(first.incident == second.incident, one, "{name}");
    }
}

#[tokio::test]
async fn an_alert_a_day_later_opens_an_incident_of_its_own() {
    let world = world(8);
    let first = world.accept(workstation("a1")).await;
    world.work().await;
    world.clock.advance(Duration::from_secs(25 * 3600));
    let second = world.accept(workstation("a2")).await;
    assert_ne!(first.incident, second.incident);
}

#[tokio::test]
async fn what_is_already_in_place_is_completed_without_a_call_and_without_a_debt() {
    let world = world(8);
    world.lab.lock().hosts.get_mut("h1").unwrap().contained = true;
    world.accept(workstation("a1")).await;
    world.work().await;
    let action = world.only().await;
    assert_eq!(
        (action.state, action.effect_by),
        (ActionState::Completed, EffectBy::Other)
    );
    assert_eq!(world.lab.applied("contain h1"), 0);
    let refused = world
        .engine
        .revert(action.id, "ana", "undo", true)
        .await
        .unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("does not undo what it did not do"),
        "{refused}"
    );
    assert!(world.lab.contained("h1"));
}

#[tokio::test]
async fn without_opt_in_everything_is_recorded_and_nothing_is_touched() {
    let mut world = world(8);
    world.opted_in = vec![ActionType::BlockHash];
    world.reconfigure();
    world.accept(workstation("a1")).await;
    world.work().await;
    let action = world.only().await;
    assert_eq!(
        (action.state, action.decision.outcome),
        (ActionState::Shadowed, Outcome::Auto)
    );
    assert!(!world.lab.contained("h1"));
}

#[tokio::test]
async fn opting_out_stops_work_that_is_already_queued() {
    let mut world = world(0);
    world.accept(workstation("a1")).await;
    world.opted_in.clear();
    world.reconfigure();
    world.work().await;
    assert_eq!(world.state().await, ActionState::Shadowed);
    assert_eq!(world.lab.applied("contain h1"), 0);
}

#[tokio::test]
async fn a_domain_controller_that_an_alert_calls_a_workstation_is_not_contained_by_itself() {
    for workers in [0, 8] {
        let world = World::new(workers);
        world.lab.host("h1", AssetClass::DomainController);
        world.accept(workstation("a1")).await;
        world.work_for(Duration::from_secs(60)).await;
        let action = world.only().await;
        assert_eq!(action.state, ActionState::AwaitingApproval);
        assert_eq!(action.asset.class, AssetClass::DomainController);
        assert_eq!(world.lab.applied("contain h1"), 0);
        world.journals_are_chains().await;
    }
}

#[tokio::test]
async fn slow_containment_is_followed_until_it_is_there() {
    let world = world(8);
    world.lab.lock().slow = true;
    world.accept(workstation("a1")).await;
    world.engine.quiet().await;
    assert_eq!(world.state().await, ActionState::Verifying);
    world.work_for(Duration::from_secs(10)).await;
    assert_eq!(
        world.state().await,
        ActionState::Verifying,
        "pending is not contained"
    );
    world.lab.settle();
    world.work_for(Duration::from_secs(20)).await;
    assert_eq!(world.state().await, ActionState::Completed);
    assert_eq!(world.lab.applied("contain h1"), 1);
}

#[tokio::test]
async fn an_offline_host_is_reported_once_and_watched_until_it_comes_back() {
    let world = world(8);
    world.lab.lock().slow = true;
    world.accept(workstation("a1")).await;
    world.work_for(Duration::from_secs(3600)).await;
    assert_eq!(world.state().await, ActionState::Unverified);
    let told = |world: &World| {
        world
            .lab
            .lock()
            .told
            .iter()
            .filter(|n| n.kind == NoticeKind::Failed)
            .count()
    };
    assert_eq!(told(&world), 1);
    world.lab.settle();
    world.work_for(Duration::from_secs(3600)).await;
    assert_eq!(world.state().await, ActionState::Completed);
    assert_eq!(told(&world), 1);
}

#[tokio::test]
async fn a_lost_reply_is_resolved_by_reading() {
    let world = world(8);
    world.lab.fault("write", Fault::Lose);
    world.accept(workstation("a1")).await;
    world.work().await;
    let action = world.only().await;
    assert_eq!(
        (action.state, action.effect_by),
        (ActionState::Completed, EffectBy::Quell)
    );
    assert_eq!(world.lab.applied("contain h1"), 1);
}

#[tokio::test]
async fn a_vendor_that_is_down_for_a_while_delays_and_does_not_lose_the_action() {
    for call in ["read", "write"] {
        for kind in [
            Kind::VendorUnavailable,
            Kind::RateLimited,
            Kind::DeadlineExceeded,
        ] {
            let world = world(8);
            for _ in 0..3 {
                world.lab.fault(call, Fault::Refuse(kind));
            }
            world.accept(workstation("a1")).await;
            world.work().await;
            assert_eq!(
                world.state().await,
                ActionState::Completed,
                "{call} {kind:?}"
            );
            assert_eq!(world.lab.applied("contain h1"), 1);
            world.journals_are_chains().await;
        }
    }
}

#[tokio::test]
async fn a_refusal_fails_at_once_and_says_why() {
    for call in ["read", "write"] {
        for kind in [
            Kind::PermissionMissing,
            Kind::TargetNotFound,
            Kind::VendorRejected,
            Kind::AuthRejected,
        ] {
            let world = world(8);
            world.lab.fault(call, Fault::Refuse(kind));
            world.accept(workstation("a1")).await;
            world.work().await;
            let action = world.only().await;
            assert_eq!(action.state, ActionState::Failed, "{call} {kind:?}");
            assert!(
                action.note.contains("as the test wants it"),
                "{}",
                action.note
            );
            world.journals_are_chains().await;
        }
    }
}

#[tokio::test]
async fn a_pause_holds_queued_work_and_resuming_lets_it_run() {
    for workers in [0, 8] {
        let world = world(workers);
        world
            .engine
            .pause(None, "ana", "looking into it")
            .await
            .unwrap();
        world.accept(workstation("a1")).await;
        world.work_for(Duration::from_secs(600)).await;
        assert_eq!(world.state().await, ActionState::Scheduled);
        assert!(!world.lab.contained("h1"));
        world.engine.resume(None, "ana").await.unwrap();
        world.work().await;
        assert_eq!(world.state().await, ActionState::Completed);
    }
}

#[tokio::test]
async fn a_pause_survives_a_restart() {
    let mut world = world(0);
    world
        .engine
        .pause(None, "ana", "looking into it")
        .await
        .unwrap();
    world.restart();
    world.accept(workstation("a1")).await;
    world.work_for(Duration::from_secs(600)).await;
    assert_eq!(world.state().await, ActionState::Scheduled);
}

#[tokio::test]
async fn a_channel_that_is_down_delays_only_its_messages() {
    let world = world(8);
    for _ in 0..3 {
        world
            .lab
            .fault("notify", Fault::Refuse(Kind::VendorUnavailable));
    }
    world.accept(workstation("a1")).await;
    world.engine.quiet().await;
    assert_eq!(world.state().await, ActionState::Completed);
    world.work().await;
    assert_eq!(world.lab.lock().told.len(), 2);
}

#[tokio::test]
async fn work_that_puts_itself_off_is_done_when_it_is_due_and_not_at_the_next_rest() {
    let world = world(8);
    world.lab.lock().slow = true;
    let running = world.engine.clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        running
            .run(async {
                let _asked_or_gone = stopped.await;
            })
            .await;
    });
    world.accept(workstation("a1")).await;
    let reaches = async |state: ActionState| {
        for _ in 0..2_000 {
            if world.state().await == state {
                return true;
            }
            tokio::task::yield_now().await;
        }
        false
    };
    assert!(reaches(ActionState::Verifying).await);
    // The first look takes a while, so that the loop rests before it ends. It finds the effect on its
    // way and puts itself off by seconds, not by the longest rest.
    world.lab.fault("read", Fault::Pause);
    world.clock.advance(Duration::from_secs(1));
    world.lab.crash.notified().await;
    assert!(!reaches(ActionState::Completed).await);
    world.lab.resume.notify_one();
    assert!(!reaches(ActionState::Completed).await);
    world.lab.settle();
    world.clock.advance(Duration::from_secs(4));
    assert!(reaches(ActionState::Completed).await);
    stop.send(()).unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn a_request_that_was_lost_before_the_vendor_saw_it_is_sent_again() {
    for workers in [0, 8] {
        let world = world(workers);
        world.lab.fault("write", Fault::Refuse(Kind::MaybeApplied));
        world.accept(workstation("a1")).await;
        world.work().await;
        let action = world.only().await;
        assert_eq!(action.state, ActionState::Completed, "{}", action.note);
        assert_eq!(world.lab.applied("contain h1"), 1);
        world.journals_are_chains().await;
    }
}

#[tokio::test]
async fn an_effect_whose_reply_and_first_reading_were_lost_is_quells_own_and_can_be_taken_back() {
    let world = world(8);
    world.lab.fault("read", Fault::None);
    world
        .lab
        .fault("read", Fault::Refuse(Kind::VendorUnavailable));
    world.lab.fault("write", Fault::Lose);
    world.accept(workstation("a1")).await;
    world.work().await;
    let action = world.only().await;
    assert_eq!(action.effect_by, EffectBy::Quell, "{}", action.note);
    assert_eq!(world.lab.applied("contain h1"), 1);
    world
        .engine
        .revert(action.id, "ana", "undo", false)
        .await
        .unwrap();
    world.work().await;
    assert!(!world.lab.contained("h1"));
}

#[tokio::test]
async fn a_vendor_that_is_down_while_an_effect_settles_is_asked_again_when_it_is_back() {
    let world = world(8);
    world.lab.lock().slow = true;
    world.accept(workstation("a1")).await;
    world.engine.quiet().await;
    for _ in 0..40 {
        world
            .lab
            .fault("read", Fault::Refuse(Kind::VendorUnavailable));
    }
    world.work_for(Duration::from_secs(900)).await;
    assert_eq!(world.state().await, ActionState::Unverified);
    world.lab.lock().faults.clear();
    world.lab.settle();
    world.work_for(Duration::from_secs(900)).await;
    assert_eq!(world.state().await, ActionState::Completed);
}

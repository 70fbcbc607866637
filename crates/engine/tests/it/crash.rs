//! The process dies between any two lines. Every case runs in a runtime of its own, which is
//! dropped where the case says so; then another process takes over the same store and vendor.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use quell_connector::clock::SimClock;
use quell_engine::Engine;
use quell_model::{Action, ActionState, ActionType, AssetClass, EffectBy};
use quell_store::Store;
use serde_json::json;

use crate::lab::{Fault, Lab};
use crate::world::World;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

fn document() -> serde_json::Value {
    json!({ "id": "a1", "host": "h1", "class": "workstation", "pid": 4711 })
}

struct Case {
    store: Store,
    lab: Lab,
    clock: Arc<SimClock>,
    workers: usize,
}

impl Case {
    fn new(workers: usize) -> Self {
        let lab = Lab::default();
        lab.host("h1", AssetClass::Workstation);
        Self {
            store: Store::in_memory().unwrap(),
            lab,
            clock: Arc::default(),
            workers,
        }
    }

    fn world(&self) -> World {
        World::over(
            self.store.clone(),
            self.lab.clone(),
            self.clock.clone(),
            self.workers,
        )
    }

    /// Another process takes over, gets the alert again (nobody answered its sender) and works.
    fn recover(&self) -> Vec<Action> {
        self.lab.lock().faults.clear();
        runtime().block_on(async {
            let world = self.world();
            world.accept(document()).await;
            world.work().await;
            world.journals_are_chains().await;
            world.actions().await
        })
    }

    /// INVARIANT: one containment, at most one kill, and no action left without an end.
    fn holds(&self, what: &str) -> Vec<Action> {
        let actions = self.recover();
        assert_eq!(actions.len(), 2, "{what}");
        assert!(self.lab.contained("h1"), "{what}: not contained");
        assert_eq!(
            self.lab.applied("contain h1"),
            1,
            "{what}: contained more than once"
        );
        let kills: u32 = self.lab.lock().kills.values().sum();
        assert!(kills <= 1, "{what}: killed {kills} times");
        for action in &actions {
            match (action.action, action.state) {
                (ActionType::ContainHost, ActionState::Completed) => {}
                (ActionType::KillProcess, ActionState::Completed) => assert_eq!(kills, 1, "{what}"),
                // Nobody can tell, so a person is asked; whether it happened is either way.
                (ActionType::KillProcess, ActionState::Unknown) => {}
                other => panic!("{what}: ended as {other:?}: {}", action.note),
            }
        }
        actions
    }
}

#[test]
fn a_crash_around_any_vendor_call_leads_to_one_containment_and_at_most_one_kill() {
    for workers in [0, 8] {
        for call in ["read", "write", "prepare", "perform", "progress"] {
            for nth in 0..3 {
                for fault in [Fault::CrashBefore, Fault::CrashAfter] {
                    let case = Case::new(workers);
                    let what = format!("{fault:?} of {call} {nth} with {workers} workers");
                    {
                        let mut state = case.lab.lock();
                        let faults = state.faults.entry(call).or_default();
                        // A fault that never comes up is no fault: calls before it go through.
                        faults.extend(
                            (0..nth)
                                .map(|_| Fault::Refuse(quell_connector::Kind::VendorUnavailable)),
                        );
                        faults.push_back(fault);
                    }
                    let crash = case.lab.crash.clone();
                    runtime().block_on(async {
                        let world = case.world();
                        let life = async {
                            world.accept(document()).await;
                            world.work().await;
                        };
                        tokio::select! {
                            () = life => {}
                            () = crash.notified() => {}
                        }
                    });
                    case.holds(&what);
                }
            }
        }
    }
}

/// Polls `life` `polls` times and drops it there.
async fn live_for(polls: usize, life: impl Future<Output = ()>) -> bool {
    let mut life = pin!(life);
    let mut left = polls;
    std::future::poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        life.as_mut().poll(cx).map(|()| true)
    })
    .await
}

#[test]
fn a_crash_at_any_point_of_waiting_leads_to_one_containment_and_at_most_one_kill() {
    // Without workers everything happens inside the one future that is dropped: no task survives
    // it. How many polls a life takes depends on how fast the store's thread answers, so the sweep
    // goes on until the life has ended by itself several times.
    let (mut polls, mut ended) = (0, 0);
    while ended < 5 {
        polls += 1;
        let case = Case::new(0);
        let finished = runtime().block_on(async {
            let world = case.world();
            live_for(polls, async {
                world.accept(document()).await;
                world.work().await;
            })
            .await
        });
        case.holds(&format!("dropped after {polls} polls"));
        ended += usize::from(finished);
        assert!(polls < 2000, "the life never ends");
    }
}

#[test]
fn an_effect_found_after_a_crash_is_not_undone_unless_a_person_insists() {
    let case = Case::new(8);
    case.lab.fault("write", Fault::CrashAfter);
    let crash = case.lab.crash.clone();
    runtime().block_on(async {
        let world = case.world();
        world
            .accept(json!({ "id": "a1", "host": "h1", "class": "workstation" }))
            .await;
        crash.notified().await;
    });
    runtime().block_on(async {
        let world = case.world();
        world.work().await;
        let action = world.only().await;
        assert_eq!(
            (action.state, action.effect_by),
            (ActionState::Completed, EffectBy::Unclear)
        );
        let engine: &Engine = &world.engine;
        assert!(
            engine
                .revert(action.id, "ana", "undo", false)
                .await
                .is_err()
        );
        engine.revert(action.id, "ana", "undo", true).await.unwrap();
        world.work_for(Duration::from_secs(60)).await;
        assert_eq!(world.state().await, ActionState::Reverted);
        assert!(!case.lab.contained("h1"));
    });
}

#[test]
fn a_revert_that_is_cut_short_anywhere_releases_once() {
    for call in ["read", "write"] {
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            let case = Case::new(0);
            let crash = case.lab.crash.clone();
            runtime().block_on(async {
                let world = case.world();
                world
                    .accept(json!({ "id": "a1", "host": "h1", "class": "workstation" }))
                    .await;
                world.work().await;
                let id = world.only().await.id;
                case.lab.fault(call, fault);
                world.engine.revert(id, "ana", "undo", false).await.unwrap();
                tokio::select! {
                    () = world.work() => {}
                    () = crash.notified() => {}
                }
            });
            runtime().block_on(async {
                let world = case.world();
                world.work().await;
                assert_eq!(
                    world.state().await,
                    ActionState::Reverted,
                    "{call} {fault:?}"
                );
                assert!(!case.lab.contained("h1"));
                assert_eq!(case.lab.applied("release h1"), 1, "{call} {fault:?}");
                world.journals_are_chains().await;
            });
        }
    }
}

#[test]
fn two_processes_on_one_store_contain_once() {
    let case = Case::new(8);
    runtime().block_on(async {
        let (one, two) = (case.world(), case.world());
        let (first, second) = tokio::join!(one.accept(document()), two.accept(document()));
        assert_eq!(first.id, second.id);
        tokio::join!(one.work(), two.work());
    });
    case.holds("two processes");
}

//! A small world: one organization, the laboratory vendor, a channel to people, a store that
//! survives the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use quell_connector::Connected;
use quell_connector::clock::SimClock;
use quell_engine::{
    ActError, AskUser, Connection, Engine, Guardrails, Machine, OptIn, OptIns, Program, Rules,
    Seal, Settings, agreement, shown,
};
use quell_model::{
    Action, ActionState, ActionType, Clock, ConnectionId, IdSource, ListEntryId, Person, Role,
};
use quell_policy::lists::{Entry, Lists, csv};
use quell_policy::{Budgets, Playbooks, Policy, Source, Storm};
use quell_store::{ActionFilter, Store};
use uuid::Uuid;

use crate::directory::{Badge, Cloud, Premises};
use crate::lab::{Channel, Lab};

/// Ids in order, so that runs are alike.
#[derive(Default)]
struct Ids(AtomicU64);

impl IdSource for Ids {
    fn uuid(&self) -> Uuid {
        Uuid::from_u128(
            0x0190_0000_0000_7000_8000_0000_0000_0000
                | u128::from(self.0.fetch_add(1, Ordering::SeqCst)),
        )
    }
}

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) lab: Lab,
    /// Another channel to people; told as `lab` is, unless the policy makes it one for escalations.
    pub(crate) pager: Lab,
    /// An identity provider, and the directory it is synchronized with.
    pub(crate) cloud: Cloud,
    pub(crate) premises: Premises,
    pub(crate) store: Store,
    pub(crate) clock: Arc<SimClock>,
    ids: Arc<Ids>,
    workers: usize,
    pub(crate) threshold: Option<u8>,
    pub(crate) budgets: Budgets,
    /// A playbook beside those that ship.
    pub(crate) playbook: &'static str,
    pub(crate) storm: Option<Storm>,
    pub(crate) fleet: Option<u64>,
    /// Rows of a list: subject, value, strength, reason.
    pub(crate) listed: Vec<&'static str>,
    pub(crate) opted_in: Vec<ActionType>,
    /// Text of the organization's `policy.toml`.
    pub(crate) policy: String,
}

pub(crate) fn lab_id() -> ConnectionId {
    "lab-prod".parse().unwrap()
}

pub(crate) fn cloud_id() -> ConnectionId {
    "cloud-prod".parse().unwrap()
}

pub(crate) fn responder(name: &str) -> Person {
    Person {
        name: name.to_owned(),
        role: Role::Responder,
    }
}

pub(crate) const ALL: [ActionType; 3] = [
    ActionType::ContainHost,
    ActionType::KillProcess,
    ActionType::BlockHash,
];

impl World {
    /// With `workers` that go on at once; with none, all work goes through the queue.
    pub(crate) fn new(workers: usize) -> Self {
        Self::over(
            Store::in_memory().unwrap(),
            Lab::default(),
            Arc::default(),
            workers,
        )
    }

    pub(crate) fn over(store: Store, lab: Lab, clock: Arc<SimClock>, workers: usize) -> Self {
        let directories = Default::default();
        Self::numbered(store, lab, directories, clock, workers, Arc::default())
    }

    /// Another node beside this one.
    pub(crate) fn beside(&self) -> Self {
        let (store, lab, clock) = (self.store.clone(), self.lab.clone(), self.clock.clone());
        let directories = (self.cloud.clone(), self.premises.clone());
        let ids = self.ids.clone();
        let mut world = Self::numbered(store, lab, directories, clock, self.workers, ids);
        world.opted_in.clone_from(&self.opted_in);
        world.policy.clone_from(&self.policy);
        world.reconfigure();
        world
    }

    fn numbered(
        store: Store,
        lab: Lab,
        (cloud, premises): (Cloud, Premises),
        clock: Arc<SimClock>,
        workers: usize,
        ids: Arc<Ids>,
    ) -> Self {
        let opted_in = ALL.to_vec();
        let pager = Lab::default();
        let engine = engine(
            &store,
            (&lab, &pager),
            (&cloud, &premises),
            &clock,
            &ids,
            workers,
            rules(None, "", Budgets::default(), &[]),
        );
        engine.replace_opt_ins(opt_ins(&opted_in));
        Self {
            engine,
            lab,
            pager,
            cloud,
            premises,
            store,
            clock,
            ids,
            workers,
            threshold: None,
            budgets: Budgets::default(),
            playbook: "",
            storm: None,
            fleet: None,
            listed: Vec::new(),
            opted_in,
            policy: String::new(),
        }
    }

    /// Another process takes over: new engine, new node, same store and vendor. Claims of the old
    /// one are honoured until their lease ends.
    pub(crate) fn restart(&mut self) {
        self.engine = engine(
            &self.store,
            (&self.lab, &self.pager),
            (&self.cloud, &self.premises),
            &self.clock,
            &self.ids,
            self.workers,
            self.rules(),
        );
        self.engine.replace_opt_ins(opt_ins(&self.opted_in));
    }

    /// Puts the changed fields in force.
    pub(crate) fn reconfigure(&self) {
        self.engine.replace_rules(self.rules());
        self.engine.replace_opt_ins(opt_ins(&self.opted_in));
    }

    pub(crate) fn rules(&self) -> Rules {
        let budgets = self.budgets.clone();
        let mut rules = rules(self.threshold, &self.policy, budgets, &self.listed);
        if !self.playbook.is_empty() {
            let source = Source {
                name: "playbooks/own.toml",
                text: self.playbook,
            };
            rules.playbooks = Playbooks::load(&[source]).unwrap();
        }
        rules.settings.storm = self.storm;
        rules.guardrails.fleet = self.fleet;
        rules
    }

    /// Puts entries of these rows on lists, as ben.
    pub(crate) async fn keep(&self, rows: &[&str]) -> Vec<ListEntryId> {
        let addition = self.engine.add_list_entries("ben", entries(rows)).await;
        addition.unwrap().added
    }

    pub(crate) async fn accept(&self, document: serde_json::Value) -> quell_engine::Taken {
        let accepted = self
            .engine
            .accept(&lab_id(), &document.to_string())
            .await
            .unwrap();
        accepted.alerts.into_iter().next().unwrap()
    }

    /// What `person` says to an action as it is shown here.
    pub(crate) async fn answer(
        &self,
        action: &Action,
        person: &Person,
        yes: bool,
    ) -> Result<Action, ActError> {
        let shown = shown(action);
        self.engine
            .answer(action.id, &shown, person, yes, "seen the tree")
            .await
            .map(|stored| stored.action)
    }

    /// Does everything that falls due within `horizon`, moving the clock as far as needed.
    pub(crate) async fn work_for(&self, horizon: Duration) {
        let end = self.clock.now().checked_add(horizon).unwrap();
        for _ in 0..10_000 {
            self.engine.quiet().await;
            if self.engine.run_due().await.unwrap() > 0 {
                continue;
            }
            match self.store.next_due().await.unwrap() {
                Some(due) if due <= end => {
                    let wait = Duration::try_from(due.duration_since(self.clock.now()))
                        .unwrap_or_default();
                    self.clock.advance(wait.max(Duration::from_micros(1)));
                }
                _ => return,
            }
        }
        panic!("work never ends");
    }

    pub(crate) async fn work(&self) {
        self.work_for(Duration::from_secs(900)).await;
    }

    pub(crate) async fn actions(&self) -> Vec<Action> {
        let filter = ActionFilter {
            limit: 1000,
            ..ActionFilter::default()
        };
        let mut stored = self
            .store
            .actions(self.engine.organization(), filter)
            .await
            .unwrap();
        stored.reverse();
        stored.into_iter().map(|stored| stored.action).collect()
    }

    /// The only action there is.
    pub(crate) async fn only(&self) -> Action {
        let mut actions = self.actions().await;
        assert_eq!(actions.len(), 1, "{actions:#?}");
        actions.pop().unwrap()
    }

    pub(crate) async fn state(&self) -> ActionState {
        self.only().await.state
    }

    /// INVARIANT: each journal is one unbroken chain of allowed transitions that ends where the
    /// action stands.
    pub(crate) async fn journals_are_chains(&self) {
        for action in self.actions().await {
            let history = self.store.history(action.id).await.unwrap();
            let mut at = ActionState::Proposed;
            for row in &history {
                assert_eq!(row.from, Some(at), "{history:#?}");
                assert!(at.allows(row.to), "{at:?} -> {:?}", row.to);
                at = row.to;
            }
            assert_eq!(at, action.state);
        }
    }
}

fn opt_ins(actions: &[ActionType]) -> OptIns {
    let opt_in = |action: &ActionType| {
        let opt_in = OptIn {
            by: "ana".into(),
            at: Timestamp::UNIX_EPOCH,
            agreed: agreement(*action).unwrap(),
        };
        (*action, opt_in)
    };
    actions.iter().map(opt_in).collect()
}

fn rules(contain_confidence: Option<u8>, policy: &str, budgets: Budgets, listed: &[&str]) -> Rules {
    let lifted = contain_confidence.map_or(String::new(), |from| {
        let cell = format!("{{ ask_below_confidence = {from} }}");
        format!("[actions.contain_host]\nserver = {cell}\ncritical = {cell}\n")
    }) + policy;
    let source = Source {
        name: "policy.toml",
        text: &lifted,
    };
    let settings = quell_policy::Settings {
        budgets,
        storm: None,
        ..quell_policy::Settings::load(&source).unwrap()
    };
    Rules {
        playbooks: Playbooks::builtin().unwrap(),
        policy: Policy::with(&settings.matrix, &[Policy::builtin_source()])
            .unwrap()
            .into(),
        settings,
        guardrails: Guardrails::new(Vec::new(), lists(listed)),
    }
}

/// A list of these rows.
fn lists(rows: &[&str]) -> Lists {
    Lists::new(entries(rows))
}

/// Entries of these rows: subject, value, strength, reason.
pub(crate) fn entries(rows: &[&str]) -> Vec<Entry> {
    let text = format!("subject,value,strength,reason\n{}\n", rows.join("\n"));
    let source = Source {
        name: "lists/test.csv",
        text: &text,
    };
    csv::read(&source, "ana", Timestamp::UNIX_EPOCH).unwrap()
}

fn engine(
    store: &Store,
    (lab, pager): (&Lab, &Lab),
    (cloud, premises): (&Cloud, &Premises),
    clock: &Arc<SimClock>,
    ids: &Arc<Ids>,
    workers: usize,
    rules: Rules,
) -> Engine {
    let settings = Settings {
        workers,
        machine: Machine {
            host: Some("quell-01.corp.example".into()),
            program: Some(Program {
                name: "quell".into(),
                sha256: Some("ab".repeat(32)),
            }),
        },
        // One key for every process of the world.
        seal: Some(Seal::new(&[7; Seal::KEY]).unwrap()),
        ask_user: Some(AskUser {
            sign_in: "people".parse().unwrap(),
            tell_by: "people".parse().unwrap(),
            public_url: "https://quell.example".to_owned(),
        }),
        ..Settings::new("acme".parse().unwrap())
    };
    let connections = vec![
        Connection::new(Connected::new(lab_id(), &Arc::new(lab.clone()))),
        Connection::new(Connected::new(
            "people".parse().unwrap(),
            &Arc::new(Channel(lab.clone())),
        )),
        Connection::new(Connected::new(
            "pager".parse().unwrap(),
            &Arc::new(Channel(pager.clone())),
        )),
        Connection::new(Connected::new(cloud_id(), &Arc::new(cloud.clone()))),
        Connection {
            accounts: Some(cloud_id()),
            ..Connection::new(Connected::new("badge".parse().unwrap(), &Arc::new(Badge)))
        },
        Connection::new(Connected::new(
            "premises".parse().unwrap(),
            &Arc::new(premises.clone()),
        )),
    ];
    Engine::new(
        store.clone(),
        clock.clone(),
        ids.clone(),
        settings,
        rules,
        connections,
    )
}

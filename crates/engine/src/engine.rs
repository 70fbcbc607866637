//! The engine itself: its parts, and starting it.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use quell_connector::{Call, Connected};
use quell_model::{Action, Clock, ConnectionId, IdSource, NodeId, OrganizationId, Transition};
use quell_store::Store;
use tokio::sync::{Notify, Semaphore, broadcast};
use tracing::info;

use crate::approval;
use crate::ask_user::AskUser;
use crate::automation::Switches;
use crate::own::{self, Machine};
use crate::pace;
use crate::rules::{Beside, Guardrails, Rules};
use crate::seal::Seal;

/// Settings of an engine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whose alerts it handles.
    pub organization: OrganizationId,
    /// How long an incident stays open to alerts that share an entity with it.
    pub incident_window: Duration,
    /// Steps under way at once.
    pub workers: usize,
    /// The machine it runs on and the program it is: nothing is ever done to those.
    pub machine: Machine,
    /// What seals temporary passwords; without it none can be set.
    pub seal: Option<Seal>,
    /// How the person an alert is about is asked; without it nobody is.
    pub ask_user: Option<AskUser>,
}

impl Settings {
    /// The defaults for an organization: incidents for 24 hours.
    #[must_use]
    pub const fn new(organization: OrganizationId) -> Self {
        Self {
            organization,
            incident_window: Duration::from_secs(24 * 3600),
            workers: 256,
            machine: Machine::unknown(),
            seal: None,
            ask_user: None,
        }
    }
}

/// A connection and how the organization uses it.
#[derive(Clone)]
pub struct Connection {
    /// The built connection.
    pub connected: Connected,
    /// Only alerts of this customer at the vendor are taken; any, when missing.
    pub tenant: Option<String>,
    /// The connection that acts on accounts its alerts name, where it cannot itself.
    pub accounts: Option<ConnectionId>,
}

impl Connection {
    /// A connection with nothing but defaults.
    #[must_use]
    pub const fn new(connected: Connected) -> Self {
        Self {
            connected,
            tenant: None,
            accounts: None,
        }
    }
}

/// A transition that has become durable.
#[derive(Debug, Clone)]
pub struct Event {
    /// The action as it now is.
    pub action: Action,
    /// What happened to it.
    pub transition: Transition,
}

/// Runs remediation. Cheap to clone.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) node: NodeId,
    pub(crate) settings: Settings,
    pub(crate) connections: BTreeMap<ConnectionId, Connection>,
    rules: RwLock<Arc<Rules>>,
    /// Held by whoever makes new rules of the present ones.
    changing: Mutex<()>,
    /// Held by whoever reads list entries from the store: one at a time is enough.
    pub(crate) reading: tokio::sync::Mutex<()>,
    /// The store's count of changes of lists that the rules in force know of.
    pub(crate) list_changes: AtomicU64,
    /// Held while rules are replaced, so that those in force are those that are remembered.
    replacing: tokio::sync::Mutex<()>,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) nudge: Notify,
    /// By connection with a feed: poll it now.
    pub(crate) signals: BTreeMap<ConnectionId, Notify>,
    pub(crate) switches: Switches,
    events: broadcast::Sender<Event>,
}

impl Engine {
    /// An engine that is not running yet; see [`Engine::run`].
    #[must_use]
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        settings: Settings,
        rules: Rules,
        connections: Vec<Connection>,
    ) -> Self {
        let node = NodeId::new(ids.uuid());
        let beside = Beside {
            own: own::entries(&settings.machine, &connections, clock.now()),
            ..Beside::default()
        };
        let connections: BTreeMap<_, _> = connections
            .into_iter()
            .map(|c| (c.connected.id.clone(), c))
            .collect();
        let rules = Rules {
            guardrails: rules.guardrails.beside(beside),
            ..rules
        };
        let signals = BTreeMap::iter(&connections)
            .filter(|(_, connection)| connection.connected.abilities.feed.is_some())
            .map(|(id, _)| (id.clone(), Notify::new()))
            .collect();
        Self(Arc::new(Parts {
            store,
            clock,
            ids,
            node,
            slots: Arc::new(Semaphore::new(settings.workers)),
            settings,
            connections,
            rules: RwLock::new(Arc::new(rules)),
            changing: Mutex::new(()),
            reading: tokio::sync::Mutex::new(()),
            // No such count: they have not been read.
            list_changes: AtomicU64::new(u64::MAX),
            replacing: tokio::sync::Mutex::new(()),
            nudge: Notify::new(),
            signals,
            switches: Switches::default(),
            events: broadcast::Sender::new(4096),
        }))
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        self.0
            .rules
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts other rules in force, for all decisions from now on, those about waiting work included.
    /// List entries that are kept at run time stay. Keeps a processor busy for as long as it takes to
    /// sort all entries.
    pub fn replace_rules(&self, rules: Rules) {
        self.change_rules(|now| {
            let beside = now.guardrails.beside_the_folder().clone();
            Some(Rules {
                guardrails: rules.guardrails.beside(beside),
                ..rules
            })
        });
    }

    /// Puts other list entries beside those of the policy folder, unless they are there.
    pub(crate) fn replace_beside(&self, make: impl FnOnce(&Beside) -> Option<Beside>) {
        self.change_rules(|now| {
            let beside = make(now.guardrails.beside_the_folder())?;
            let guardrails: Guardrails = now.guardrails.clone().beside(beside);
            Some(Rules {
                guardrails,
                ..now.clone()
            })
        });
    }

    /// INVARIANT: rules are made of the present ones by one at a time, so that neither a changed policy
    /// nor a changed list is lost to the other. Decisions go on by the old ones meanwhile.
    fn change_rules(&self, make: impl FnOnce(&Rules) -> Option<Rules>) {
        let _turn = self
            .0
            .changing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = make(&self.rules()) {
            *self.0.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        }
    }

    /// Puts other rules in force in the name of `person`, or of nobody known, and remembers it: whoever
    /// changed a rule does not also approve by it. Says which rules are new or changed.
    ///
    /// # Errors
    /// When the store fails; then the old ones stay in force.
    pub async fn put_in_force(
        &self,
        rules: Rules,
        person: Option<&str>,
    ) -> quell_store::Result<Vec<String>> {
        let _alone = self.0.replacing.lock().await;
        // Remembered first: no decision may be taken by a rule whose author is not known yet.
        let changed = self.remember(&rules, person).await?;
        self.replace_rules(rules);
        Ok(changed)
    }

    /// Remembers who put these rules in force.
    pub(crate) async fn remember(
        &self,
        rules: &Rules,
        person: Option<&str>,
    ) -> quell_store::Result<Vec<String>> {
        let guard = (
            approval::GUARD.to_owned(),
            approval::guard(&rules.settings.approvals),
        );
        let digests = rules
            .policy
            .rules()
            .iter()
            .map(|rule| (rule.id.clone(), rule.digest.clone()))
            .chain([guard])
            .collect();
        let (person, now) = (person.map(str::to_owned), self.now());
        self.0
            .store
            .put_in_force(self.organization(), digests, person, now)
            .await
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Whose alerts it handles.
    #[must_use]
    pub fn organization(&self) -> &OrganizationId {
        &self.0.settings.organization
    }

    /// The connections.
    pub fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.0.connections.values()
    }

    /// The connection of that id.
    #[must_use]
    pub fn connection(&self, id: &ConnectionId) -> Option<&Connection> {
        self.0.connections.get(id)
    }

    /// What seals secrets, where there is a key.
    #[must_use]
    pub fn seal(&self) -> Option<&Seal> {
        self.0.settings.seal.as_ref()
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Transitions from now on. A listener that falls far behind loses some.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The circumstances of the vendor calls of one step.
    pub(crate) fn call(&self, reference: &str) -> Call {
        Call::new(self.0.clock.clone(), pace::CALLS, reference)
    }

    /// Tells listeners of transitions that have become durable, and counts them.
    pub(crate) fn announce(&self, action: &Action, transitions: &[Transition]) {
        for transition in transitions {
            debug_assert!(
                transition
                    .from
                    .is_none_or(|from| from.allows(transition.to)),
                "{:?} does not allow {:?}",
                transition.from,
                transition.to
            );
            info!(
                action.id = %action.id,
                action.kind = action.action.as_str(),
                state = transition.to.as_str(),
                "{}", transition.note
            );
            metrics::counter!(
                "quell_transitions_total",
                "action" => action.action.as_str(),
                "to" => transition.to.as_str()
            )
            .increment(1);
        }
        if self.0.events.receiver_count() > 0 {
            for transition in transitions {
                let event = Event {
                    action: action.clone(),
                    transition: transition.clone(),
                };
                let _nobody_listens = self.0.events.send(event);
            }
        }
    }
}

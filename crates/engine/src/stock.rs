//! Taking stock: connections that know an organization's machines are asked for its domain
//! controllers, which go on a list that asks first, and for how many machines there are.
//!
//! INVARIANT: an answer that would unprotect most of what is protected is not believed. A vendor that
//! answers nothing must never take everything off the list.

use std::collections::BTreeMap;

use quell_connector::Inventory;
use quell_model::{ActionType, ConnectionId, Notice, NoticeKind};
use quell_policy::lists::{Draft, Entry, Strength, Subject};
use quell_store::{Envelope, Job, JobKind, NewJob, Result, Stock};
use tracing::{info, warn};

use crate::engine::Engine;
use crate::lists::read;
use crate::pace;

/// What is done on a machine. Banning a hash is not: it concerns every machine alike.
const ON_THE_MACHINE: [ActionType; 3] = [
    ActionType::ContainHost,
    ActionType::KillProcess,
    ActionType::QuarantineFile,
];

/// What tells two entries of one source apart: what they are about, which, and through what.
type Key = (Subject, String, Option<ConnectionId>);

impl Engine {
    /// Queues taking stock of every connection that can. [`Engine::run`] begins with it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn take_stock_soon(&self) -> Result<()> {
        for connection in self.connections() {
            let connected = &connection.connected;
            if connected.abilities.take_stock.is_some() {
                let job = NewJob::at(JobKind::TakeStock, &connected.id, self.now());
                self.0.store.enqueue(job).await?;
            }
        }
        Ok(())
    }

    /// Whether the list of that source is filled by a job.
    pub(crate) fn fills(&self, source: &str) -> bool {
        let id = source.parse::<ConnectionId>().ok();
        let connection = id.and_then(|id| self.connection(&id));
        connection.is_some_and(|c| c.connected.abilities.take_stock.is_some())
    }

    /// A `take_stock` job. It never ends while its connection is configured.
    pub(crate) async fn take_stock(&self, job: &Job) -> Result<()> {
        let finish = || self.0.store.finish(job.claim.clone());
        let Ok(id) = job.subject.parse::<ConnectionId>() else {
            return finish().await;
        };
        let Some(ability) = self
            .connection(&id)
            .and_then(|c| c.connected.abilities.take_stock.clone())
        else {
            return finish().await;
        };
        let next = quell_connector::call::later(self.now(), pace::STOCK);
        let inventory = match ability.take_stock(&self.call(&job.subject)).await {
            Ok(inventory) => inventory,
            Err(error) => {
                warn!(connection = %id, error = &error as &dyn std::error::Error, "stock could not be taken; lists stay as they are");
                let again = pace::again(job.attempts, error.retry_after);
                let due = match error.kind.passes() {
                    true => quell_connector::call::later(self.now(), again).min(next),
                    false => next,
                };
                return self.postpone(job, due).await;
            }
        };
        let known = self.known_of(&id).await?;
        let found = self.wanted(&id, &inventory, &known)?;
        let lost = known.keys().filter(|key| !found.contains_key(*key)).count();
        let claim = job.claim.clone();
        if lost * 2 > known.len() {
            warn!(connection = %id, known = known.len(), lost, "an inventory without most of the domain controllers known before is not believed; lists stay as they are");
            let messages = self.doubts(&id, &inventory);
            let organization = self.organization();
            let doubted =
                self.0
                    .store
                    .doubt_stock(claim, next, organization, id.as_str(), messages);
            doubted.await?;
            self.0.nudge.notify_one();
            return Ok(());
        }
        let entries = found.values().map(|entry| self.row(entry));
        let stock = Stock {
            connection: id.to_string(),
            machines: inventory.machines,
            entries: entries.collect::<Result<_>>()?,
        };
        let hand = self.hand(id.as_str(), "no longer a domain controller");
        self.0.store.restock(claim, next, hand, stock).await?;
        info!(connection = %id, machines = inventory.machines, domain_controllers = inventory.domain_controllers.len(), "stock was taken");
        self.follow_lists().await;
        Ok(())
    }

    async fn known_of(&self, id: &ConnectionId) -> Result<BTreeMap<Key, Entry>> {
        let (_, rows) = self.0.store.list_entries(self.organization()).await?;
        let rows = rows.iter().filter(|row| row.source == id.as_str());
        rows.map(|row| read(row).map(|entry| (key(&entry), entry)))
            .collect()
    }

    /// The entries an inventory means. One that is known already stays word for word.
    fn wanted(
        &self,
        id: &ConnectionId,
        inventory: &Inventory,
        known: &BTreeMap<Key, Entry>,
    ) -> Result<BTreeMap<Key, Entry>> {
        let mut wanted = BTreeMap::new();
        for host in &inventory.domain_controllers {
            // An id is this vendor's; a name is the machine's, whoever speaks of it.
            let names = [(&host.id, Some(id.clone())), (&host.name, None)];
            for (value, connection) in names {
                let Some(value) = value else { continue };
                let draft = Draft {
                    subject: Subject::Host,
                    value: value.clone(),
                    strength: Strength::Ask,
                    actions: ON_THE_MACHINE.into(),
                    connection,
                    reason: format!("Domain controller, says {id}"),
                    author: id.to_string(),
                    source: id.to_string(),
                    added: self.now(),
                    expires: None,
                };
                match Entry::new(draft) {
                    Ok(entry) => {
                        let key = key(&entry);
                        let entry = known.get(&key).cloned().unwrap_or(entry);
                        wanted.insert(key, entry);
                    }
                    Err(problems) => {
                        warn!(connection = %id, %problems, "a domain controller has a name no list can hold");
                    }
                }
            }
        }
        Ok(wanted)
    }

    fn doubts(&self, id: &ConnectionId, inventory: &Inventory) -> Vec<Envelope> {
        let found = inventory.domain_controllers.len();
        let lines = vec![
            format!(
                "{id} now names {found} domain controllers and leaves out most of those it named before. The list stays as it was, so nothing is less protected."
            ),
            "If they are really gone, take them off the list. If not, look at the connection's permissions and filters at the vendor.".to_owned(),
        ];
        let notice = Notice {
            kind: NoticeKind::Failed,
            incident: None,
            action: None,
            at: self.now(),
            title: format!("The inventory of {id} is not believed"),
            lines,
            answer: Some(format!("quell lists --source {id}")),
            console_url: None,
        };
        self.connections()
            .filter(|c| c.connected.abilities.notify.is_some())
            .map(|c| Envelope {
                channel: c.connected.id.to_string(),
                thread: format!("stock-{id}"),
                notice: notice.clone(),
            })
            .collect()
    }
}

fn key(entry: &Entry) -> Key {
    (
        entry.subject,
        entry.value.to_lowercase(),
        entry.connection.clone(),
    )
}

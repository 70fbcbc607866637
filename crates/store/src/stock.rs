//! What connections found when they took stock: entries that are replaced as a whole, how many machines
//! there are, and whether it is doubted. What to believe is the engine's business.

use std::collections::HashSet;

use jiff::Timestamp;
use quell_model::OrganizationId;
use rusqlite::{Connection, params};

use crate::error::{Error, Result};
use crate::jobs::Claim;
use crate::lists::{self, ListChange, ListEntry, ListHand, machines};
use crate::micros;
use crate::outbox::{self, Envelope};
use crate::sqlite::Store;

/// What a connection found when it took stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// The connection, which is the source of the entries.
    pub connection: String,
    /// How many machines there are.
    pub machines: u64,
    /// All entries of this source from now on.
    pub entries: Vec<ListEntry>,
}

impl Store {
    /// Replaces all entries of one source by what its connection found, and comes back at `next`. An
    /// entry that says precisely what one says that is there stays as it is.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the claim is gone; then nothing is changed.
    pub async fn restock(
        &self,
        claim: Claim,
        next: Timestamp,
        hand: ListHand,
        stock: Stock,
    ) -> Result<()> {
        self.change_lists(move |db| {
            again(db, &claim, next)?;
            let organization = &hand.organization;
            let known: Vec<ListEntry> = db
                .prepare_cached(
                    "SELECT id, source, expires, document FROM list_entries
                     WHERE organization = ?1 AND source = ?2 ORDER BY id",
                )?
                .query_map(
                    params![organization.as_str(), stock.connection],
                    lists::entry,
                )?
                .map(|row| row?)
                .collect::<Result<_>>()?;
            let wanted: HashSet<&str> = stock.entries.iter().map(said).collect();
            let there: HashSet<&str> = known.iter().map(said).collect();
            for entry in known.iter().filter(|entry| !wanted.contains(said(entry))) {
                lists::remove(db, &hand, entry, ListChange::Removed)?;
            }
            for entry in stock.entries.iter().filter(|e| !there.contains(said(e))) {
                lists::add(db, &hand, entry)?;
            }
            db.prepare_cached(
                "INSERT INTO facts (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )?
            .execute(params![
                machines(organization, &stock.connection),
                stock.machines.to_string()
            ])?;
            db.prepare_cached("DELETE FROM facts WHERE name = ?1")?
                .execute([doubted(organization, &stock.connection)])?;
            Ok(())
        })
        .await
    }

    /// Leaves a connection's entries as they are because what it found is doubted, tells people unless
    /// they were told since it was last believed, and comes back at `next`.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the claim is gone.
    pub async fn doubt_stock(
        &self,
        claim: Claim,
        next: Timestamp,
        organization: &OrganizationId,
        connection: &str,
        messages: Vec<Envelope>,
    ) -> Result<()> {
        let name = doubted(organization, connection);
        let texts = messages
            .iter()
            .map(|message| serde_json::to_string(&message.notice))
            .collect::<Result<Vec<_>, _>>()?;
        self.write(move |db| {
            again(db, &claim, next)?;
            let first = db
                .prepare_cached(
                    "INSERT INTO facts (name, value) VALUES (?1, 'true') ON CONFLICT DO NOTHING",
                )?
                .execute([&name])?;
            if first == 1 {
                for (message, text) in messages.iter().zip(&texts) {
                    outbox::post(db, message, text)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Whether what a connection found when it last took stock is doubted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stock_is_doubted(
        &self,
        organization: &OrganizationId,
        connection: &str,
    ) -> Result<bool> {
        let name = doubted(organization, connection);
        self.read(move |db| {
            Ok(db
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM facts WHERE name = ?1)")?
                .query_row([name], |row| row.get(0))?)
        })
        .await
    }
}

fn doubted(organization: &OrganizationId, connection: &str) -> String {
    format!("stock-doubted:{organization}:{connection}")
}

fn said(entry: &ListEntry) -> &str {
    &entry.document
}

/// The job is done and comes back at `next`.
fn again(db: &Connection, claim: &Claim, next: Timestamp) -> Result<()> {
    let changed = db
        .prepare_cached(
            "UPDATE jobs SET holder = NULL, due = ?3, attempts = 0 WHERE key = ?1 AND holder = ?2",
        )?
        .execute(params![claim.key, claim.token, micros(next)])?;
    if changed == 1 {
        Ok(())
    } else {
        Err(Error::Fenced(claim.key.clone()))
    }
}

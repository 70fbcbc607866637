//! Small durable facts: feed cursors, what is paused, webhook messages already used.

use jiff::Timestamp;
use quell_model::ConnectionId;
use rusqlite::{OptionalExtension, params};
use serde_json::Value;

use crate::error::Result;
use crate::ingest::parse;
use crate::micros;
use crate::sqlite::Store;

/// What the name of a paused connection's fact begins with. The queue's SQL spells it out.
const PAUSED_CONNECTION: &str = "paused:";

impl Store {
    /// Where a connection's feed goes on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cursor(&self, connection: &ConnectionId) -> Result<Option<Value>> {
        let name = format!("cursor:{connection}");
        self.fact(name).await
    }

    /// Stores where a connection's feed goes on, once what came before it is stored.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_cursor(&self, connection: &ConnectionId, cursor: Value) -> Result<()> {
        self.set_fact(format!("cursor:{connection}"), Some(cursor))
            .await
    }

    /// What the upkeep of a connection left the last time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn upkeep(&self, connection: &ConnectionId) -> Result<Option<Value>> {
        self.fact(format!("upkeep:{connection}")).await
    }

    /// Stores what the upkeep of a connection left.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_upkeep(&self, connection: &ConnectionId, state: Value) -> Result<()> {
        self.set_fact(format!("upkeep:{connection}"), Some(state))
            .await
    }

    /// What is paused, with who, when and why: everything, or single connections.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pauses(&self) -> Result<Vec<(Option<ConnectionId>, Value)>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT name, value FROM facts WHERE name = 'paused'
                 UNION ALL SELECT name, value FROM facts WHERE name > 'paused:' AND name < 'paused;'",
            )?;
            let rows = statement.query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })?;
            let mut pauses = Vec::new();
            for row in rows {
                let (name, value) = row?;
                let connection = match name.strip_prefix(PAUSED_CONNECTION) {
                    Some(id) => Some(parse(id)?),
                    None => None,
                };
                pauses.push((connection, serde_json::from_str(&value)?));
            }
            Ok(pauses)
        })
        .await
    }

    /// Pauses everything or one connection (with who, when and why), or resumes it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_paused(
        &self,
        connection: Option<&ConnectionId>,
        paused: Option<Value>,
    ) -> Result<()> {
        let name = match connection {
            Some(id) => format!("{PAUSED_CONNECTION}{id}"),
            None => "paused".to_owned(),
        };
        self.set_fact(name, paused).await
    }

    /// Remembers until `expires` that the message `id` was used; `false` when it already was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn first_use(&self, id: &str, now: Timestamp, expires: Timestamp) -> Result<bool> {
        let name = format!("used:{id}");
        self.write(move |db| {
            db.prepare_cached("DELETE FROM facts WHERE expires <= ?1")?.execute([micros(now)])?;
            let added = db
                .prepare_cached("INSERT INTO facts (name, value, expires) VALUES (?1, 'true', ?2) ON CONFLICT DO NOTHING")?
                .execute(params![name, micros(expires)])?;
            Ok(added == 1)
        })
        .await
    }

    /// Whether the message `id` was used, and is still remembered.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn was_used(&self, id: &str, now: Timestamp) -> Result<bool> {
        let name = format!("used:{id}");
        self.read(move |db| {
            Ok(db
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM facts WHERE name = ?1 AND expires > ?2)",
                )?
                .query_row(params![name, micros(now)], |row| row.get(0))?)
        })
        .await
    }

    async fn fact(&self, name: String) -> Result<Option<Value>> {
        self.read(move |db| {
            let value: Option<String> = db
                .prepare_cached("SELECT value FROM facts WHERE name = ?1")?
                .query_row([name], |row| row.get(0))
                .optional()?;
            Ok(value.map(|text| serde_json::from_str(&text)).transpose()?)
        })
        .await
    }

    async fn set_fact(&self, name: String, value: Option<Value>) -> Result<()> {
        self.write(move |db| {
            match &value {
                Some(value) => db
                    .prepare_cached(
                        "INSERT INTO facts (name, value) VALUES (?1, ?2)
                         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    )?
                    .execute(params![name, value.to_string()])?,
                None => db
                    .prepare_cached("DELETE FROM facts WHERE name = ?1")?
                    .execute([&name])?,
            };
            Ok(())
        })
        .await
    }
}

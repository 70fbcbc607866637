//! Small durable facts: feed cursors, the pause switch, webhook messages already used.

use jiff::Timestamp;
use quell_model::ConnectionId;
use rusqlite::{OptionalExtension, params};
use serde_json::Value;

use crate::error::Result;
use crate::micros;
use crate::sqlite::Store;

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

    /// Who paused automation and why, if it is paused.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn paused(&self) -> Result<Option<Value>> {
        self.fact("paused".to_owned()).await
    }

    /// Pauses automation (with who, when and why) or resumes it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_paused(&self, paused: Option<Value>) -> Result<()> {
        self.set_fact("paused".to_owned(), paused).await
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

//! What can go wrong in the store.

/// Result of a store operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed store operation. Nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The claim on a job is gone: its lease ended and another worker took it, or it is finished.
    #[error("the claim on job `{0}` is no longer held")]
    Fenced(String),
    /// The action changed since it was read.
    #[error("action `{0}` changed since it was read")]
    Stale(String),
    /// There is no such record.
    #[error("there is no {what} `{id}`")]
    Missing {
        /// What was looked for ("action").
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// Another process has the database open.
    #[error("the database `{0}` is in use by another Quell process")]
    InUse(String),
    /// The database was written by a newer Quell.
    #[error(
        "the database has schema version {found}, this Quell knows up to {known}; use the newer Quell"
    )]
    Newer {
        /// Version found.
        found: i64,
        /// Version known.
        known: i64,
    },
    /// A stored document does not read back.
    #[error("a stored record cannot be read")]
    Corrupt(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database failed.
    #[error("the database failed")]
    Sqlite(#[from] rusqlite::Error),
    /// The file system failed.
    #[error("the database file cannot be used")]
    Io(#[from] std::io::Error),
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Corrupt(Box::new(error))
    }
}

//! SQLite: opening, migrating, one writer that commits in groups, and readers.
//!
//! Every write is queued to one thread. It takes whatever is waiting, runs it in one transaction,
//! flushes once and only then answers, so durability costs one flush per group and not per alert.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use crate::error::{Error, Result};
use crate::group::Group;

const SCHEMA: &str = include_str!("schema.sql");
const VERSION: i64 = 1;
/// Writes in one transaction at most; bounds how long the first of them waits.
const GROUP: usize = 256;
/// Bytes of a page: documents of one to three KiB leave little of it empty, and a commit writes half as
/// many of them.
const PAGE: i64 = 8192;
/// Pages of the write-ahead log at which it is moved into the database: 64 MiB.
const LOG_PAGES: i64 = (64 << 20) / PAGE;
/// Threads that read.
const READERS: usize = 2;
/// Statements kept prepared per thread.
const STATEMENTS: usize = 128;

type Write = Box<dyn Op>;
type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The database. Cheap to clone; the last clone dropped closes it.
#[derive(Clone)]
pub struct Store(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    writes: Option<mpsc::UnboundedSender<Write>>,
    reads: Option<mpsc::UnboundedSender<Read>>,
    threads: Vec<JoinHandle<()>>,
    pub(crate) list_changes: AtomicU64,
    _lock: Option<File>,
}

impl Store {
    /// Opens the database file, making or migrating it as needed, and takes it for this process.
    ///
    /// # Errors
    /// When another process has it, when a newer Quell wrote it, or when the file cannot be used.
    pub fn open(path: &Path) -> Result<Self> {
        let lock_path = PathBuf::from(format!("{}.lock", path.display()));
        let lock = private(&lock_path)?;
        // Two processes on one file would each believe the other's claims to be its own leftovers.
        lock.try_lock()
            .map_err(|_| Error::InUse(path.display().to_string()))?;
        // Made before SQLite would make it, so that nobody else can ever read it; SQLite gives the log
        // beside it the same rights.
        drop(private(path)?);
        let target = path.to_owned();
        Self::start(move || Connection::open(&target), READERS, Some(lock))
    }

    /// A database in memory, for tests and for `plan`.
    ///
    /// # Errors
    /// When SQLite cannot make one.
    pub fn in_memory() -> Result<Self> {
        // A database in memory belongs to its one connection, so the writer reads as well.
        Self::start(Connection::open_in_memory, 0, None)
    }

    fn start(
        open: impl Fn() -> rusqlite::Result<Connection>,
        readers: usize,
        lock: Option<File>,
    ) -> Result<Self> {
        let mut writer = open()?;
        configure(&writer)?;
        migrate(&mut writer)?;
        // Claims of the process that had the file before are void: it is gone, or it would hold the lock.
        writer.execute(
            "UPDATE jobs SET holder = NULL, due = 0 WHERE holder IS NOT NULL",
            [],
        )?;
        let (writes, queue) = mpsc::unbounded_channel::<Write>();
        let mut threads = vec![
            std::thread::Builder::new()
                .name("store-writer".into())
                .spawn(move || write_groups(&mut writer, queue))?,
        ];
        let (reads, requests) = mpsc::unbounded_channel::<Read>();
        let requests = Arc::new(Mutex::new(requests));
        for _ in 0..readers {
            let (reader, requests) = (open()?, requests.clone());
            configure(&reader)?;
            let body = move || {
                loop {
                    let next = requests
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .blocking_recv();
                    let Some(read) = next else { return };
                    read(&reader);
                }
            };
            threads.push(
                std::thread::Builder::new()
                    .name("store-reader".into())
                    .spawn(body)?,
            );
        }
        let reads = (readers > 0).then_some(reads);
        Ok(Self(Arc::new(Inner {
            writes: Some(writes),
            reads,
            threads,
            list_changes: AtomicU64::new(0),
            _lock: lock,
        })))
    }

    /// Runs `write` in a transaction and answers once it is durable.
    ///
    /// INVARIANT: a write that ends in [`Error::Fenced`], [`Error::Stale`] or [`Error::Missing`] has
    /// changed nothing: it checks before it changes. It then shares its transaction with others at no
    /// cost. Any other error undoes the whole group, and each write of it is run again by itself, so
    /// `write` must be repeatable.
    pub(crate) async fn write<T, F>(&self, write: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Group<'_>) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let op = Box::new(Pending {
            write,
            result: None,
            answer,
        });
        self.0
            .writes
            .as_ref()
            .ok_or(Error::Closed)?
            .send(op)
            .map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)?
    }

    /// Runs `read` on a reader: it sees what has been committed.
    pub(crate) async fn read<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Read = Box::new(move |db| {
            let _caller_gone = answer.send(read(db));
        });
        let Some(readers) = &self.0.reads else {
            return self.write_as_read(job, answered).await;
        };
        readers.send(job).map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)?
    }
}

impl Store {
    async fn write_as_read<T: Send + 'static>(
        &self,
        job: Read,
        answered: oneshot::Receiver<Result<T>>,
    ) -> Result<T> {
        let job = Mutex::new(Some(job));
        self.write(move |db| {
            if let Some(job) = job.lock().unwrap_or_else(PoisonError::into_inner).take() {
                // It reads what was counted before it.
                db.settle()?;
                job(db);
            }
            Ok(())
        })
        .await?;
        answered.await.map_err(|_| Error::Closed)?
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.writes = None;
        self.reads = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has already reported itself; closing goes on.
            let _panicked = thread.join();
        }
    }
}

/// Opens a file, and makes it if need be, that only its owner may read: alerts name people.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn configure(db: &Connection) -> Result<()> {
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    // Before anything else, because a file keeps the size it was made with.
    db.pragma_update(None, "page_size", PAGE)?;
    // FULL: a commit that was answered survives a power loss, not only a crash.
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192; PRAGMA read_uncommitted = OFF;",
    )?;
    // A plan does not depend on what is bound: without this, a cached statement with a value beside its
    // index, or in its LIMIT, is prepared anew at each use.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Moving the log into the database holds up the writer. Done rarely, most pages are moved once
    // instead of once for each change.
    db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    Ok(())
}

fn migrate(db: &mut Connection) -> Result<()> {
    let found: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > VERSION {
        return Err(Error::Newer {
            found,
            known: VERSION,
        });
    }
    if found < 1 {
        let transaction = db.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    Ok(())
}

/// One queued write.
trait Op: Send {
    /// Runs it; says whether what it did may be committed.
    fn run(&mut self, group: &Group<'_>) -> bool;
    /// Answers its caller, with `failure` instead of its own result if there is one.
    fn answer(self: Box<Self>, failure: Option<Error>);
}

struct Pending<F, T> {
    write: F,
    result: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: Fn(&Group<'_>) -> Result<T> + Send> Op for Pending<F, T> {
    fn run(&mut self, group: &Group<'_>) -> bool {
        let result = (self.write)(group);
        let sound = matches!(
            result,
            Ok(_) | Err(Error::Fenced(_) | Error::Stale(_) | Error::Missing { .. })
        );
        self.result = Some(result);
        sound
    }

    fn answer(self: Box<Self>, failure: Option<Error>) {
        let result = match failure {
            Some(failure) => Err(failure),
            None => self.result.unwrap_or(Err(Error::Closed)),
        };
        let _caller_gone = self.answer.send(result);
    }
}

fn write_groups(db: &mut Connection, mut queue: mpsc::UnboundedReceiver<Write>) {
    while let Some(first) = queue.blocking_recv() {
        // Writers that are about to queue get a moment of processor time to join the group; when
        // nobody is, this costs about a microsecond.
        std::thread::yield_now();
        let mut group = vec![first];
        while group.len() < GROUP {
            let Ok(next) = queue.try_recv() else { break };
            group.push(next);
        }
        match together(db, &mut group) {
            Ok(true) => group.into_iter().for_each(|op| op.answer(None)),
            // One of them failed in the middle: what it left behind must not be committed, and the
            // others must not suffer for it.
            Ok(false) => group.into_iter().for_each(|op| alone(db, op)),
            Err(error) => {
                error!(error = %error, "a group of writes could not be committed");
                group
                    .into_iter()
                    .for_each(|op| op.answer(Some(failure(&error))));
            }
        }
    }
}

/// Runs a group in one transaction. `false`: nothing was committed, because one of them failed.
fn together(db: &mut Connection, writes: &mut [Write]) -> Result<bool> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let group = Group::new(&transaction);
    if !writes.iter_mut().all(|write| write.run(&group)) {
        transaction.rollback()?;
        return Ok(false);
    }
    group.settle()?;
    transaction.commit()?;
    Ok(true)
}

/// Runs one write in a transaction of its own.
fn alone(db: &mut Connection, mut op: Write) {
    let committed = together(db, std::slice::from_mut(&mut op));
    // A write that failed by itself answers with its own error.
    op.answer(committed.err().as_ref().map(failure));
}

/// The same failure for each member of a group that could not be committed.
fn failure(error: &Error) -> Error {
    let Error::Sqlite(error) = error else {
        return Error::Corrupt(error.to_string().into());
    };
    let code = error
        .sqlite_error()
        .copied()
        .unwrap_or(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR));
    Error::Sqlite(rusqlite::Error::SqliteFailure(
        code,
        Some(error.to_string()),
    ))
}

#[cfg(test)]
mod tests {
    use rusqlite::{StatementStatus, params};

    use super::*;

    #[test]
    fn a_statement_is_not_prepared_again_for_each_use() {
        let mut db = Connection::open_in_memory().unwrap();
        configure(&db).unwrap();
        migrate(&mut db).unwrap();
        let prepare = || {
            db.prepare_cached(
                "SELECT document FROM actions WHERE incident = ?1 AND type = ?2 AND target = ?3
                   AND state IN ('shadowed', 'denied', 'manual', 'rejected') ORDER BY id DESC",
            )
            .unwrap()
        };
        for incident in ["one", "another", "one"] {
            let none = prepare().exists(params![incident, "contain_host", "host:1"]);
            assert!(!none.unwrap());
        }
        let statement = prepare();
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}

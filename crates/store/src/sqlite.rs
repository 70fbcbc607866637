//! SQLite: opening, migrating, one writer that commits in groups, and readers.
//!
//! Every write is queued to one thread. It takes whatever is waiting, runs it in one transaction,
//! flushes once and only then answers, so durability costs one flush per group and not per alert.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use crate::error::{Error, Result};

const SCHEMA: &str = include_str!("schema.sql");
const VERSION: i64 = 1;
/// Writes in one transaction at most; bounds how long the first of them waits.
const GROUP: usize = 256;
/// Threads that read.
const READERS: usize = 2;
/// Statements kept prepared per thread.
const STATEMENTS: usize = 128;

type Write = Box<dyn FnOnce(&Connection) -> Box<dyn FnOnce(Option<Error>) + Send> + Send>;
type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The database. Cheap to clone; the last clone dropped closes it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    writes: Option<mpsc::UnboundedSender<Write>>,
    reads: Option<mpsc::UnboundedSender<Read>>,
    threads: Vec<JoinHandle<()>>,
    _lock: Option<File>,
}

impl Store {
    /// Opens the database file, making or migrating it as needed, and takes it for this process.
    ///
    /// # Errors
    /// When another process has it, when a newer Quell wrote it, or when the file cannot be used.
    pub fn open(path: &Path) -> Result<Self> {
        let lock_path = PathBuf::from(format!("{}.lock", path.display()));
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(lock_path)?;
        // Two processes on one file would each believe the other's claims to be its own leftovers.
        lock.try_lock()
            .map_err(|_| Error::InUse(path.display().to_string()))?;
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
            _lock: lock,
        })))
    }

    /// Runs `write` in a transaction and answers once it is durable. An error undoes `write` alone,
    /// not what shares its transaction.
    pub(crate) async fn write<T, F>(&self, write: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Write = Box::new(move |db| {
            let result = alone(db, write);
            Box::new(move |failure| {
                let result = match failure {
                    Some(failure) => Err(failure),
                    None => result,
                };
                let _caller_gone = answer.send(result);
            })
        });
        self.0
            .writes
            .as_ref()
            .ok_or(Error::Closed)?
            .send(job)
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
        self.write(move |db| {
            job(db);
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

fn configure(db: &Connection) -> Result<()> {
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    // FULL: a commit that was answered survives a power loss, not only a crash.
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192; PRAGMA read_uncommitted = OFF;",
    )?;
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

/// Runs one write so that its failure leaves nothing of it behind.
fn alone<T>(db: &Connection, write: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    db.prepare_cached("SAVEPOINT one")?.execute([])?;
    let result = write(db);
    if result.is_err() {
        db.prepare_cached("ROLLBACK TO one")?.execute([])?;
    }
    db.prepare_cached("RELEASE one")?.execute([])?;
    result
}

fn write_groups(db: &mut Connection, mut queue: mpsc::UnboundedReceiver<Write>) {
    while let Some(first) = queue.blocking_recv() {
        let mut answers = Vec::new();
        let committed = group(db, first, &mut queue, &mut answers);
        if let Err(failure) = &committed {
            error!(error = %failure, "a group of writes could not be committed");
        }
        for answer in answers {
            answer(failure(&committed));
        }
    }
}

/// The same failure for each member of a group that could not be committed.
fn failure(committed: &rusqlite::Result<()>) -> Option<Error> {
    let error = committed.as_ref().err()?;
    let code = error
        .sqlite_error()
        .copied()
        .unwrap_or(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR));
    Some(Error::Sqlite(rusqlite::Error::SqliteFailure(
        code,
        Some(error.to_string()),
    )))
}

fn group(
    db: &mut Connection,
    first: Write,
    queue: &mut mpsc::UnboundedReceiver<Write>,
    answers: &mut Vec<Box<dyn FnOnce(Option<Error>) + Send>>,
) -> rusqlite::Result<()> {
    // When no transaction begins, the write is dropped unrun, which its caller sees as a closed store.
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    answers.push(first(&transaction));
    // Writers that are about to queue get a moment of processor time to join the group; when nobody
    // is, this costs about a microsecond.
    std::thread::yield_now();
    while answers.len() < GROUP {
        let Ok(next) = queue.try_recv() else { break };
        answers.push(next(&transaction));
    }
    transaction.commit()
}

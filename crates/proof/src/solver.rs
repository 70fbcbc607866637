//! Finding a solver and saying plainly when there is none. Owns where it is looked for, whether it
//! runs, and how long it may take; the questions put to it are the business of the session.

use std::ffi::OsString;
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use quell_model::Clock;
use thiserror::Error;
use tokio::process::Command;

use crate::stack;

/// How long one proof may take unless the caller says otherwise.
pub const TIME_LIMIT: Duration = Duration::from_secs(30);

/// How long the solver may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(10);

/// A solver that runs.
#[derive(Clone)]
pub struct Solver {
    program: PathBuf,
    version: String,
    limit: Duration,
    clock: Arc<dyn Clock>,
}

/// Why there is no solver.
#[derive(Debug, Error)]
pub enum NoSolver {
    /// There is no such program, or it may not be run.
    #[error(
        "the solver `{}` could not be started; proofs need cvc5 (`apt-get install cvc5`), everything else of Quell works without it",
        program.display()
    )]
    Missing {
        /// What was to be started.
        program: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// It is a program, but not one that proofs can use.
    #[error(
        "`{}` does not answer like cvc5; proofs need cvc5 (`apt-get install cvc5`), everything else of Quell works without it",
        program.display()
    )]
    Other {
        /// What was started.
        program: PathBuf,
    },
}

impl Solver {
    /// Looks for cvc5 and asks its version: the program given here, else the one that the environment
    /// variable `CVC5` names, else `cvc5` on the path.
    ///
    /// Blocks for as long as the program takes to answer, ten seconds at most.
    ///
    /// # Errors
    /// When there is no such program, or it does not answer like cvc5.
    pub fn find(given: Option<&Path>, clock: Arc<dyn Clock>) -> Result<Self, NoSolver> {
        let program = match given {
            Some(given) => given.to_owned(),
            // The variable is the solver's, set for all that use it, and no part of Quell's
            // configuration.
            None => std::env::var_os("CVC5")
                .filter(|named| !named.is_empty())
                .unwrap_or_else(|| OsString::from("cvc5"))
                .into(),
        };
        let mut solver = Self {
            program,
            version: String::new(),
            limit: TIME_LIMIT,
            clock,
        };
        let said = solver
            .aside(solver.within(VERSION_LIMIT, solver.greeting()))
            .flatten();
        solver.version = match said {
            Some(greeting) => greeting?,
            None => None,
        }
        .ok_or_else(|| NoSolver::Other {
            program: solver.program.clone(),
        })?;
        Ok(solver)
    }

    /// The same solver with another time limit for each proof.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The program that runs.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The version it gave (`1.0.3`).
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    pub(crate) const fn limit(&self) -> Duration {
        self.limit
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn since(&self, started: Timestamp) -> Duration {
        Duration::try_from(self.now().duration_since(started)).unwrap_or_default()
    }

    /// The command that starts it; whatever becomes of us, it does not stay behind.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.stderr(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Does `work`, unless the time is over first.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            () = self.clock.until(self.now() + limit) => None,
            done = &mut work => Some(done),
        }
    }

    /// Does `work` on a thread of its own and waits for it; nothing when that could not be done.
    /// Callers need no runtime.
    pub(crate) fn aside<T: Send>(&self, work: impl Future<Output = T> + Send) -> Option<T> {
        stack::large(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .ok()?;
            Some(runtime.block_on(work))
        })
        .flatten()
    }

    /// The version in the first line that `--version` prints, when it is cvc5's.
    async fn greeting(&self) -> Result<Option<String>, NoSolver> {
        let output = self
            .command()
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(|source| NoSolver::Missing {
                program: self.program.clone(),
                source,
            })?;
        let text = String::from_utf8_lossy(&output.stdout);
        // "This is cvc5 version 1.0.3"; newer ones add "[git …]" behind it.
        let version = text.lines().next().and_then(|line| {
            let (_, after) = line.split_once("cvc5 version ")?;
            Some(after.split_whitespace().next()?.to_owned())
        });
        Ok(version)
    }
}

impl fmt::Debug for Solver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Solver")
            .field("program", &self.program)
            .field("version", &self.version)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

//! `quell serve`: the parts put together, started, and stopped in order.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quell_connector::SystemClock;
use quell_engine::Engine;
use quell_model::{Clock, ConnectionId, RandomIds};
use quell_server::{ReadRules, Unusable};
use quell_store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

use crate::config::{Document, LogFormat, Parts, reachable, tells};
use crate::failure::{Failure, Result};
use crate::machine;

/// Runs the server until it is told to stop (SIGINT, SIGTERM).
///
/// Logs go to standard error. It is ready when `/readyz` says so and the log says `ready`; told to
/// stop, it takes no new work, ends what is under way and leaves the rest, durable, for the next start.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "quell.toml")]
    config: PathBuf,
    /// Listen here instead of where the configuration says; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

/// A running server.
pub struct Running {
    /// The engine.
    pub engine: Engine,
    /// Where the server listens.
    pub address: SocketAddr,
    read_rules: ReadRules,
    stop: watch::Sender<bool>,
    working: JoinHandle<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

/// Runs the command.
///
/// # Errors
/// When the server cannot start, or stops by itself.
pub fn run(arguments: &Arguments) -> Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let started = clock.now();
    let document = Document::open(&arguments.config)?;
    log(&document)?;
    for warning in &document.warnings {
        warn!("{warning}");
    }
    runtime()?.block_on(async {
        // Before anybody is told that the server is ready.
        let orders = Orders::listen();
        let config = &arguments.config;
        let running = Running::start(&document, config, arguments.listen, clock.clone()).await?;
        let took = clock.now().duration_since(started).as_millis();
        info!(
            address = %running.address,
            connections = running.engine.connections().count(),
            took_ms = i64::try_from(took).unwrap_or(i64::MAX),
            "ready"
        );
        let (engine, read) = (running.engine.clone(), running.read_rules.clone());
        tokio::select! {
            ended = running.until(told_to_stop()) => ended,
            () = follow(orders, read, engine) => Ok(()),
        }
    })
}

/// Orders to read the policy again: SIGHUP, where there is such a thing.
struct Orders {
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

impl Orders {
    /// Listens from now on. Until somebody listens, the signal ends the process.
    fn listen() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let hangup = signal(SignalKind::hangup())
                .inspect_err(|error| {
                    warn!(
                        error = error as &dyn std::error::Error,
                        "a changed policy needs a restart: SIGHUP cannot be listened for"
                    );
                })
                .ok();
            Self { hangup }
        }
        #[cfg(not(unix))]
        Self {}
    }

    /// Completes with the next order; never, where there is none to come.
    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(hangup) = &mut self.hangup
            && hangup.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

/// Puts a changed policy in force whenever it is ordered by the signal: rules, lists, budgets,
/// playbooks and assets. What does not load changes nothing. Never completes.
async fn follow(mut orders: Orders, read: ReadRules, engine: Engine) {
    loop {
        orders.next().await;
        let read = read.clone();
        // Aside: decisions go on by the old policy meanwhile.
        let rules = match tokio::task::spawn_blocking(move || (read.0)()).await {
            Ok(Ok(rules)) => rules,
            Ok(Err(unusable)) => {
                for problem in unusable.problems {
                    error!("{problem}");
                }
                error!(
                    error = unusable.message,
                    "the policy was read again and does not load; the old one stays in force"
                );
                continue;
            }
            Err(error) => {
                error!(error = %error, "reading the policy again was interrupted");
                continue;
            }
        };
        let (count, entries) = (rules.policy.rules().len(), rules.guardrails.entries());
        // A signal does not say whose it is.
        match engine.put_in_force(rules, None).await {
            Ok(changed) => info!(
                rules = count,
                entries,
                changed = changed.len(),
                "the policy was read again and is in force"
            ),
            Err(error) => error!(
                error = &error as &dyn std::error::Error,
                "the policy was read again and cannot be put in force; the old one stays"
            ),
        }
    }
}

/// Reads the rules that a configuration file and its policy folder state now.
fn reader(config: PathBuf, tells: BTreeMap<ConnectionId, bool>) -> ReadRules {
    ReadRules(Arc::new(move || {
        Document::open(&config)
            .and_then(|document| document.rules())
            .and_then(|rules| reachable(rules, &tells))
            .map_err(|failure| Unusable {
                message: failure.message().to_owned(),
                problems: failure.problems().to_vec(),
            })
    }))
}

/// The runtime that servers run on. One core is left to the thread that writes to the database: it is
/// what everything waits for, and on few cores it would have to wait its turn.
///
/// # Errors
/// When the system refuses it.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.saturating_sub(1).max(1))
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("no runtime can be started").because(&error))
}

/// Completes when somebody asks the process to stop.
pub(crate) async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _interrupted = tokio::signal::ctrl_c().await;
}

impl Running {
    /// Opens the store, builds the connections, and starts the engine and the server. A changed policy
    /// will be read from the file `config`, which `document` was read from.
    ///
    /// # Errors
    /// When one of them cannot; then none of them runs.
    pub async fn start(
        document: &Document,
        config: &Path,
        listen: Option<SocketAddr>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        // Takes as long as reading the policy does, and goes on beside it.
        let machine = tokio::task::spawn_blocking(machine::here);
        let Parts {
            rules,
            connections,
            server: mut settings,
        } = document.parts(&clock)?;
        if settings.tokens.is_empty() {
            warn!("no [[server.tokens]]: nobody can read, approve or pause anything");
        }
        settings.metrics = Some(quell_server::metrics());
        let read_rules = reader(config.to_path_buf(), tells(&connections));
        settings.read_rules = Some(read_rules.clone());
        let listener = bind(listen.unwrap_or(document.listen()?)).await?;
        let address = listener
            .local_addr()
            .map_err(|error| Failure::failed("the address is not known").because(&error))?;
        let store = open(&document.store())?;
        let mut own = document.engine();
        own.seal = Some(document.seal()?);
        own.machine = machine
            .await
            .map_err(|error| Failure::failed("the start was interrupted").because(&error))?;
        let engine = Engine::new(store, clock, Arc::new(RandomIds), own, rules, connections);
        engine.load_switches().await.map_err(|error| {
            Failure::failed("the record of opt-ins and pauses cannot be read").because(&error)
        })?;
        let router = quell_server::router(engine.clone(), settings);
        let (stop, stopped) = watch::channel(false);
        let told = |mut stopped: watch::Receiver<bool>| async move {
            let _sender_gone = stopped.wait_for(|stop| *stop).await;
        };
        let work = engine.clone();
        let until = told(stopped.clone());
        Ok(Self {
            working: tokio::spawn(async move { work.run(until).await }),
            serving: tokio::spawn(quell_server::serve(listener, router, told(stopped))),
            engine,
            address,
            read_rules,
            stop,
        })
    }

    /// Runs until `told` completes, then ends what is under way.
    ///
    /// # Errors
    /// When the engine or the server stops by itself.
    pub async fn until(mut self, told: impl Future<Output = ()>) -> Result<()> {
        let early = tokio::select! {
            () = told => false,
            _ = &mut self.working => true,
            _ = &mut self.serving => true,
        };
        if early {
            return Err(Failure::failed(
                "the server stopped by itself; its log says why",
            ));
        }
        info!("stopping: no new work is taken, what is under way ends first");
        self.stop().await;
        info!("stopped");
        Ok(())
    }

    /// Takes no new work and ends what is under way.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // The server first: a request under way may still need the engine.
        let _served = self.serving.await;
        let _worked = self.working.await;
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let failure = Failure::failed(format!("cannot listen on {address}"));
        match error.kind() {
            std::io::ErrorKind::AddrInUse => Failure::failed(format!("{address} is in use")).hint(
                "another `quell serve` or `quell demo`? stop it, or choose another with --listen",
            ),
            _ => failure.because(&error),
        }
    })
}

fn open(path: &Path) -> Result<Store> {
    Store::open(path).map_err(|error| match error {
        quell_store::Error::InUse(_) => Failure::failed(format!(
            "the database `{}` is in use by another Quell",
            path.display()
        ))
        .hint("stop that one first, or give this one another file in [store]"),
        other => Failure::failed(format!(
            "the database `{}` cannot be opened",
            path.display()
        ))
        .because(&other),
    })
}

fn log(document: &Document) -> Result<()> {
    let filter = document.log_filter()?;
    let human = match document.config.log.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if human {
        let coloured =
            anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        lines.with_target(false).with_ansi(coloured).init();
    } else {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .init();
    }
    Ok(())
}

/// Logs into a file, for programs whose terminal shows something else.
pub(crate) fn log_to(file: File) {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("info"))
        .with_ansi(false)
        .with_target(false)
        .with_writer(std::sync::Mutex::new(file))
        .init();
}

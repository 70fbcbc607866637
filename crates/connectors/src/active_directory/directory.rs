//! The domain's controllers: which one is asked, and who is signed in there.
//!
//! One domain controller is asked until it fails, so that a change is verified where it was made:
//! the others learn of it later. Another one is asked only when it is certain that nothing was changed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use quell_connector::{Call, ConfigError, Error, Kind, Plumbing, Result, http};
use quell_model::Secret;
use tokio::net::TcpStream;
use tokio::sync::{MutexGuard, Semaphore};
use tokio_rustls::TlsConnector;

use super::config::{Config, Server};
use super::ldap::{Amount, Entry, Scope, Search, Session, code, filter};
use super::sid::Sid;
use super::talk::{Talk, Task};
use super::{refusal, tls};

/// Connections open at once.
const CONNECTIONS: usize = 4;
/// How long a connection may rest before it is no longer used; servers drop it after 15 minutes.
const REST: Duration = Duration::from_secs(600);
/// Longest wait for a connection to one server, with everything up to being signed in.
const OPENING: Duration = Duration::from_secs(10);
/// Longest wait for one reply.
pub(super) const REPLY: Duration = Duration::from_secs(15);
/// How long a refused password is not tried again. Each try counts towards locking the account.
const REFUSED: Duration = Duration::from_secs(600);
/// What read-only domain controllers call themselves among their capabilities.
const READ_ONLY: &str = "1.2.840.113556.1.4.1920";

/// One domain through its controllers.
pub(super) struct Directory {
    domain: String,
    servers: Vec<Server>,
    tls: TlsConnector,
    username: String,
    password: Secret,
    /// Place in `servers` of the one that is asked first.
    preferred: AtomicUsize,
    idle: Mutex<Vec<(Open, Timestamp)>>,
    slots: Semaphore,
    writing: tokio::sync::Mutex<()>,
    /// Why the account was not let in, and until when it does not try again.
    refused: Mutex<Option<(Timestamp, Error)>>,
    /// The domain's short name, once somebody asked.
    pub(super) short: OnceLock<String>,
}

/// A connection that is signed in.
pub(super) struct Open {
    pub(super) session: Session,
    pub(super) server: usize,
    pub(super) root: Arc<Root>,
}

/// What a domain controller says of itself and of who is signed in.
pub(super) struct Root {
    /// Distinguished name of the domain.
    pub(super) base: String,
    pub(super) configuration: String,
    /// Whatever the account that is signed in is or belongs to.
    pub(super) token: Vec<Sid>,
}

impl Directory {
    pub(super) fn new(config: &Config, plumbing: &Plumbing) -> Result<Self, ConfigError> {
        Ok(Self {
            domain: config.domain()?,
            servers: config.servers()?,
            tls: tls::connector(config.ca_file.as_deref(), config.fingerprints()?)?,
            username: config.username()?,
            password: config.password(plumbing)?,
            preferred: AtomicUsize::new(0),
            idle: Mutex::default(),
            slots: Semaphore::new(CONNECTIONS),
            writing: tokio::sync::Mutex::default(),
            refused: Mutex::default(),
            short: OnceLock::new(),
        })
    }

    pub(super) fn domain(&self) -> &str {
        &self.domain
    }

    /// What the server at this place is called in records.
    pub(super) fn label(&self, server: usize) -> &str {
        let server = self.servers.get(server);
        server.map_or("", |server| server.label.as_str())
    }

    pub(super) fn hosts(&self) -> Vec<String> {
        self.servers
            .iter()
            .map(|server| server.host.clone())
            .collect()
    }

    /// Has `server` asked first from now on, if it is one of the domain's.
    pub(super) fn prefer(&self, server: &str) {
        if let Some(index) = self.servers.iter().position(|known| known.label == server) {
            self.preferred.store(index, Ordering::Relaxed);
        }
    }

    /// One change at a time: two that read the same state would both think the change was theirs.
    pub(super) async fn change(
        &self,
        cx: &Call,
        operation: &'static str,
    ) -> Result<MutexGuard<'_, ()>> {
        tokio::select! {
            biased;
            guard = self.writing.lock() => Ok(guard),
            () = cx.clock().until(cx.deadline()) => Err(out_of_time(operation)),
        }
    }

    /// Does it at the preferred domain controller, or at another one when that one cannot.
    pub(super) async fn run<T: Task>(
        &self,
        cx: &Call,
        operation: &'static str,
        task: &T,
    ) -> Result<T::Answer> {
        let _slot = tokio::select! {
            biased;
            slot = self.slots.acquire() => slot,
            () = cx.clock().until(cx.deadline()) => return Err(out_of_time(operation)),
        };
        // With one controller a fresh connection is the other one: the old one may be what is broken.
        let mut left = self.servers.len().max(2);
        loop {
            left -= 1;
            let mut talk = self.talk(cx).await?;
            match task.run(&mut talk).await {
                // INVARIANT: of this kind nothing was changed, so another controller may be asked.
                Err(error) if error.kind == Kind::VendorUnavailable => {
                    self.leave(talk.place());
                    if left == 0 {
                        return Err(error);
                    }
                }
                answer => {
                    talk.keep();
                    return answer;
                }
            }
        }
    }

    /// Signs in at every server in turn, as a check: what came of each.
    pub(super) async fn sign_in_everywhere(&self, cx: &Call) -> Vec<(&str, Result<()>)> {
        let mut outcomes = Vec::new();
        for (index, server) in self.servers.iter().enumerate() {
            let opened = self.open(cx, index).await;
            let rejected = matches!(&opened, Err(error) if error.kind == Kind::AuthRejected);
            match opened {
                Ok(open) => {
                    open.session.close().await;
                    self.forget_refusal();
                    outcomes.push((server.label.as_str(), Ok(())));
                }
                Err(error) => {
                    self.note_refusal(cx, &error);
                    outcomes.push((server.label.as_str(), Err(error)));
                }
            }
            // The others have the same accounts, and each try counts towards locking this one.
            if rejected {
                break;
            }
        }
        outcomes
    }

    async fn talk<'a>(&'a self, cx: &'a Call) -> Result<Talk<'a>> {
        let open = match self.rested(cx).await {
            Some(open) => open,
            None => self.open_any(cx).await?,
        };
        Ok(Talk::new(cx, self, open))
    }

    /// Keeps a connection for the next conversation.
    pub(super) fn keep(&self, open: Open, now: Timestamp) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push((open, now));
    }

    /// A kept connection that still answers and is still signed in.
    async fn rested(&self, cx: &Call) -> Option<Open> {
        loop {
            let kept = self
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop();
            let (mut open, since) = kept?;
            let rest =
                Duration::try_from(cx.clock().now().duration_since(since)).unwrap_or_default();
            if rest > REST || open.server != self.preferred.load(Ordering::Relaxed) {
                continue;
            }
            let root = open.root.clone();
            let here = Search {
                base: &root.base,
                scope: Scope::Base,
                filter: filter::ANY,
                attributes: &["1.1"],
                amount: Amount::AtMost(1),
            };
            let near = cx.within(REPLY);
            let answer = tokio::select! {
                biased;
                answer = open.session.search(&here) => answer.ok(),
                () = cx.clock().until(near.deadline()) => None,
            };
            if answer.is_some_and(|(_, outcome)| outcome.code == code::SUCCESS) {
                return Some(open);
            }
        }
    }

    /// A fresh connection to the preferred server, or to the first other one that can be had.
    async fn open_any(&self, cx: &Call) -> Result<Open> {
        self.not_refused(cx)?;
        let (count, first) = (self.servers.len(), self.preferred.load(Ordering::Relaxed));
        let mut failed = None;
        for step in 0..count {
            let index = (first + step) % count;
            // Those that are left must have their turn too.
            let share = cx.left() / u32::try_from(count - step).unwrap_or(1);
            match self.open(&cx.within(share.min(OPENING)), index).await {
                Ok(open) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(open);
                }
                Err(error) if error.kind == Kind::AuthRejected => {
                    self.note_refusal(cx, &error);
                    return Err(error);
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        Err(failed.unwrap_or_else(|| out_of_time("ldap.connect")))
    }

    async fn open(&self, cx: &Call, index: usize) -> Result<Open> {
        if cx.left().is_zero() {
            return Err(out_of_time("ldap.connect"));
        }
        let server = self
            .servers
            .get(index)
            .ok_or_else(|| out_of_time("ldap.connect"))?;
        let limit = cx.within(OPENING);
        let (session, root) = tokio::select! {
            biased;
            opened = self.sign_in(server) => opened?,
            () = cx.clock().until(limit.deadline()) => {
                let detail = format!("`{}` did not answer in time", server.label);
                return Err(Error::new(Kind::VendorUnavailable, "ldap.connect", detail));
            }
        };
        Ok(Open {
            session,
            server: index,
            root: Arc::new(root),
        })
    }

    async fn sign_in(&self, server: &Server) -> Result<(Session, Root)> {
        let Server { host, label, .. } = server;
        let unavailable = |what: &str, error: std::io::Error| {
            let detail = format!("{what} `{label}`");
            Error::new(Kind::VendorUnavailable, "ldap.connect", detail).source(error)
        };
        let addresses = http::resolve(host, server.port)
            .await
            .map_err(|error| unavailable("there is no address for", error))?;
        let tcp = TcpStream::connect(addresses.as_slice())
            .await
            .map_err(|error| unavailable("cannot connect to", error))?;
        let mut session = Session::open(tcp, &self.tls, server.name.clone())
            .await
            .map_err(|error| match tls::certificate_problem(&error) {
                Some(problem) => {
                    let detail = format!("`{label}` is not believed: {problem}");
                    Error::new(Kind::ConfigInvalid, "ldap.tls", detail)
                }
                None => unavailable("no encrypted connection came about to", error),
            })?;
        let broken = |error| unavailable("the connection broke while signing in at", error);
        let outcome = session.bind(&self.username, &self.password).await;
        let outcome = outcome.map_err(broken)?;
        if outcome.code != code::SUCCESS {
            return Err(refusal::of_sign_in(&outcome));
        }
        let itself = Search {
            base: "",
            scope: Scope::Base,
            filter: filter::ANY,
            attributes: &[
                "defaultNamingContext",
                "configurationNamingContext",
                "supportedCapabilities",
                "tokenGroups",
            ],
            amount: Amount::AtMost(1),
        };
        let (entries, _) = session.search(&itself).await.map_err(broken)?;
        let root = self.root(label, &entries.into_iter().next().unwrap_or_default())?;
        Ok((session, root))
    }

    fn root(&self, label: &str, entry: &Entry) -> Result<Root> {
        let refuse = |detail: String| Err(Error::new(Kind::ConfigInvalid, "ldap.connect", detail));
        let base = entry.text("defaultNamingContext").unwrap_or_default();
        let wanted: Vec<String> = self
            .domain
            .split('.')
            .map(|part| format!("DC={part}"))
            .collect();
        if !base.eq_ignore_ascii_case(&wanted.join(",")) {
            return refuse(format!(
                "`{label}` holds `{base}` and not the domain `{}`",
                self.domain
            ));
        }
        if entry.holds("supportedCapabilities", READ_ONLY) {
            return refuse(format!(
                "`{label}` is a read-only domain controller; name a writable one in `servers`"
            ));
        }
        Ok(Root {
            base: base.to_owned(),
            configuration: entry
                .text("configurationNamingContext")
                .unwrap_or_default()
                .to_owned(),
            token: entry
                .all("tokenGroups")
                .iter()
                .filter_map(|sid| Sid::from_bytes(sid))
                .collect(),
        })
    }

    /// Asks another server first from now on.
    fn leave(&self, server: usize) {
        let next = (server + 1) % self.servers.len().max(1);
        // Somebody else may have left it already, and for a server that works.
        let _moved =
            self.preferred
                .compare_exchange(server, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn not_refused(&self, cx: &Call) -> Result<()> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match &*refused {
            Some((until, error)) if cx.clock().now() < *until => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn note_refusal(&self, cx: &Call, error: &Error) {
        if error.kind == Kind::AuthRejected {
            let until = quell_connector::call::later(cx.clock().now(), REFUSED);
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            *refused = Some((until, error.clone()));
        }
    }

    fn forget_refusal(&self) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

pub(super) fn out_of_time(operation: &'static str) -> Error {
    let detail = "there was no time left to ask a domain controller";
    Error::new(Kind::DeadlineExceeded, operation, detail)
}

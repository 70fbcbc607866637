//! The conversation with the server: connect, encrypt, sign in, hand over a message.
//!
//! One message is one transaction with all its recipients, and each of them gets the server's
//! answer of its own, so that one bad address costs the others nothing. Connections are kept for
//! the next message. Nothing here waits: deadlines are the caller's.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials as Login, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::{Code, Severity};
use quell_connector::{Error, Kind, Result, http};
use quell_model::{Secret, text};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Connections open at once.
const CONNECTIONS: usize = 4;
/// How long a connection may rest before it is no longer trusted to be alive.
const REST: Duration = Duration::from_secs(60);
const MECHANISMS: &[Mechanism] = &[Mechanism::Plain, Mechanism::Login];

/// How the connection is encrypted, with what to trust.
pub(super) enum Encryption {
    Starttls(TlsParameters),
    Implicit(TlsParameters),
    None,
}

/// Who to sign in as.
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: Secret,
}

/// How far a conversation came; what a failure means depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Waiting for one of the connections.
    Waiting,
    Connecting,
    Encrypting,
    SigningIn,
    /// Naming sender and recipients. A message is nothing to the server yet.
    Addressing,
    /// The message is on its way; from here on it may be delivered whatever is heard.
    Sending,
}

impl Stage {
    /// The operation's name in errors.
    pub(super) const fn operation(self) -> &'static str {
        match self {
            Self::Waiting | Self::Connecting => "smtp.connect",
            Self::Encrypting => "smtp.tls",
            Self::SigningIn => "smtp.auth",
            Self::Addressing | Self::Sending => "smtp.send",
        }
    }

    /// What to say when the deadline came first.
    pub(super) fn out_of_time(self) -> Error {
        let (kind, detail) = match self {
            Self::Waiting => (
                Kind::DeadlineExceeded,
                "earlier messages to this server left no time for this one",
            ),
            Self::Sending => (
                Kind::MaybeApplied,
                "the server did not say in time whether it took the message",
            ),
            _ => (
                Kind::VendorUnavailable,
                "the server did not answer before the deadline",
            ),
        };
        Error::new(kind, self.operation(), detail)
    }
}

/// A recipient the server did not take.
pub(super) struct Refusal {
    pub(super) recipient: Address,
    /// `550 5.1.1`.
    pub(super) code: String,
    /// The server's words.
    pub(super) words: String,
    /// Whether the same may succeed later.
    pub(super) temporary: bool,
}

/// What became of a message.
#[derive(Default)]
pub(super) struct Delivery {
    pub(super) taken: Vec<Address>,
    pub(super) refused: Vec<Refusal>,
}

/// One server and the connections kept to it.
pub(super) struct Server {
    host: String,
    port: u16,
    encryption: Encryption,
    credentials: Option<Credentials>,
    hello: ClientId,
    idle: Mutex<Vec<(AsyncSmtpConnection, Timestamp)>>,
    slots: Semaphore,
}

impl Server {
    /// `domain` is what the client calls itself: the sender's, which some relays insist on.
    pub(super) fn new(
        host: String,
        port: u16,
        encryption: Encryption,
        credentials: Option<Credentials>,
        domain: &str,
    ) -> Self {
        Self {
            host,
            port,
            encryption,
            credentials,
            hello: ClientId::Domain(domain.to_owned()),
            idle: Mutex::default(),
            slots: Semaphore::new(CONNECTIONS),
        }
    }

    /// What a check says when encryption came about.
    pub(super) const fn encrypted(&self) -> &'static str {
        match self.encryption {
            Encryption::Starttls(_) => "The connection is encrypted with STARTTLS.",
            Encryption::Implicit(_) => "The connection is encrypted from its first byte.",
            Encryption::None => "The connection is not encrypted; it does not leave this machine.",
        }
    }

    /// What a check says when signing in came about.
    pub(super) const fn signed_in(&self) -> &'static str {
        match self.credentials {
            Some(_) => "The server accepts the username and password.",
            None => "No username is set, so nobody signs in.",
        }
    }

    /// Hands over one message. A future that is dropped on the way drops its connection with it.
    pub(super) async fn deliver(
        &self,
        now: Timestamp,
        stage: &mut Stage,
        from: &Address,
        to: &[Address],
        message: &[u8],
    ) -> Result<Delivery> {
        let _slot = self.slot().await;
        let mut connection = match self.rested(now, stage).await {
            Some(connection) => connection,
            None => self.open(stage).await?,
        };
        *stage = Stage::Addressing;
        let delivery = transact(&mut connection, stage, from, to, message).await?;
        self.keep(connection, now);
        Ok(delivery)
    }

    async fn slot(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed, so there is always a slot in the end.
        self.slots.acquire().await.ok()
    }

    fn keep(&self, connection: AsyncSmtpConnection, now: Timestamp) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push((connection, now));
    }

    /// A kept connection that still answers.
    async fn rested(&self, now: Timestamp, stage: &mut Stage) -> Option<AsyncSmtpConnection> {
        loop {
            let kept = self
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop();
            let (mut connection, since) = kept?;
            *stage = Stage::Connecting;
            let rest = Duration::try_from(now.duration_since(since)).unwrap_or_default();
            if rest <= REST && connection.command(Rset).await.is_ok() {
                return Some(connection);
            }
        }
    }

    /// Connects, encrypts and signs in.
    pub(super) async fn open(&self, stage: &mut Stage) -> Result<AsyncSmtpConnection> {
        *stage = Stage::Connecting;
        let addresses = self.addresses().await?;
        let implicit = match &self.encryption {
            Encryption::Implicit(parameters) => Some(parameters.clone()),
            Encryption::Starttls(_) | Encryption::None => None,
        };
        let connected = AsyncSmtpConnection::connect_tokio1(
            addresses.as_slice(),
            None,
            &self.hello,
            implicit,
            None,
        );
        let mut connection = connected.await.map_err(|error| failed(*stage, error))?;
        *stage = Stage::Encrypting;
        if let Encryption::Starttls(parameters) = &self.encryption {
            if !connection.can_starttls() {
                let detail = "the server offers no STARTTLS on this port, so nothing was sent; check the port, or set tls = \"implicit\"";
                return Err(Error::new(Kind::ConfigInvalid, stage.operation(), detail));
            }
            let encrypted = connection.starttls(parameters.clone(), &self.hello);
            encrypted.await.map_err(|error| failed(*stage, error))?;
        }
        *stage = Stage::SigningIn;
        if let Some(credentials) = &self.credentials {
            sign_in(&mut connection, credentials).await?;
        }
        Ok(connection)
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>> {
        let operation = Stage::Connecting.operation();
        let found = http::resolve(&self.host, self.port)
            .await
            .map_err(|error| {
                let detail = format!("`{}` has no address that may be called", self.host);
                Error::new(Kind::VendorUnavailable, operation, detail).source(error)
            })?;
        // A name can be made to point elsewhere; what is not encrypted stays on this machine.
        let clear = matches!(self.encryption, Encryption::None);
        let allowed: Vec<SocketAddr> = found
            .into_iter()
            .filter(|address| !clear || address.ip().is_loopback())
            .collect();
        if allowed.is_empty() {
            let detail = format!("`{}` is not this machine, and tls is \"none\"", self.host);
            return Err(Error::new(Kind::ConfigInvalid, operation, detail));
        }
        Ok(allowed)
    }
}

async fn sign_in(connection: &mut AsyncSmtpConnection, credentials: &Credentials) -> Result<()> {
    let operation = Stage::SigningIn.operation();
    if connection
        .server_info()
        .get_auth_mechanism(MECHANISMS)
        .is_none()
    {
        let detail = "the server offers neither AUTH PLAIN nor AUTH LOGIN here; leave out the username, or use the submission port";
        return Err(Error::new(Kind::ConfigInvalid, operation, detail));
    }
    let login = Login::new(
        credentials.user.clone(),
        credentials.password.expose().to_owned(),
    );
    connection
        .auth(MECHANISMS, &login)
        .await
        .map(drop)
        .map_err(|error| {
            // The server's words are left out: some repeat what they were sent.
            match error.status() {
                Some(code) if code.severity == Severity::TransientNegativeCompletion => {
                    let detail = "the server cannot check the sign-in now";
                    Error::new(Kind::VendorUnavailable, operation, detail).code(code)
                }
                Some(code) => {
                    let detail = "the server does not accept the username and password";
                    Error::new(Kind::AuthRejected, operation, detail).code(code)
                }
                None => {
                    let detail = "the connection broke while signing in";
                    Error::new(Kind::VendorUnavailable, operation, detail)
                }
            }
        })
}

async fn transact(
    connection: &mut AsyncSmtpConnection,
    stage: &mut Stage,
    from: &Address,
    to: &[Address],
    message: &[u8],
) -> Result<Delivery> {
    let mail = Mail::new(Some(from.clone()), Vec::new());
    connection
        .command(mail)
        .await
        .map_err(|error| refused_sender(from, error))?;
    let mut delivery = Delivery::default();
    for recipient in to {
        let named = connection.command(Rcpt::new(recipient.clone(), Vec::new()));
        match named.await {
            Ok(_) => delivery.taken.push(recipient.clone()),
            Err(error) => delivery.refused.push(refusal(*stage, recipient, error)?),
        }
    }
    if delivery.taken.is_empty() {
        return Ok(delivery);
    }
    let answer = match connection.command(Data).await {
        // Answers that are out of step belong to other commands: something put words into the
        // server's mouth before encryption began, and no later answer can be believed.
        Ok(ready) if !ready.has_code(354) => return Err(out_of_step()),
        Ok(_) => {
            *stage = Stage::Sending;
            match connection.message(message).await {
                Ok(taken) if !taken.has_code(250) => return Err(out_of_step()),
                answer => answer,
            }
        }
        Err(error) => Err(error),
    };
    if let Err(error) = answer {
        // One answer for all who were taken so far.
        let Reason {
            code,
            words,
            temporary,
        } = reason(*stage, error)?;
        let all = std::mem::take(&mut delivery.taken);
        delivery
            .refused
            .extend(all.into_iter().map(|recipient| Refusal {
                recipient,
                code: code.clone(),
                words: words.clone(),
                temporary,
            }));
    }
    Ok(delivery)
}

fn out_of_step() -> Error {
    let detail =
        "the server's answers do not belong to what was asked; nothing it says is believed";
    Error::new(Kind::ReplyUnreadable, Stage::Addressing.operation(), detail)
}

fn refused_sender(from: &Address, error: lettre::transport::smtp::Error) -> Error {
    let Reason {
        code,
        words,
        temporary,
    } = match reason(Stage::Addressing, error) {
        Ok(reason) => reason,
        Err(error) => return error,
    };
    let operation = Stage::Addressing.operation();
    if temporary {
        let detail = format!("the server takes no mail now: {words}");
        return Error::new(Kind::VendorUnavailable, operation, detail).code(code);
    }
    let detail = if code.starts_with("530") {
        format!("the server wants a sign-in first; set username and password ({words})")
    } else {
        format!(
            "the server takes no mail from `{from}`; check `from` and what the user may send as ({words})"
        )
    };
    Error::new(Kind::ConfigInvalid, operation, detail).code(code)
}

fn refusal(
    stage: Stage,
    recipient: &Address,
    error: lettre::transport::smtp::Error,
) -> Result<Refusal> {
    let Reason {
        code,
        words,
        temporary,
    } = reason(stage, error)?;
    Ok(Refusal {
        recipient: recipient.clone(),
        code,
        words,
        temporary,
    })
}

/// A reply that says no.
struct Reason {
    code: String,
    words: String,
    temporary: bool,
}

/// The server's no, or the error when it is no answer to what was asked: the connection broke, or
/// the server is closing it.
fn reason(stage: Stage, error: lettre::transport::smtp::Error) -> Result<Reason> {
    let Some(code) = error.status() else {
        return Err(failed(stage, error));
    };
    if u16::from(code) == 421 {
        return Err(failed(stage, error));
    }
    let words = words(&error);
    Ok(Reason {
        code: with_enhanced(code, &words),
        words,
        temporary: code.severity == Severity::TransientNegativeCompletion,
    })
}

/// The server's own words, cut to what fits a sentence.
fn words(error: &lettre::transport::smtp::Error) -> String {
    let said = error.source().map(ToString::to_string).unwrap_or_default();
    let said = text::line(&said);
    let mut short: String = said.chars().take(120).collect();
    if short.len() < said.len() {
        short.push('…');
    }
    short
}

/// The code with the enhanced one people look up (RFC 3463), when the words begin with it.
fn with_enhanced(code: Code, words: &str) -> String {
    let first = words.split_whitespace().next().unwrap_or_default();
    let enhanced = first.split('.').count() == 3
        && first
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if enhanced {
        format!("{code} {first}")
    } else {
        code.to_string()
    }
}

/// A conversation that ended without an answer to what was asked.
fn failed(stage: Stage, error: lettre::transport::smtp::Error) -> Error {
    let operation = stage.operation();
    if let Some(code) = error.status() {
        let permanent = code.severity == Severity::PermanentNegativeCompletion;
        let (kind, detail) = match stage {
            // 554 instead of a greeting: the server does not speak to this client.
            Stage::Connecting | Stage::Encrypting if permanent => (
                Kind::ConfigInvalid,
                format!("the server does not speak to Quell: {}", words(&error)),
            ),
            _ => (
                Kind::VendorUnavailable,
                format!("the server cannot take mail now: {}", words(&error)),
            ),
        };
        return Error::new(kind, operation, detail).code(code);
    }
    if let Some(problem) = certificate_problem(&error) {
        let detail = format!(
            "the server's certificate is not trusted ({problem}); name its authority in `ca_file`, and the host as the certificate has it"
        );
        return Error::new(Kind::ConfigInvalid, Stage::Encrypting.operation(), detail);
    }
    let (kind, detail) = match stage {
        Stage::Sending => (
            Kind::MaybeApplied,
            "the connection broke before the server said whether it took the message",
        ),
        Stage::Connecting => (Kind::VendorUnavailable, "cannot connect to the server"),
        Stage::Encrypting => (
            Kind::VendorUnavailable,
            "no encrypted connection came about; is this the right port for this kind of TLS?",
        ),
        _ => (Kind::VendorUnavailable, "the connection broke"),
    };
    Error::new(kind, operation, detail).source(error)
}

/// What is wrong with the server's certificate, if that is what went wrong.
fn certificate_problem(error: &lettre::transport::smtp::Error) -> Option<String> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        // An I/O error shows its source's source; what it holds itself must be asked for.
        let held = inner
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .and_then(|held| held.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::InvalidCertificate(problem)) =
            held.or_else(|| inner.downcast_ref::<rustls::Error>())
        {
            return Some(format!("{problem:?}").chars().take(120).collect());
        }
        cause = inner.source();
    }
    None
}

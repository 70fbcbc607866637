//! What the server is started with.

use metrics_exporter_prometheus::PrometheusHandle;
use quell_engine::Rules;
use quell_model::{ConnectionId, Role, Secret};
use quell_policy::Diagnostic;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::credential::Digest;
use crate::webhook::Verifier;

/// Largest body of alerts that may be configured, and the default.
pub const BODY_LIMIT_MAX: usize = 1024 * 1024;
/// Smallest body limit that may be configured: less would refuse ordinary alerts.
pub const BODY_LIMIT_MIN: usize = 64 * 1024;
/// Shortest secret that is accepted, in bytes.
pub const SECRET_MIN: usize = 16;
/// Shortest webhook key that is accepted, in bytes; what the specification asks for.
pub const WEBHOOK_KEY_MIN: usize = 24;

/// What the server is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who may use the API.
    pub tokens: Vec<Token>,
    /// Which connections may push alerts, and how each proves that it is the sender.
    pub intake: BTreeMap<ConnectionId, IntakeAuth>,
    /// Largest body of alerts in bytes, brought into the range from [`BODY_LIMIT_MIN`] to
    /// [`BODY_LIMIT_MAX`].
    pub body_limit: usize,
    /// How many bodies of alerts may be under way at once; more are asked to come back.
    pub intake_concurrency: usize,
    /// How many may listen to events at once.
    pub listeners: usize,
    /// Where the metrics are; [`crate::metrics()`] when missing.
    pub metrics: Option<PrometheusHandle>,
    /// How a changed policy is read again; without it none can be put in force through the API.
    pub read_rules: Option<ReadRules>,
}

/// Reads the rules that are written down now: the configuration and the policy folder. Called aside
/// from the runtime, because it reads files.
#[derive(Clone)]
pub struct ReadRules(pub Arc<dyn Fn() -> Result<Rules, Unusable> + Send + Sync>);

impl fmt::Debug for ReadRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadRules")
    }
}

/// What is written down cannot be put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// One line for people.
    pub message: String,
    /// Each place that is wrong.
    pub problems: Vec<Diagnostic>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            intake: BTreeMap::new(),
            body_limit: BODY_LIMIT_MAX,
            intake_concurrency: 512,
            listeners: 64,
            metrics: None,
            read_rules: None,
        }
    }
}

/// A person's token. Only its digest is kept.
#[derive(Debug, Clone)]
pub struct Token {
    /// The name that goes into the journal as the person who gave an order.
    pub name: String,
    /// What it allows.
    pub role: Role,
    pub(crate) digest: Digest,
}

impl Token {
    /// A token.
    ///
    /// # Errors
    /// When the name is empty or the secret too short to be one.
    pub fn new(
        name: impl Into<String>,
        role: Role,
        secret: &Secret,
    ) -> Result<Self, SettingsError> {
        let name = quell_model::text::line(&name.into());
        if name.is_empty() {
            return Err(SettingsError::Nameless);
        }
        Ok(Self {
            name,
            role,
            digest: digest(secret)?,
        })
    }
}

/// How a connection that pushes alerts proves that it is the sender.
#[derive(Debug, Clone)]
pub enum IntakeAuth {
    /// It sends `Authorization: Bearer …` with one of these; several while one replaces another.
    Bearer(Bearers),
    /// It signs its bodies as the Standard Webhooks specification says.
    StandardWebhooks(Verifier),
}

/// The bearer secrets of one connection. Only their digests are kept.
#[derive(Debug, Clone)]
pub struct Bearers(pub(crate) Vec<Digest>);

impl IntakeAuth {
    /// A connection that sends one of these secrets as bearer token.
    ///
    /// # Errors
    /// When there is none, or one is too short to be a secret.
    pub fn bearer(secrets: &[Secret]) -> Result<Self, SettingsError> {
        if secrets.is_empty() {
            return Err(SettingsError::NoSecret);
        }
        let digests = secrets.iter().map(digest).collect::<Result<_, _>>()?;
        Ok(Self::Bearer(Bearers(digests)))
    }

    /// A connection that signs with one of these secrets (`whsec_…`).
    ///
    /// # Errors
    /// When there is none, or one is not base64 or too short a key.
    pub fn standard_webhooks(secrets: &[Secret]) -> Result<Self, SettingsError> {
        Verifier::new(secrets).map(Self::StandardWebhooks)
    }
}

fn digest(secret: &Secret) -> Result<Digest, SettingsError> {
    if secret.expose().len() < SECRET_MIN {
        return Err(SettingsError::ShortSecret);
    }
    Ok(Digest::of(secret.expose()))
}

/// Why credentials cannot be used. Never contains any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A token has no name.
    #[error("a token needs a name; it goes into the journal of what its owner orders")]
    Nameless,
    /// A secret is too short.
    #[error("the secret is shorter than {SECRET_MIN} bytes; use a long random one")]
    ShortSecret,
    /// There is no secret.
    #[error("there is no secret; name at least one")]
    NoSecret,
    /// A webhook secret is not base64.
    #[error("the webhook secret is not `whsec_` followed by base64")]
    WebhookSecret,
    /// A webhook key is too short.
    #[error(
        "the webhook key is shorter than {WEBHOOK_KEY_MIN} bytes; the sender made it wrong or it was cut"
    )]
    ShortWebhookKey,
}

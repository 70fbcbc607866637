//! What a connection's configuration shares with every other one's, and what it is built with.

use std::fmt;
use std::sync::Arc;

use jiff::SignedDuration;
use quell_model::{Clock, ConnectionId, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// Why a connection cannot be built, naming the key at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct ConfigError {
    /// The key, relative to the connection's table (`base_url`).
    pub key: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl ConfigError {
    /// An error about `key`.
    pub fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            problem: problem.into(),
        }
    }
}

/// Where a secret is kept: `env:NAME` or `file:/path`. The configuration never holds the secret itself.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SecretRef(String);

impl SecretRef {
    /// A reference as written.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The reference as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Somebody may have pasted the secret itself where its reference belongs.
        let scheme = self.0.split_once(':').map_or("?", |(scheme, _)| scheme);
        write!(f, "SecretRef({scheme}:…)")
    }
}

/// Resolves references to secrets.
pub trait SecretSource: Send + Sync {
    /// The secret, or why it cannot be had. The answer never contains the secret or the text of a
    /// reference that does not look like one.
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, String>;
}

/// HTTP settings every connection may have.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Longest time for one call including its retries, with unit (`"30s"`).
    #[schemars(with = "Option<String>")]
    pub timeout: Option<SignedDuration>,
    /// Requests a minute Quell may send to the vendor, when the vendor grants more or less than its
    /// usual limit.
    #[schemars(range(min = 1))]
    pub requests_per_minute: Option<u32>,
    /// Proxy for outbound calls (`"http://proxy.example:3128"`). Without it the process' environment decides nothing: no proxy.
    pub proxy: Option<String>,
}

/// What a connector is built with.
#[derive(Clone)]
pub struct Plumbing {
    /// The connection's id, for logs and comments.
    pub connection: ConnectionId,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where secrets come from.
    pub secrets: Arc<dyn SecretSource>,
}

impl Plumbing {
    /// The secret behind `reference`, or an error that names `key`.
    ///
    /// # Errors
    /// When the reference cannot be resolved.
    pub fn secret(&self, key: &str, reference: &SecretRef) -> Result<Secret, ConfigError> {
        self.secrets
            .resolve(reference)
            .map_err(|problem| ConfigError::new(key, problem))
    }
}

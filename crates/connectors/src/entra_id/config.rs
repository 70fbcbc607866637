//! What a connection to a tenant is configured with.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use quell_connector::http::{Plane, Url};
use quell_connector::settings::SecretRef;
use quell_connector::{ConfigError, HttpSettings, Plumbing};
use quell_model::Secret;
use schemars::JsonSchema;
use serde::Deserialize;

use super::cloud::Cloud;

/// A connection to a Microsoft Entra tenant.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Directory (tenant) id, or a verified domain of the tenant (`"northwind.example"`).
    pub tenant: String,
    /// Cloud the tenant lives in.
    #[serde(default)]
    pub cloud: Cloud,
    /// Application (client) id of the app registration.
    pub client_id: String,
    /// Where its client secret is kept (`"env:ENTRA_SECRET"`), unless it signs in with a certificate.
    #[serde(default)]
    pub client_secret: Option<SecretRef>,
    /// Where its certificate is kept, in PEM form (`"file:/etc/quell/entra.crt"`).
    #[serde(default)]
    pub certificate: Option<SecretRef>,
    /// Where the certificate's private key is kept, in PEM form (`"file:/etc/quell/entra.key"`).
    #[serde(default)]
    pub certificate_key: Option<SecretRef>,
    /// Base URL of the login instead of the cloud's own, for a gateway of your own.
    #[serde(default)]
    pub login_url: Option<String>,
    /// Base URL of Microsoft Graph instead of the cloud's own, for a gateway of your own.
    #[serde(default)]
    pub graph_url: Option<String>,
    /// HTTP settings.
    #[serde(default)]
    pub http: HttpSettings,
    /// How risk detections are polled.
    #[serde(default)]
    pub poll: Poll,
    /// Whether Microsoft is told what became of a detection: its user is confirmed compromised, or the
    /// user's risk is dismissed. Both count for all of the user's detections, and the first starts the
    /// tenant's own risk policies.
    #[serde(default)]
    pub write_back: bool,
    /// Labels for policy by membership: `{ "<object id of a group>" = ["break-glass"] }`. Asked live before each action, with
    /// groups inside groups; needs `GroupMember.Read.All`, without which no action is taken.
    #[serde(default)]
    pub groups: BTreeMap<String, Vec<String>>,
    /// Change notifications, which make Quell poll at once. Without them it polls at its interval.
    #[serde(default)]
    pub notifications: Option<Notifications>,
}

/// How risk detections are polled.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Poll {
    /// Whether to poll at all; off when something else pushes the detections to Quell.
    pub enabled: bool,
    /// Wait between polls, with unit (`"60s"`); at least ten seconds. All apps of a tenant share one request a second.
    #[schemars(with = "String")]
    pub interval: SignedDuration,
    /// How far back the very first poll looks, with unit (`"1h"`).
    #[schemars(with = "String")]
    pub lookback: SignedDuration,
    /// Detections fetched by one request, 1 to 500.
    pub page_size: u16,
    /// Whether the risk of users is polled as well, as alerts of the kind `identity_activity`; needs
    /// `IdentityRiskyUser.Read.All`.
    pub risky_users: bool,
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: SignedDuration::from_secs(60),
            lookback: SignedDuration::from_hours(1),
            page_size: 500,
            risky_users: false,
        }
    }
}

/// A subscription to change notifications, which Quell makes and renews itself.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notifications {
    /// Public address of this connection's pushes, with https (`"https://quell.example.com/api/v1/hooks/entra"`).
    pub url: String,
    /// Where the text is kept that each notification must carry, 16 to 128 characters.
    pub client_state: SecretRef,
    /// What is watched. Microsoft offers no notifications of risk detections themselves; `users` changes when a
    /// user's password, sessions or account do.
    #[serde(default = "watched")]
    pub resource: String,
}

fn watched() -> String {
    "users".to_owned()
}

impl Poll {
    /// These options, or the key that cannot work.
    pub(super) fn checked(self) -> Result<Self, ConfigError> {
        if self.interval < SignedDuration::from_secs(10) {
            let problem = "must be at least ten seconds; write for example \"60s\"";
            return Err(ConfigError::new("poll.interval", problem));
        }
        if self.lookback.is_negative() {
            let problem = "must not be negative; write for example \"1h\"";
            return Err(ConfigError::new("poll.lookback", problem));
        }
        if !(1..=500).contains(&self.page_size) {
            let problem = "must be from 1 to 500, the most the vendor sends at once";
            return Err(ConfigError::new("poll.page_size", problem));
        }
        Ok(self)
    }

    /// The interval as the runtime wants it.
    pub(super) fn pause(&self) -> Duration {
        self.interval.unsigned_abs()
    }
}

impl Config {
    /// Where the login is.
    pub(super) fn login(&self) -> Result<Url, ConfigError> {
        base("login_url", self.login_url.as_deref(), self.cloud.login())
    }

    /// Where Microsoft Graph is.
    pub(super) fn graph(&self) -> Result<Url, ConfigError> {
        base("graph_url", self.graph_url.as_deref(), self.cloud.graph())
    }

    /// The tenant, which becomes part of the token endpoint's path.
    pub(super) fn tenant(&self) -> Result<String, ConfigError> {
        let tenant = self.tenant.trim().to_ascii_lowercase();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        if tenant.is_empty() || !tenant.chars().all(plain) || tenant.starts_with('.') {
            let problem = "is no tenant; write the directory (tenant) id or a verified domain";
            return Err(ConfigError::new("tenant", problem));
        }
        if matches!(tenant.as_str(), "common" | "organizations" | "consumers") {
            let problem = "must be one tenant; an app signs in to no other";
            return Err(ConfigError::new("tenant", problem));
        }
        Ok(tenant)
    }
}

/// The base URL from the configuration, or the cloud's.
fn base(key: &str, given: Option<&str>, usual: &str) -> Result<Url, ConfigError> {
    let url = Plane::base_url(key, given.unwrap_or(usual))?;
    if url.path() != "/" || url.query().is_some() || url.host_str().is_none() {
        let problem = "must be a scheme and a host only, without a path";
        return Err(ConfigError::new(key, problem));
    }
    Ok(url)
}

impl Notifications {
    /// The text each notification must carry, or the key that cannot work.
    pub(super) fn checked(&self, plumbing: &Plumbing) -> Result<Secret, ConfigError> {
        if !self.url.starts_with("https://") || self.url.parse::<Url>().is_err() {
            let problem = "must be a public https address; Microsoft calls no other";
            return Err(ConfigError::new("notifications.url", problem));
        }
        if self.resource.trim().is_empty() {
            let problem = "must not be empty; write for example \"users\"";
            return Err(ConfigError::new("notifications.resource", problem));
        }
        let key = "notifications.client_state";
        let state = plumbing.secret(key, &self.client_state)?;
        if !(16..=128).contains(&state.expose().len()) {
            let problem = "must have 16 to 128 characters; nobody may guess it";
            return Err(ConfigError::new(key, problem));
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(extra: serde_json::Value) -> Config {
        let mut table = json!({ "tenant": "northwind.example", "client_id": "id" });
        if let (Some(table), Some(extra)) = (table.as_object_mut(), extra.as_object()) {
            table.extend(extra.clone());
        }
        serde_json::from_value(table).unwrap()
    }

    #[test]
    fn a_national_cloud_has_its_own_login_and_api() {
        let gov = config(json!({ "cloud": "us-gov" }));
        assert_eq!(
            gov.login().unwrap().as_str(),
            "https://login.microsoftonline.us/"
        );
        assert_eq!(gov.graph().unwrap().as_str(), "https://graph.microsoft.us/");
        let usual = config(json!({}));
        assert_eq!(
            usual.graph().unwrap().as_str(),
            "https://graph.microsoft.com/"
        );
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_key() {
        let key = |extra| {
            let config = config(extra);
            let urls = config.login().and(config.graph()).map(|_| ());
            let poll = || config.poll.clone().checked().map(|_| ());
            let checked = config.tenant().and(urls).and_then(|()| poll());
            checked.unwrap_err().key
        };
        assert_eq!(key(json!({ "tenant": "common" })), "tenant");
        assert_eq!(key(json!({ "tenant": "a/../b" })), "tenant");
        assert_eq!(
            key(json!({ "graph_url": "http://graph.example.com" })),
            "graph_url"
        );
        assert_eq!(
            key(json!({ "graph_url": "https://g.example.com/v1.0" })),
            "graph_url"
        );
        assert_eq!(key(json!({ "login_url": "nowhere" })), "login_url");
        assert_eq!(
            key(json!({ "poll": { "interval": "1s" } })),
            "poll.interval"
        );
        assert_eq!(
            key(json!({ "poll": { "page_size": 501 } })),
            "poll.page_size"
        );
        assert_eq!(
            key(json!({ "poll": { "lookback": "-1m" } })),
            "poll.lookback"
        );
    }
}

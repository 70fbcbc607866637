//! What a connection to a Google Workspace organization is configured with.

use std::time::Duration;

use jiff::SignedDuration;
use quell_connector::http::{Plane, Url};
use quell_connector::settings::SecretRef;
use quell_connector::{ConfigError, HttpSettings};
use schemars::JsonSchema;
use serde::Deserialize;

/// A connection to a Google Workspace organization.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the service account's JSON key is kept (`"file:secrets/google-workspace.json"`).
    pub service_account_key: SecretRef,
    /// Address of the administrator Quell acts as (`"quell@example.com"`). Make an account of its own
    /// for it: nothing is ever done to this one.
    pub admin: String,
    /// Base URLs to use instead of Google's, for gateways of your own.
    #[serde(default)]
    pub endpoints: Endpoints,
    /// HTTP settings. `requests_per_minute` counts for each of the services apart.
    #[serde(default)]
    pub http: HttpSettings,
    /// How alerts are polled.
    #[serde(default)]
    pub poll: Poll,
    /// Whether suspicious sign-ins are also read from the audit of sign-ins (Reports API). It knows
    /// some that the Alert Center does not raise, and needs a scope more.
    #[serde(default)]
    pub login_audit: bool,
    /// Whether the Alert Center is told as feedback that an alert was useful, once something was done
    /// about it, or not useful, once a person said it was nothing.
    #[serde(default)]
    pub write_back: bool,
}

/// Base URLs of Google's services.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Endpoints {
    /// Instead of `https://oauth2.googleapis.com`, where tokens come from.
    pub oauth: Option<String>,
    /// Instead of `https://admin.googleapis.com`: users and audit events.
    pub admin: Option<String>,
    /// Instead of `https://alertcenter.googleapis.com`: alerts.
    pub alert_center: Option<String>,
}

/// How alerts are polled.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Poll {
    /// Whether to poll at all; off when something else pushes the alerts to Quell.
    pub enabled: bool,
    /// Wait between polls, with unit (`"60s"`); at least ten seconds.
    #[schemars(with = "String")]
    pub interval: SignedDuration,
    /// How far back the very first poll looks, with unit (`"1h"`).
    #[schemars(with = "String")]
    pub lookback: SignedDuration,
    /// Alerts fetched by one request, 1 to 100.
    pub page_size: u16,
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: SignedDuration::from_secs(60),
            lookback: SignedDuration::from_hours(1),
            page_size: 100,
        }
    }
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
        if !(1..=100).contains(&self.page_size) {
            return Err(ConfigError::new("poll.page_size", "must be from 1 to 100"));
        }
        Ok(self)
    }

    /// The interval as the runtime wants it.
    pub(super) fn pause(&self) -> Duration {
        self.interval.unsigned_abs()
    }
}

/// Where the services are.
#[derive(Debug, Clone)]
pub(super) struct Bases {
    pub(super) oauth: Url,
    pub(super) admin: Url,
    pub(super) alert_center: Url,
}

impl Bases {
    /// The hosts a connection may reach.
    pub(super) fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<String> = [&self.oauth, &self.admin, &self.alert_center]
            .into_iter()
            .filter_map(|base| base.host_str().map(str::to_owned))
            .collect();
        hosts.dedup();
        hosts
    }
}

impl Config {
    /// Where the services are.
    pub(super) fn bases(&self) -> Result<Bases, ConfigError> {
        let base = |key: &str, given: &Option<String>, usual: &str| {
            Plane::base_url(key, given.as_deref().unwrap_or(usual))
        };
        let Endpoints {
            oauth,
            admin,
            alert_center,
        } = &self.endpoints;
        Ok(Bases {
            oauth: base("endpoints.oauth", oauth, "https://oauth2.googleapis.com")?,
            admin: base("endpoints.admin", admin, "https://admin.googleapis.com")?,
            alert_center: base(
                "endpoints.alert_center",
                alert_center,
                "https://alertcenter.googleapis.com",
            )?,
        })
    }

    /// The administrator's address in lower case.
    pub(super) fn admin(&self) -> Result<String, ConfigError> {
        let admin = self.admin.trim().to_lowercase();
        if super::users::is_address(&admin) {
            return Ok(admin);
        }
        let problem =
            "must be the address of an administrator; write for example \"quell@example.com\"";
        Err(ConfigError::new("admin", problem))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn key(extra: Value) -> Result<(), String> {
        let mut table = json!({ "service_account_key": "env:X", "admin": "quell@example.com" });
        if let (Some(table), Value::Object(extra)) = (table.as_object_mut(), extra) {
            table.extend(extra);
        }
        let config: Config = serde_json::from_value(table).unwrap();
        let checked = config
            .bases()
            .and_then(|_| config.admin())
            .and_then(|_| config.poll.checked());
        checked.map(drop).map_err(|error| error.key)
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_key() {
        assert_eq!(key(json!({})), Ok(()));
        let bad = |extra, name: &str| assert_eq!(key(extra), Err(name.to_owned()));
        bad(json!({ "admin": "quell" }), "admin");
        bad(json!({ "admin": "quell@example.com/../x" }), "admin");
        bad(
            json!({ "endpoints": { "oauth": "http://gateway.example" } }),
            "endpoints.oauth",
        );
        bad(json!({ "poll": { "interval": "5s" } }), "poll.interval");
        bad(json!({ "poll": { "lookback": "-1h" } }), "poll.lookback");
        bad(json!({ "poll": { "page_size": 0 } }), "poll.page_size");
    }
}

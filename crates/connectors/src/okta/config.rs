//! What a connection to an Okta organization is configured with.

use std::time::Duration;

use jiff::SignedDuration;
use quell_connector::http::{Plane, Url};
use quell_connector::settings::SecretRef;
use quell_connector::{ConfigError, HttpSettings};
use schemars::JsonSchema;
use serde::Deserialize;

/// A connection to an Okta organization. It signs in as a service app (`client_id`, `key_id` and
/// `private_key`), or with an administrator's API token (`api_token`).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The organization's address (`"https://northwind.okta.com"`), or its custom domain; not the
    /// one of the admin console.
    pub org_url: String,
    /// Client id of the service app.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Id of its public key, as the console shows it (`kid`).
    #[serde(default)]
    pub key_id: Option<String>,
    /// Where its private key is kept, as PEM (`"file:/run/secrets/okta.pem"`).
    #[serde(default)]
    pub private_key: Option<SecretRef>,
    /// Whether the app requires demonstrating proof of possession (DPoP).
    #[serde(default)]
    pub dpop: bool,
    /// Where an API token is kept, instead of a service app (`"env:OKTA_TOKEN"`).
    #[serde(default)]
    pub api_token: Option<SecretRef>,
    /// Where the secret is kept that the organization's event hook sends as `Authorization`. Without
    /// it nothing that is pushed is believed to be from Okta.
    #[serde(default)]
    pub hook_secret: Option<SecretRef>,
    /// HTTP settings.
    #[serde(default)]
    pub http: HttpSettings,
    /// How the System Log is polled.
    #[serde(default)]
    pub poll: Poll,
}

/// How the System Log is polled.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Poll {
    /// Whether to poll at all. An event hook delivers an event at most twice, so polling is what
    /// makes sure that none is missed.
    pub enabled: bool,
    /// Wait between polls, with unit (`"20s"`); at least 5 seconds.
    #[schemars(with = "String")]
    pub interval: SignedDuration,
    /// How far back the very first poll looks, with unit (`"15m"`); at most 90 days.
    #[schemars(with = "String")]
    pub lookback: SignedDuration,
    /// Events fetched by one request, 1 to 1000.
    pub page_size: u16,
    /// Types of events that are alerts. Sign-ins (`user.session.start`) are taken only when Okta
    /// calls their risk medium or high and they succeeded.
    pub event_types: Vec<String>,
}

/// Types of events that are taken unless the configuration says otherwise.
const EVENT_TYPES: [&str; 8] = [
    "security.threat.detected",
    "security.breached_credential.detected",
    "user.account.report_suspicious_activity_by_enduser",
    "user.risk.detect",
    "user.risk.change",
    "user.session.context.change",
    "user.mfa.okta_verify.deny_push",
    "user.session.start",
];

/// More than this makes a filter longer than an address may be.
const MOST_EVENT_TYPES: usize = 60;

impl Default for Poll {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: SignedDuration::from_secs(20),
            lookback: SignedDuration::from_mins(15),
            page_size: 500,
            event_types: EVENT_TYPES.map(str::to_owned).into(),
        }
    }
}

impl Poll {
    /// These options, or the key that cannot work.
    pub(super) fn checked(self) -> Result<Self, ConfigError> {
        let refuse = |key: &str, problem: &str| Err(ConfigError::new(key, problem));
        if self.interval < SignedDuration::from_secs(5) {
            let problem = "must be at least 5 seconds; write for example \"20s\"";
            return refuse("poll.interval", problem);
        }
        if self.lookback.is_negative() || self.lookback > SignedDuration::from_hours(90 * 24) {
            let problem = "must be from nothing to 90 days; write for example \"15m\"";
            return refuse("poll.lookback", problem);
        }
        if !(1..=1000).contains(&self.page_size) {
            let problem = "must be from 1 to 1000, the most the vendor sends at once";
            return refuse("poll.page_size", problem);
        }
        if self.event_types.is_empty() || self.event_types.len() > MOST_EVENT_TYPES {
            let problem = format!("must name 1 to {MOST_EVENT_TYPES} types");
            return refuse("poll.event_types", &problem);
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let odd = self
            .event_types
            .iter()
            .position(|name| name.is_empty() || !name.chars().all(plain));
        if let Some(index) = odd {
            let key = format!("poll.event_types[{index}]");
            let problem = "is no type of event; write for example \"user.risk.detect\"";
            return refuse(&key, problem);
        }
        Ok(self)
    }

    /// The interval as the runtime wants it.
    pub(super) fn pause(&self) -> Duration {
        self.interval.unsigned_abs()
    }

    /// The filter that asks for the types. Their names were checked, so that none ends a text.
    pub(super) fn filter(&self) -> String {
        let types = self.event_types.iter();
        let each: Vec<String> = types
            .map(|name| format!("eventType eq \"{name}\""))
            .collect();
        each.join(" or ")
    }
}

impl Config {
    /// The organization's address.
    pub(super) fn base(&self) -> Result<Url, ConfigError> {
        let base = Plane::base_url("org_url", self.org_url.trim())?;
        let refuse = |problem: &str| Err(ConfigError::new("org_url", problem));
        let host = base.host_str().unwrap_or_default();
        if host
            .split('.')
            .next()
            .is_some_and(|name| name.ends_with("-admin"))
        {
            return refuse("is the admin console; write the address without `-admin`");
        }
        if base.path() != "/" || base.query().is_some() || base.fragment().is_some() {
            return refuse("must be the address alone, for example \"https://northwind.okta.com\"");
        }
        Ok(base)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(extra: serde_json::Value) -> Option<String> {
        let mut table = json!({ "org_url": "https://northwind.okta.com" });
        if let (Some(table), Some(extra)) = (table.as_object_mut(), extra.as_object()) {
            table.extend(extra.clone());
        }
        let config: Config = serde_json::from_value(table).unwrap();
        let checked = config.base().map(drop);
        let checked = checked.and_then(|()| config.poll.checked().map(drop));
        checked.err().map(|error| error.key)
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_key() {
        assert_eq!(key(json!({})), None);
        for url in [
            "https://northwind-admin.okta.com",
            "https://northwind.okta.com/oauth2/default",
            "http://northwind.okta.com",
            "northwind.okta.com",
        ] {
            assert_eq!(
                key(json!({ "org_url": url })).as_deref(),
                Some("org_url"),
                "{url}"
            );
        }
        let poll = |poll: serde_json::Value| key(json!({ "poll": poll }));
        let named = |name: &str| Some(format!("poll.{name}"));
        assert_eq!(poll(json!({ "interval": "1s" })), named("interval"));
        assert_eq!(poll(json!({ "lookback": "2200h" })), named("lookback"));
        assert_eq!(poll(json!({ "page_size": 0 })), named("page_size"));
        assert_eq!(poll(json!({ "event_types": [] })), named("event_types"));
        let types = json!({ "event_types": ["user.risk.detect", "a\" or \"b"] });
        assert_eq!(poll(types), named("event_types[1]"));
    }
}

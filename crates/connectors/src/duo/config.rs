//! What a connection to a Duo account is configured with.

use std::time::Duration;

use jiff::SignedDuration;
use quell_connector::http::{Plane, Url};
use quell_connector::settings::SecretRef;
use quell_connector::{ConfigError, HttpSettings};
use schemars::JsonSchema;
use serde::Deserialize;

/// A connection to a Duo account, through an application of the kind “Admin API”.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// API hostname, as the application's page shows it (`"api-1a2b3c4d.duosecurity.com"`).
    pub api_hostname: String,
    /// Integration key of the application (`"DI…"`).
    pub integration_key: String,
    /// Where its secret key is kept (`"env:DUO_SECRET_KEY"`, `"file:/run/secrets/duo"`).
    pub secret_key: SecretRef,
    /// How requests are signed. Only for a gateway in between that knows the older way alone.
    #[serde(default)]
    pub signature: SignatureVersion,
    /// HTTP settings.
    #[serde(default)]
    pub http: HttpSettings,
    /// How alerts are polled.
    #[serde(default)]
    pub poll: Poll,
}

/// How requests are signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignatureVersion {
    /// Version 5: the body and the vendor's own headers are covered, bodies are JSON.
    #[default]
    V5,
    /// Version 2 with SHA-512: parameters are covered, bodies are forms.
    V2,
}

/// How alerts are polled.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Poll {
    /// Whether to read Trust Monitor, for accounts whose plan has it.
    pub trust_monitor: bool,
    /// Whether to read the authentication log for pushes reported as fraud or refused as anomalous.
    pub authentication_log: bool,
    /// Wait between polls, with unit (`"1m"`); at least a minute, as the vendor asks.
    #[schemars(with = "String")]
    pub interval: SignedDuration,
    /// How far back the very first poll looks, with unit (`"15m"`).
    #[schemars(with = "String")]
    pub lookback: SignedDuration,
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            trust_monitor: true,
            authentication_log: true,
            interval: SignedDuration::from_mins(1),
            lookback: SignedDuration::from_mins(15),
        }
    }
}

impl Poll {
    /// These options, or the key that cannot work.
    pub(super) fn checked(self) -> Result<Self, ConfigError> {
        if self.interval < SignedDuration::from_mins(1) {
            let problem = "must be at least a minute, as Duo asks; write for example \"1m\"";
            return Err(ConfigError::new("poll.interval", problem));
        }
        if self.lookback.is_negative() {
            let problem = "must not be negative; write for example \"15m\"";
            return Err(ConfigError::new("poll.lookback", problem));
        }
        Ok(self)
    }

    /// Whether anything is polled at all.
    pub(super) const fn wants_anything(&self) -> bool {
        self.trust_monitor || self.authentication_log
    }

    /// The interval as the runtime wants it.
    pub(super) fn pause(&self) -> Duration {
        self.interval.unsigned_abs()
    }
}

impl Config {
    /// Where the API is.
    pub(super) fn base(&self) -> Result<Url, ConfigError> {
        let given = self.api_hostname.trim();
        let url = if given.contains("://") {
            given.to_owned()
        } else {
            format!("https://{given}")
        };
        let base = Plane::base_url("api_hostname", &url)?;
        // A path would be signed, and the vendor has none there.
        if base.path() != "/" || base.query().is_some() {
            let problem = "must be a host name alone, such as `api-1a2b3c4d.duosecurity.com`";
            return Err(ConfigError::new("api_hostname", problem));
        }
        Ok(base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<Url, ConfigError> {
        let mut config = serde_json::json!({
            "integration_key": "DIXXXXXXXXXXXXXXXXXX", "secret_key": "env:X",
        });
        config["api_hostname"] = text.into();
        serde_json::from_value::<Config>(config).unwrap().base()
    }

    #[test]
    fn the_hostname_of_the_console_is_enough_and_more_than_a_host_is_refused() {
        let base = config(" api-1a2b3c4d.duosecurity.com ").unwrap();
        assert_eq!(base.as_str(), "https://api-1a2b3c4d.duosecurity.com/");
        for bad in [
            "",
            "api-1.duosecurity.com/admin/v1",
            "http://api-1.duosecurity.com",
        ] {
            assert_eq!(config(bad).unwrap_err().key, "api_hostname", "{bad}");
        }
    }

    #[test]
    fn a_poll_more_often_than_the_vendor_allows_is_refused() {
        let poll = Poll {
            interval: SignedDuration::from_secs(10),
            ..Poll::default()
        };
        assert_eq!(poll.checked().unwrap_err().key, "poll.interval");
    }
}

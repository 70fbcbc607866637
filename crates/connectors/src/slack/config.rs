//! What a connection to a Slack channel is configured with.

use jiff::Timestamp;
use quell_connector::http::{Authenticate, Exchange, Grant, Plane, Url};
use quell_connector::settings::SecretRef;
use quell_connector::{BoxFuture, Call, ConfigError, HttpSettings, Plumbing, Result};
use quell_model::Secret;
use schemars::JsonSchema;
use serde::Deserialize;

/// A connection to a Slack channel.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the app's bot token is kept (`"env:SLACK_TOKEN"`, `"file:/run/secrets/slack"`). It begins with `xoxb-`.
    pub token: SecretRef,
    /// Channel to post to: its id (`"C0123ABCD"`), which survives renaming, or its name (`"#soc-alerts"`).
    pub channel: String,
    /// Base URL to use instead of `https://slack.com/api/` (`"https://slack-gov.com"`).
    #[serde(default)]
    pub base_url: Option<String>,
    /// HTTP settings.
    #[serde(default)]
    pub http: HttpSettings,
}

/// A channel as Slack takes it.
pub(super) struct Channel(String);

impl Channel {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Config {
    pub(super) fn channel(&self) -> Result<Channel, ConfigError> {
        let name = self.channel.trim();
        let refuse = |problem: &str| Err(ConfigError::new("channel", problem));
        if name.trim_start_matches('#').is_empty() {
            return refuse("must not be empty; write an id or a name, for example \"#soc-alerts\"");
        }
        if name.contains("://") {
            return refuse("is an address; write the channel's id, the part after the last `/`");
        }
        if name.contains(char::is_whitespace) || name.chars().any(char::is_control) {
            return refuse("must not contain spaces; write for example \"#soc-alerts\"");
        }
        Ok(Channel(name.to_owned()))
    }

    /// The address of the API, ending in `/`.
    pub(super) fn base(&self) -> Result<Url, ConfigError> {
        let text = self.base_url.as_deref().unwrap_or("https://slack.com/api/");
        let mut base = Plane::base_url("base_url", text)?;
        match base.path() {
            "/" => base.set_path("/api/"),
            path if !path.ends_with('/') => base.set_path(&format!("{path}/")),
            _ => {}
        }
        Ok(base)
    }

    pub(super) fn bearer(&self, plumbing: &Plumbing, base: Url) -> Result<Bearer, ConfigError> {
        let token = plumbing.secret("token", &self.token)?;
        let text = token.expose().trim();
        // A rotating token carries its bot token's prefix behind one of its own.
        if !text.starts_with("xoxb-") && !text.starts_with("xoxe.xoxb-") {
            let problem = "is not a bot token: those begin with `xoxb-`, and stand on the app's page under OAuth & Permissions";
            return Err(ConfigError::new("token", problem));
        }
        Ok(Bearer(Grant {
            base,
            authorization: Some(Secret::new(format!("Bearer {text}"))),
            refresh_at: Timestamp::MAX,
        }))
    }
}

/// A token that is good until somebody revokes it.
pub(super) struct Bearer(Grant);

impl Authenticate for Bearer {
    fn authenticate<'a>(&'a self, _: &'a Call, _: &'a Exchange) -> BoxFuture<'a, Result<Grant>> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(channel: &str, base_url: Option<&str>) -> Config {
        let table = json!({ "token": "env:X", "channel": channel, "base_url": base_url });
        serde_json::from_value(table).unwrap()
    }

    #[test]
    fn the_base_url_may_be_written_with_or_without_its_path() {
        let base = |url| config("c", url).base().unwrap().to_string();
        assert_eq!(base(None), "https://slack.com/api/");
        assert_eq!(
            base(Some("https://slack-gov.com")),
            "https://slack-gov.com/api/"
        );
        assert_eq!(
            base(Some("https://gate.example.com/slack")),
            "https://gate.example.com/slack/"
        );
    }

    #[test]
    fn a_channel_that_cannot_be_one_is_refused() {
        for bad in [
            "",
            "#",
            "soc alerts",
            "https://acme.slack.com/archives/C0123ABCD",
        ] {
            assert_eq!(
                config(bad, None).channel().err().unwrap().key,
                "channel",
                "{bad}"
            );
        }
        assert!(config("#soc-alerts", None).channel().is_ok());
    }
}

//! What a connection to GitHub is configured with.

use std::time::Duration;

use jiff::SignedDuration;
use quell_connector::http::{Plane, Url};
use quell_connector::settings::SecretRef;
use quell_connector::{ConfigError, HttpSettings};
use schemars::JsonSchema;
use serde::Deserialize;

/// A connection to GitHub.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What disabling an account means here: removal from an organization (`"org"`), suspension on an Enterprise
    /// Server (`"ghes"`), or deactivation of a managed user (`"emu"`).
    pub product: Product,
    /// The organization: whose members are removed, and whose alerts are polled.
    #[serde(default)]
    pub organization: Option<String>,
    /// The enterprise's short name, for managed users.
    #[serde(default)]
    pub enterprise: Option<String>,
    /// Where it is, if not at github.com: the Enterprise Server (`"https://github.example.com"`), or the API of a
    /// tenant with data residency (`"https://api.example.ghe.com"`).
    #[serde(default)]
    pub base_url: Option<String>,
    /// Where a personal access token is kept (`"env:GITHUB_TOKEN"`, `"file:/run/secrets/github"`).
    #[serde(default)]
    pub token: Option<SecretRef>,
    /// A GitHub App instead of a token, for an organization.
    #[serde(default)]
    pub app: Option<App>,
    /// Where the secret of the webhook is kept that pushes alerts to Quell.
    #[serde(default)]
    pub webhook_secret: Option<SecretRef>,
    /// HTTP settings.
    #[serde(default)]
    pub http: HttpSettings,
    /// How secret scanning alerts are polled.
    #[serde(default)]
    pub poll: Poll,
}

/// What disabling an account means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Product {
    /// An organization at github.com: the person is removed from it.
    Org,
    /// An Enterprise Server: the user is suspended.
    Ghes,
    /// An enterprise with managed users: the user is deactivated.
    Emu,
}

/// A GitHub App and its installation.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Client id or app id, from the App's page.
    pub id: String,
    /// Id of its installation in the organization: the number at the end of the address of the installation's page.
    pub installation: u64,
    /// Where its private key is kept, in PEM form.
    pub private_key: SecretRef,
}

/// How secret scanning alerts are polled.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Poll {
    /// Whether to poll; it needs `organization`.
    pub enabled: bool,
    /// Wait between polls, with unit (`"1m"`); at least ten seconds.
    #[schemars(with = "String")]
    pub interval: SignedDuration,
    /// How far back the very first poll looks, with unit (`"1h"`).
    #[schemars(with = "String")]
    pub lookback: SignedDuration,
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: SignedDuration::from_mins(1),
            lookback: SignedDuration::from_hours(1),
        }
    }
}

impl Poll {
    /// These options, or the key that cannot work. Without an organization there is nothing to poll.
    pub(super) fn checked(mut self, possible: bool) -> Result<Self, ConfigError> {
        if self.interval < SignedDuration::from_secs(10) {
            let problem = "must be at least ten seconds; write for example \"1m\"";
            return Err(ConfigError::new("poll.interval", problem));
        }
        if self.lookback.is_negative() {
            let problem = "must not be negative; write for example \"1h\"";
            return Err(ConfigError::new("poll.lookback", problem));
        }
        self.enabled &= possible;
        Ok(self)
    }

    /// The interval as the runtime wants it.
    pub(super) fn pause(&self) -> Duration {
        self.interval.unsigned_abs()
    }
}

/// Where requests go.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) base: Url,
    /// What stands before every path (`/api/v3` on an Enterprise Server).
    pub(super) prefix: &'static str,
    pub(super) organization: Option<String>,
    pub(super) enterprise: Option<String>,
}

const PUBLIC: &str = "https://api.github.com";
const SERVER: &str = "/api/v3";

impl Config {
    /// Where requests go, or the key that cannot work.
    pub(super) fn checked(&self) -> Result<Place, ConfigError> {
        let organization = short_name("organization", self.organization.as_deref())?;
        let enterprise = short_name("enterprise", self.enterprise.as_deref())?;
        let missing = match self.product {
            Product::Org if organization.is_none() => {
                Some(("organization", "the organization's login"))
            }
            Product::Emu if enterprise.is_none() => {
                Some(("enterprise", "the enterprise's short name"))
            }
            Product::Ghes if self.base_url.is_none() => Some(("base_url", "the server's address")),
            _ => None,
        };
        if let Some((key, what)) = missing {
            return Err(ConfigError::new(
                key,
                format!("is needed for this product: {what}"),
            ));
        }
        if self.app.is_some() && self.product != Product::Org {
            let problem =
                "can only remove members of an organization; use `token` for this product";
            return Err(ConfigError::new("app", problem));
        }
        let given = self.base_url.as_deref().unwrap_or(PUBLIC).trim();
        let given = given.trim_end_matches('/').trim_end_matches(SERVER);
        let base = Plane::base_url("base_url", given)?;
        if base.path() != "/" || base.query().is_some() {
            let problem = "must be a scheme and host alone, such as `https://github.example.com`";
            return Err(ConfigError::new("base_url", problem));
        }
        Ok(Place {
            base,
            prefix: if self.product == Product::Ghes {
                SERVER
            } else {
                ""
            },
            organization,
            enterprise,
        })
    }
}

fn short_name(key: &str, given: Option<&str>) -> Result<Option<String>, ConfigError> {
    let Some(name) = given.map(str::trim).filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.chars().all(allowed) {
        let problem = "is not a short name; it is what stands in addresses, such as `acme-corp`";
        return Err(ConfigError::new(key, problem));
    }
    Ok(Some(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn place(config: Value) -> Result<Place, ConfigError> {
        serde_json::from_value::<Config>(config).unwrap().checked()
    }

    #[test]
    fn each_product_says_what_it_needs() {
        for (config, key) in [
            (json!({"product": "org"}), "organization"),
            (
                json!({"product": "emu", "organization": "acme"}),
                "enterprise",
            ),
            (json!({"product": "ghes"}), "base_url"),
            (
                json!({"product": "org", "organization": "a/b"}),
                "organization",
            ),
            (
                json!({"product": "ghes", "base_url": "https://git.example/x"}),
                "base_url",
            ),
            (
                json!({"product": "emu", "enterprise": "e", "app": {"id": "1", "installation": 2, "private_key": "env:K"}}),
                "app",
            ),
        ] {
            assert_eq!(place(config.clone()).unwrap_err().key, key, "{config}");
        }
    }

    #[test]
    fn a_server_is_found_with_and_without_the_path_of_its_api() {
        for url in [
            "https://git.example",
            "https://git.example/",
            "https://git.example/api/v3/",
        ] {
            let place = place(json!({"product": "ghes", "base_url": url})).unwrap();
            assert_eq!(
                (place.base.as_str(), place.prefix),
                ("https://git.example/", SERVER)
            );
        }
        let place = place(json!({"product": "org", "organization": "acme"})).unwrap();
        assert_eq!(
            (place.base.as_str(), place.prefix),
            ("https://api.github.com/", "")
        );
    }
}

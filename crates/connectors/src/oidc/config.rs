//! What a connection to an OpenID Connect provider is configured with.

use quell_connector::http::{Plane, Url};
use quell_connector::settings::SecretRef;
use quell_connector::{ConfigError, HttpSettings};
use schemars::JsonSchema;
use serde::Deserialize;

/// A connection to an OpenID Connect provider.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The provider, letter for letter as its tokens name it (`"https://login.example.com"`). One that stands for many organizations (`common`) is refused by its tokens.
    pub issuer: String,
    /// Quell's id at the provider.
    pub client_id: String,
    /// Where Quell's secret is kept (`"env:OIDC_SECRET"`, `"file:/run/secrets/oidc"`). Without it Quell is a public client.
    #[serde(default)]
    pub client_secret: Option<SecretRef>,
    /// What is asked for, divided by spaces.
    #[serde(default = "scopes")]
    pub scopes: String,
    /// The only claim that says whose account it is (`"upn"`). Without it a verified `email`, `preferred_username` and `upn` do. Name one that people cannot change themselves.
    #[serde(default)]
    pub principal_claim: Option<String>,
    /// Hosts beside the issuer's that the provider answers on, a leading dot for all below a domain (`[".googleapis.com"]`).
    #[serde(default)]
    pub hosts: Vec<String>,
    /// HTTP settings.
    #[serde(default)]
    pub http: HttpSettings,
}

fn scopes() -> String {
    "openid email profile".to_owned()
}

impl Config {
    /// The issuer's address.
    pub(super) fn issuer(&self) -> Result<Url, ConfigError> {
        let url = Plane::base_url("issuer", &self.issuer)?;
        if url.query().is_some() || url.fragment().is_some() {
            let problem = "must have no query and no fragment";
            return Err(ConfigError::new("issuer", problem));
        }
        Ok(url)
    }

    /// Checks what no schema can.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let refuse = |key: &str, problem: &str| Err(ConfigError::new(key, problem));
        if self.client_id.trim().is_empty() {
            return refuse("client_id", "must not be empty");
        }
        if !self.scopes.split(' ').any(|scope| scope == "openid") {
            return refuse("scopes", "must contain `openid`");
        }
        if self.principal_claim.as_deref() == Some("") {
            return refuse("principal_claim", "must not be empty; leave it out instead");
        }
        Ok(())
    }
}

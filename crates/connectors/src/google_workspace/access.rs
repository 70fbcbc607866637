//! Signing in: a token for each need, by an assertion the service account signs.
//!
//! Google refuses a request for a token whole if one of its scopes was not delegated. So each need has a
//! token of its own, and a scope nobody delegated breaks only what needs it.

use std::sync::Arc;
use std::time::Duration;

use quell_connector::http::{
    Authenticate, Body, Exchange, Grant, Method, Plane, Repeat, Reply, Request, Url,
};
use quell_connector::sign::{self, Algorithm, SigningKey};
use quell_connector::{BoxFuture, Call, ConfigError, Error, Kind, Plumbing, Result, call};
use quell_model::{Secret, text};
use serde::Deserialize;
use serde_json::json;

use super::api;
use super::config::{Bases, Config};

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Reading and changing users.
    Users,
    /// Ending sessions.
    Security,
    /// The Alert Center.
    Alerts,
    /// The audit of sign-ins.
    Audit,
}

/// Scope for reading and changing users.
pub(super) const USERS: &str = "https://www.googleapis.com/auth/admin.directory.user";
/// Scope for ending sessions.
pub(super) const SECURITY: &str = "https://www.googleapis.com/auth/admin.directory.user.security";
const ALERTS: &str = "https://www.googleapis.com/auth/apps.alerts";
const AUDIT: &str = "https://www.googleapis.com/auth/admin.reports.audit.readonly";

impl Need {
    /// The scope, as it has to be delegated.
    pub(super) const fn scope(self) -> &'static str {
        match self {
            Self::Users => USERS,
            Self::Security => SECURITY,
            Self::Alerts => ALERTS,
            Self::Audit => AUDIT,
        }
    }

    /// The service, as the Google Cloud console names it.
    pub(super) const fn service(self) -> &'static str {
        match self {
            Self::Users | Self::Security | Self::Audit => "Admin SDK API",
            Self::Alerts => "Google Workspace Alert Center API",
        }
    }

    const fn base(self, bases: &Bases) -> &Url {
        match self {
            Self::Users | Self::Security | Self::Audit => &bases.admin,
            Self::Alerts => &bases.alert_center,
        }
    }
}

/// One way to Google for each need.
pub(super) struct Access {
    pub(super) users: Plane,
    pub(super) security: Plane,
    pub(super) alerts: Plane,
    pub(super) audit: Plane,
    /// The service account's address.
    pub(super) service_account: String,
}

impl Access {
    pub(super) fn new(
        config: &Config,
        bases: &Bases,
        admin: &str,
        plumbing: &Plumbing,
    ) -> Result<Self, ConfigError> {
        let key = plumbing.secret("service_account_key", &config.service_account_key)?;
        let account = Arc::new(ServiceAccount::read(&key)?);
        let plane = |need: Need| {
            let credentials = Credentials {
                account: account.clone(),
                subject: admin.to_owned(),
                scope: need.scope(),
                oauth: bases.oauth.clone(),
                base: need.base(bases).clone(),
            };
            let dialect = api::dialect(need);
            Plane::new(
                plumbing,
                &config.http,
                dialect,
                bases.hosts(),
                Box::new(credentials),
            )
        };
        Ok(Self {
            users: plane(Need::Users)?,
            security: plane(Need::Security)?,
            alerts: plane(Need::Alerts)?,
            audit: plane(Need::Audit)?,
            service_account: account.email.clone(),
        })
    }
}

/// What a key file says.
struct ServiceAccount {
    email: String,
    /// The number to which scopes are delegated.
    client_id: String,
    key_id: Option<String>,
    key: SigningKey,
}

/// A key file. Its `token_uri` is not followed: a signed assertion goes to Google or to the configured
/// gateway.
#[derive(Deserialize)]
struct KeyFile {
    r#type: String,
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    #[serde(default)]
    client_id: String,
}

impl ServiceAccount {
    fn read(file: &Secret) -> Result<Self, ConfigError> {
        let refused = |problem: String| ConfigError::new("service_account_key", problem);
        // The parser's own sentence could repeat a part of the key.
        let file: KeyFile = serde_json::from_str(file.expose()).map_err(|_| {
            refused("is not a service account's key; make one of type JSON".to_owned())
        })?;
        if file.r#type != "service_account" {
            return Err(refused(
                "is a key, but not a service account's; its `type` must be `service_account`"
                    .to_owned(),
            ));
        }
        let key = SigningKey::from_pem(&Secret::new(file.private_key))
            .map_err(|problem| refused(format!("has a private_key that {problem}")))?;
        Ok(Self {
            email: text::line(&file.client_email),
            client_id: text::line(&file.client_id),
            key_id: file.private_key_id,
            key,
        })
    }
}

/// A service account acting as somebody, within one scope.
struct Credentials {
    account: Arc<ServiceAccount>,
    subject: String,
    scope: &'static str,
    oauth: Url,
    base: Url,
}

const OPERATION: &str = "oauth2.token";
/// What an assertion is addressed to, whatever gateway it goes through.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
/// Longest time an assertion may count.
const ASSERTED: i64 = 3600;

#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: String,
}

impl Credentials {
    fn assertion(&self, now: i64) -> Result<Secret> {
        let header = match &self.account.key_id {
            Some(id) => json!({ "kid": id }),
            None => json!({}),
        };
        let claims = json!({
            "iss": self.account.email,
            "sub": self.subject,
            "scope": self.scope,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + ASSERTED,
        });
        sign::jwt(&self.account.key, Algorithm::Rs256, &header, &claims).map_err(|problem| {
            let detail = format!("the private key of service_account_key {problem}");
            Error::new(Kind::ConfigInvalid, OPERATION, detail)
        })
    }

    async fn sign_in(&self, cx: &Call, exchange: &Exchange) -> Result<Grant> {
        let now = cx.clock().now();
        let assertion = self.assertion(now.as_second())?;
        let body = Body::form(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", assertion.expose()),
        ]);
        // A second token does no harm, so a lost reply is no reason to give up.
        let request = Request::new(OPERATION, Method::POST, "/token", body, Repeat::Read);
        let reply = exchange.raw(cx, &self.oauth, None, &request).await?;
        if !reply.status.is_success() {
            return Err(self.explain(exchange.classify(cx, &request, &reply), &reply));
        }
        let token: Token = reply.json()?;
        let lifetime = Duration::from_secs(token.expires_in.unwrap_or(3599).clamp(1, 86_400));
        Ok(Grant {
            base: self.base.clone(),
            authorization: Some(Secret::new(format!("Bearer {}", token.access_token))),
            refresh_at: call::later(cx.clock().now(), lifetime.mul_f64(0.9)),
        })
    }

    /// Says what a refused sign-in means.
    fn explain(&self, error: Error, reply: &Reply) -> Error {
        let code = reply.json::<Refusal>().unwrap_or_default().error;
        let (kind, detail) = match code.as_str() {
            "unauthorized_client" | "access_denied" | "invalid_scope" => (
                Kind::PermissionMissing,
                format!(
                    "`{}` is not delegated to the service account; add it under client id `{}` in the Admin console (Security > API controls > Domain-wide delegation)",
                    self.scope, self.account.client_id
                ),
            ),
            "invalid_grant" => (
                Kind::AuthRejected,
                format!(
                    "Google does not let the service account act as `{}`: that address is unknown or suspended, the key was deleted, or this machine's clock is wrong",
                    self.subject
                ),
            ),
            "internal_failure" | "server_error" | "temporarily_unavailable" => (
                Kind::VendorUnavailable,
                "Google cannot issue tokens now".to_owned(),
            ),
            _ => return error,
        };
        Error::new(kind, OPERATION, detail)
            .code(code)
            .request_id(reply.request_id.clone())
    }
}

impl Authenticate for Credentials {
    fn authenticate<'a>(
        &'a self,
        cx: &'a Call,
        exchange: &'a Exchange,
    ) -> BoxFuture<'a, Result<Grant>> {
        Box::pin(self.sign_in(cx, exchange))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_refused_without_a_word_of_it() {
        let problem = |text: &str| {
            let read = ServiceAccount::read(&Secret::new(text.to_owned()));
            read.map(drop).unwrap_err().to_string()
        };
        let broken = r#"{"type":"service_account","client_email":"a@b","private_key":"hunter2"}"#;
        for text in ["hunter2", r#"{"type":"hunter2"}"#, r#"["hunter2"]"#, broken] {
            let problem = problem(text);
            assert!(problem.starts_with("service_account_key: "), "{problem}");
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }
}

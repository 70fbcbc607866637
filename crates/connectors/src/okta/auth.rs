//! Signing in: as a service app by a signed assertion, or with an administrator's API token.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use quell_connector::http::{
    Authenticate, Body, Exchange, Grant, Method, Repeat, Reply, Request, Sign, Url,
};
use quell_connector::sign::{SigningKey, jwt, unique_id};
use quell_connector::{BoxFuture, Call, ConfigError, Error, Kind, Plumbing, Result, call};
use quell_model::{Secret, text};
use serde_json::json;

use super::api::SCOPES;
use super::config::Config;
use super::dpop::Prover;
use super::wire;

const OPERATION: &str = "oauth2.token";
const PATH: &str = "/oauth2/v1/token";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion is good for; Okta takes up to an hour.
const ASSERTION_LIFE: i64 = 300;

/// What a connection signs in as.
#[derive(Debug, Clone)]
pub(super) enum Identity {
    App { client_id: String },
    Token,
}

/// The credentials of a connection.
pub(super) struct Credentials {
    base: Url,
    how: How,
}

enum How {
    App(App),
    Token(Secret),
}

struct App {
    client_id: String,
    key_id: String,
    key: SigningKey,
    audience: String,
    prover: Option<Arc<Prover>>,
}

/// Why there is no token.
enum Denied {
    /// The app was not granted a scope that was asked for.
    Scopes(Error),
    Other(Error),
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Scopes(error) | Denied::Other(error) => error,
        }
    }
}

impl From<Error> for Denied {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Credentials {
    pub(super) fn new(
        config: &Config,
        plumbing: &Plumbing,
        base: Url,
    ) -> Result<Self, ConfigError> {
        let given =
            |text: &Option<String>| text.as_deref().and_then(text::present).map(str::to_owned);
        if let Some(reference) = &config.api_token {
            let app = [
                ("client_id", config.client_id.is_some()),
                ("key_id", config.key_id.is_some()),
                ("private_key", config.private_key.is_some()),
                ("dpop", config.dpop),
            ];
            if let Some((key, _)) = app.iter().find(|(_, set)| *set) {
                let problem = "belongs to a service app; give either that or `api_token`";
                return Err(ConfigError::new(*key, problem));
            }
            let token = plumbing.secret("api_token", reference)?;
            return Ok(Self {
                base,
                how: How::Token(token),
            });
        }
        let missing = |key: &str| {
            let problem = "is missing; a service app has `client_id`, `key_id` and `private_key`";
            ConfigError::new(key, problem)
        };
        let client_id = given(&config.client_id).ok_or_else(|| missing("client_id"))?;
        let key_id = given(&config.key_id).ok_or_else(|| missing("key_id"))?;
        let reference = config.private_key.as_ref();
        let reference = reference.ok_or_else(|| missing("private_key"))?;
        let key = SigningKey::from_pem(&plumbing.secret("private_key", reference)?)
            .map_err(|problem| ConfigError::new("private_key", problem))?;
        // The audience names the very host that is called, a custom domain included.
        let audience = base.join(PATH).map(|url| url.to_string());
        let audience = audience.map_err(|_| ConfigError::new("org_url", "is no address"))?;
        let prover = match config.dpop {
            true => Some(Arc::new(Prover::new()?)),
            false => None,
        };
        Ok(Self {
            base,
            how: How::App(App {
                client_id,
                key_id,
                key,
                audience,
                prover,
            }),
        })
    }

    pub(super) fn identity(&self) -> Identity {
        match &self.how {
            How::App(app) => Identity::App {
                client_id: app.client_id.clone(),
            },
            How::Token(_) => Identity::Token,
        }
    }

    async fn sign_in(&self, cx: &Call, exchange: &Exchange) -> Result<Grant> {
        let app = match &self.how {
            How::App(app) => app,
            How::Token(token) => {
                return Ok(Grant {
                    base: self.base.clone(),
                    authorization: Some(Secret::new(format!("SSWS {}", token.expose()))),
                    refresh_at: Timestamp::MAX,
                });
            }
        };
        let token = match app.token(cx, exchange, &self.base, &SCOPES.join(" ")).await {
            // One scope that was not granted refuses all of them. What was granted still works, and
            // what lacks says so by the scope's name when it is used.
            Err(Denied::Scopes(error)) => {
                let granted = app.granted(cx, exchange, &self.base).await?;
                if granted.is_empty() {
                    return Err(error);
                }
                app.token(cx, exchange, &self.base, &granted.join(" "))
                    .await?
            }
            token => token?,
        };
        let lifetime = Duration::from_secs(token.expires_in.unwrap_or(3600).clamp(1, 86_400));
        let scheme = match token.token_type.raw() {
            Some(kind) if kind.eq_ignore_ascii_case("dpop") => "DPoP",
            _ => "Bearer",
        };
        let authorization = format!("{scheme} {}", token.access_token);
        Ok(Grant {
            base: self.base.clone(),
            authorization: Some(Secret::new(authorization)),
            refresh_at: call::later(cx.clock().now(), lifetime.mul_f64(0.8)),
        })
    }
}

impl App {
    /// The scopes that were granted, found out one by one.
    async fn granted(
        &self,
        cx: &Call,
        exchange: &Exchange,
        base: &Url,
    ) -> Result<Vec<&'static str>> {
        let mut granted = Vec::new();
        for scope in SCOPES {
            match self.token(cx, exchange, base, scope).await {
                Ok(_) => granted.push(scope),
                Err(Denied::Scopes(_)) => {}
                Err(Denied::Other(error)) => return Err(error),
            }
        }
        Ok(granted)
    }

    async fn token(
        &self,
        cx: &Call,
        exchange: &Exchange,
        base: &Url,
        scope: &str,
    ) -> Result<wire::Token, Denied> {
        let request = self.request(cx, scope)?;
        let mut reply = exchange.raw(cx, base, None, &request).await?;
        // The first proof of a day lacks what only the refusal says.
        if self.prover.is_some() && wire::OauthError::of(&reply).is("use_dpop_nonce") {
            let request = self.request(cx, scope)?;
            reply = exchange.raw(cx, base, None, &request).await?;
        }
        if reply.status.is_success() {
            return Ok(reply.json()?);
        }
        Err(self.explain(exchange.classify(cx, &request, &reply), &reply))
    }

    fn request(&self, cx: &Call, scope: &str) -> Result<Request> {
        let now = cx.clock().now().as_second();
        let claims = json!({
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.audience,
            "iat": now,
            "exp": now + ASSERTION_LIFE,
            "jti": unique_id(),
        });
        let header = json!({ "kid": self.key_id });
        let assertion = jwt(&self.key, self.key.algorithm(), &header, &claims)
            .map_err(|problem| Error::new(Kind::ConfigInvalid, OPERATION, problem))?;
        let body = Body::form(&[
            ("grant_type", "client_credentials"),
            ("scope", scope),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", assertion.expose()),
        ]);
        // A second token does no harm, so a lost reply is no reason to give up.
        Ok(Request::new(
            OPERATION,
            Method::POST,
            PATH,
            body,
            Repeat::Read,
        ))
    }

    /// Says what a refused sign-in means.
    fn explain(&self, error: Error, reply: &Reply) -> Denied {
        let said = wire::OauthError::of(reply);
        let status = reply.status.as_u16();
        let as_kind = |kind, sentence: &str| {
            Error::new(kind, OPERATION, sentence)
                .code(said.error.raw().unwrap_or_default())
                .request_id(reply.request_id.clone())
        };
        let scopes = ["invalid_scope", "consent_required", "access_denied"];
        if scopes.iter().any(|code| said.is(code)) {
            let sentence = format!(
                "Okta has granted the app none of the scopes {}",
                SCOPES.map(|scope| format!("`{scope}`")).join(", ")
            );
            return Denied::Scopes(as_kind(Kind::AuthRejected, &sentence));
        }
        Denied::Other(match status {
            _ if said.is("invalid_dpop_proof") && self.prover.is_none() => as_kind(
                Kind::ConfigInvalid,
                "the app requires proof of possession; set dpop = true",
            ),
            400 | 401 | 403 => as_kind(
                Kind::AuthRejected,
                "Okta refuses the sign-in; check client_id, key_id, the private key and this machine's clock",
            ),
            404 | 405 => as_kind(
                Kind::ConfigInvalid,
                "there is no Okta organization at this address; check org_url",
            ),
            _ => error,
        })
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

    fn signer(&self) -> Option<Arc<dyn Sign>> {
        match &self.how {
            How::App(app) => app.prover.clone().map(|prover| prover as _),
            How::Token(_) => None,
        }
    }
}

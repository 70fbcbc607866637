//! A personal token, or a GitHub App that signs a token of its own to obtain its installation's.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quell_connector::http::{Authenticate, Exchange, Grant, Method, Repeat, Url};
use quell_connector::sign::{Algorithm, SigningKey, jwt};
use quell_connector::{BoxFuture, Call, ConfigError, Error, Kind, Plumbing, Result, call};
use quell_model::Secret;
use serde_json::json;

use super::config::{Config, Place};
use super::{api, wire};

/// How long the App's own token is good for; GitHub takes ten minutes at most.
const STATEMENT: Duration = Duration::from_secs(9 * 60);
/// How far its issue lies back, because clocks differ.
const EARLIER: Duration = Duration::from_secs(60);
/// How long before its end an installation's token is replaced.
const MARGIN: SignedDuration = SignedDuration::from_mins(10);

/// What the connection proves itself with.
pub(super) struct Credentials {
    base: Url,
    kind: Credential,
}

enum Credential {
    Token(Secret),
    App {
        id: String,
        installation: u64,
        key: SigningKey,
    },
}

impl Credentials {
    pub(super) fn new(
        config: &Config,
        plumbing: &Plumbing,
        place: &Place,
    ) -> Result<Self, ConfigError> {
        let kind = match (&config.token, &config.app) {
            (Some(reference), None) => {
                let token = plumbing.secret("token", reference)?;
                Credential::Token(Secret::new(format!("Bearer {}", token.expose().trim())))
            }
            (None, Some(app)) => {
                let key = "app.private_key";
                let pem = plumbing.secret(key, &app.private_key)?;
                Credential::App {
                    id: app.id.trim().to_owned(),
                    installation: app.installation,
                    key: SigningKey::from_pem(&pem).map_err(|told| ConfigError::new(key, told))?,
                }
            }
            _ => {
                let problem = "give either `token` or `app`";
                return Err(ConfigError::new("token", problem));
            }
        };
        let base = place.base.clone();
        Ok(Self { base, kind })
    }

    pub(super) const fn is_app(&self) -> bool {
        matches!(self.kind, Credential::App { .. })
    }

    async fn obtain(&self, cx: &Call, exchange: &Exchange) -> Result<Grant> {
        let now = cx.clock().now();
        let (id, installation, key) = match &self.kind {
            Credential::Token(token) => {
                return Ok(Grant {
                    base: self.base.clone(),
                    authorization: Some(token.clone()),
                    refresh_at: call::later(now, Duration::from_secs(24 * 60 * 60)),
                });
            }
            Credential::App {
                id,
                installation,
                key,
            } => (id, installation, key),
        };
        let claims = json!({
            "iat": (now - EARLIER).as_second(),
            "exp": (now + STATEMENT).as_second(),
            "iss": id,
        });
        let statement = jwt(key, Algorithm::Rs256, &json!({}), &claims)
            .map_err(|told| Error::new(Kind::ConfigInvalid, api::INSTALLATION_TOKEN, told))?;
        let bearer = Secret::new(format!("Bearer {}", statement.expose()));
        let path = format!("/app/installations/{installation}/access_tokens");
        // A second token does no harm, so a lost reply is no reason to give up.
        let request = api::request(
            api::INSTALLATION_TOKEN,
            Method::POST,
            path,
            None,
            Repeat::Read,
        );
        let reply = exchange
            .send(cx, &self.base, Some(&bearer), &request)
            .await
            .map_err(explain)?;
        let token: wire::InstallationToken = reply.json()?;
        let end = token
            .expires_at
            .raw()
            .and_then(|at| at.parse::<Timestamp>().ok());
        let half = call::later(now, Duration::from_secs(30 * 60));
        let refresh_at = end
            .and_then(|end| end.checked_sub(MARGIN).ok())
            .unwrap_or(half);
        let token = token.token.raw().ok_or_else(|| {
            let detail = "GitHub's reply has no token";
            Error::new(Kind::ReplyUnreadable, api::INSTALLATION_TOKEN, detail)
        })?;
        Ok(Grant {
            base: self.base.clone(),
            authorization: Some(Secret::new(format!("Bearer {token}"))),
            refresh_at,
        })
    }
}

/// Says what a refused App means.
fn explain(error: Error) -> Error {
    let sentence = match error.kind {
        Kind::AuthRejected => {
            "GitHub refuses the App; its id and private key do not belong together, or this machine's clock is wrong"
        }
        Kind::TargetNotFound => {
            "GitHub knows no such installation of the App; check `app.installation`"
        }
        _ => return error,
    };
    let code = error.vendor_code.as_deref().unwrap_or_default();
    Error::new(Kind::AuthRejected, api::INSTALLATION_TOKEN, sentence)
        .code(code)
        .request_id(error.request_id.as_deref().map(str::to_owned))
}

impl Authenticate for Credentials {
    fn authenticate<'a>(
        &'a self,
        cx: &'a Call,
        exchange: &'a Exchange,
    ) -> BoxFuture<'a, Result<Grant>> {
        Box::pin(self.obtain(cx, exchange))
    }
}

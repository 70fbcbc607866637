//! OAuth2 client credentials, and finding out which cloud the tenant lives in.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use quell_connector::http::{
    Authenticate, Body, Exchange, Grant, Method, Repeat, Reply, Request, Url,
};
use quell_connector::{BoxFuture, Call, ConfigError, Error, Kind, Plumbing, Result, call};
use quell_model::{Secret, text};

use super::config::Config;
use super::{Home, wire};

const OPERATION: &str = "oauth2.token";

/// The API client's credentials.
pub(super) struct Credentials {
    client_id: String,
    client_secret: Secret,
    member_cid: Option<String>,
    home: Home,
    /// The cloud that answered last, so that only the first sign-in asks around.
    found: Mutex<Option<Url>>,
}

impl Credentials {
    pub(super) fn new(
        config: &Config,
        plumbing: &Plumbing,
        home: Home,
    ) -> Result<Self, ConfigError> {
        let client_id = config.client_id.trim().to_owned();
        if client_id.is_empty() {
            return Err(ConfigError::new("client_id", "must not be empty"));
        }
        // Given as `<id>-<checksum>` in some places of the console; the API wants the id alone.
        let member = config.member_cid.as_deref().and_then(text::present);
        let member = member.map(|cid| match cid.split_once('-') {
            Some((id, _)) if id.len() == 32 => id.to_ascii_lowercase(),
            _ => cid.to_ascii_lowercase(),
        });
        if member
            .as_ref()
            .is_some_and(|cid| cid.len() != 32 || !cid.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            let problem = "is not a customer id; it has 32 hexadecimal digits";
            return Err(ConfigError::new("member_cid", problem));
        }
        Ok(Self {
            client_id,
            client_secret: plumbing.secret("client_secret", &config.client_secret)?,
            member_cid: member,
            home,
            found: Mutex::new(None),
        })
    }

    fn known_base(&self) -> Url {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.clone().unwrap_or_else(|| self.home.base.clone())
    }

    fn request(&self) -> Request {
        let mut fields = vec![
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.client_secret.expose()),
        ];
        if let Some(cid) = &self.member_cid {
            fields.push(("member_cid", cid));
        }
        let body = Body::form(&fields);
        // A second token does no harm, so a lost reply is no reason to give up.
        Request::new(OPERATION, Method::POST, "/oauth2/token", body, Repeat::Read)
    }

    async fn sign_in(&self, cx: &Call, exchange: &Exchange) -> Result<Grant> {
        let request = self.request();
        let mut base = self.known_base();
        let mut reply = exchange.raw(cx, &base, None, &request).await?;
        let moved = matches!(reply.status.as_u16(), 301 | 302 | 307 | 308);
        if moved || reply.status.is_success() {
            let location = reply.header("location").filter(|_| moved);
            let there = self
                .home
                .follow(&base, location, reply.header("x-cs-region"))
                .map_err(|sentence| Error::new(Kind::ConfigInvalid, OPERATION, sentence))?;
            if let Some(there) = there {
                base = there;
                reply = exchange.raw(cx, &base, None, &request).await?;
            }
        }
        if !reply.status.is_success() {
            return Err(self.explain(exchange.classify(cx, &request, &reply), &reply));
        }
        let token: wire::Token = reply.json()?;
        let lifetime = Duration::from_secs(token.expires_in.unwrap_or(1799).clamp(1, 86_400));
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(base.clone());
        Ok(Grant {
            base,
            authorization: Some(Secret::new(format!("Bearer {}", token.access_token))),
            refresh_at: call::later(cx.clock().now(), lifetime.mul_f64(0.8)),
        })
    }

    /// Says what a refused sign-in means. The vendor's sentences are told apart only to help people;
    /// all of them are the same kind of error.
    fn explain(&self, error: Error, reply: &Reply) -> Error {
        let words = error.detail.to_ascii_lowercase();
        let sentence = match reply.status.as_u16() {
            301 | 302 | 307 | 308 => {
                return Error::new(
                    Kind::ConfigInvalid,
                    OPERATION,
                    "the token request was sent from cloud to cloud; set the tenant's region",
                )
                .request_id(reply.request_id.clone());
            }
            400 => "CrowdStrike does not know this client id; check client_id and the region",
            403 if words.contains("authorization failed") => {
                "CrowdStrike refuses this address; add Quell's public address to the tenant's API IP allow list"
            }
            403 if self.member_cid.is_some() => {
                "CrowdStrike refuses the sign-in; the secret is wrong, or member_cid is no child of this tenant"
            }
            401 | 403 => {
                "CrowdStrike refuses the sign-in; the secret is wrong, or the API client was deleted"
            }
            _ => return error,
        };
        Error::new(Kind::AuthRejected, OPERATION, sentence)
            .code(reply.status.as_u16())
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

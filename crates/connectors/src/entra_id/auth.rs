//! Client credentials, with a secret or with an assertion signed by the app's certificate, and what the
//! token says the app may do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quell_connector::http::{
    Authenticate, Body, Exchange, Grant, Method, Repeat, Reply, Request, Url,
};
use quell_connector::sign::{Algorithm, SigningKey, jwt, unique_id};
use quell_connector::{BoxFuture, Call, ConfigError, Error, Kind, Plumbing, Result, call};
use quell_model::Secret;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::config::Config;
use super::wire;

const OPERATION: &str = "oauth2.token";
/// How long an assertion is good for. It is used at once.
const ASSERTION_LIFE: i64 = 600;
/// Tokens are renewed this long before they run out.
const MARGIN: u64 = 60;

/// The app's credentials.
pub(super) struct Credentials {
    client_id: String,
    proof: Proof,
    /// Where sign-ins are sent.
    login: Url,
    /// Path of the token endpoint.
    path: String,
    /// The token endpoint as Microsoft knows it, also behind a gateway.
    audience: String,
    scope: String,
    graph: Url,
    standing: Arc<Standing>,
}

/// What proves that it is the app.
enum Proof {
    Secret(Secret),
    Certificate {
        key: SigningKey,
        /// SHA-256 of the certificate, in base64url.
        thumbprint: String,
    },
}

/// Directory roles the app holds, as its last token said. A token is the API's and not ours to rely on: where it
/// cannot be read, nothing is known.
#[derive(Debug, Default)]
pub(super) struct Standing(Mutex<Option<Vec<String>>>);

impl Standing {
    /// Template ids of the roles; none when it is not known.
    pub(super) fn roles(&self) -> Option<Vec<String>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn learn(&self, token: &str) {
        let claims = token
            .split('.')
            .nth(1)
            .and_then(|part| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok())
            .and_then(|claims| serde_json::from_slice::<wire::Claims>(&claims).ok());
        let roles = claims.and_then(|claims| claims.wids);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = roles;
    }
}

impl Credentials {
    pub(super) fn new(
        config: &Config,
        plumbing: &Plumbing,
        standing: Arc<Standing>,
    ) -> Result<Self, ConfigError> {
        let client_id = config.client_id.trim().to_owned();
        if client_id.is_empty() {
            return Err(ConfigError::new("client_id", "must not be empty"));
        }
        let path = format!("/{}/oauth2/v2.0/token", config.tenant()?);
        Ok(Self {
            client_id,
            proof: proof(config, plumbing)?,
            login: config.login()?,
            audience: format!("{}{path}", config.cloud.login()),
            path,
            scope: format!("{}/.default", config.cloud.graph()),
            graph: config.graph()?,
            standing,
        })
    }

    fn request(&self, cx: &Call) -> Result<Request> {
        let mut fields = vec![
            ("client_id", self.client_id.as_str()),
            ("scope", &self.scope),
            ("grant_type", "client_credentials"),
        ];
        let assertion;
        match &self.proof {
            Proof::Secret(secret) => fields.push(("client_secret", secret.expose())),
            Proof::Certificate { key, thumbprint } => {
                assertion = self.assertion(cx, key, thumbprint)?;
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                fields.push(("client_assertion_type", kind));
                fields.push(("client_assertion", assertion.expose()));
            }
        }
        // A second token does no harm, so a lost reply is no reason to give up.
        Ok(Request::new(
            OPERATION,
            Method::POST,
            self.path.as_str(),
            Body::form(&fields),
            Repeat::Read,
        ))
    }

    fn assertion(&self, cx: &Call, key: &SigningKey, thumbprint: &str) -> Result<Secret> {
        let now = cx.clock().now().as_second();
        let header = json!({ "x5t#S256": thumbprint });
        let claims = json!({
            "aud": self.audience,
            "iss": self.client_id,
            "sub": self.client_id,
            "jti": unique_id(),
            "iat": now,
            "nbf": now,
            "exp": now + ASSERTION_LIFE,
        });
        jwt(key, Algorithm::Ps256, &header, &claims).map_err(|problem| {
            let detail = format!("certificate_key {problem}");
            Error::new(Kind::ConfigInvalid, OPERATION, detail)
        })
    }

    async fn sign_in(&self, cx: &Call, exchange: &Exchange) -> Result<Grant> {
        let request = self.request(cx)?;
        let reply = exchange.raw(cx, &self.login, None, &request).await?;
        if !reply.status.is_success() {
            return Err(explain(exchange.classify(cx, &request, &reply), &reply));
        }
        let token: wire::Token = reply.json()?;
        let lifetime = token.expires_in.unwrap_or(3599).clamp(MARGIN + 1, 86_400) - MARGIN;
        self.standing.learn(&token.access_token);
        Ok(Grant {
            base: self.graph.clone(),
            authorization: Some(Secret::new(format!("Bearer {}", token.access_token))),
            refresh_at: call::later(cx.clock().now(), Duration::from_secs(lifetime)),
        })
    }
}

fn proof(config: &Config, plumbing: &Plumbing) -> Result<Proof, ConfigError> {
    let certificate = (&config.certificate, &config.certificate_key);
    match (&config.client_secret, certificate) {
        (Some(secret), (None, None)) => {
            Ok(Proof::Secret(plumbing.secret("client_secret", secret)?))
        }
        (None, (Some(certificate), Some(key))) => {
            let certificate = plumbing.secret("certificate", certificate)?;
            let der = CertificateDer::from_pem_slice(certificate.expose().as_bytes());
            let der = der.map_err(|_| {
                let problem = "is no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)";
                ConfigError::new("certificate", problem)
            })?;
            let key = SigningKey::from_pem(&plumbing.secret("certificate_key", key)?)
                .map_err(|problem| ConfigError::new("certificate_key", problem))?;
            if key.algorithm() != Algorithm::Rs256 {
                let problem = "is no RSA key, and Microsoft takes no other";
                return Err(ConfigError::new("certificate_key", problem));
            }
            Ok(Proof::Certificate {
                key,
                thumbprint: URL_SAFE_NO_PAD.encode(Sha256::digest(&der)),
            })
        }
        (None, (Some(_), None)) => {
            let problem = "is missing; the certificate's private key belongs here";
            Err(ConfigError::new("certificate_key", problem))
        }
        (None, (None, Some(_))) => {
            let problem = "is missing; it belongs to certificate_key";
            Err(ConfigError::new("certificate", problem))
        }
        (None, (None, None)) => {
            let problem = "is missing; give it, or certificate and certificate_key";
            Err(ConfigError::new("client_secret", problem))
        }
        (Some(_), _) => {
            let problem = "stands beside a certificate; give one of them";
            Err(ConfigError::new("client_secret", problem))
        }
    }
}

/// Says what a refused sign-in means, by the number Microsoft gives each cause.
fn explain(error: Error, reply: &Reply) -> Error {
    let refused: wire::SignInRefused = reply.json().unwrap_or_default();
    let code = refused.error_codes.first().copied().unwrap_or_default();
    let sentence = match code {
        7_000_215 => "Microsoft refuses the client secret; use its value, not its id",
        7_000_222 => "the client secret has expired; make a new one in the app registration",
        700_016 => "the tenant has no app with this client_id; check client_id, tenant and cloud",
        90_002 | 900_023 => "Microsoft knows no such tenant; check tenant and cloud",
        700_027 | 7_000_277 | 700_030 => {
            "Microsoft refuses the certificate; upload it to the app registration, and check that it has not expired"
        }
        7_000_112 | 7_000_113 => "the app is disabled in the tenant",
        53_003 => "a Conditional Access policy of the tenant blocks the app's sign-in",
        _ if matches!(reply.status.as_u16(), 400 | 401) => "Microsoft refuses the sign-in",
        _ => return error,
    };
    let error = Error::new(Kind::AuthRejected, OPERATION, sentence);
    let error = error.request_id(reply.request_id.clone());
    match code {
        0 => error,
        code => error.code(format!("AADSTS{code}")),
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
    fn a_token_that_cannot_be_read_says_nothing_of_roles() {
        let standing = Standing::default();
        let claims = URL_SAFE_NO_PAD.encode(r#"{"wids":["a"],"roles":["User.Read.All"]}"#);
        standing.learn(&format!("x.{claims}.y"));
        assert_eq!(standing.roles(), Some(vec!["a".to_owned()]));
        for opaque in ["", "opaque", "a.b.c", "a.bm90IGpzb24.c", "..."] {
            standing.learn(opaque);
            assert_eq!(standing.roles(), None, "{opaque}");
        }
    }
}

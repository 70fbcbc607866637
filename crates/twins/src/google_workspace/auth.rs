//! Tokens: a signed assertion is checked as the vendor does (signature, audience, times, delegated scopes, the user to
//! act as) and answered with an access token for that user and those scopes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::AUTHORIZATION;
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::{Value, json};

use super::directory::Directory;
use super::endpoint::{Endpoint, Scope};
use super::wire::Refusal;
use crate::clock::nanos;
use crate::http::{Query, Reply, Request, encode};
use crate::ids::Ids;
use crate::sync::lock;

/// The service account's address.
pub const CLIENT_EMAIL: &str = "quell@twin-project.iam.gserviceaccount.com";
/// Its numeric client id, to which scopes are delegated.
pub const CLIENT_ID: &str = "104857600000000000042";

const KEY_ID: &str = "8c1f0d6a5b4e3c2d1a0f9e8d7c6b5a4938271605";
/// Made for this twin; it opens nothing else.
const KEY: &str = include_str!("service_account_key.pem");
/// What `aud` has to be, wherever the twin listens: clients of the vendor hard-code it.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How far clocks may be apart.
const SKEW: i64 = 300;

/// The JSON key file of the service account, as the vendor's console would hand it out.
pub(crate) fn key_file(token_uri: &str) -> String {
    json!({
        "type": "service_account",
        "project_id": "twin-project",
        "private_key_id": KEY_ID,
        "private_key": KEY,
        "client_email": CLIENT_EMAIL,
        "client_id": CLIENT_ID,
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": token_uri,
        "universe_domain": "googleapis.com",
    })
    .to_string()
}

/// Whoever a valid token speaks for.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Address of the user acted as.
    pub(crate) subject: String,
    scopes: Vec<Scope>,
    expires_at: i64,
}

#[derive(Debug)]
struct Book {
    delegated: Vec<Scope>,
    lifetime: Duration,
    tokens: HashMap<String, Caller>,
    /// How many tokens were issued that carry a scope.
    issued: HashMap<Scope, u64>,
}

/// Delegated scopes and live tokens of one twin.
#[derive(Debug)]
pub(crate) struct Auth {
    /// Public half of the service account's key, in DER; empty when the key cannot be read.
    public_key: Vec<u8>,
    book: Mutex<Book>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    #[serde(default)]
    sub: String,
    #[serde(default)]
    scope: String,
    aud: String,
    iat: i64,
    exp: i64,
}

impl Auth {
    pub(crate) fn new(lifetime: Duration, delegated: Vec<Scope>) -> Self {
        Self {
            public_key: public_key().unwrap_or_default(),
            book: Mutex::new(Book {
                delegated,
                lifetime,
                tokens: HashMap::new(),
                issued: HashMap::new(),
            }),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    /// Delegates these scopes and no others. Tokens that were issued keep theirs.
    pub(crate) fn delegate(&self, scopes: Vec<Scope>) {
        self.book().delegated = scopes;
    }

    pub(crate) fn set_lifetime(&self, lifetime: Duration) {
        self.book().lifetime = lifetime;
    }

    pub(crate) fn issued(&self, scope: Scope) -> u64 {
        self.book().issued.get(&scope).copied().unwrap_or_default()
    }

    pub(crate) fn revoke_all(&self) {
        self.book().tokens.clear();
    }

    /// `POST /token`.
    pub(crate) fn issue(
        &self,
        request: &Request,
        users: &Directory,
        now: i64,
        ids: &Ids,
    ) -> Result<Reply, Refusal> {
        let form = Query::parse(&String::from_utf8_lossy(&request.body));
        if form.get("grant_type") != Some(GRANT) {
            let message = format!(
                "Invalid grant_type: {}",
                form.get("grant_type").unwrap_or_default()
            );
            return Err(Refusal::new(400, "unsupported_grant_type", message));
        }
        let claims = self.claims(form.get("assertion").unwrap_or_default())?;
        let seconds = now.div_euclid(1_000_000_000);
        let short = claims.exp <= claims.iat + 3600;
        let current = claims.iat <= seconds + SKEW && claims.exp > seconds - SKEW;
        if !short || !current {
            return Err(invalid_grant(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
            ));
        }
        if claims.scope.trim().is_empty() {
            return Err(Refusal::new(
                400,
                "invalid_scope",
                "Empty or missing scope not allowed.",
            ));
        }
        let wanted: Vec<_> = claims.scope.split_whitespace().map(Scope::named).collect();
        let mut book = self.book();
        let granted = |scope: &Option<Scope>| scope.is_some_and(|s| book.delegated.contains(&s));
        if !wanted.iter().all(granted) {
            return Err(Refusal::new(
                401,
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.",
            ));
        }
        let user = users.find(&claims.sub).filter(|user| !user.suspended);
        let Some(user) = user else {
            return Err(invalid_grant("Invalid email or User ID"));
        };
        let token = format!("ya29.twin-{}", ids.hex(4));
        let caller = Caller {
            subject: user.primary_email.clone(),
            scopes: wanted.into_iter().flatten().collect(),
            expires_at: now.saturating_add(nanos(book.lifetime)),
        };
        if book.tokens.len() >= 1024 {
            book.tokens.retain(|_, caller| caller.expires_at > now);
        }
        for scope in &caller.scopes {
            *book.issued.entry(*scope).or_default() += 1;
        }
        book.tokens.insert(token.clone(), caller);
        let body = json!({"access_token": token, "expires_in": book.lifetime.as_secs(), "token_type": "Bearer"});
        Ok(encode(200, &body))
    }

    fn claims(&self, assertion: &str) -> Result<Claims, Refusal> {
        let malformed = || Refusal::new(400, "invalid_request", "Bad Request");
        let (signed, signature) = assertion.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
        let header: Header = decoded(header).ok_or_else(malformed)?;
        let claims: Claims = decoded(claims).ok_or_else(malformed)?;
        if claims.aud != AUDIENCE {
            return Err(invalid_grant("Invalid JWT: Failed audience check."));
        }
        if claims.iss != CLIENT_EMAIL {
            return Err(invalid_grant("Invalid grant: account not found"));
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public_key);
        let known = header.alg == "RS256" && header.kid.is_none_or(|kid| kid == KEY_ID);
        if !known || key.verify(signed.as_bytes(), &signature).is_err() {
            return Err(invalid_grant("Invalid JWT Signature."));
        }
        Ok(claims)
    }

    /// Who is calling, or the refusal: 401 without a live token, 403 without a scope that covers the call.
    pub(crate) fn admit(
        &self,
        request: &Request,
        endpoint: Endpoint,
        now: i64,
    ) -> Result<Caller, Refusal> {
        let book = self.book();
        let caller = bearer(request)
            .and_then(|token| book.tokens.get(token))
            .filter(|caller| caller.expires_at > now)
            .ok_or_else(Refusal::unauthenticated)?;
        let covers = |scope: &Scope| endpoint.scopes().contains(scope);
        if !caller.scopes.iter().any(covers) {
            return Err(Refusal::lacks_scope());
        }
        Ok(caller.clone())
    }

    /// Forgets the token a request presents.
    pub(crate) fn forget_presented(&self, request: &Request) {
        if let Some(token) = bearer(request) {
            self.book().tokens.remove(token);
        }
    }
}

fn invalid_grant(message: &str) -> Refusal {
    Refusal::new(400, "invalid_grant", message)
}

fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.header(&AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn decoded<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    serde_json::from_value(value).ok()
}

fn public_key() -> Option<Vec<u8>> {
    let lines = KEY.lines().filter(|line| !line.starts_with("-----"));
    let der = STANDARD.decode(lines.collect::<String>()).ok()?;
    let pair = RsaKeyPair::from_pkcs8(&der).ok()?;
    Some(pair.public_key().as_ref().to_vec())
}

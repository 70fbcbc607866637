//! Client credentials at the tenant's token endpoint, with a secret or with a signed assertion, and tokens that expire,
//! are revoked, and name the app's permissions and roles the way the vendor's do.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::endpoint::Permission;
use super::service::Refusal;
use crate::clock::{nanos, rfc3339_seconds, timestamp};
use crate::http::{Query, Reply, Request};
use crate::ids::Ids;
use crate::sync::lock;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const SCOPE: &str = "https://graph.microsoft.com/.default";

/// An app registration with its service principal in the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// Application (client) id.
    pub client_id: String,
    /// Client secret, when it has one.
    pub secret: Option<String>,
    /// SHA-256 thumbprint of its certificate, in base64url, when it has one.
    #[serde(default)]
    pub thumbprint: Option<String>,
    /// Public key of that certificate, as PKCS#1 DER. Assertions are checked against it.
    #[serde(default)]
    pub public_key: Vec<u8>,
    /// Application permissions granted with admin consent.
    pub permissions: Vec<Permission>,
    /// Template ids of the directory roles the service principal holds.
    #[serde(default)]
    pub roles: Vec<String>,
}

impl App {
    /// An app with a secret, every permission and no directory role.
    pub fn new(client_id: &str, secret: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            secret: Some(secret.to_owned()),
            thumbprint: None,
            public_key: Vec::new(),
            permissions: Permission::ALL.to_vec(),
            roles: Vec::new(),
        }
    }

    /// The same app without a permission.
    #[must_use]
    pub fn without(mut self, permission: Permission) -> Self {
        self.permissions.retain(|held| *held != permission);
        self
    }

    /// The same app with a directory role.
    #[must_use]
    pub fn with_role(mut self, template: &str) -> Self {
        self.roles.push(template.to_owned());
        self
    }
}

#[derive(Debug)]
struct Token {
    client_id: String,
    /// A fresh grant needs a fresh token: permissions are those of the moment it was issued.
    permissions: Vec<Permission>,
    roles: Vec<String>,
    expires_at: i64,
}

/// Whoever a valid token speaks for.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) permissions: Vec<Permission>,
    pub(crate) roles: Vec<String>,
}

impl Caller {
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }
}

#[derive(Debug, Default)]
struct Book {
    apps: Vec<App>,
    tokens: HashMap<String, Token>,
    /// Ids of assertions that were used: each is good once.
    assertions: Vec<String>,
}

/// Apps and live tokens of one tenant.
#[derive(Debug)]
pub(crate) struct Auth {
    tenant: String,
    lifetime: Mutex<Duration>,
    book: Mutex<Book>,
}

impl Auth {
    pub(crate) fn new(tenant: &str, lifetime: Duration, apps: Vec<App>) -> Self {
        Self {
            tenant: tenant.to_owned(),
            lifetime: Mutex::new(lifetime),
            book: Mutex::new(Book {
                apps,
                ..Book::default()
            }),
        }
    }

    pub(crate) fn set_lifetime(&self, lifetime: Duration) {
        *lock(&self.lifetime) = lifetime;
    }

    /// Adds an app or replaces the one with the same id. Tokens already issued keep what they were issued with.
    pub(crate) fn put_app(&self, app: App) {
        let apps = &mut lock(&self.book).apps;
        apps.retain(|known| known.client_id != app.client_id);
        apps.push(app);
    }

    pub(crate) fn revoke_all(&self) {
        lock(&self.book).tokens.clear();
    }

    pub(crate) fn live_tokens(&self, now: i64) -> usize {
        let book = lock(&self.book);
        book.tokens.values().filter(|t| t.expires_at > now).count()
    }

    /// `POST /{tenant}/oauth2/v2.0/token`.
    pub(crate) fn issue(&self, request: &Request, tenant: &str, now: i64, ids: &Ids) -> Reply {
        match self.grant(request, tenant, now, ids) {
            Ok(body) => Reply::json(200, body.to_string()),
            Err(refusal) => refusal.reply(now, ids),
        }
    }

    fn grant(&self, request: &Request, tenant: &str, now: i64, ids: &Ids) -> Result<Value, Denial> {
        if !tenant.eq_ignore_ascii_case(&self.tenant) {
            let text = format!("AADSTS90002: Tenant '{tenant}' not found.");
            return Err(Denial::new(400, "invalid_request", 90_002, text));
        }
        let form = Query::parse(&String::from_utf8_lossy(&request.body));
        if form.get("grant_type") != Some("client_credentials") {
            let text = "AADSTS900144: The request body must contain: 'grant_type'.";
            return Err(Denial::new(400, "invalid_request", 900_144, text));
        }
        if form.get("scope") != Some(SCOPE) {
            let text = "AADSTS1002012: The provided value for scope is not valid.";
            return Err(Denial::new(400, "invalid_scope", 1_002_012, text));
        }
        let id = form.get("client_id").unwrap_or_default();
        let mut book = lock(&self.book);
        let Some(app) = book.apps.iter().find(|app| app.client_id == id).cloned() else {
            let text = format!("AADSTS700016: Application with identifier '{id}' was not found.");
            return Err(Denial::new(400, "unauthorized_client", 700_016, text));
        };
        match form.get("client_secret") {
            Some(secret) if app.secret.as_deref() == Some(secret) => {}
            Some(_) => {
                let text = "AADSTS7000215: Invalid client secret provided.";
                return Err(Denial::new(401, "invalid_client", 7_000_215, text));
            }
            None if form.get("client_assertion_type") == Some(ASSERTION) => {
                let assertion = form.get("client_assertion").unwrap_or_default();
                let used = self
                    .check(&app, assertion, request, now)
                    .filter(|used| !book.assertions.contains(used));
                let Some(used) = used else {
                    let text =
                        "AADSTS700027: The certificate or signature of the assertion is invalid.";
                    return Err(Denial::new(401, "invalid_client", 700_027, text));
                };
                book.assertions.push(used);
            }
            None => {
                let text = "AADSTS7000216: 'client_assertion' or 'client_secret' is required.";
                return Err(Denial::new(401, "invalid_client", 7_000_216, text));
            }
        }
        let lifetime = *lock(&self.lifetime);
        let expires_at = now.saturating_add(nanos(lifetime));
        let token = self.token(&app, now, expires_at, ids);
        book.tokens.insert(
            token.clone(),
            Token {
                client_id: app.client_id,
                permissions: app.permissions,
                roles: app.roles,
                expires_at,
            },
        );
        Ok(json!({
            "token_type": "Bearer",
            "expires_in": lifetime.as_secs(),
            "ext_expires_in": lifetime.as_secs(),
            "access_token": token,
        }))
    }

    /// The id of an assertion that is as it must be.
    fn check(&self, app: &App, assertion: &str, request: &Request, now: i64) -> Option<String> {
        let (signed, signature) = assertion.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let read = |part: &str| -> Option<Value> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let (header, claims) = (read(header)?, read(claims)?);
        let text = |from: &Value, name: &str| from.get(name)?.as_str().map(str::to_owned);
        let thumbprint = text(&header, "x5t#S256")?;
        let fits = text(&header, "alg")? == "PS256"
            && text(&header, "typ")? == "JWT"
            && Some(thumbprint.trim_end_matches('=')) == app.thumbprint.as_deref();
        let audience = text(&claims, "aud")?;
        let to_us = audience.ends_with(&request.path)
            && (audience.starts_with("https://") || audience.starts_with("http://127.0.0.1:"));
        let ours = text(&claims, "iss")? == app.client_id && text(&claims, "sub")? == app.client_id;
        // Microsoft's own library sends seconds with a fraction.
        let time = |name: &str| claims.get(name).and_then(Value::as_f64);
        let seconds = timestamp(now).as_duration().as_secs_f64();
        let timely = time("nbf").is_none_or(|from| from <= seconds + 300.0)
            && time("exp").is_some_and(|until| until > seconds && until <= seconds + 86_400.0);
        let key = ring::signature::UnparsedPublicKey::new(
            &ring::signature::RSA_PSS_2048_8192_SHA256,
            &app.public_key,
        );
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let signed = key.verify(signed.as_bytes(), &signature).is_ok();
        let id = text(&claims, "jti")?;
        (fits && to_us && ours && timely && signed).then_some(id)
    }

    /// Clients are to take a token as it is; these read like the vendor's, with a signature that is none.
    fn token(&self, app: &App, now: i64, expires_at: i64, ids: &Ids) -> String {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let permissions: Vec<_> = app.permissions.iter().map(|p| p.name()).collect();
        let claims = json!({
            "aud": "https://graph.microsoft.com",
            "iss": format!("https://sts.windows.net/{}/", self.tenant),
            "iat": timestamp(now).as_second(),
            "exp": timestamp(expires_at).as_second(),
            "appid": app.client_id,
            "idtyp": "app",
            "roles": permissions,
            "tid": self.tenant,
            "uti": ids.hex(1),
            "wids": app.roles,
        });
        let header = part(json!({"typ": "JWT", "alg": "RS256", "kid": "twin"}));
        format!("{header}.{}.{}", part(claims), ids.hex(2))
    }

    /// Who is calling; none without a live token.
    pub(crate) fn admit(&self, request: &Request, now: i64) -> Option<Caller> {
        let book = lock(&self.book);
        let token = book.tokens.get(bearer(request)?)?;
        let known = book.apps.iter().any(|app| app.client_id == token.client_id);
        (known && token.expires_at > now).then(|| Caller {
            permissions: token.permissions.clone(),
            roles: token.roles.clone(),
        })
    }

    /// Forgets the token a request presents.
    pub(crate) fn forget_presented(&self, request: &Request) {
        if let Some(token) = bearer(request) {
            lock(&self.book).tokens.remove(token);
        }
    }
}

fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.header(&AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A refusal of the token endpoint, which has an error shape of its own.
struct Denial {
    status: u16,
    error: &'static str,
    code: u32,
    text: String,
}

impl Denial {
    fn new(status: u16, error: &'static str, code: u32, text: impl Into<String>) -> Self {
        Self {
            status,
            error,
            code,
            text: text.into(),
        }
    }

    fn reply(self, now: i64, ids: &Ids) -> Reply {
        let (trace, correlation) = (ids.uuid(), ids.uuid());
        let time = rfc3339_seconds(now).replace('T', " ");
        let body = json!({
            "error": self.error,
            "error_description": format!("{} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}", self.text),
            "error_codes": [self.code],
            "timestamp": time,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.code),
        });
        Reply::json(self.status, body.to_string())
    }
}

/// What the service says to a request whose token is no good.
pub(crate) fn invalid_token() -> Refusal {
    Refusal::new(
        401,
        "InvalidAuthenticationToken",
        "Lifetime validation failed, the token is expired.",
    )
}

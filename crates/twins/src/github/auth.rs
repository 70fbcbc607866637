//! Personal tokens and GitHub Apps: an App proves itself by a token it signs, and gets one for an installation.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::AUTHORIZATION;
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Shared;
use super::service::Refusal;
use crate::clock::{nanos, rfc3339_seconds};
use crate::http::{Reply, Request, encode};

/// The personal token that every twin knows.
pub const TOKEN: &str = "ghp_twin0000000000000000000000000000000";
/// Id of the App.
pub const APP_ID: &str = "104857";
/// Id of its installation.
pub const INSTALLATION: u64 = 42_424_242;

/// Made for this twin; it opens nothing else.
const KEY: &str = include_str!("app_key.pem");

/// The private key of the App, as the vendor hands it out.
pub fn app_key() -> &'static str {
    KEY
}

/// Something a credential may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Read members.
    Members,
    /// Add and remove members.
    MembersWrite,
    /// Administer an Enterprise Server.
    SiteAdmin,
    /// Change managed users.
    Scim,
    /// Read secret scanning alerts.
    SecretAlerts,
}

impl Right {
    /// Every right the twin knows.
    pub const ALL: [Self; 5] = [
        Self::Members,
        Self::MembersWrite,
        Self::SiteAdmin,
        Self::Scim,
        Self::SecretAlerts,
    ];
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The token itself.
    pub token: String,
    /// Whose it is; an installation's is nobody's.
    pub login: Option<String>,
    /// What it may do.
    pub rights: Vec<Right>,
    /// When it runs out, in nanoseconds since 1970.
    #[serde(default)]
    pub(crate) expires_at: Option<i64>,
}

impl Credential {
    /// A personal token.
    pub fn personal(token: &str, login: &str, rights: &[Right]) -> Self {
        Self {
            token: token.to_owned(),
            login: Some(login.to_owned()),
            rights: rights.to_vec(),
            expires_at: None,
        }
    }

    /// What the vendor says of a personal token in `X-OAuth-Scopes`.
    pub(crate) fn scopes(&self) -> Option<String> {
        let scope = |right: &Right| match right {
            Right::Members => "read:org",
            Right::MembersWrite => "admin:org",
            Right::SiteAdmin => "site_admin",
            Right::Scim => "scim:enterprise",
            Right::SecretAlerts => "security_events",
        };
        let scopes: Vec<&str> = self.rights.iter().map(scope).collect();
        self.login.as_ref().map(|_| scopes.join(", "))
    }
}

pub(crate) fn put(shared: &Shared, credential: Credential) {
    let mut forge = shared.forge();
    forge
        .credentials
        .retain(|other| other.token != credential.token);
    forge.credentials.push(credential);
}

fn bearer(request: &Request) -> Option<&str> {
    let value = request.header(&AUTHORIZATION)?;
    value
        .strip_prefix("Bearer ")
        .or_else(|| value.strip_prefix("token "))
}

fn bad() -> Refusal {
    Refusal::new(401, "Bad credentials")
}

/// Whose request it is.
pub(crate) fn admit(shared: &Shared, request: &Request) -> Result<Credential, Refusal> {
    let token = bearer(request).ok_or_else(|| Refusal::new(401, "Requires authentication"))?;
    let now = shared.clock.now_ns();
    let forge = shared.forge();
    let found = forge.credentials.iter().find(|known| known.token == token);
    found
        .filter(|known| known.expires_at.is_none_or(|end| now < end))
        .cloned()
        .ok_or_else(bad)
}

/// An installation's token dies for good; a personal one is only refused this once.
pub(crate) fn revoke_presented(shared: &Shared, request: &Request) -> Reply {
    let presented = bearer(request).unwrap_or_default();
    let dies = |known: &Credential| known.token == presented && known.expires_at.is_some();
    shared.forge().credentials.retain(|known| !dies(known));
    bad().reply()
}

/// `POST /app/installations/{id}/access_tokens`
pub(crate) fn installation_token(
    shared: &Shared,
    request: &Request,
    id: &str,
) -> Result<Reply, Refusal> {
    let claims = bearer(request)
        .and_then(verified)
        .ok_or_else(|| Refusal::new(401, "A JSON web token could not be decoded"))?;
    let number = |name: &str| claims.get(name).and_then(Value::as_i64);
    let now = shared.clock.now_ns() / 1_000_000_000;
    let issuer = match claims.get("iss") {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    match (number("iat"), number("exp")) {
        (Some(issued), _) if issued > now => {
            return Err(Refusal::new(
                401,
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
            ));
        }
        (Some(issued), Some(end)) if end > now && end - issued <= 660 => {}
        _ => {
            return Err(Refusal::new(
                401,
                "'Expiration time' claim ('exp') is too far in the future",
            ));
        }
    }
    if issuer != APP_ID {
        return Err(Refusal::new(404, "Integration not found"));
    }
    if id != INSTALLATION.to_string() {
        return Err(Refusal::new(404, "Not Found"));
    }
    let end = shared
        .clock
        .now_ns()
        .saturating_add(nanos(shared.vendor.token_lifetime));
    let token = format!("ghs_{}", shared.ids.hex(2));
    let rights = shared.forge().app_rights.clone();
    put(
        shared,
        Credential {
            token: token.clone(),
            login: None,
            rights: rights.clone(),
            expires_at: Some(end),
        },
    );
    let mut permissions = serde_json::Map::new();
    for right in rights {
        let (name, level) = match right {
            Right::Members => ("members", "read"),
            Right::MembersWrite => ("members", "write"),
            Right::SecretAlerts => ("secret_scanning_alerts", "read"),
            // No App has these.
            Right::SiteAdmin | Right::Scim => continue,
        };
        permissions.insert(name.to_owned(), level.into());
    }
    let body = json!({
        "token": token,
        "expires_at": rfc3339_seconds(end),
        "permissions": permissions,
        "repository_selection": "all",
    });
    Ok(encode(201, &body))
}

/// The claims of a token that the App's key signed.
fn verified(token: &str) -> Option<Value> {
    let lines = KEY.lines().filter(|line| !line.starts_with("-----"));
    let der = STANDARD.decode(lines.collect::<String>()).ok()?;
    let pair = RsaKeyPair::from_pkcs8(&der).ok()?;
    let (signed, signature) = token.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref())
        .verify(signed.as_bytes(), &signature)
        .ok()?;
    let (header, claims) = signed.split_once('.')?;
    let read =
        |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    (read(header)?.get("alg")? == "RS256").then(|| read(claims))?
}

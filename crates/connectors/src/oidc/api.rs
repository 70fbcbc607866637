//! The conversation with the provider: what it says of itself, where people sign in, and redeeming what
//! they come back with.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use quell_connector::call::later;
use quell_connector::http::{
    Body, Complaint, Dialect, Method, Plane, Quota, Repeat, Reply, Request, Url, encode,
    epoch_or_delta_seconds,
};
use quell_connector::sign::sha256_base64url;
use quell_connector::verify::{self, Unverified, VerifyingKey};
use quell_connector::{Attempt, Call, Check, Error, Identity, Kind, Result};
use quell_model::{Secret, text};
use serde::Deserialize;
use serde_json::Value;

use super::Oidc;
use super::token::{self, Expected};

/// Speaks HTTP as OAuth 2.0 says.
pub(super) const DIALECT: Dialect = Dialect {
    request_id: "x-request-id",
    retry_after: |headers, now| epoch_or_delta_seconds(headers, "retry-after", now),
    complaint,
    quotas: &[Quota {
        bucket: "default",
        per_minute: 240,
        burst: 30,
    }],
    concurrency: 8,
};

/// How long what the provider says of itself is believed; a key taken out of use counts no longer.
const FRESH: Duration = Duration::from_secs(3600);
/// Largest document read, in bytes.
const LIMIT: usize = 256 * 1024;
/// A sign-in may have happened this long ago, so that a forgotten session does not answer for anybody.
pub(super) const SIGNED_IN_WITHIN: Duration = Duration::from_secs(600);

/// What the provider says of itself.
pub(super) struct Provider {
    authorize: Url,
    token: String,
    jwks: String,
    /// It takes credentials in the header.
    basic: bool,
    keys: Vec<VerifyingKey>,
    fetched: Timestamp,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: Option<String>,
}

/// Credentials as RFC 6749, section 2.3.1, puts them into a header.
pub(super) fn basic(client_id: &str, secret: &Secret) -> Secret {
    let mut pair = String::new();
    encode(&mut pair, client_id);
    pair.push(':');
    encode(&mut pair, secret.expose());
    Secret::new(format!("Basic {}", STANDARD.encode(pair)))
}

/// Where to send the person's browser.
pub(super) async fn begin(oidc: &Oidc, cx: &Call, attempt: &Attempt) -> Result<String> {
    let provider = provider(oidc, cx, None).await?;
    let mut url = provider.authorize.clone();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &oidc.config.client_id)
        .append_pair("redirect_uri", &attempt.redirect_uri)
        .append_pair("scope", &oidc.config.scopes)
        .append_pair("state", &attempt.state)
        .append_pair("nonce", &attempt.nonce)
        .append_pair(
            "code_challenge",
            &sha256_base64url(attempt.verifier.expose().as_bytes()),
        )
        .append_pair("code_challenge_method", "S256")
        // Whoever sits before somebody else's screen has to know the password too.
        .append_pair("prompt", "login")
        .append_pair("max_age", &SIGNED_IN_WITHIN.as_secs().to_string());
    Ok(url.into())
}

/// Who came back with `code`.
pub(super) async fn finish(
    oidc: &Oidc,
    cx: &Call,
    attempt: &Attempt,
    code: &Secret,
) -> Result<Identity> {
    let known = provider(oidc, cx, None).await?;
    let reply = redeem(oidc, cx, &known, attempt, code).await?;
    let tokens: Tokens = reply.json()?;
    let signed = tokens
        .id_token
        .ok_or_else(|| refused("the provider sent no ID token; is `openid` among the scopes?"))?;
    let claims = match verify::claims(&signed, &known.keys) {
        Err(Unverified::UnknownKey) => {
            let fresh = provider(oidc, cx, Some(&known)).await?;
            verify::claims(&signed, &fresh.keys)
        }
        claims => claims,
    };
    let claims = claims.map_err(|error| refused(&error.to_string()))?;
    let expected = Expected {
        issuer: &oidc.config.issuer,
        client_id: &oidc.config.client_id,
        nonce: &attempt.nonce,
        now: cx.clock().now(),
    };
    token::check(&claims, &expected).map_err(refused)?;
    let claim = oidc.config.principal_claim.as_deref();
    token::identity(&claims, &oidc.issuer, claim).map_err(refused)
}

async fn redeem(
    oidc: &Oidc,
    cx: &Call,
    provider: &Provider,
    attempt: &Attempt,
    code: &Secret,
) -> Result<Reply> {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code.expose()),
        ("redirect_uri", &attempt.redirect_uri),
        ("code_verifier", attempt.verifier.expose()),
    ];
    let header = oidc.signed_in.as_ref().filter(|_| provider.basic);
    if header.is_none() {
        form.push(("client_id", &oidc.config.client_id));
        if let Some(secret) = &oidc.secret {
            form.push(("client_secret", secret.expose()));
        }
    }
    let body = Body::form(&form);
    let path = provider.token.clone();
    let request = Request::new("oidc.token", Method::POST, path, body, Repeat::Once);
    let plane = header.unwrap_or(&oidc.plane);
    plane.send(cx, request.reply_limit(LIMIT)).await
}

/// What the provider says of itself, asked anew once it is old or when it is `outdated`.
async fn provider(
    oidc: &Oidc,
    cx: &Call,
    outdated: Option<&Arc<Provider>>,
) -> Result<Arc<Provider>> {
    let mut known = oidc.known.lock().await;
    let now = cx.clock().now();
    if let Some(known) = &*known
        && now < later(known.fetched, FRESH)
        && outdated.is_none_or(|outdated| !Arc::ptr_eq(outdated, known))
    {
        return Ok(known.clone());
    }
    let fresh = Arc::new(discover(oidc, cx).await?);
    *known = Some(fresh.clone());
    Ok(fresh)
}

async fn discover(oidc: &Oidc, cx: &Call) -> Result<Provider> {
    const OPERATION: &str = "oidc.discovery";
    let address = format!(
        "{}/.well-known/openid-configuration",
        oidc.config.issuer.trim_end_matches('/')
    );
    let request = Request::get(OPERATION, address).reply_limit(LIMIT);
    let metadata: Metadata = oidc.plane.send(cx, request).await?.json()?;
    if metadata.issuer != oidc.config.issuer {
        let detail = format!(
            "the provider calls itself `{}`; write that as `issuer`",
            text::line(&metadata.issuer)
        );
        return Err(Error::new(Kind::ConfigInvalid, OPERATION, detail));
    }
    // Checked like addresses of the configuration: nothing may go out in clear.
    let address = |key: &str, address: &str| {
        Plane::base_url(key, address)
            .map_err(|error| Error::new(Kind::ConfigInvalid, OPERATION, error.to_string()))
    };
    let jwks: String = address("jwks_uri", &metadata.jwks_uri)?.into();
    let request = Request::get("oidc.keys", jwks.clone()).reply_limit(LIMIT);
    let set: KeySet = oidc.plane.send(cx, request).await?.json()?;
    let methods = metadata.token_endpoint_auth_methods_supported;
    Ok(Provider {
        authorize: address("authorization_endpoint", &metadata.authorization_endpoint)?,
        token: address("token_endpoint", &metadata.token_endpoint)?.into(),
        jwks,
        // What holds when the provider does not say.
        basic: methods.is_none_or(|methods| methods.iter().any(|m| m == "client_secret_basic")),
        keys: set.keys.iter().filter_map(VerifyingKey::from_jwk).collect(),
        fetched: cx.clock().now(),
    })
}

fn refused(detail: &str) -> Error {
    Error::new(Kind::AuthRejected, "oidc.sign_in", detail)
}

/// What a refusal of the token endpoint says (RFC 6749, section 5.2).
fn complaint(reply: &Reply) -> Option<Complaint> {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let refusal: Refusal = reply.json().ok()?;
    let code = text::line(&refusal.error);
    let (kind, words) = match code.as_str() {
        "invalid_client" | "unauthorized_client" => (
            Kind::ConfigInvalid,
            "the provider does not accept `client_id` and `client_secret`",
        ),
        "invalid_grant" => (
            Kind::VendorRejected,
            "the sign-in is not redeemed: too late, twice, or from elsewhere",
        ),
        _ => return None,
    };
    Some(Complaint {
        kind: Some(kind),
        code: Some(code),
        words: words.to_owned(),
    })
}

/// Finds out what can be found out without anybody signing in.
pub(super) async fn probe(oidc: &Oidc, cx: &Call) -> Vec<Check> {
    let (ok, detail) = match discover(oidc, cx).await {
        Ok(provider) if provider.keys.is_empty() => (
            false,
            format!(
                "There is no key for RS256 or ES256 at {}, so no sign-in can be believed.",
                provider.jwks
            ),
        ),
        Ok(_) => (
            true,
            "The provider says where to sign in and which keys it signs with.".to_owned(),
        ),
        Err(error) => (false, error.to_string()),
    };
    let check = |name: &str, ok, detail| Check {
        name: name.to_owned(),
        used_by: "ask_user".to_owned(),
        ok,
        detail,
        at: cx.clock().now(),
    };
    let client = "Whether the provider knows this client and its redirect address shows at the first sign-in.";
    vec![
        check("Discovery and keys", Some(ok), detail),
        check("Client", None, client.to_owned()),
    ]
}

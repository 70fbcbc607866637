//! Who may call: access tokens of service apps, API tokens of administrators, scopes, roles, and proofs of possession.

use std::collections::BTreeSet;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::Shared;
use super::jws::{Jws, hash, thumbprint};
use super::org::Token;
use super::service::{Endpoint, Refusal};
use crate::http::{Query, Reply, Request, encode};

const SECOND: i64 = 1_000_000_000;
/// Roles that may change a user.
const MAY_CHANGE: [&str; 4] = ["SUPER_ADMIN", "ORG_ADMIN", "USER_ADMIN", "HELP_DESK_ADMIN"];
/// How far a proof's time may be off.
const PROOF_WINDOW: i64 = 300;

/// Who is calling.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    /// Id of the administrator whose API token it is.
    pub(crate) user: Option<String>,
    roles: Vec<String>,
}

impl Caller {
    pub(crate) fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }

    pub(crate) fn may_change(&self) -> bool {
        MAY_CHANGE.iter().any(|role| self.has_role(role))
    }
}

/// Why no token is issued.
struct Denied {
    status: u16,
    error: &'static str,
    description: String,
    nonce: Option<String>,
}

impl Denied {
    fn new(status: u16, error: &'static str, description: &str) -> Self {
        Self {
            status,
            error,
            description: description.to_owned(),
            nonce: None,
        }
    }

    fn client(description: &str) -> Self {
        Self::new(401, "invalid_client", description)
    }

    fn reply(self) -> Reply {
        let body = json!({"error": self.error, "error_description": self.description});
        let reply = encode(self.status, &body);
        match self.nonce {
            Some(nonce) => reply.header("dpop-nonce", &nonce),
            None => reply,
        }
    }
}

/// `POST /oauth2/v1/token`.
pub(crate) fn token(shared: &Shared, request: &Request) -> Reply {
    match issue(shared, request) {
        Ok(body) => encode(200, &body),
        Err(denied) => denied.reply(),
    }
}

fn issue(shared: &Shared, request: &Request) -> Result<Value, Denied> {
    let kind = request.header(&CONTENT_TYPE).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(Denied::new(
            400,
            "invalid_request",
            "The request is not a form.",
        ));
    }
    let fields = Query::parse(std::str::from_utf8(&request.body).unwrap_or_default());
    if fields.get("grant_type") != Some("client_credentials") {
        let text = "The authorization grant type is not supported by the authorization server.";
        return Err(Denied::new(400, "unsupported_grant_type", text));
    }
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    if fields.get("client_assertion_type") != Some(kind) {
        return Err(Denied::client("Only private_key_jwt is allowed."));
    }
    let assertion = Jws::read(fields.get("client_assertion").unwrap_or_default())
        .ok_or_else(|| Denied::client("The client_assertion is malformed."))?;
    let now = shared.clock.now_ns() / SECOND;
    let mut org = shared.org();
    let app = org.apps.iter().find(|app| {
        app.client_id == assertion.text("sub") && app.client_id == assertion.text("iss")
    });
    let app = app
        .cloned()
        .ok_or_else(|| Denied::client("Invalid value for 'client_id' parameter."))?;
    if assertion.header("kid") != app.kid || !assertion.is_signed_by(&app.jwk) {
        return Err(Denied::client("The client_assertion signature is invalid."));
    }
    let wanted = format!("{}/oauth2/v1/token", shared.origin());
    if assertion.text("aud") != wanted {
        return Err(Denied::client(
            "The audience claim for client_assertion must be the endpoint.",
        ));
    }
    let expires = assertion.number("exp");
    if expires <= now || expires > now + 3600 {
        return Err(Denied::client(
            "The client_assertion is expired, or expires too late.",
        ));
    }
    let id = assertion.text("jti");
    if id.is_empty() || !org.used.insert(format!("assertion/{id}")) {
        return Err(Denied::client("The client_assertion was already used."));
    }
    let scopes: BTreeSet<String> = fields
        .get("scope")
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    if scopes.is_empty() || !scopes.is_subset(&app.scopes) {
        let text = "One or more scopes are not granted to the application.";
        return Err(Denied::new(400, "invalid_scope", text));
    }
    let bound_to = match (app.dpop, proof(request)) {
        (true, None) => {
            let text = "The DPoP proof JWT header is missing.";
            return Err(Denied::new(400, "invalid_dpop_proof", text));
        }
        (_, Some(proof)) => Some(believe(
            shared,
            &mut org.used,
            proof,
            request,
            &wanted,
            Purpose::Token,
        )?),
        (false, None) => None,
    };
    let lifetime = shared.token_lifetime();
    let access = format!("tw{}", shared.ids.hex(3));
    org.tokens.insert(
        access.clone(),
        Token {
            client_id: app.client_id,
            scopes: scopes.clone(),
            expires: shared.clock.now_ns() + lifetime * SECOND,
            bound_to: bound_to.clone(),
        },
    );
    let granted: Vec<String> = scopes.into_iter().collect();
    Ok(json!({
        "token_type": if bound_to.is_some() { "DPoP" } else { "Bearer" },
        "expires_in": lifetime,
        "access_token": access,
        "scope": granted.join(" "),
    }))
}

fn proof(request: &Request) -> Option<&str> {
    request.header(&HeaderName::from_static("dpop"))
}

enum Purpose<'a> {
    Token,
    Api { access_token: &'a str },
}

/// Checks a proof and answers whose key it is.
fn believe(
    shared: &Shared,
    used: &mut BTreeSet<String>,
    proof: &str,
    request: &Request,
    url: &str,
    purpose: Purpose<'_>,
) -> Result<String, Denied> {
    let invalid = |what: &str| Denied::new(400, "invalid_dpop_proof", what);
    let proof = Jws::read(proof).ok_or_else(|| invalid("The DPoP proof JWT is malformed."))?;
    let jwk = proof.header.get("jwk").cloned().unwrap_or_default();
    if proof.header("typ") != "dpop+jwt" || !proof.is_signed_by(&jwk) {
        return Err(invalid("The DPoP proof JWT signature is invalid."));
    }
    if jwk.get("d").is_some() {
        return Err(invalid("The DPoP proof JWT carries a private key."));
    }
    if proof.text("htm") != request.method.as_str() || proof.text("htu") != url {
        return Err(invalid("The DPoP proof JWT is for another request."));
    }
    let now = shared.clock.now_ns() / SECOND;
    if (proof.number("iat") - now).abs() > PROOF_WINDOW {
        return Err(invalid("The DPoP proof JWT was not made just now."));
    }
    match purpose {
        Purpose::Token if proof.text("nonce") != shared.nonce() => {
            return Err(Denied {
                nonce: Some(shared.nonce()),
                ..Denied::new(
                    400,
                    "use_dpop_nonce",
                    "Authorization server requires nonce in DPoP proof.",
                )
            });
        }
        Purpose::Api { access_token } if proof.text("ath") != hash(access_token) => {
            return Err(invalid("The DPoP proof JWT is for another token."));
        }
        _ => {}
    }
    let id = proof.text("jti");
    if id.is_empty() || !used.insert(format!("proof/{id}")) {
        return Err(invalid("The DPoP proof JWT was already used."));
    }
    Ok(thumbprint(&jwk))
}

/// Lets a caller in, or says why not.
pub(crate) fn admit(
    shared: &Shared,
    request: &Request,
    endpoint: Endpoint,
) -> Result<Caller, Refusal> {
    let presented = request.header(&AUTHORIZATION).unwrap_or_default();
    let (scheme, secret) = presented.split_once(' ').unwrap_or(("", ""));
    let mut org = shared.org();
    // The vendor's Python SDK leaves the space out, so the vendor must take it either way.
    if let Some(secret) = presented.strip_prefix("SSWS") {
        let owner = org.api_tokens.get(secret.trim_start()).cloned();
        let owner = owner
            .and_then(|id| org.user(&id))
            .filter(|owner| owner.status == super::Status::Active)
            .ok_or_else(Refusal::bad_token)?;
        return Ok(Caller {
            user: Some(owner.id.clone()),
            roles: owner
                .roles
                .iter()
                .chain(&owner.group_roles)
                .cloned()
                .collect(),
        });
    }
    let token = org.tokens.get(secret).cloned();
    let token = token
        .filter(|token| shared.clock.now_ns() < token.expires)
        .ok_or_else(Refusal::bad_token)?;
    let fits = match (&token.bound_to, scheme) {
        (None, "Bearer") => true,
        (Some(key), "DPoP") => {
            let url = format!("{}{}", shared.origin(), request.path);
            let purpose = Purpose::Api {
                access_token: secret,
            };
            let proof = proof(request).unwrap_or_default();
            let holder = believe(shared, &mut org.used, proof, request, &url, purpose);
            holder.is_ok_and(|holder| &holder == key)
        }
        _ => false,
    };
    if !fits {
        return Err(Refusal::bad_token());
    }
    let needed = endpoint.scopes();
    if !needed.is_empty() && !needed.iter().any(|scope| token.scopes.contains(*scope)) {
        return Err(Refusal::scope());
    }
    let app = org.apps.iter().find(|app| app.client_id == token.client_id);
    Ok(Caller {
        user: None,
        roles: app.map(|app| app.roles.clone()).unwrap_or_default(),
    })
}

/// What a reply says when the token lacks a scope.
pub(crate) fn insufficient_scope() -> HeaderValue {
    HeaderValue::from_static(
        "Bearer authorization_uri=\"/oauth2/v1/authorize\", error=\"insufficient_scope\", \
         error_description=\"The access token provided does not contain the required scopes.\"",
    )
}

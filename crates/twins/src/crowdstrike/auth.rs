//! OAuth2 client credentials: tokens that expire, are revoked, carry their client's scopes, and may act for one member
//! of a multi-tenant account. Statuses and messages as recorded from the vendor; a token is issued with 201.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use http::header::AUTHORIZATION;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::endpoint::{Endpoint, Scope};
use super::wire::{ApiError, Wrap};
use crate::clock::nanos;
use crate::http::{Query, Reply, Request};
use crate::ids::Ids;
use crate::sync::lock;

/// An API client as the customer would create it in the vendor's console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiClient {
    /// OAuth2 client id.
    pub id: String,
    /// OAuth2 client secret.
    pub secret: String,
    /// What its tokens may do.
    pub scopes: Vec<Scope>,
}

impl ApiClient {
    /// A client with every scope.
    pub fn new(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            secret: secret.into(),
            scopes: Scope::ALL.to_vec(),
        }
    }

    /// The same client without one scope.
    #[must_use]
    pub fn without(mut self, scope: Scope) -> Self {
        self.scopes.retain(|held| *held != scope);
        self
    }
}

/// Whoever a valid token speaks for.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) client: Arc<str>,
    /// The account the token acts on.
    pub(crate) cid: Arc<str>,
    /// A parent's token reads its members' documents too, but acts only on its own account.
    pub(crate) parent: bool,
}

impl Caller {
    pub(crate) fn sees(&self, cid: &str) -> bool {
        self.parent || *self.cid == *cid
    }

    pub(crate) fn acts_on(&self, cid: &str) -> bool {
        *self.cid == *cid
    }
}

#[derive(Debug, Clone)]
struct Token {
    caller: Caller,
    expires_at: i64,
}

#[derive(Debug, Default)]
struct Book {
    clients: Vec<ApiClient>,
    tokens: HashMap<String, Token>,
}

/// Clients and live tokens of one twin.
#[derive(Debug)]
pub(crate) struct Auth {
    cid: Arc<str>,
    members: Vec<String>,
    lifetime: Mutex<Duration>,
    book: Mutex<Book>,
}

impl Auth {
    pub(crate) fn new(
        cid: &str,
        members: Vec<String>,
        lifetime: Duration,
        clients: Vec<ApiClient>,
    ) -> Self {
        Self {
            cid: Arc::from(cid),
            members,
            lifetime: Mutex::new(lifetime),
            book: Mutex::new(Book {
                clients,
                tokens: HashMap::new(),
            }),
        }
    }

    pub(crate) fn set_lifetime(&self, lifetime: Duration) {
        *lock(&self.lifetime) = lifetime;
    }

    /// Adds a client or replaces the one with the same id. Tokens already issued follow the new scopes at once.
    pub(crate) fn put_client(&self, client: ApiClient) {
        let clients = &mut lock(&self.book).clients;
        clients.retain(|known| known.id != client.id);
        clients.push(client);
    }

    pub(crate) fn revoke_all(&self) {
        lock(&self.book).tokens.clear();
    }

    pub(crate) fn live_tokens(&self, now: i64) -> usize {
        lock(&self.book)
            .tokens
            .values()
            .filter(|token| token.expires_at > now)
            .count()
    }

    /// `POST /oauth2/token`.
    pub(crate) fn issue(&self, request: &Request, now: i64, ids: &Ids, wrap: Wrap<'_>) -> Reply {
        let form = Query::parse(&String::from_utf8_lossy(&request.body));
        let id = form.get("client_id").unwrap_or_default();
        let lifetime = *lock(&self.lifetime);
        let mut book = lock(&self.book);
        let Some(client) = book.clients.iter().find(|client| client.id == id) else {
            return wrap.error(
                400,
                ApiError::new(
                    400,
                    format!("Failed to generate access token for clientID={id}"),
                ),
            );
        };
        let member = form.get("member_cid").map(|cid| cid.to_ascii_lowercase());
        let known_member = member.as_ref().is_none_or(|cid| self.members.contains(cid));
        if form.get("client_secret") != Some(client.secret.as_str()) || !known_member {
            return wrap.error(
                403,
                ApiError::new(403, "Failed to issue access token - Not Authorized"),
            );
        }
        let parent = member.is_none() && !self.members.is_empty();
        let cid = member.map_or_else(|| Arc::clone(&self.cid), Arc::from);
        let caller = Caller {
            client: Arc::from(client.id.as_str()),
            cid,
            parent,
        };
        let token = format!("twin-{}-{}", ids.hex(2), ids.hex(6));
        if book.tokens.len() >= 1024 {
            book.tokens.retain(|_, token| token.expires_at > now);
        }
        book.tokens.insert(
            token.clone(),
            Token {
                caller,
                expires_at: now.saturating_add(nanos(lifetime)),
            },
        );
        let body = json!({"access_token": token, "expires_in": lifetime.as_secs(), "token_type": "bearer"});
        Reply::json(201, body.to_string())
    }

    /// `POST /oauth2/revoke`: the client authenticates with HTTP Basic and names the token in the form.
    pub(crate) fn revoke(&self, request: &Request, wrap: Wrap<'_>) -> Reply {
        let credentials = scheme(request, "basic")
            .and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let Some((id, secret)) = credentials.as_deref().and_then(|text| text.split_once(':'))
        else {
            return wrap.error(
                401,
                ApiError::new(401, "access denied, invalid credentials"),
            );
        };
        let form = Query::parse(&String::from_utf8_lossy(&request.body));
        let mut book = lock(&self.book);
        if !book
            .clients
            .iter()
            .any(|client| client.id == id && client.secret == secret)
        {
            return wrap.error(
                403,
                ApiError::new(403, "access denied, authorization failed"),
            );
        }
        match form.get("token") {
            Some(token) => {
                if book
                    .tokens
                    .get(token)
                    .is_some_and(|known| *known.caller.client == *id)
                {
                    book.tokens.remove(token);
                }
                wrap.ok(Vec::<()>::new())
            }
            None => wrap.error(400, ApiError::new(400, "token is required")),
        }
    }

    /// Who is calling, or the refusal: 401 without a live token, 403 without the scope.
    pub(crate) fn admit(
        &self,
        request: &Request,
        endpoint: Endpoint,
        now: i64,
    ) -> Result<Caller, ApiError> {
        let invalid = || ApiError::new(401, "access denied, invalid bearer token");
        let presented = scheme(request, "bearer").ok_or_else(invalid)?;
        let book = lock(&self.book);
        let token = book
            .tokens
            .get(presented)
            .filter(|token| token.expires_at > now)
            .ok_or_else(invalid)?;
        let client = book
            .clients
            .iter()
            .find(|client| *client.id == *token.caller.client)
            .ok_or_else(invalid)?;
        match endpoint.scope() {
            Some(scope) if !client.scopes.contains(&scope) => Err(denied()),
            _ => Ok(token.caller.clone()),
        }
    }

    /// Forgets the token a request presents.
    pub(crate) fn forget_presented(&self, request: &Request) {
        if let Some(token) = scheme(request, "bearer") {
            lock(&self.book).tokens.remove(token);
        }
    }
}

pub(crate) fn denied() -> ApiError {
    ApiError::new(403, "access denied, authorization failed")
}

/// The credentials of an `Authorization` header with this scheme, which may be spelled in any case.
fn scheme<'a>(request: &'a Request, wanted: &str) -> Option<&'a str> {
    let (scheme, rest) = request.header(&AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then(|| rest.trim())
}

//! One exchange with the vendor: sign, send, read within the size cap, classify. No retries here, but
//! for the one a refusal asks for that says how to sign.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, StatusCode};
use quell_model::Secret;
use reqwest::Url;

use super::dialect::{Complaint, Dialect};
use super::guard::{AllowList, Resolver};
use super::request::{Body, Repeat, Reply, Request};
use super::sign::{self, Sign};
use crate::Call;
use crate::error::{Error, Kind, Result};
use crate::settings::{ConfigError, HttpSettings};

const AGENT: HeaderValue = HeaderValue::from_static(concat!("quell/", env!("CARGO_PKG_VERSION")));
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// Sends single requests. Vendors get hold of one only to authenticate.
pub struct Exchange {
    client: reqwest::Client,
    allowed: AllowList,
    dialect: Dialect,
    signer: Option<Arc<dyn Sign>>,
}

impl Exchange {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where an HTTP client is made"
    )]
    pub(super) fn new(
        dialect: Dialect,
        allowed: Vec<String>,
        settings: &HttpSettings,
        signer: Option<Arc<dyn Sign>>,
    ) -> Result<Self, ConfigError> {
        // Two crates may have linked a TLS provider; the first to install one wins, and both are ring.
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .pool_idle_timeout(Duration::from_secs(50))
            .tcp_nodelay(true)
            .dns_resolver(Arc::new(Resolver))
            .no_proxy();
        if let Some(proxy) = &settings.proxy {
            let proxy = reqwest::Proxy::all(proxy).map_err(|_| {
                ConfigError::new("http.proxy", "is not a proxy URL; write `http://host:port`")
            })?;
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(|error| {
            ConfigError::new("http", format!("no HTTP client can be made: {error}"))
        })?;
        Ok(Self {
            client,
            allowed: AllowList::new(allowed),
            dialect,
            signer,
        })
    }

    /// Sends `request` once and gives back the reply whatever its status.
    ///
    /// # Errors
    /// When no complete reply came within the call's deadline.
    pub async fn raw(
        &self,
        cx: &Call,
        base: &Url,
        authorization: Option<&Secret>,
        request: &Request,
    ) -> Result<Reply> {
        let url = base
            .join(&request.path)
            .ok()
            .filter(|url| self.allowed.permits(url))
            .ok_or_else(|| {
                Error::new(
                    Kind::ConfigInvalid,
                    request.operation,
                    "the address is not one this connection may call",
                )
            })?;
        let attempt = async {
            let reply = self.attempt(cx, &url, authorization, request).await?;
            match &self.signer {
                Some(signer) if sign::again(&**signer, &reply) => {
                    self.attempt(cx, &url, authorization, request).await
                }
                _ => Ok(reply),
            }
        };
        tokio::select! {
            biased;
            reply = attempt => reply,
            () = cx.clock().until(cx.deadline()) => {
                Err(lost(request, "no reply before the deadline", Kind::VendorUnavailable))
            }
        }
    }

    /// As [`Exchange::raw`], and a status outside 200 to 299 that the request does not read itself
    /// is an error.
    ///
    /// # Errors
    /// Also by what the vendor answered.
    pub async fn send(
        &self,
        cx: &Call,
        base: &Url,
        authorization: Option<&Secret>,
        request: &Request,
    ) -> Result<Reply> {
        let reply = self.raw(cx, base, authorization, request).await?;
        self.judged(cx, request, reply)
    }

    /// A reply with a status outside 200 to 299 that the request does not read itself is an error.
    pub(super) fn judged(&self, cx: &Call, request: &Request, reply: Reply) -> Result<Reply> {
        if reply.status.is_success() || request.answers.contains(&reply.status.as_u16()) {
            Ok(reply)
        } else {
            Err(self.classify(cx, request, &reply))
        }
    }

    async fn attempt(
        &self,
        cx: &Call,
        url: &Url,
        authorization: Option<&Secret>,
        request: &Request,
    ) -> Result<Reply> {
        let mut headers = HeaderMap::from_iter([(USER_AGENT, AGENT)]);
        headers.extend(request.headers.iter().cloned());
        let body = match &request.body {
            Body::Form(body) => Some((FORM, body.clone())),
            Body::Json(body) => Some((JSON, body.clone())),
            Body::Empty if request.method == Method::GET => None,
            Body::Empty => Some((JSON, Bytes::new())),
        };
        if let Some((kind, _)) = &body {
            headers.insert(CONTENT_TYPE, kind.clone());
        }
        if let Some(secret) = authorization {
            let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| {
                Error::new(
                    Kind::AuthRejected,
                    request.operation,
                    "the credential has a character no header may have",
                )
            })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let body = body.map(|(_, body)| body);
        if let Some(signer) = &self.signer {
            let covered = body.as_deref().unwrap_or_default();
            let now = cx.clock().now();
            sign::prove(&**signer, now, request, url, covered, &mut headers)?;
        }
        let mut sent = self
            .client
            .request(request.method.clone(), url.clone())
            .headers(headers);
        if let Some(body) = body {
            sent = sent.body(body);
        }
        let mut reply = sent.send().await.map_err(|error| {
            if error.is_connect() {
                let detail = "cannot connect to the vendor";
                return Error::new(Kind::VendorUnavailable, request.operation, detail)
                    .source(error.without_url());
            }
            lost(
                request,
                "the connection broke before a reply came",
                Kind::VendorUnavailable,
            )
            .source(error.without_url())
        })?;
        let (status, headers) = (reply.status(), std::mem::take(reply.headers_mut()));
        let request_id = headers
            .get(self.dialect.request_id)
            .and_then(|id| id.to_str().ok())
            .map(quell_model::text::line);
        let body = match read(&mut reply, request.reply_limit).await {
            Ok(body) => body,
            Err(Broken::TooLarge) => {
                let detail = format!("the reply is larger than {} bytes", request.reply_limit);
                return Err(lost(request, &detail, Kind::ReplyUnreadable).request_id(request_id));
            }
            Err(Broken::Transport(error)) => {
                return Err(
                    lost(request, "the reply broke off", Kind::VendorUnavailable)
                        .request_id(request_id)
                        .source(error.without_url()),
                );
            }
        };
        Ok(Reply {
            operation: request.operation,
            status,
            headers,
            body,
            request_id,
            after_doubt: false,
        })
    }

    /// What a reply with an error status means.
    #[must_use]
    pub fn classify(&self, cx: &Call, request: &Request, reply: &Reply) -> Error {
        let Complaint { kind, code, words } = (self.dialect.complaint)(reply).unwrap_or_default();
        let kind = kind.unwrap_or_else(|| by_status(reply.status, request.repeat));
        let detail = if words.is_empty() {
            format!("the vendor answered {}", reply.status)
        } else {
            words
        };
        // Some vendors throttle with another status than 429.
        let throttled =
            kind == Kind::RateLimited || reply.status == StatusCode::SERVICE_UNAVAILABLE;
        let wait = throttled
            .then(|| (self.dialect.retry_after)(&reply.headers, cx.clock().now()))
            .flatten();
        Error::new(kind, request.operation, detail)
            .code(code.unwrap_or_else(|| reply.status.as_u16().to_string()))
            .request_id(reply.request_id.clone())
            .retry_after(wait)
    }
}

fn by_status(status: StatusCode, repeat: Repeat) -> Kind {
    match status.as_u16() {
        401 => Kind::AuthRejected,
        403 => Kind::PermissionMissing,
        404 | 410 => Kind::TargetNotFound,
        429 => Kind::RateLimited,
        // A server that failed may have failed after applying.
        408 | 500..=599 if repeat != Repeat::Read => Kind::MaybeApplied,
        408 | 500..=599 => Kind::VendorUnavailable,
        300..=399 => Kind::ConfigInvalid,
        _ => Kind::VendorRejected,
    }
}

/// An error after the request may have arrived: for a write, nobody knows whether it was applied.
fn lost(request: &Request, detail: &str, reading: Kind) -> Error {
    let kind = if request.repeat == Repeat::Read {
        reading
    } else {
        Kind::MaybeApplied
    };
    Error::new(kind, request.operation, detail)
}

enum Broken {
    TooLarge,
    Transport(reqwest::Error),
}

async fn read(reply: &mut reqwest::Response, limit: usize) -> Result<Bytes, Broken> {
    let Some(first) = reply.chunk().await.map_err(Broken::Transport)? else {
        return Ok(Bytes::new());
    };
    if first.len() > limit {
        return Err(Broken::TooLarge);
    }
    let Some(second) = reply.chunk().await.map_err(Broken::Transport)? else {
        return Ok(first);
    };
    let mut body = BytesMut::from(first);
    body.extend_from_slice(&second);
    while let Some(chunk) = reply.chunk().await.map_err(Broken::Transport)? {
        if body.len() + chunk.len() > limit {
            return Err(Broken::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

//! The way of one request: recognise it, let a fault strike, admit the caller, run the handler, finish the reply.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::auth::denied;
use super::endpoint::Endpoint;
use super::state::{Cx, Shared};
use super::wire::{ApiError, Wrap};
use super::{alerts, control, devices, ioc_calls, rtr_calls};
use crate::clock::timestamp;
use crate::faults::Fault;
use crate::http::{Answer, Query, Reply, Request, Service};
use crate::requests::{RequestRecord, body_text};
use crate::sync::lock;

/// Where token calls of a customer who belongs to another cloud are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionRedirect {
    /// The right cloud's name, for example `us-2`.
    pub region: String,
    /// The right cloud's base URL.
    pub base_url: String,
}

/// So many requests in each window, for the whole customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// Requests allowed in one window.
    pub requests: u32,
    /// Length of a window in seconds.
    pub window_seconds: u32,
}

/// What may change while the twin runs.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) region: Option<String>,
    pub(crate) redirect: Option<RegionRedirect>,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) rtr_chunk: usize,
    pub(crate) window: i64,
    pub(crate) used: u32,
}

/// What the limit says to one request.
struct Allowance {
    limit: u32,
    remaining: u32,
    /// Epoch seconds of the next window, when this one is spent.
    retry_at: Option<i64>,
}

impl Settings {
    /// Without a limit the headers show the vendor's usual figures (per minute), and nothing is refused.
    fn spend(&mut self, endpoint: Endpoint, now: i64) -> Allowance {
        let usual = if endpoint == Endpoint::Token {
            300
        } else {
            6000
        };
        let Some(limit) = self.rate_limit else {
            return Allowance {
                limit: usual,
                remaining: usual - 1,
                retry_at: None,
            };
        };
        let length = i64::from(limit.window_seconds.max(1)) * 1_000_000_000;
        let window = now - now.rem_euclid(length);
        if window != self.window {
            (self.window, self.used) = (window, 0);
        }
        if self.used >= limit.requests {
            return Allowance {
                limit: limit.requests,
                remaining: 0,
                retry_at: Some((window + length) / 1_000_000_000),
            };
        }
        self.used += 1;
        Allowance {
            limit: limit.requests,
            remaining: limit.requests - self.used,
            retry_at: None,
        }
    }
}

/// The twin behind the server.
#[derive(Debug)]
pub(crate) struct Falcon(pub(crate) Arc<Shared>);

impl Service for Falcon {
    async fn answer(&self, request: Request) -> Answer {
        let shared = &*self.0;
        if request.path.starts_with("/_twin") {
            return Answer::Reply(control::answer(shared, &request));
        }
        let query = request.query();
        let endpoint = Endpoint::of(&request.method, &request.path, query.get("action_name"));
        shared.log.count(endpoint as usize);
        let received = shared.clock.now_ns();
        let answer = serve(shared, &request, &query, endpoint).await;
        if shared.log.is_on() {
            let target = match request.query_text.as_str() {
                "" => request.path,
                text => format!("{}?{text}", request.path),
            };
            shared.log.push(RequestRecord {
                at: timestamp(received),
                method: request.method.to_string(),
                target,
                endpoint: endpoint.name(),
                body: body_text(&request.body),
                status: match &answer {
                    Answer::Reply(reply) => Some(reply.status),
                    Answer::HangUp | Answer::Reset => None,
                },
            });
        }
        answer
    }
}

async fn serve(shared: &Shared, request: &Request, query: &Query, endpoint: Endpoint) -> Answer {
    let trace_id = shared.ids.uuid();
    let wrap = || Wrap::new(endpoint, &trace_id);
    let failed = |status: u16| {
        let message = if status >= 500 {
            "Internal Server Error: Please provide trace-id to support"
        } else {
            "request failed"
        };
        wrap().error(status, ApiError::new(u32::from(status), message))
    };
    let fault = shared.faults.take(endpoint);
    if let Some(Fault::Slow { millis }) = &fault {
        let wait = i64::try_from(*millis)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000_000);
        shared
            .clock
            .wait_until(shared.clock.now_ns().saturating_add(wait))
            .await;
    }
    let now = shared.clock.now_ns();
    let allowance = lock(&shared.settings).spend(endpoint, now);
    let mut allowance_shown = (allowance.limit, allowance.remaining);
    let early = match &fault {
        Some(Fault::ResetBeforeApply) => return Answer::Reset,
        Some(Fault::StatusBeforeApply { status }) => Some(failed(*status)),
        Some(Fault::Throttled {
            retry_after_seconds,
        }) => {
            allowance_shown.1 = 0;
            let seconds =
                retry_after_seconds.map(|s| now / 1_000_000_000 + i64::try_from(s).unwrap_or(0));
            Some(throttled(wrap(), seconds))
        }
        Some(Fault::TokenRevoked) => {
            shared.auth.forget_presented(request);
            Some(wrap().error(
                401,
                ApiError::new(401, "access denied, invalid bearer token"),
            ))
        }
        Some(Fault::ScopeMissing) => Some(wrap().error(403, denied())),
        Some(Fault::ErrorInBody { code, message }) => {
            let empty = Some(Vec::<()>::new());
            Some(wrap().with(
                endpoint.success(),
                empty,
                &[ApiError::new(*code, message.clone())],
            ))
        }
        _ => allowance.retry_at.map(|at| throttled(wrap(), Some(at))),
    };
    let reply = match early {
        Some(reply) => reply,
        None => run(shared, request, query, endpoint, &trace_id, now).await,
    };
    let reply = match fault {
        Some(Fault::DropAfterApply) => return Answer::HangUp,
        Some(Fault::StatusAfterApply { status }) => failed(status),
        Some(fault) => spoil(reply, &fault),
        None => reply,
    };
    let reply = reply
        .header("x-cs-traceid", &trace_id)
        .header("x-ratelimit-limit", &allowance_shown.0.to_string())
        .header("x-ratelimit-remaining", &allowance_shown.1.to_string());
    Answer::Reply(reply)
}

fn throttled(wrap: Wrap<'_>, retry_at: Option<i64>) -> Reply {
    let reply = wrap.error(429, ApiError::new(429, "API rate limit exceeded."));
    match retry_at {
        Some(seconds) => reply.header("x-ratelimit-retryafter", &seconds.to_string()),
        None => reply,
    }
}

/// Damages a finished reply.
fn spoil(mut reply: Reply, fault: &Fault) -> Reply {
    match fault {
        Fault::GarbageBody => reply.body = "\u{fffd}\u{1}not json at all {{{".into(),
        Fault::TruncatedBody => reply.body = reply.body.slice(..reply.body.len() / 2),
        Fault::TornBody => reply.torn = true,
        Fault::OversizedBody { bytes } => {
            let mut body = reply.body.to_vec();
            // White space before the closing brace keeps the document valid.
            let end = body
                .iter()
                .rposition(|byte| *byte == b'}')
                .unwrap_or(body.len());
            body.splice(end..end, std::iter::repeat_n(b' ', *bytes));
            reply.body = body.into();
        }
        Fault::WrongContentType => {
            reply.content_type = "text/html; charset=utf-8";
            reply.body = "<html><body><h1>Sign in to continue</h1></body></html>".into();
        }
        _ => {}
    }
    reply
}

async fn run(
    shared: &Shared,
    request: &Request,
    query: &Query,
    endpoint: Endpoint,
    trace_id: &str,
    now: i64,
) -> Reply {
    let wrap = || Wrap::new(endpoint, trace_id);
    match endpoint {
        Endpoint::Token => return token(shared, request, wrap(), now),
        Endpoint::TokenRevoke => return shared.auth.revoke(request, wrap()),
        Endpoint::Unknown => return devices::no_such_endpoint(trace_id),
        _ => {}
    }
    let caller = match shared.auth.admit(request, endpoint, now) {
        Ok(caller) => caller,
        Err(error) => {
            let status = u16::try_from(error.code).unwrap_or(401);
            return wrap().error(status, error);
        }
    };
    let cx = Cx {
        shared,
        caller: &caller,
        request,
        query,
        endpoint,
        trace_id,
        now,
    };
    let result = match endpoint {
        Endpoint::DeviceQuery => devices::query(&cx),
        Endpoint::DeviceCombined => devices::combined(&cx),
        Endpoint::DeviceRead => devices::read(&cx),
        Endpoint::DeviceOnline => devices::online_state(&cx),
        Endpoint::Contain | Endpoint::LiftContainment | Endpoint::DeviceAction => devices::act(&cx),
        Endpoint::AlertCombined => alerts::combined(&cx),
        Endpoint::AlertQuery => alerts::query(&cx),
        Endpoint::AlertRead => alerts::read(&cx),
        Endpoint::AlertUpdate => alerts::update(&cx),
        Endpoint::RtrSessionOpen | Endpoint::RtrSessionRefresh => rtr_calls::open(&cx),
        Endpoint::RtrSessionClose => rtr_calls::close(&cx),
        Endpoint::RtrSessionRead => rtr_calls::read_sessions(&cx),
        Endpoint::RtrSessionQuery => rtr_calls::query_sessions(&cx),
        Endpoint::RtrCommand | Endpoint::RtrActiveCommand => rtr_calls::command(&cx),
        Endpoint::RtrCommandStatus | Endpoint::RtrActiveStatus => rtr_calls::status(&cx),
        Endpoint::RtrBatchOpen => rtr_calls::batch_open(&cx),
        Endpoint::RtrBatchCommand | Endpoint::RtrBatchActiveCommand => {
            rtr_calls::batch_command(&cx).await
        }
        Endpoint::IocCreate => ioc_calls::create(&cx),
        Endpoint::IocRead => ioc_calls::read(&cx),
        Endpoint::IocUpdate => ioc_calls::update(&cx),
        Endpoint::IocDelete => ioc_calls::delete(&cx),
        Endpoint::IocCombined => ioc_calls::search(&cx, true),
        Endpoint::IocQuery => ioc_calls::search(&cx, false),
        Endpoint::IocDevices => ioc_calls::count_devices(&cx),
        Endpoint::Token | Endpoint::TokenRevoke | Endpoint::Unknown => {
            Ok(devices::no_such_endpoint(trace_id))
        }
    };
    result.unwrap_or_else(|refusal| refusal)
}

/// A customer of another cloud is sent there with 308; everybody else is told which cloud this is.
fn token(shared: &Shared, request: &Request, wrap: Wrap<'_>, now: i64) -> Reply {
    let (region, redirect) = {
        let settings = lock(&shared.settings);
        (settings.region.clone(), settings.redirect.clone())
    };
    if let Some(redirect) = redirect {
        let location = format!("{}/oauth2/token", redirect.base_url.trim_end_matches('/'));
        return Reply::json(308, "")
            .header("location", &location)
            .header("x-cs-region", &redirect.region);
    }
    let reply = shared.auth.issue(request, now, &shared.ids, wrap);
    match region {
        Some(region) => reply.header("x-cs-region", &region),
        None => reply,
    }
}

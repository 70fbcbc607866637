//! What the vendor answers: a request is charged to the limit, its caller admitted, the handler run, the reply finished.

use serde::{Deserialize, Serialize};

use super::auth::denied;
use super::endpoint::Endpoint;
use super::state::{Cx, Shared, Vendor};
use super::wire::{ApiError, Wrap};
use super::{alerts, devices, ioc_calls, rtr_calls};
use crate::control::{self, Outcome};
use crate::http::{Answer, Query, Reply, Request};
use crate::service::{Exchange, Failure, Simulate};

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
#[derive(Default)]
pub(crate) struct Allowance {
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

/// What is kept of a request until its reply is finished.
pub(crate) struct Trace {
    query: Query,
    id: String,
    /// Known once the request is charged.
    allowance: Allowance,
}

impl crate::Vendor for Vendor {
    type Endpoint = Endpoint;
}

impl Simulate for Vendor {
    type Call = Trace;

    fn recognise(shared: &Shared, request: &Request) -> (Endpoint, Trace) {
        let query = request.query();
        let endpoint = Endpoint::of(&request.method, &request.path, query.get("action_name"));
        let trace = Trace {
            query,
            id: shared.ids.uuid(),
            allowance: Allowance::default(),
        };
        (endpoint, trace)
    }

    fn charge(exchange: &mut Exchange<'_, Self>) {
        let mut settings = exchange.shared.settings();
        exchange.call.allowance = settings.spend(exchange.endpoint, exchange.now);
    }

    async fn answer(exchange: &Exchange<'_, Self>) -> Answer {
        Answer::Reply(match exchange.call.allowance.retry_at {
            Some(at) => throttled(wrap(exchange), Some(at)),
            None => run(exchange).await,
        })
    }

    fn fail(exchange: &mut Exchange<'_, Self>, failure: &Failure<'_>) -> Reply {
        match *failure {
            Failure::Status(status) => {
                let message = if status >= 500 {
                    "Internal Server Error: Please provide trace-id to support"
                } else {
                    "request failed"
                };
                wrap(exchange).error(status, ApiError::new(u32::from(status), message))
            }
            Failure::Throttled(seconds) => {
                exchange.call.allowance.remaining = 0;
                let now = exchange.now / 1_000_000_000;
                let retry_at = seconds.map(|seconds| now + i64::try_from(seconds).unwrap_or(0));
                throttled(wrap(exchange), retry_at)
            }
            Failure::TokenRevoked => {
                let auth = &exchange.shared.vendor.auth;
                auth.forget_presented(exchange.request);
                let message = "access denied, invalid bearer token";
                wrap(exchange).error(401, ApiError::new(401, message))
            }
            Failure::ScopeMissing => wrap(exchange).error(403, denied()),
            Failure::InBody { code, message } => {
                let error = ApiError::new(code, message);
                wrap(exchange).partly(Vec::<()>::new(), &[error])
            }
        }
    }

    fn finish(exchange: &Exchange<'_, Self>, reply: Reply) -> Reply {
        let Trace { id, allowance, .. } = &exchange.call;
        reply
            .header("x-cs-traceid", id)
            .header("x-ratelimit-limit", &allowance.limit.to_string())
            .header("x-ratelimit-remaining", &allowance.remaining.to_string())
    }

    fn control(shared: &Shared, call: &control::Call<'_>) -> Outcome {
        super::control::route(shared, call)
    }
}

fn wrap<'a>(exchange: &'a Exchange<'_, Vendor>) -> Wrap<'a> {
    Wrap::new(exchange.endpoint, &exchange.call.id)
}

fn throttled(wrap: Wrap<'_>, retry_at: Option<i64>) -> Reply {
    let reply = wrap.error(429, ApiError::new(429, "API rate limit exceeded."));
    match retry_at {
        Some(seconds) => reply.header("x-ratelimit-retryafter", &seconds.to_string()),
        None => reply,
    }
}

async fn run(exchange: &Exchange<'_, Vendor>) -> Reply {
    let Exchange {
        shared,
        request,
        endpoint,
        call: Trace {
            query,
            id: trace_id,
            ..
        },
        now,
    } = exchange;
    let (endpoint, now) = (*endpoint, *now);
    match endpoint {
        Endpoint::Token => return token(shared, request, wrap(exchange), now),
        Endpoint::TokenRevoke => return shared.vendor.auth.revoke(request, wrap(exchange)),
        Endpoint::Unknown => return devices::no_such_endpoint(trace_id),
        _ => {}
    }
    let caller = match shared.vendor.auth.admit(request, endpoint, now) {
        Ok(caller) => caller,
        Err(error) => {
            let status = u16::try_from(error.code).unwrap_or(401);
            return wrap(exchange).error(status, error);
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
        let settings = shared.settings();
        (settings.region.clone(), settings.redirect.clone())
    };
    if let Some(redirect) = redirect {
        let location = format!("{}/oauth2/token", redirect.base_url.trim_end_matches('/'));
        return Reply::json(308, "")
            .header("location", &location)
            .header("x-cs-region", &redirect.region);
    }
    let reply = shared.vendor.auth.issue(request, now, &shared.ids, wrap);
    match region {
        Some(region) => reply.header("x-cs-region", &region),
        None => reply,
    }
}

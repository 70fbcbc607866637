//! The way of one request, the same for every vendor: recognise it, let a fault strike, answer it, finish the reply,
//! and note what came in. What a vendor adds is [`Simulate`].

use std::sync::Arc;

use crate::Endpoint as _;
use crate::clock::timestamp;
use crate::control::{self, Outcome};
use crate::faults::Fault;
use crate::http::{self, Answer, Reply, Request};
use crate::requests::{RequestRecord, body_text};
use crate::twin::{Shared, Vendor};

/// How one vendor answers, in its own words. The functions stand in the order in which a request meets them.
pub(crate) trait Simulate: Vendor + Sized {
    /// What a request's path names, and whatever else is kept until its reply is finished.
    type Call: Send + Sync;

    /// What a request is for. No fault has struck yet.
    fn recognise(shared: &Shared<Self>, request: &Request) -> (Self::Endpoint, Self::Call);

    /// Charges a request to the vendor's limit, if that counts even those that a fault strikes.
    fn charge(_exchange: &mut Exchange<'_, Self>) {}

    /// Answers a request that nothing prevents.
    fn answer(exchange: &Exchange<'_, Self>) -> impl Future<Output = Answer> + Send;

    /// The vendor's words for a failure that a fault asks for.
    fn fail(exchange: &mut Exchange<'_, Self>, failure: &Failure<'_>) -> Reply;

    /// Adds what every reply carries.
    fn finish(_exchange: &Exchange<'_, Self>, reply: Reply) -> Reply {
        reply
    }

    /// The vendor's own control routes; [`control::common`] has the others.
    fn control(shared: &Shared<Self>, call: &control::Call<'_>) -> Outcome;
}

/// A failure that a fault asks for, to be put into the vendor's words.
#[derive(Debug)]
pub(crate) enum Failure<'a> {
    /// An error with this status.
    Status(u16),
    /// Too many requests, and after how many seconds to come back, if the reply says so.
    Throttled(Option<u64>),
    /// The presented token stops working for good.
    TokenRevoked,
    /// The caller lacks the scope.
    ScopeMissing,
    /// A success with an error inside.
    InBody { code: u32, message: &'a str },
}

/// A request on its way through a twin.
pub(crate) struct Exchange<'a, V: Simulate> {
    pub(crate) shared: &'a Shared<V>,
    pub(crate) request: &'a Request,
    pub(crate) endpoint: V::Endpoint,
    pub(crate) call: V::Call,
    /// When it is served, on the twin's clock: later than it came when a fault made it wait.
    pub(crate) now: i64,
}

impl<'a, V: Simulate> Exchange<'a, V> {
    /// Recognises and counts a request.
    pub(crate) fn begin(shared: &'a Shared<V>, request: &'a Request) -> Self {
        let (endpoint, call) = V::recognise(shared, request);
        shared.log.count(endpoint.index());
        Self {
            shared,
            request,
            endpoint,
            call,
            now: shared.clock.now_ns(),
        }
    }

    /// Serves it, with the fault it suffers.
    pub(crate) async fn serve(&mut self) -> Answer {
        let fault = self.shared.faults.take(self.endpoint);
        if let Some(Fault::Slow { millis }) = &fault {
            let clock = &self.shared.clock;
            let wait = i64::try_from(*millis).unwrap_or(i64::MAX);
            let due = self.now.saturating_add(wait.saturating_mul(1_000_000));
            clock.wait_until(due).await;
            self.now = clock.now_ns();
        }
        V::charge(self);
        let failure = match &fault {
            Some(Fault::ResetBeforeApply) => return Answer::Reset,
            Some(Fault::StatusBeforeApply { status }) => Some(Failure::Status(*status)),
            Some(Fault::Throttled {
                retry_after_seconds,
            }) => Some(Failure::Throttled(*retry_after_seconds)),
            Some(Fault::TokenRevoked) => Some(Failure::TokenRevoked),
            Some(Fault::ScopeMissing) => Some(Failure::ScopeMissing),
            Some(Fault::ErrorInBody { code, message }) => Some(Failure::InBody {
                code: *code,
                message,
            }),
            _ => None,
        };
        let reply = match failure {
            Some(failure) => V::fail(self, &failure),
            None => match V::answer(self).await {
                Answer::Reply(reply) => reply,
                cut => return cut,
            },
        };
        let reply = match &fault {
            Some(Fault::DropAfterApply) => return Answer::HangUp,
            Some(Fault::StatusAfterApply { status }) => V::fail(self, &Failure::Status(*status)),
            Some(fault) => spoil(reply, fault),
            None => reply,
        };
        Answer::Reply(V::finish(self, reply))
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
            body.resize(body.len().saturating_add(*bytes), b' ');
            reply.body = body.into();
        }
        Fault::WrongContentType => {
            reply.content_type = "text/html; charset=utf-8";
            reply.body = "<html><body><h1>Sign in to continue</h1></body></html>".into();
        }
        _ => return reply,
    }
    // A damaged reply has a body, whatever the endpoint's own would have had.
    if reply.status == 204 {
        reply.status = 200;
    }
    reply
}

/// The twin behind the server.
#[derive(Debug)]
pub(crate) struct Service<V: Vendor>(pub(crate) Arc<Shared<V>>);

impl<V: Simulate> http::Service for Service<V> {
    async fn answer(&self, request: Request) -> Answer {
        let shared = &*self.0;
        if request.path.starts_with("/_twin") {
            return Answer::Reply(control::answer(shared, &request));
        }
        let mut exchange = Exchange::begin(shared, &request);
        let received = exchange.now;
        let answer = exchange.serve().await;
        let endpoint = exchange.endpoint.name();
        drop(exchange);
        if shared.log.is_on() {
            shared.log.push(RequestRecord {
                at: timestamp(received),
                method: request.method.to_string(),
                body: body_text(&request.body),
                target: request.into_target(),
                endpoint,
                status: match &answer {
                    Answer::Reply(reply) => Some(reply.status),
                    Answer::HangUp | Answer::Reset => None,
                },
            });
        }
        answer
    }
}

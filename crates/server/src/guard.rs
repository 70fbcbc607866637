//! What happens around every handler: who asks, how long it may take, what is logged and counted.
//!
//! Logs name the route's pattern, never the path, the query, a header or a body: those may hold
//! secrets and hostile text.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use tracing::{debug, error, info, warn};

use crate::app::{App, RequestId};
use crate::auth::Access;
use crate::endpoint::{Route, Verb};
use crate::problem::{Code, Refusal, Refused};
use crate::routes::intake;

/// What the guard of one route knows.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) app: Arc<App>,
    pub(crate) route: &'static Route,
}

/// The connection a refusal is counted under. Only names from the configuration come here: a
/// stranger must not be able to make up labels.
#[derive(Clone)]
pub(crate) struct CountedAs(pub(crate) String);

pub(crate) async fn guard(
    State(Guard { app, route }): State<Guard>,
    mut request: Request,
    next: Next,
) -> Response {
    let (started, id) = (app.now(), app.request_id());
    request.extensions_mut().insert(route);
    let method = request.method().clone();
    let counted = (route.access == Access::Intake).then(|| intake::counted_as(&app, &request));
    let work = AssertUnwindSafe(admitted(&app, route, request, next)).catch_unwind();
    let outcome = tokio::select! {
        biased;
        outcome = work => outcome,
        () = app.passed(started, route.patience) => {
            Ok(Refusal::new(Code::Timeout, "it took too long; send it again").into_response())
        }
    };
    let mut response = outcome.unwrap_or_else(|_| {
        // The panic has reported itself.
        Refusal::new(
            Code::Internal,
            "something went wrong inside Quell; its log says what",
        )
        .into_response()
    });
    dress(&mut response, id);
    let seconds = app.now().duration_since(started).as_secs_f64();
    let status = response.status();
    metrics::counter!("quell_http_requests_total", "route" => route.path, "method" => route.verb.as_str(), "status" => status.as_u16().to_string())
        .increment(1);
    metrics::histogram!("quell_http_request_seconds", "route" => route.path).record(seconds);
    let refused = response.extensions_mut().remove::<Refused>();
    let counted = counted.map(|CountedAs(connection)| connection);
    report(
        route,
        &method,
        id,
        status,
        seconds * 1e3,
        counted.as_deref(),
        refused.as_ref(),
    );
    if let (Some(connection), Some(refused)) = (counted, refused) {
        metrics::counter!("quell_intake_refused_total", "connection" => connection, "code" => refused.code.as_str())
            .increment(1);
    }
    response
}

async fn admitted(app: &Arc<App>, route: &Route, mut request: Request, next: Next) -> Response {
    let admitted = match route.access {
        // The route itself looks who it is.
        Access::Public | Access::Vendor => Ok(request),
        Access::Role(needed) => app.person(request.headers(), needed).map(|person| {
            request.extensions_mut().insert(person);
            request
        }),
        Access::Intake => intake::admit(app, request).await,
    };
    match admitted {
        Ok(request) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Headers every response has.
fn dress(response: &mut Response, id: RequestId) {
    const ALWAYS: [(HeaderName, &str); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        // A page for people says itself what it may show.
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert("x-request-id", id);
    }
}

fn report(
    route: &Route,
    method: &Method,
    id: RequestId,
    status: StatusCode,
    duration_ms: f64,
    connection: Option<&str>,
    refused: Option<&Refused>,
) {
    let (route_path, status) = (route.path, status.as_u16());
    let Some(Refused { code, cause }) = refused else {
        // People's orders are rare and worth a line; what is read, and alerts, are neither.
        if route.verb != Verb::Get && !matches!(route.access, Access::Intake | Access::Vendor) {
            info!(request.id = %id, %method, route = route_path, status, duration_ms, "order carried out");
        } else {
            debug!(request.id = %id, %method, route = route_path, status, duration_ms, "answered");
        }
        return;
    };
    let code = code.as_str();
    match cause {
        Some(cause) if status >= 500 => {
            let cause = &**cause as &dyn std::error::Error;
            error!(request.id = %id, %method, route = route_path, status, code, connection, duration_ms, error = cause, "could not be answered");
        }
        _ if status >= 500 => {
            warn!(request.id = %id, %method, route = route_path, status, code, connection, duration_ms, "turned away");
        }
        _ => {
            info!(request.id = %id, %method, route = route_path, status, code, connection, duration_ms, "refused");
        }
    }
}

/// What is asked of a path that does not exist.
pub(crate) async fn no_such_path(State(app): State<Arc<App>>) -> Response {
    let refusal = Refusal::new(
        Code::NotFound,
        "there is nothing under this path; /api/openapi.json says what there is",
    );
    stray(&app, refusal)
}

/// What is asked of a path by a method it does not have.
pub(crate) async fn no_such_method(State(app): State<Arc<App>>) -> Response {
    let refusal = Refusal::new(
        Code::MethodNotAllowed,
        "this path does not take this method",
    );
    stray(&app, refusal)
}

fn stray(app: &App, refusal: Refusal) -> Response {
    let (id, code) = (app.request_id(), refusal.code);
    let mut response = refusal.into_response();
    response.extensions_mut().remove::<Refused>();
    dress(&mut response, id);
    metrics::counter!("quell_http_requests_total", "route" => "", "method" => "", "status" => response.status().as_u16().to_string())
        .increment(1);
    debug!(request.id = %id, status = response.status().as_u16(), code = code.as_str(), "refused");
    response
}

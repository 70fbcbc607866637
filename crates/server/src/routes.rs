//! The table of routes, and the router made from it.

mod action;
mod actions;
mod apply;
mod approve;
mod automation;
mod backtest;
mod check;
mod connections;
mod document;
mod events;
mod health;
mod hook;
mod incident;
pub(crate) mod intake;
mod list_add;
mod list_history;
mod list_remove;
mod lists;
mod opt_in;
mod opt_out;
mod password;
mod pause;
mod ready;
mod reject;
mod resume;
mod revert;
mod scrape;
mod was_it_you;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use quell_engine::Engine;

use crate::app::App;
use crate::endpoint::Route;
use crate::guard::{Guard, guard, no_such_method, no_such_path};
use crate::settings::Settings;

/// Everything there is. INVARIANT: a route that is not here is not served.
static ROUTES: [Route; 31] = [
    intake::ROUTE,
    hook::PUSH,
    hook::HANDSHAKE,
    actions::ROUTE,
    action::ROUTE,
    approve::ROUTE,
    reject::ROUTE,
    revert::ROUTE,
    password::ROUTE,
    incident::ROUTE,
    automation::ROUTE,
    pause::ROUTE,
    resume::ROUTE,
    opt_in::ROUTE,
    opt_out::ROUTE,
    connections::ROUTE,
    check::ROUTE,
    backtest::ROUTE,
    lists::ROUTE,
    list_add::ROUTE,
    list_remove::ROUTE,
    list_history::ROUTE,
    apply::ROUTE,
    events::ROUTE,
    was_it_you::BACK,
    was_it_you::SHOW,
    was_it_you::ANSWER,
    scrape::ROUTE,
    health::ROUTE,
    ready::ROUTE,
    document::ROUTE,
];

/// Everything there is.
#[must_use]
pub fn routes() -> &'static [Route] {
    &ROUTES
}

/// The API over `engine`. Serve it with [`crate::serve()`], which guards against slow and idle
/// connections, sizes of headers and the like.
pub fn router(engine: Engine, settings: Settings) -> Router {
    let app = Arc::new(App::new(engine, settings));
    let mut router = Router::new();
    for route in routes() {
        let guarded = Guard {
            app: app.clone(),
            route,
        };
        let handler = (route.mount)(route.verb.filter());
        router = router.route(
            route.path,
            handler.route_layer(from_fn_with_state(guarded, guard)),
        );
    }
    router
        .method_not_allowed_fallback(no_such_method)
        .fallback(no_such_path)
        .with_state(app)
}

//! The HTTP API over the engine.
//!
//! Owns who may ask for what, how alerts are pushed, and how requests and replies look. It holds no
//! decisions: whether something may be done is the engine's and policy's business, and every order
//! is one call of the engine. One table ([`routes()`]) says what there is; the router, the checks of
//! who may use it and the OpenAPI document are all made from it, so none of them can drift.
//!
//! Authentication is by bearer token or webhook signature alone. The API knows no cookies, so a page in
//! somebody's browser cannot borrow their session. The one exception is not part of it: the pages below
//! `/was-it-you` are for people with a browser, and have a sealed cookie and a CSRF token of their own.

pub mod api;

mod app;
mod auth;
mod body;
mod browser;
mod credential;
mod endpoint;
mod guard;
mod metrics;
mod openapi;
mod pages;
mod problem;
mod routes;
mod serve;
mod settings;
mod webhook;

pub use auth::Access;
pub use endpoint::{Parameter, Place, Reply, Route, Verb};
pub use metrics::metrics;
pub use openapi::openapi;
pub use problem::Code;
pub use quell_model::Role;
pub use routes::{router, routes};
pub use serve::serve;
pub use settings::{
    BODY_LIMIT_MAX, BODY_LIMIT_MIN, Bearers, IntakeAuth, ReadRules, SECRET_MIN, Settings,
    SettingsError, Token, Unusable, WEBHOOK_KEY_MIN,
};
pub use webhook::Verifier;

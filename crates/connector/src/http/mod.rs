//! The HTTP plane: the only way a connector reaches its vendor.
//!
//! From the outside in: span and redaction, total deadline, retry by error kind and repeatability,
//! rate bucket and concurrency cap, authentication with single-flight refresh, circuit breaker,
//! transport with host allow-list, signature and size cap, classification. A vendor folder describes its
//! dialect and its requests and has no loop, no sleep and no client of its own.

mod auth;
mod dialect;
mod guard;
mod limits;
mod plane;
mod request;
mod sign;
mod transport;

pub use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
pub use auth::{Authenticate, Grant};
pub use dialect::{Complaint, Dialect, Quota, SIGN_IN, epoch_or_delta_seconds};
pub use guard::resolve;
pub use plane::Plane;
pub use request::{Body, Bundle, Parts, Repeat, Reply, Request, encode};
pub use reqwest::Url;
pub use sign::{Sign, Unsigned};
pub use transport::Exchange;

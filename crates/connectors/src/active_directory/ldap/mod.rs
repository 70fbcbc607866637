//! The part of LDAP that Quell speaks: sign in, look up, replace values, over TLS and nothing else.
//!
//! Owns bytes and connections. It deliberately knows no account, retries nothing and waits for
//! nothing: deadlines are the caller's. It is written here because what Quell must know for certain,
//! whether a change left before the connection broke, is what general clients do not tell, and
//! because the part is small: three requests, one at a time.

mod ber;
mod message;
mod session;

pub(crate) use message::{Entry, Filter, Outcome, Scope, Search, code};
pub(crate) use session::Session;

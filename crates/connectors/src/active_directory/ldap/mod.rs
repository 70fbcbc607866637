//! LDAP: sign in, look up, replace values, over TLS and nothing else. The protocol is `ldap3`'s.
//!
//! Owns connections and what is asked over them. It deliberately knows no account, retries nothing and
//! waits for nothing: deadlines are the caller's.

mod bridge;
mod entry;
pub(crate) mod filter;
mod session;

pub(crate) use entry::{Entry, Outcome};
pub(crate) use ldap3::Scope;
pub(crate) use session::{Amount, Search, Session};

/// The result codes that are decided on.
pub(crate) mod code {
    pub(crate) const SUCCESS: u32 = 0;
    pub(crate) const OPERATIONS_ERROR: u32 = 1;
    pub(crate) const TIME_LIMIT: u32 = 3;
    pub(crate) const SIZE_LIMIT: u32 = 4;
    pub(crate) const STRONGER_AUTH: u32 = 8;
    pub(crate) const REFERRAL: u32 = 10;
    pub(crate) const ADMIN_LIMIT: u32 = 11;
    pub(crate) const CONSTRAINT: u32 = 19;
    pub(crate) const NO_SUCH_OBJECT: u32 = 32;
    pub(crate) const INVALID_CREDENTIALS: u32 = 49;
    pub(crate) const NO_RIGHTS: u32 = 50;
    pub(crate) const BUSY: u32 = 51;
    pub(crate) const UNAVAILABLE: u32 = 52;
    pub(crate) const UNWILLING: u32 = 53;
}

/// What the server said is not what LDAP allows.
fn unreadable() -> std::io::Error {
    std::io::Error::new(
        std::io::ErrorKind::InvalidData,
        "what the server says is not LDAP",
    )
}

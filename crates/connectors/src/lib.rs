//! The vendors Quell acts through.
//!
//! Owns one folder per vendor product and [`catalog`], which lists them. A vendor folder says how
//! that product spells things; retries, waiting, rate limits, credentials and redaction are
//! `quell-connector`'s, and whether something may be done is decided elsewhere.

pub mod active_directory;
pub mod catalog;
pub mod crowdstrike;
pub mod duo;
pub mod entra_id;
pub mod github;
pub mod google_workspace;
pub mod oidc;
pub mod okta;
pub mod slack;
pub mod smtp;

mod lenient;
mod wording;

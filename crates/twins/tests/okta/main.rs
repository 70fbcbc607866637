//! The Okta twin over plain HTTP: users and their states, the System Log, access, faults.

#![expect(
    clippy::indexing_slicing,
    reason = "a reply without the member that a claim is about is a failed claim"
)]

mod access;
mod faults;
mod log;
mod support;
mod users;

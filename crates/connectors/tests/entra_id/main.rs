//! What is particular to Microsoft Entra ID, against its twin. What every vendor must do is in the
//! conformance suite.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test where they stand"
)]

mod access;
mod actions;
mod batch;
#[path = "../support/clock.rs"]
mod clock;
mod contract;
mod documents;
mod feed;
mod groups;
mod kit;
#[path = "../support/entra_id.rs"]
mod lab;
mod notifications;
mod obstacles;
#[path = "../../../twins/tests/sdk/python.rs"]
mod python;
mod risky_users;

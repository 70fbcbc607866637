//! What is particular to Okta, against its twin. What every vendor must do is in the conformance
//! suite.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test where they stand"
)]

mod access;
mod accounts;
#[path = "../support/clock.rs"]
mod clock;
mod contract;
mod deeds;
mod documents;
mod feed;
mod hook;
mod kit;
mod lab;
#[path = "../../../twins/tests/sdk/python.rs"]
mod python;

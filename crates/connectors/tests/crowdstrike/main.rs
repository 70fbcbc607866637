//! What is particular to CrowdStrike, against its twin. What every vendor must do is in the
//! conformance suite.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test where they stand"
)]

mod access;
mod alerts;
mod documents;
mod feed;
mod hashes;
mod hosts;
mod kit;
mod processes;
mod stock;
#[path = "../support/mod.rs"]
mod support;

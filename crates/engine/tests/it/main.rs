//! The engine against a laboratory vendor, under a simulated clock.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test where they stand"
)]

mod approvals;
mod ask_user;
mod automation;
mod backtests;
mod bodies;
mod breakers;
mod budgets;
mod crash;
mod deadlines;
mod directory;
mod incidents;
mod lab;
mod lists;
mod one_shots;
mod passwords;
mod properties;
mod quorums;
mod reverts;
mod sign_ins;
mod staleness;
mod stock;
mod world;

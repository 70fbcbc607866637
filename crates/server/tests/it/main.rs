//! The whole API over a real engine, an in-memory store and a small made-up vendor, under a
//! simulated clock.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test where they stand"
)]

mod access;
mod actions;
mod app;
mod automation;
mod backtests;
mod connections;
mod document;
mod events;
mod hooks;
mod hostile;
mod incidents;
mod intake;
mod lists;
mod operations;
mod policies;
mod sockets;
mod vendor;
mod was_it_you;

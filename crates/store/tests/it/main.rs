//! The store by its public operations, on SQLite in memory and in a file.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may fail the test where they stand"
)]

mod approvals;
mod budgets;
mod correlation;
mod files;
mod ingest;
mod jobs;
mod lists;
mod outbox;
mod world;

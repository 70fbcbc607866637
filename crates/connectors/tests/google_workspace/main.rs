//! What is particular to Google Workspace, against its twin. What every vendor must do is in the conformance
//! suite.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may fail the test where they stand"
)]

mod access;
mod accounts;
mod contract;
mod documents;
mod feed;
#[path = "../support/google_workspace.rs"]
mod google_lab;
mod kit;
#[path = "../../../twins/tests/sdk/python.rs"]
mod python;
#[path = "../support"]
mod support {
    pub(crate) mod clock;
}

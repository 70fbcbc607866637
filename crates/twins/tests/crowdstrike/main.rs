//! The CrowdStrike twin over plain HTTP: what it does for every job, and on every fault.

#![expect(
    clippy::indexing_slicing,
    reason = "a reply without the member that a claim is about is a failed claim"
)]

mod alerts;
mod auth;
mod control;
mod faults;
mod hosts;
mod iocs;
mod rtr;
mod support;

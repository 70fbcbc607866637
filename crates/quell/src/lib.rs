//! Quell's program: the command line, the configuration and the wiring of all other crates.
//!
//! Owns how the parts are put together and how a person meets them: reading and checking the
//! configuration, resolving secrets, starting and stopping the server, the commands that talk to
//! it, the demo, and the reference pages. It has no rules of its own: what is decided comes from
//! policy, and what is done from the engine.

pub mod cli;
pub mod client;
pub mod config;
pub mod demo;
pub mod failure;
mod folder;
mod machine;
pub mod output;
pub mod plan;
pub mod policy;
pub mod range;
pub mod reference;
mod sealing;
pub mod secrets;
pub mod serve;

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> std::process::ExitCode {
    cli::run(std::env::args_os())
}

//! Proofs about a policy: statements that hold for every request there can be, not only for those
//! somebody thought of testing.
//!
//! [`prove`] says of each [`Property`] whether a policy keeps it, and [`compare`] whether a changed
//! policy permits something that the old one refused; [`idle`] names rules that decide nothing. All put
//! the question to a solver, cvc5, which runs as a process of its own; everything else of Quell works
//! without it.
//!
//! A proof is believed, a counter-example never is: the solver's request is decided once more by the
//! authorizer that decides for real, and what does not come out the same is reported as undecided.
//! Every doubt (a time limit, an answer that is none, a solver that fails an easy question) ends as
//! undecided too.
//!
//! This crate decides nothing and changes nothing. It does not know which policy is in force or where
//! texts come from; its callers do.

mod compare;
mod counter_example;
mod decide;
mod facts;
mod idle;
mod property;
mod prove;
mod rules;
mod search;
mod session;
mod solver;
mod stack;
mod verdict;

pub use compare::{Comparison, compare};
pub use counter_example::{Attribute, CounterExample, Mode, PermittedBy};
pub use idle::{Idle, Why, idle};
pub use property::Property;
pub use prove::prove;
pub use solver::{NoSolver, Solver, TIME_LIMIT};
pub use verdict::Verdict;

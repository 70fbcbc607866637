//! An organization's protection lists: what must not be touched, what may only be touched after a
//! yes, and what alone may be touched. Owns entries, their check, finding the ones a target is on,
//! and their CSV form. It has no clock and no store, and it does not decide: what being on a list
//! leads to is policy's business.

mod contradiction;
pub mod csv;
mod entry;
mod form;
mod glob;
mod index;
mod names;
mod place;
mod relied_on;
mod search;
mod special;

pub(crate) use contradiction::{Placed, contradictions};
pub use entry::{Draft, Entry, LONGEST, Problem, Problems, Strength, Subject};
pub use index::Lists;
pub use search::{Found, Lookup, MOST};
pub use special::{shared, special};

//! What the crate promises to the others, checked from outside.

#[cfg(test)]
mod approvals;
mod blocks;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod contradictions;
#[cfg(test)]
mod folder;
#[cfg(test)]
mod left_out;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod loading;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod playbooks;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod support;

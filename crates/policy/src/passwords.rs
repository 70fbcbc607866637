//! Temporary passwords: who sees them, and for how long they are kept for that.

use std::time::Duration;

use jiff::SignedDuration;
use quell_model::Role;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::budget::{WINDOWS, seconds};
use crate::diagnostics::{Diagnostic, Source};

/// What becomes of the password that a reset sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Passwords {
    /// The least role that is shown one.
    pub shown_to: Role,
    /// How long one is kept for that; then it is forgotten.
    #[serde(serialize_with = "seconds")]
    pub keep_for: Duration,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            shown_to: Role::Administrator,
            keep_for: Duration::from_secs(72 * 3600),
        }
    }
}

/// `[passwords]` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Written {
    shown_to: Option<Spanned<Role>>,
    keep_for: Option<Spanned<SignedDuration>>,
}

impl Passwords {
    /// These with what is written in place of their own; complaints go to `wrong`.
    pub(crate) fn over(
        &self,
        written: Written,
        source: &Source<'_>,
        wrong: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut merged = self.clone();
        if let Some(role) = written.shown_to {
            if *role.get_ref() == Role::Viewer {
                let message = "`passwords.shown_to` must be \"responder\" or \"administrator\"";
                wrong.push(Diagnostic::at(source, role.span().start, message));
            }
            merged.shown_to = role.into_inner();
        }
        if let Some(time) = written.keep_for {
            match Duration::try_from(*time.get_ref()) {
                Ok(length) if (WINDOWS.0..=WINDOWS.1).contains(&length) => merged.keep_for = length,
                _ => {
                    let message = "`passwords.keep_for` must be from 1 minute to 30 days";
                    wrong.push(Diagnostic::at(source, time.span().start, message));
                }
            }
        }
        merged
    }
}

//! Breakers: what makes Quell ask because of how things are going, rather than because of a rule.

use std::time::Duration;

use quell_model::Reason;
use serde::Serialize;

use crate::budget::words;

/// When something counts as a storm: many alerts, and many times as many as usual. Such a rise of one
/// source or detection is more often a mistake at the vendor than an attack everywhere at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Storm {
    /// Fewer alerts within ten minutes are none.
    pub at_least: u32,
    /// How many times as many as usual.
    pub times: u32,
}

impl Storm {
    /// Why an action asks in a storm: `what` sends `recent` alerts within `window`, and usually `usual`.
    #[must_use]
    pub fn reason(what: &str, recent: f64, usual: f64, window: Duration) -> Reason {
        let usually = if usual < 1.0 {
            "usually hardly any".to_owned()
        } else {
            format!("usually {usual:.0}")
        };
        let text = format!(
            "About {recent:.0} alerts of this {what} came within {}, {usually}; a person decides until it calms down.",
            words(window)
        );
        Reason::new("storm", text)
    }
}

//! Approvals: how long people have to answer, who is reminded and when others are told, and when one
//! person's yes is not enough. What needs how many people is for the rules to say.

use std::time::Duration;

use jiff::SignedDuration;
use quell_model::ConnectionId;
use serde::{Deserialize, Serialize, Serializer};
use toml::Spanned;

use crate::budget::{WINDOWS, seconds, words};
use crate::diagnostics::{Diagnostic, Diagnostics, Source};

/// How people are asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approvals {
    /// Without an answer for this long nothing is done.
    #[serde(serialize_with = "seconds")]
    pub deadline: Duration,
    /// Those who were asked are reminded whenever this has passed; never, when missing.
    #[serde(serialize_with = "seconds_if_any")]
    pub remind_after: Option<Duration>,
    /// Without an answer for this long, others are told.
    #[serde(serialize_with = "seconds")]
    pub escalate_after: Duration,
    /// The connections that tell them, of this and nothing else; nobody, when empty.
    pub escalate_to: Vec<Channel>,
    /// How often one person's yes is enough within an hour; from then on each needs a second person.
    pub alone_per_hour: u32,
    /// For this long after somebody changed a rule they cannot approve what it left to people.
    #[serde(serialize_with = "seconds")]
    pub author_excluded_for: Duration,
}

/// A connection that tells people, as the text names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: ConnectionId,
    place: Diagnostic,
}

impl Default for Approvals {
    fn default() -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        Self {
            deadline: hours(4),
            remind_after: Some(hours(1)),
            escalate_after: hours(2),
            escalate_to: Vec::new(),
            alone_per_hour: 20,
            author_excluded_for: hours(24),
        }
    }
}

impl Approvals {
    /// Whether this connection is told of escalations and of nothing else.
    #[must_use]
    pub fn escalates_to(&self, connection: &ConnectionId) -> bool {
        self.escalate_to
            .iter()
            .any(|channel| channel.id == *connection)
    }

    /// Checks that every connection that is named is one of `known` and, by it, tells people.
    ///
    /// # Errors
    /// With those that are not, each at its place.
    pub fn reach(&self, known: impl Fn(&ConnectionId) -> Option<bool>) -> Result<(), Diagnostics> {
        let wrong: Vec<Diagnostic> = self
            .escalate_to
            .iter()
            .filter_map(|Channel { id, place }| {
                let message = match known(id) {
                    Some(true) => return None,
                    Some(false) => {
                        format!("`approvals.escalate_to`: connection `{id}` cannot tell people")
                    }
                    None => format!("`approvals.escalate_to`: there is no connection `{id}`"),
                };
                let mut found = place.clone();
                found.message = message;
                Some(found.help("name a connection of quell.toml that tells people"))
            })
            .collect();
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(Diagnostics::new(wrong))
        }
    }

    /// These with what is written in place of their own; complaints go to `wrong`.
    pub(crate) fn over(
        &self,
        written: Written,
        source: &Source<'_>,
        wrong: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut merged = self.clone();
        let mut complain = |offset: usize, key: &str, message: &str| {
            let message = format!("`approvals.{key}` {message}");
            wrong.push(Diagnostic::at(source, offset, message));
        };
        // The time, and where it stands; "0s" turns off what can be turned off.
        let mut time = |key: &str, written: Option<Spanned<SignedDuration>>, off: bool| {
            let written = written?;
            let (start, length) = (written.span().start, Duration::try_from(*written.get_ref()));
            match length {
                Ok(length) if length.is_zero() && off => Some((start, length)),
                Ok(length) if (WINDOWS.0..=WINDOWS.1).contains(&length) => Some((start, length)),
                _ => {
                    let off = if off { "; \"0s\" turns it off" } else { "" };
                    complain(
                        start,
                        key,
                        &format!("must be from 1 minute to 30 days{off}"),
                    );
                    None
                }
            }
        };
        let deadline = time("deadline", written.deadline, false);
        let remind = time("remind_after", written.remind_after, true);
        let escalate = time("escalate_after", written.escalate_after, false);
        let excluded = time("author_excluded_for", written.author_excluded_for, true);
        if let Some((_, length)) = deadline {
            merged.deadline = length;
        }
        for (key, found) in [("remind_after", remind), ("escalate_after", escalate)] {
            if let Some((start, length)) = found.filter(|(_, length)| *length >= merged.deadline) {
                let (length, deadline) = (words(length), words(merged.deadline));
                complain(
                    start,
                    key,
                    &format!("is {length}, and after {deadline} nobody is asked any more"),
                );
            }
        }
        if let Some((_, length)) = remind {
            merged.remind_after = (!length.is_zero()).then_some(length);
        }
        if let Some((_, length)) = escalate {
            merged.escalate_after = length;
        }
        if let Some((_, length)) = excluded {
            merged.author_excluded_for = length;
        }
        if let Some(limit) = written.alone_per_hour {
            match limit.get_ref() {
                1..=10_000 => merged.alone_per_hour = *limit.get_ref(),
                _ => complain(
                    limit.span().start,
                    "alone_per_hour",
                    "must be from 1 to 10000",
                ),
            }
        }
        if let Some(channels) = written.escalate_to {
            merged.escalate_to = channels
                .into_iter()
                .map(|channel| Channel {
                    place: Diagnostic::at(source, channel.span().start, ""),
                    id: channel.into_inner(),
                })
                .collect();
        }
        merged
    }
}

impl Serialize for Channel {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.id.serialize(to)
    }
}

/// "0s" as it is written: never.
fn seconds_if_any<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    seconds(&time.unwrap_or_default(), to)
}

/// The section as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Written {
    deadline: Option<Spanned<SignedDuration>>,
    remind_after: Option<Spanned<SignedDuration>>,
    escalate_after: Option<Spanned<SignedDuration>>,
    escalate_to: Option<Vec<Spanned<ConnectionId>>>,
    alone_per_hour: Option<Spanned<u32>>,
    author_excluded_for: Option<Spanned<SignedDuration>>,
}

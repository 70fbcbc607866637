//! Asking the person an alert is about: whether, about what, and until when they may answer.

use std::time::Duration;

use jiff::SignedDuration;
use quell_model::AlertKind;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::budget::seconds;
use crate::diagnostics::{Diagnostic, Source};

/// Whether the person is asked: "was this you?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AskUser {
    /// They are.
    pub on: bool,
    /// About alerts of these kinds.
    pub kinds: Vec<AlertKind>,
    /// How long they may take; after that the question is void.
    #[serde(serialize_with = "seconds")]
    pub answer_within: Duration,
}

impl Default for AskUser {
    fn default() -> Self {
        Self {
            on: false,
            kinds: vec![AlertKind::RiskySignIn],
            answer_within: Duration::from_secs(4 * 3600),
        }
    }
}

/// The shortest and the longest time: what somebody did yesterday they do not remember for sure.
const TIMES: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(24 * 3600));

/// `[ask_user]` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Written {
    on: Option<bool>,
    kinds: Option<Spanned<Vec<AlertKind>>>,
    answer_within: Option<Spanned<SignedDuration>>,
}

impl AskUser {
    /// These with what is written in place of their own; complaints go to `wrong`.
    pub(crate) fn over(
        &self,
        written: Written,
        source: &Source<'_>,
        wrong: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut merged = self.clone();
        if let Some(on) = written.on {
            merged.on = on;
        }
        if let Some(kinds) = written.kinds {
            if kinds.get_ref().is_empty() {
                let message = "`ask_user.kinds` names no kind of alert; write on = false";
                wrong.push(Diagnostic::at(source, kinds.span().start, message));
            }
            merged.kinds = kinds.into_inner();
        }
        if let Some(time) = written.answer_within {
            match Duration::try_from(*time.get_ref()) {
                Ok(length) if (TIMES.0..=TIMES.1).contains(&length) => {
                    merged.answer_within = length;
                }
                _ => {
                    let message = "`ask_user.answer_within` must be from 1 minute to 24 hours";
                    wrong.push(Diagnostic::at(source, time.span().start, message));
                }
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    fn load(text: &str) -> Result<AskUser, String> {
        let name = "policy.toml";
        let loaded = Settings::load(&Source { name, text });
        loaded
            .map(|settings| settings.ask_user)
            .map_err(|wrong| wrong.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn nobody_is_asked_as_it_ships() {
        assert_eq!(load(""), Ok(AskUser::default()));
        assert!(!AskUser::default().on);
    }

    #[test]
    fn what_is_written_holds_and_the_rest_stays() {
        let asks = load("[ask_user]\non = true\nanswer_within = \"30m\"").unwrap();
        assert_eq!(
            (asks.on, asks.answer_within),
            (true, Duration::from_secs(1800))
        );
        assert_eq!(asks.kinds, [AlertKind::RiskySignIn]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_name() {
        for (text, key) in [
            ("answer_within = \"0s\"", "ask_user.answer_within"),
            ("answer_within = \"25h\"", "ask_user.answer_within"),
            ("kinds = []", "ask_user.kinds"),
            ("kinds = [\"rain\"]", "rain"),
            ("of = true", "of"),
        ] {
            let wrong = load(&format!("[ask_user]\n{text}")).unwrap_err();
            assert!(wrong.contains(key), "{wrong}");
        }
    }
}

//! What the affected person was asked, as it goes over the wire.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A question to the person an alert is about: was this you?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuestionView {
    /// Whose account it is about.
    pub account: String,
    /// When the sign-in happened.
    pub about: Timestamp,
    /// When it was asked.
    pub asked: Timestamp,
    /// Until when an answer counts.
    pub expires: Timestamp,
    /// What they said: it was them. Missing while they have not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yes: Option<bool>,
    /// Who answered, as the identity provider says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// When they answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Timestamp>,
}

impl From<quell_store::Asked> for QuestionView {
    fn from(asked: quell_store::Asked) -> Self {
        let (question, answer) = (asked.question, asked.answer);
        Self {
            account: question.subject,
            about: question.time,
            asked: question.asked,
            expires: question.expires,
            yes: answer.as_ref().map(|answer| answer.yes),
            answered: answer.as_ref().map(|answer| answer.at),
            person: answer.map(|answer| answer.person),
        }
    }
}

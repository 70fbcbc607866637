//! What goes over the wire, as far as Quell reads and writes it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A user of the Directory service.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct User {
    /// The number that never changes; addresses can be given to somebody else.
    pub(super) id: String,
    pub(super) primary_email: String,
    pub(super) aliases: Vec<String>,
    pub(super) non_editable_aliases: Vec<String>,
    pub(super) suspended: Option<bool>,
    pub(super) suspension_reason: Option<String>,
    pub(super) archived: bool,
    /// Super administrator.
    pub(super) is_admin: bool,
    /// Administrator with a limited role.
    pub(super) is_delegated_admin: bool,
    pub(super) is_guest_user: bool,
    pub(super) change_password_at_next_login: Option<bool>,
}

impl User {
    /// Whether this is one of the user's addresses.
    pub(super) fn answers_to(&self, address: &str) -> bool {
        let is = |known: &String| known.eq_ignore_ascii_case(address);
        is(&self.primary_email)
            || self.aliases.iter().any(is)
            || self.non_editable_aliases.iter().any(is)
    }

    /// Suspended or archived: may not sign in.
    pub(super) fn is_locked(&self) -> bool {
        self.suspended == Some(true) || self.archived
    }
}

/// A page of users.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Users {
    pub(super) users: Vec<User>,
    pub(super) next_page_token: Option<String>,
}

/// A change of `suspended`; what is not sent stays.
#[derive(Debug, Serialize)]
pub(super) struct Suspension {
    pub(super) suspended: bool,
}

/// A new password. No `Debug`: it would show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewPassword<'a> {
    pub(super) password: &'a str,
    pub(super) change_password_at_next_login: bool,
}

/// Feedback on an alert.
#[derive(Debug, Serialize)]
pub(super) struct Feedback {
    pub(super) r#type: &'static str,
}

/// A page of alerts or of audit events.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Documents {
    #[serde(alias = "items")]
    pub(super) alerts: Vec<Box<RawValue>>,
    pub(super) next_page_token: Option<String>,
}

/// What the feed reads of an alert.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct AlertStamp {
    pub(super) alert_id: Option<String>,
    pub(super) create_time: Option<String>,
    pub(super) update_time: Option<String>,
}

/// What the feed reads of an audit event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EventStamp {
    pub(super) id: EventId,
}

/// What tells audit events apart.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct EventId {
    pub(super) time: Option<String>,
    pub(super) unique_qualifier: Option<String>,
}

/// An error reply, of either form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorReply {
    pub(super) error: Option<ApiError>,
}

/// What a reply says went wrong.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ApiError {
    pub(super) code: Option<i64>,
    pub(super) message: Option<String>,
    pub(super) status: Option<String>,
    pub(super) errors: Vec<Reason>,
    /// Where the newer form has its reasons.
    pub(super) details: Vec<Reason>,
}

/// One of the reasons.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reason {
    pub(super) reason: Option<String>,
}

impl ApiError {
    /// The reason, from wherever the form has it; else the status.
    pub(super) fn reason(&self) -> &str {
        let mut reasons = self.errors.iter().chain(&self.details);
        let first = reasons.find_map(|one| one.reason.as_deref());
        first.or(self.status.as_deref()).unwrap_or_default()
    }
}

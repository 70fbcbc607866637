//! Replies, with the members that are used.

use quell_connector::http::Reply;
use serde::Deserialize;

use crate::lenient::{List, Text};

/// A token was issued. No `Debug`: it holds the token.
#[derive(Deserialize)]
pub(super) struct Token {
    pub(super) access_token: String,
    #[serde(default)]
    pub(super) token_type: Text,
    #[serde(default)]
    pub(super) expires_in: Option<u64>,
}

/// Why no token was issued.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OauthError {
    #[serde(alias = "errorCode")]
    pub(super) error: Text,
}

impl OauthError {
    pub(super) fn of(reply: &Reply) -> Self {
        match reply.status.is_success() {
            true => Self::default(),
            false => reply.json().unwrap_or_default(),
        }
    }

    pub(super) fn is(&self, code: &str) -> bool {
        self.error.raw() == Some(code)
    }
}

/// What the API complains of.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ApiError {
    #[serde(alias = "error")]
    pub(super) error_code: Text,
    #[serde(alias = "error_description")]
    pub(super) error_summary: Text,
    pub(super) error_causes: List<Cause>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Cause {
    pub(super) error_summary: Text,
}

/// A user.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct User {
    pub(super) id: Text,
    pub(super) status: Text,
    pub(super) transitioning_to_status: Text,
    pub(super) password_changed: Text,
    pub(super) profile: Profile,
    pub(super) credentials: Credentials,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Profile {
    pub(super) login: Text,
    pub(super) email: Text,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Credentials {
    pub(super) provider: Provider,
}

/// Who holds the password.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Provider {
    pub(super) r#type: Text,
    pub(super) name: Text,
}

/// One administrator role of a user or an app.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Role {
    pub(super) r#type: Text,
    pub(super) status: Text,
}

/// A page of users who have administrator roles.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Assignees {
    pub(super) value: List<Assignee>,
    #[serde(rename = "_links")]
    pub(super) links: Links,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Assignee {
    pub(super) id: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Links {
    pub(super) next: Link,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Link {
    pub(super) href: Text,
}

/// A password was made up. No `Debug`: it holds the password.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct TemporaryPassword {
    pub(super) temp_password: Option<String>,
}

/// A record of the System Log, as far as it proves something.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Proof {
    pub(super) published: Text,
    pub(super) outcome: ProofOutcome,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ProofOutcome {
    pub(super) result: Text,
}

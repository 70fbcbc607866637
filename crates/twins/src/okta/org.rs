//! What an organization holds: users and how they stand, their admin roles, and who may call the API.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::logs::Record;
use super::stamp;

/// Where a user is in their life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Made, never activated.
    Staged,
    /// Activated, has not finished signing up.
    Provisioned,
    /// Signs in.
    #[default]
    Active,
    /// Has been sent a link to set a new password, and cannot sign in until it is used.
    Recovery,
    /// Has to set a new password at the next sign-in.
    PasswordExpired,
    /// Failed to sign in too often.
    LockedOut,
    /// Kept out by an administrator.
    Suspended,
    /// Deactivated.
    Deprovisioned,
}

impl Status {
    /// The word in the vendor's documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Staged => "STAGED",
            Self::Provisioned => "PROVISIONED",
            Self::Active => "ACTIVE",
            Self::Recovery => "RECOVERY",
            Self::PasswordExpired => "PASSWORD_EXPIRED",
            Self::LockedOut => "LOCKED_OUT",
            Self::Suspended => "SUSPENDED",
            Self::Deprovisioned => "DEPROVISIONED",
        }
    }
}

/// How a user is to be. Every member but the login has a default.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct UserSpec {
    /// The name they sign in with.
    pub login: String,
    /// Their mail address; the login when empty.
    pub email: String,
    /// Where they are in their life.
    pub status: Status,
    /// Who holds their password: `OKTA`, `ACTIVE_DIRECTORY`, `LDAP`, `FEDERATION` and so on.
    pub provider: String,
    /// That directory's name.
    pub provider_name: String,
    /// Administrator roles (`SUPER_ADMIN`, `ORG_ADMIN`, …) assigned to them.
    pub roles: Vec<String>,
    /// Roles they have through a group.
    pub group_roles: Vec<String>,
}

impl Default for UserSpec {
    fn default() -> Self {
        Self {
            login: String::new(),
            email: String::new(),
            status: Status::Active,
            provider: "OKTA".into(),
            provider_name: "OKTA".into(),
            roles: Vec::new(),
            group_roles: Vec::new(),
        }
    }
}

impl UserSpec {
    /// An active user whose password Okta holds.
    pub fn active(login: &str) -> Self {
        Self {
            login: login.to_owned(),
            ..Self::default()
        }
    }

    /// In this state.
    #[must_use]
    pub fn status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }

    /// With this administrator role.
    #[must_use]
    pub fn role(mut self, role: &str) -> Self {
        self.roles.push(role.to_owned());
        self
    }

    /// With a password that somebody else holds.
    #[must_use]
    pub fn sourced(mut self, provider: &str, name: &str) -> Self {
        self.provider = provider.to_owned();
        self.provider_name = name.to_owned();
        self
    }
}

/// How often something was really done to a user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// Suspended.
    pub suspended: u64,
    /// Unsuspended.
    pub unsuspended: u64,
    /// Sessions ended.
    pub sessions_cleared: u64,
    /// Password replaced or expired.
    pub password_resets: u64,
}

/// A user as the organization keeps them.
#[derive(Debug, Clone, Serialize)]
pub struct User {
    /// The stable id (`00u…`).
    pub id: String,
    /// The name they sign in with.
    pub login: String,
    /// Their mail address.
    pub email: String,
    /// Where they really are; what a read shows may lag behind.
    pub status: Status,
    /// Who holds their password.
    pub provider: String,
    /// That directory's name.
    pub provider_name: String,
    /// Roles assigned to them.
    pub roles: Vec<String>,
    /// Roles they have through a group.
    pub group_roles: Vec<String>,
    /// Sessions that are open.
    pub sessions: u32,
    /// The temporary password they were last given. No document shows it.
    pub temporary_password: Option<String>,
    /// What was done to them.
    pub calls: Calls,
    #[serde(skip)]
    pub(crate) created: i64,
    #[serde(skip)]
    pub(crate) status_changed: i64,
    #[serde(skip)]
    pub(crate) password_changed: i64,
    /// What reads show until when.
    #[serde(skip)]
    pub(crate) shown: Option<(Status, i64)>,
    /// Login and mail address as searches still know them.
    #[serde(skip)]
    pub(crate) indexed: Option<String>,
}

impl User {
    pub(crate) fn has_role(&self, role: &str) -> bool {
        self.every_role().any(|held| held == role)
    }

    pub(crate) fn is_admin(&self) -> bool {
        self.every_role().next().is_some()
    }

    fn every_role(&self) -> impl Iterator<Item = &str> {
        let all = self.roles.iter().chain(&self.group_roles);
        all.map(String::as_str)
    }

    /// Moves on. Reads show the old state until `visible`.
    pub(crate) fn become_status(&mut self, status: Status, now: i64, visible: i64) {
        let shown = self.shown_status(now);
        self.shown = (visible > now).then_some((shown, visible));
        self.status = status;
        self.status_changed = now;
    }

    fn shown_status(&self, now: i64) -> Status {
        match self.shown {
            Some((status, until)) if now < until => status,
            _ => self.status,
        }
    }

    /// The vendor's document about the user.
    pub(crate) fn document(&self, base: &str, now: i64) -> Value {
        let (first, last) = self.login.split_once('.').unwrap_or((&self.login, "User"));
        json!({
            "id": self.id,
            "status": self.shown_status(now).word(),
            "created": stamp(self.created),
            "activated": stamp(self.created),
            "statusChanged": stamp(self.status_changed),
            "lastLogin": null,
            "lastUpdated": stamp(self.status_changed),
            "passwordChanged": stamp(self.password_changed),
            "type": {"id": "otytwin00000000000"},
            "profile": {
                "login": self.login,
                "email": self.email,
                "firstName": first,
                "lastName": last.split('@').next().unwrap_or(last),
                "secondEmail": null,
                "mobilePhone": null,
            },
            "credentials": {
                "password": {},
                "provider": {"type": self.provider, "name": self.provider_name},
            },
            "_links": {"self": {"href": format!("{base}/api/v1/users/{}", self.id)}},
        })
    }

    /// The document as a search finds it, which may be out of date.
    pub(crate) fn indexed_document(&self, base: &str, now: i64) -> Value {
        match &self.indexed {
            None => self.document(base, now),
            Some(name) => {
                let before = Self {
                    login: name.clone(),
                    email: name.clone(),
                    ..self.clone()
                };
                before.document(base, now)
            }
        }
    }

    /// The vendor's list of the user's role assignments.
    pub(crate) fn role_documents(&self) -> Value {
        let direct = self.roles.iter().map(|role| (role, "USER"));
        let through = self.group_roles.iter().map(|role| (role, "GROUP"));
        direct
            .chain(through)
            .enumerate()
            .map(|(index, (role, how))| role_document(index, role, how, self.created))
            .collect()
    }
}

fn role_document(index: usize, role: &str, how: &str, created: i64) -> Value {
    json!({
        "id": format!("ra1twin{index:013}"),
        "label": role.to_lowercase().replace('_', " "),
        "type": role,
        "status": "ACTIVE",
        "created": stamp(created),
        "lastUpdated": stamp(created),
        "assignmentType": how,
    })
}

/// An application that calls the API with a token of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceApp {
    /// Its client id.
    pub client_id: String,
    /// Id of its public key.
    pub kid: String,
    /// The public key as a JWK (`kty` `RSA` with `n` and `e`, or `EC` with `x` and `y` on P-256).
    pub jwk: Value,
    /// Scopes an administrator granted.
    pub scopes: BTreeSet<String>,
    /// Administrator roles assigned to it.
    pub roles: Vec<String>,
    /// Whether it must prove possession of a key with each request.
    #[serde(default)]
    pub dpop: bool,
}

impl ServiceApp {
    /// Takes a scope away.
    #[must_use]
    pub fn without(mut self, scope: &str) -> Self {
        self.scopes.remove(scope);
        self
    }

    /// With these roles instead.
    #[must_use]
    pub fn with_roles(mut self, roles: &[&str]) -> Self {
        self.roles = roles.iter().map(|role| (*role).to_owned()).collect();
        self
    }

    pub(crate) fn role_documents(&self) -> Value {
        let roles = self.roles.iter().enumerate();
        roles
            .map(|(index, role)| role_document(index, role, "CLIENT", 0))
            .collect()
    }
}

/// An access token that was issued.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) client_id: String,
    pub(crate) scopes: BTreeSet<String>,
    pub(crate) expires: i64,
    /// Thumbprint of the key it is bound to.
    pub(crate) bound_to: Option<String>,
}

/// Everything the organization keeps.
#[derive(Debug, Default)]
pub(crate) struct Org {
    pub(crate) users: Vec<User>,
    pub(crate) apps: Vec<ServiceApp>,
    /// API tokens and the id of the user who made each.
    pub(crate) api_tokens: BTreeMap<String, String>,
    pub(crate) tokens: BTreeMap<String, Token>,
    /// Ids of assertions and proofs that were used.
    pub(crate) used: BTreeSet<String>,
    pub(crate) log: Vec<Record>,
}

impl Org {
    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    /// By id or login, as the vendor's paths take both.
    pub(crate) fn find(&self, id_or_login: &str) -> Option<usize> {
        self.users
            .iter()
            .position(|user| user.id == id_or_login || user.login.eq_ignore_ascii_case(id_or_login))
    }
}

//! The endpoints the twin serves: how a request is recognised and which scope it needs.

use http::Method;
use serde::{Deserialize, Serialize};

use crate::endpoint::endpoints;

/// OAuth scopes that can be delegated to the service account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Read users.
    UserReadonly,
    /// Read and change users.
    User,
    /// Sign users out, application passwords, tokens.
    UserSecurity,
    /// Alert Center.
    Alerts,
    /// Audit events.
    Audit,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [
        Self::UserReadonly,
        Self::User,
        Self::UserSecurity,
        Self::Alerts,
        Self::Audit,
    ];

    /// The scope as it stands in the Admin console.
    pub const fn url(self) -> &'static str {
        match self {
            Self::UserReadonly => "https://www.googleapis.com/auth/admin.directory.user.readonly",
            Self::User => "https://www.googleapis.com/auth/admin.directory.user",
            Self::UserSecurity => "https://www.googleapis.com/auth/admin.directory.user.security",
            Self::Alerts => "https://www.googleapis.com/auth/apps.alerts",
            Self::Audit => "https://www.googleapis.com/auth/admin.reports.audit.readonly",
        }
    }

    pub(crate) fn named(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.url() == url)
    }
}

endpoints! {
    /// `POST /token`
    Token = "token",
    /// `GET /admin/directory/v1/users/{key}`
    UserRead = "user_read",
    /// `GET /admin/directory/v1/users`
    UserList = "user_list",
    /// `PUT` and `PATCH /admin/directory/v1/users/{key}`
    UserUpdate = "user_update",
    /// `POST /admin/directory/v1/users/{key}/signOut`
    UserSignOut = "user_sign_out",
    /// `GET /v1beta1/alerts`
    AlertList = "alert_list",
    /// `GET /v1beta1/alerts/{id}`
    AlertRead = "alert_read",
    /// `POST /v1beta1/alerts/{id}/feedback`
    AlertFeedback = "alert_feedback",
    /// `GET /admin/reports/v1/activity/users/{user}/applications/{application}`
    Activities = "activities",
    /// Anything else.
    Unknown = "unknown",
}

impl Endpoint {
    /// Scopes of which a token needs one.
    pub(crate) const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::UserRead | Self::UserList => &[Scope::User, Scope::UserReadonly],
            Self::UserUpdate => &[Scope::User],
            Self::UserSignOut => &[Scope::UserSecurity],
            Self::AlertList | Self::AlertRead | Self::AlertFeedback => &[Scope::Alerts],
            Self::Activities => &[Scope::Audit],
            Self::Token | Self::Unknown => &[],
        }
    }

    /// The Alert Center has errors of the newer form, without `errors`.
    pub(crate) const fn is_newer(self) -> bool {
        matches!(
            self,
            Self::AlertList | Self::AlertRead | Self::AlertFeedback
        )
    }
}

/// What a request is for, and the names in its path.
pub(crate) fn recognise(method: &Method, path: &str) -> (Endpoint, Vec<String>) {
    let steps: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (endpoint, names): (_, &[&str]) = match (method.as_str(), steps.as_slice()) {
        ("POST", ["token"]) => (Endpoint::Token, &[]),
        ("GET", ["admin", "directory", "v1", "users"]) => (Endpoint::UserList, &[]),
        ("GET", ["admin", "directory", "v1", "users", key]) => (Endpoint::UserRead, &[key]),
        ("PUT" | "PATCH", ["admin", "directory", "v1", "users", key]) => {
            (Endpoint::UserUpdate, &[key])
        }
        ("POST", ["admin", "directory", "v1", "users", key, "signOut"]) => {
            (Endpoint::UserSignOut, &[key])
        }
        ("GET", ["v1beta1", "alerts"]) => (Endpoint::AlertList, &[]),
        ("GET", ["v1beta1", "alerts", id]) => (Endpoint::AlertRead, &[id]),
        ("POST", ["v1beta1", "alerts", id, "feedback"]) => (Endpoint::AlertFeedback, &[id]),
        (
            "GET",
            [
                "admin",
                "reports",
                "v1",
                "activity",
                "users",
                user,
                "applications",
                application,
            ],
        ) => (Endpoint::Activities, &[user, application]),
        _ => (Endpoint::Unknown, &[]),
    };
    let names = names.iter().map(|name| decoded(name)).collect();
    (endpoint, names)
}

/// A path segment without its percent-encoding.
fn decoded(segment: &str) -> String {
    // In a path a plus is a plus.
    let segment = segment.replace('+', "%2B");
    let query = crate::http::Query::parse(&format!("name={segment}"));
    query.get("name").unwrap_or_default().to_owned()
}

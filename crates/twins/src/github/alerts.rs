//! Secret scanning alerts of the organization.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::service::{Refusal, paged_by};
use super::{ORGANIZATION, Shared};
use crate::clock::rfc3339_seconds;
use crate::http::{Reply, Request};

/// A leaked secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretAlert {
    /// Repository, without the organization.
    pub repository: String,
    /// Number in that repository.
    pub number: u64,
    /// Kind of secret (`aws_access_key_id`).
    pub secret_type: String,
    /// The secret itself, shown unless the client asks to hide it.
    pub secret: String,
    /// `open` or `resolved`.
    pub state: String,
    /// `active`, `inactive` or `unknown`.
    pub validity: String,
    /// Whether it was found in public.
    pub publicly_leaked: bool,
}

/// An alert with its times.
#[derive(Debug)]
pub(crate) struct Record {
    alert: SecretAlert,
    created_at: i64,
    updated_at: i64,
}

impl SecretAlert {
    /// An open alert about a secret nobody has checked.
    pub fn open(repository: &str, number: u64, secret_type: &str) -> Self {
        Self {
            repository: repository.to_owned(),
            number,
            secret_type: secret_type.to_owned(),
            secret: format!("twin-secret-{number}"),
            state: "open".to_owned(),
            validity: "unknown".to_owned(),
            publicly_leaked: false,
        }
    }
}

impl Record {
    fn json(&self, hidden: bool) -> Value {
        let alert = &self.alert;
        let full_name = format!("{ORGANIZATION}/{}", alert.repository);
        let mut body = json!({
            "number": alert.number,
            "created_at": rfc3339_seconds(self.created_at),
            "updated_at": rfc3339_seconds(self.updated_at),
            "url": format!("https://api.github.com/repos/{full_name}/secret-scanning/alerts/{}", alert.number),
            "html_url": format!("https://github.com/{full_name}/security/secret-scanning/{}", alert.number),
            "state": alert.state,
            "resolution": (alert.state == "resolved").then_some("revoked"),
            "secret_type": alert.secret_type,
            "secret_type_display_name": alert.secret_type.replace('_', " "),
            "validity": alert.validity,
            "publicly_leaked": alert.publicly_leaked,
            "multi_repo": false,
            "push_protection_bypassed": false,
            "push_protection_bypassed_by": null,
            "repository": {"id": 1, "name": alert.repository, "full_name": full_name},
        });
        if let (false, Some(body)) = (hidden, body.as_object_mut()) {
            body.insert("secret".to_owned(), json!(alert.secret));
        }
        body
    }
}

pub(crate) fn put(shared: &Shared, alert: SecretAlert) {
    let now = shared.clock.now_ns();
    let mut forge = shared.forge();
    let same = |other: &Record| {
        other.alert.repository == alert.repository && other.alert.number == alert.number
    };
    let known = forge.secrets.iter().find(|other| same(other));
    let created_at = known.map_or(now, |known| known.created_at);
    forge.secrets.retain(|other| !same(other));
    forge.secrets.push(Record {
        alert,
        created_at,
        updated_at: now,
    });
}

/// `GET /orgs/{org}/secret-scanning/alerts`
pub(crate) fn list(shared: &Shared, request: &Request) -> Result<Reply, Refusal> {
    let query = request.query();
    let hidden = query.get("hide_secret") == Some("true");
    let forge = shared.forge();
    let wanted = |record: &&Record| {
        query
            .get("state")
            .is_none_or(|state| record.alert.state == state)
    };
    let mut found: Vec<&Record> = forge.secrets.iter().filter(wanted).collect();
    let by_update = query.get("sort") == Some("updated");
    found.sort_by_key(|alert| {
        if by_update {
            alert.updated_at
        } else {
            alert.created_at
        }
    });
    if query.get("direction") != Some("asc") {
        found.reverse();
    }
    let found: Vec<(String, Value)> = found
        .into_iter()
        .map(|record| {
            let key = format!("{}/{}", record.alert.repository, record.alert.number);
            (key, record.json(hidden))
        })
        .collect();
    paged_by(request, &found)
}

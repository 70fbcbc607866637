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
    #[serde(default)]
    created_at: i64,
    #[serde(default)]
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
            created_at: 0,
            updated_at: 0,
        }
    }

    fn json(&self, hidden: bool) -> Value {
        let full_name = format!("{ORGANIZATION}/{}", self.repository);
        let mut body = json!({
            "number": self.number,
            "created_at": rfc3339_seconds(self.created_at),
            "updated_at": rfc3339_seconds(self.updated_at),
            "url": format!("https://api.github.com/repos/{full_name}/secret-scanning/alerts/{}", self.number),
            "html_url": format!("https://github.com/{full_name}/security/secret-scanning/{}", self.number),
            "state": self.state,
            "resolution": (self.state == "resolved").then_some("revoked"),
            "secret_type": self.secret_type,
            "secret_type_display_name": self.secret_type.replace('_', " "),
            "validity": self.validity,
            "publicly_leaked": self.publicly_leaked,
            "multi_repo": false,
            "push_protection_bypassed": false,
            "push_protection_bypassed_by": null,
            "repository": {"id": 1, "name": self.repository, "full_name": full_name},
        });
        if let (false, Some(body)) = (hidden, body.as_object_mut()) {
            body.insert("secret".to_owned(), json!(self.secret));
        }
        body
    }
}

pub(crate) fn put(shared: &Shared, mut alert: SecretAlert) {
    let now = shared.clock.now_ns();
    let mut forge = shared.forge();
    let same =
        |other: &SecretAlert| other.repository == alert.repository && other.number == alert.number;
    alert.created_at = forge
        .secrets
        .iter()
        .find(|a| same(a))
        .map_or(now, |a| a.created_at);
    alert.updated_at = now;
    forge.secrets.retain(|other| !same(other));
    forge.secrets.push(alert);
}

/// `GET /orgs/{org}/secret-scanning/alerts`
pub(crate) fn list(shared: &Shared, request: &Request) -> Result<Reply, Refusal> {
    let query = request.query();
    let hidden = query.get("hide_secret") == Some("true");
    let forge = shared.forge();
    let wanted = |alert: &&SecretAlert| query.get("state").is_none_or(|state| alert.state == state);
    let mut found: Vec<&SecretAlert> = forge.secrets.iter().filter(wanted).collect();
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
        .map(|alert| {
            (
                format!("{}/{}", alert.repository, alert.number),
                alert.json(hidden),
            )
        })
        .collect();
    paged_by(request, &found)
}

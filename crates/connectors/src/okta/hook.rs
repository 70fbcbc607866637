//! Event hooks: Okta's handshake, its secret, and the events it delivers.

use quell_connector::http::Method;
use quell_connector::sign::same;
use quell_connector::{ConfigError, Push, Receive, Received, Vendor, document};
use quell_model::{Secret, text};
use serde::Deserialize;
use serde_json::json;

use super::{Okta, events};
use crate::lenient::Text;

/// Longest challenge that is repeated; Okta's have a few dozen characters.
const LONGEST_CHALLENGE: usize = 512;
/// Shortest secret that is worth the name.
const SHORTEST_SECRET: usize = 16;

/// What an event hook has to know.
pub(super) struct Hook {
    secret: Secret,
}

impl Hook {
    pub(super) fn new(secret: Secret) -> Result<Self, ConfigError> {
        if secret.expose().trim().len() < SHORTEST_SECRET {
            let problem = format!("is shorter than {SHORTEST_SECRET} characters; use a random one");
            return Err(ConfigError::new("hook_secret", problem));
        }
        Ok(Self { secret })
    }

    /// Nothing is signed: the secret, sent as it is with every request, is all there is.
    fn knows(&self, push: &Push<'_>) -> bool {
        let presented = push.headers.get("authorization");
        let presented = presented.map(|value| value.as_bytes()).unwrap_or_default();
        same(presented, self.secret.expose().trim().as_bytes())
    }
}

/// Around the events.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Envelope {
    event_id: Text,
}

impl Receive for Okta {
    fn receive(&self, push: &Push<'_>) -> Received {
        if !self.hook.as_ref().is_some_and(|hook| hook.knows(push)) {
            return Received::Refused;
        }
        match *push.method {
            Method::GET => verification(push),
            Method::POST => delivery(push.body),
            _ => Received::Refused,
        }
    }
}

/// Okta asks once whether the address is ours.
fn verification(push: &Push<'_>) -> Received {
    let challenge = push.headers.get("x-okta-verification-challenge");
    let challenge = challenge.and_then(|value| value.to_str().ok());
    match challenge.filter(|text| text.len() <= LONGEST_CHALLENGE) {
        Some(challenge) => Received::Answer {
            content_type: "application/json",
            body: json!({ "verification": challenge }).to_string(),
        },
        None => Received::Refused,
    }
}

fn delivery(body: &str) -> Received {
    let once = document::from_str::<Envelope>(body)
        .unwrap_or_default()
        .event_id;
    let once = once
        .raw()
        .filter(|id| text::line(id) == *id)
        .map(str::to_owned);
    // What cannot be taken apart is handed on as it is: intake says what is wrong with it.
    let documents = match document::split(body, Okta::ENVELOPE) {
        Ok(documents) => {
            let kept = documents.iter().map(|document| document.json);
            let kept: Vec<&str> = kept
                .filter(|json| !events::is_ordinary_sign_in(json))
                .map(|json| json.get())
                .collect();
            if kept.is_empty() {
                return Received::Nothing;
            }
            format!("[{}]", kept.join(","))
        }
        Err(_) => body.to_owned(),
    };
    Received::Alerts { documents, once }
}

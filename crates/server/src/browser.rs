//! A person's browser between the link in a letter and the answer: one cookie, sealed, short-lived, and
//! worth nothing in another browser. Nothing about it is kept here.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use quell_connector::call::later;
use quell_connector::sign::unique_id;
use quell_connector::{Attempt, Identity};
use quell_engine::Seal;
use quell_model::Secret;
use serde::{Deserialize, Serialize};

/// The prefix makes browsers refuse it from another host, another path, or without encryption.
const NAME: &str = "__Host-quell-was-it-you";
/// What the cookie is sealed for.
const PURPOSE: &str = "cookie of /was-it-you";
/// How long a sign-in may take, and how long its answer.
const LIFE: Duration = Duration::from_secs(600);

/// How far somebody has come.
#[derive(Serialize, Deserialize)]
pub(crate) struct Visit {
    /// What the link holds.
    pub(crate) token: String,
    /// When it is over.
    until: Timestamp,
    pub(crate) stage: Stage,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// At the identity provider.
    Away {
        state: String,
        nonce: String,
        verifier: String,
    },
    /// Signed in, and about to answer.
    Back { identity: Identity, csrf: String },
}

impl Visit {
    /// Goes to the identity provider.
    pub(crate) fn away(token: &str, attempt: &Attempt, now: Timestamp) -> Self {
        Self {
            token: token.to_owned(),
            until: later(now, LIFE),
            stage: Stage::Away {
                state: attempt.state.clone(),
                nonce: attempt.nonce.clone(),
                verifier: attempt.verifier.expose().to_owned(),
            },
        }
    }

    /// Has come back from there as `identity`.
    pub(crate) fn back(token: String, identity: Identity, now: Timestamp) -> Self {
        let csrf = unique_id();
        Self {
            token,
            until: later(now, LIFE),
            stage: Stage::Back { identity, csrf },
        }
    }

    /// The visit that a request goes on with.
    pub(crate) fn of(headers: &HeaderMap, seal: &Seal, now: Timestamp) -> Option<Self> {
        let mut found = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == NAME);
        let (_, value) = found.next()?;
        let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        let text = seal.open(PURPOSE, &sealed).ok()?;
        let visit: Self = serde_json::from_str(text.expose()).ok()?;
        (now < visit.until).then_some(visit)
    }

    /// The header that keeps it.
    pub(crate) fn cookie(&self, seal: &Seal) -> Option<HeaderValue> {
        let text = Secret::new(serde_json::to_string(self).ok()?);
        let sealed = seal.seal(PURPOSE, &text).ok()?;
        set(&URL_SAFE_NO_PAD.encode(sealed), LIFE)
    }

    /// The header that ends it.
    pub(crate) fn over() -> Option<HeaderValue> {
        set("", Duration::ZERO)
    }
}

/// Lax: people come back from the identity provider by a link of another site.
fn set(value: &str, life: Duration) -> Option<HeaderValue> {
    let seconds = life.as_secs();
    let cookie =
        format!("{NAME}={value}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Lax");
    HeaderValue::try_from(cookie).ok()
}

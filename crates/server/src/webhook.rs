//! Standard Webhooks: is this body what the sender signed, and did it sign it just now?
//!
//! The library only verifies against the operating system's clock, so it computes the signature here
//! and time is compared with the engine's clock.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use quell_model::Secret;
use standardwebhooks::Webhook;
use subtle::{Choice, ConstantTimeEq};

use crate::settings::{SettingsError, WEBHOOK_KEY_MIN};

/// How far the sender's clock may be from ours, either way.
pub(crate) const TOLERANCE: Duration = Duration::from_secs(300);
const ID_LIMIT: usize = 256;
/// Signatures looked at in one header; a sender that rotates its key sends two.
const SIGNATURES: usize = 8;

/// The webhook secrets of one connection; several while one replaces another.
#[derive(Clone)]
pub struct Verifier(Arc<[Webhook]>);

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({} secrets)", self.0.len())
    }
}

impl Verifier {
    /// A verifier that accepts any of these secrets (`whsec_…`).
    ///
    /// # Errors
    /// When there is none, or one is not base64 or too short a key.
    pub fn new(secrets: &[Secret]) -> Result<Self, SettingsError> {
        if secrets.is_empty() {
            return Err(SettingsError::NoSecret);
        }
        let hooks = secrets.iter().map(|secret| {
            let text = secret.expose();
            let hook = Webhook::new(text).map_err(|_| SettingsError::WebhookSecret)?;
            // Three bytes of key in each four characters of base64.
            let digits = text
                .strip_prefix("whsec_")
                .unwrap_or(text)
                .trim_end_matches('=');
            if digits.len() * 3 / 4 < WEBHOOK_KEY_MIN {
                return Err(SettingsError::ShortWebhookKey);
            }
            Ok(hook)
        });
        Ok(Self(hooks.collect::<Result<_, _>>()?))
    }

    /// One whose key nobody has. What it says must not be believed.
    pub(crate) fn nobodys() -> Self {
        Self(
            Webhook::from_bytes(vec![0; WEBHOOK_KEY_MIN])
                .into_iter()
                .collect(),
        )
    }

    /// Whether one of the secrets signed `body` as `message`. Takes as long for a wrong signature as
    /// for a right one.
    pub(crate) fn signed(&self, message: &Message<'_>, body: &str) -> bool {
        let mut right = Choice::from(0);
        for hook in self.0.iter() {
            let Ok(expected) = hook.sign(message.id, message.timestamp, body.as_bytes()) else {
                continue;
            };
            for given in message.signatures.split(' ').take(SIGNATURES) {
                right |= given.as_bytes().ct_eq(expected.as_bytes());
            }
        }
        right.into()
    }
}

/// The three headers of a signed body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// The same on every retry.
    pub(crate) id: &'a str,
    /// Seconds since 1970 of this attempt.
    pub(crate) timestamp: i64,
    signatures: &'a str,
}

impl<'a> Message<'a> {
    /// The headers, if all three are there and well formed.
    pub(crate) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let header = |name| {
            let mut values = headers.get_all(name).iter();
            let value = values.next()?.to_str().ok()?;
            values.next().is_none().then_some(value)
        };
        let id = header("webhook-id")?;
        let timestamp = header("webhook-timestamp")?;
        let signatures = header("webhook-signature")?;
        // What is signed is `id.timestamp.body`: a dot in the id would let it be read another way.
        let well_formed = (1..=ID_LIMIT).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_graphic() && b != b'.')
            && timestamp.bytes().all(|b| b.is_ascii_digit());
        if !well_formed {
            return None;
        }
        Some(Self {
            id,
            timestamp: timestamp.parse().ok()?,
            signatures,
        })
    }

    /// Whether it was signed just now, give or take a clock that is a little off.
    pub(crate) fn fresh(&self, now: Timestamp) -> bool {
        self.timestamp.abs_diff(now.as_second()) <= TOLERANCE.as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &str = r#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn headers(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
        HeaderMap::from_iter(
            [
                ("webhook-id", id),
                ("webhook-timestamp", timestamp),
                ("webhook-signature", signature),
            ]
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())),
        )
    }

    fn verifier(secrets: &[&str]) -> Result<Verifier, SettingsError> {
        let secrets: Vec<_> = secrets
            .iter()
            .map(|s| Secret::new((*s).to_owned()))
            .collect();
        Verifier::new(&secrets)
    }

    fn accepts(secrets: &[&str], headers: &HeaderMap, body: &str) -> bool {
        Message::of(headers)
            .is_some_and(|message| verifier(secrets).unwrap().signed(&message, body))
    }

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";

    #[test]
    fn accepts_the_vector_that_the_reference_libraries_agree_on() {
        let headers = headers(ID, "1614265330", SIGNATURE);
        assert!(accepts(&[SECRET], &headers, BODY));
    }

    #[test]
    fn one_right_signature_among_several_and_one_right_secret_among_several_suffice() {
        let rotating = headers(ID, "1614265330", &format!("v1a,AAAA v1,AAAA {SIGNATURE}"));
        let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert!(accepts(&[other, SECRET], &rotating, BODY));
        assert!(!accepts(&[other], &rotating, BODY));
    }

    #[test]
    fn a_changed_body_id_time_or_version_is_refused() {
        let version = SIGNATURE.replace("v1,", "v2,");
        for (id, timestamp, signature, body) in [
            (ID, "1614265330", SIGNATURE, "{}"),
            ("msg_other", "1614265330", SIGNATURE, BODY),
            (ID, "1614265331", SIGNATURE, BODY),
            (ID, "1614265330", version.as_str(), BODY),
            (ID, "1614265330", "v1,", BODY),
            (ID, "1614265330", "", BODY),
        ] {
            assert!(
                !accepts(&[SECRET], &headers(id, timestamp, signature), body),
                "{id} {timestamp} {signature} {body}"
            );
        }
    }

    #[test]
    fn headers_that_could_be_read_two_ways_are_refused() {
        for (id, timestamp) in [
            ("a.1", "2"),
            ("", "2"),
            ("a", "+2"),
            ("a", "-2"),
            ("a", ""),
            ("a b", "2"),
        ] {
            assert_eq!(
                Message::of(&headers(id, timestamp, SIGNATURE)),
                None,
                "{id:?} {timestamp:?}"
            );
        }
        let mut twice = headers(ID, "1614265330", SIGNATURE);
        twice.append("webhook-id", "msg_other".parse().unwrap());
        assert_eq!(Message::of(&twice), None);
    }

    #[test]
    fn five_minutes_either_way_are_fresh_and_a_second_more_is_not() {
        let now = Timestamp::constant(1_614_265_330, 0);
        let fresh = |timestamp: i64| {
            Message::of(&headers(ID, &timestamp.to_string(), SIGNATURE))
                .unwrap()
                .fresh(now)
        };
        assert!(fresh(1_614_265_330 - 300) && fresh(1_614_265_330 + 300));
        assert!(!fresh(1_614_265_330 - 301) && !fresh(1_614_265_330 + 301));
        assert!(!fresh(0) && !fresh(i64::MAX));
    }

    #[test]
    fn secrets_that_cannot_protect_anything_are_refused() {
        assert_eq!(verifier(&[]).unwrap_err(), SettingsError::NoSecret);
        assert_eq!(
            verifier(&["whsec_!!"]).unwrap_err(),
            SettingsError::WebhookSecret
        );
        assert_eq!(
            verifier(&["whsec_AAAA"]).unwrap_err(),
            SettingsError::ShortWebhookKey
        );
    }
}

//! Change notifications: reading them, and keeping the subscription that sends them alive.
//!
//! A notification says only that something changed, so a genuine one makes the feed poll at once. That a subscription
//! was lost is found when it is renewed; until then polling goes on at its interval.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quell_connector::ability::{Kept, Push, Receive, Received, Upkeep};
use quell_connector::http::Method;
use quell_connector::{BoxFuture, Call, Result, call, sign};
use quell_model::Secret;
use serde_json::{Value, json};

use super::{EntraId, api, wire};

/// How long a subscription lives unless renewed: within what the vendor allows for every resource.
const LIFETIME: Duration = Duration::from_secs(48 * 3600);
/// How often it is renewed, and made again if it is gone.
const RENEWED_EVERY: Duration = Duration::from_secs(3600);
/// Longest text of a handshake that is echoed, in bytes.
const LONGEST_TOKEN: usize = 2048;

/// The subscription a connection keeps.
pub(super) struct Subscription {
    pub(super) url: String,
    pub(super) resource: String,
    pub(super) client_state: Secret,
    /// This process made the present one. One from before may carry another text or lead elsewhere.
    pub(super) made: AtomicBool,
}

impl Receive for Subscription {
    fn receive(&self, push: &Push<'_>) -> Received {
        if push.method != Method::POST {
            return Received::Refused;
        }
        if let Some(token) = push.query.and_then(validation_token) {
            return match token {
                Some(body) => Received::Answer {
                    content_type: "text/plain",
                    body,
                },
                None => Received::Refused,
            };
        }
        let Ok(notified) = serde_json::from_str::<wire::Notified>(push.body) else {
            return Received::Refused;
        };
        let ours = |notification: &wire::Notification| {
            let state = notification.client_state.as_deref().unwrap_or_default();
            sign::same(state.as_bytes(), self.client_state.expose().as_bytes())
        };
        // Also those about the subscription itself: whatever was missed meanwhile is polled.
        match !notified.value.is_empty() && notified.value.iter().all(ours) {
            true => Received::Nudge,
            false => Received::Refused,
        }
    }
}

/// The text to echo, when the query is a handshake; none inside when it is not one that may be echoed.
fn validation_token(query: &str) -> Option<Option<String>> {
    let encoded = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("validationToken="))?;
    let token = decode(encoded).filter(|token| {
        !token.is_empty() && token.len() <= LONGEST_TOKEN && !token.chars().any(char::is_control)
    });
    Some(token)
}

/// A form value; none when it is none.
fn decode(encoded: &str) -> Option<String> {
    if encoded.len() > 3 * LONGEST_TOKEN {
        return None;
    }
    let mut bytes = encoded.bytes();
    let mut out = Vec::with_capacity(encoded.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

impl EntraId {
    async fn keep(&self, cx: &Call, state: Option<&Value>) -> Result<Kept> {
        let kept = |id: Option<&str>| Kept {
            state: json!({ "subscription": id }),
            again_in: RENEWED_EVERY,
        };
        let Some(subscription) = &self.subscription else {
            return Ok(kept(None));
        };
        let known = state.and_then(|state| state.get("subscription")?.as_str());
        let until = call::later(cx.clock().now(), LIFETIME);
        if let Some(id) = known.filter(|_| subscription.made.load(Ordering::Relaxed))
            && api::renew(&self.plane, cx, id, until).await?
        {
            return Ok(kept(Some(id)));
        }
        let wanted = wire::NewSubscription {
            change_type: "updated",
            notification_url: &subscription.url,
            lifecycle_notification_url: &subscription.url,
            resource: &subscription.resource,
            expiration_date_time: until.to_string(),
            client_state: subscription.client_state.expose(),
        };
        let made = api::subscribe(&self.plane, cx, &wanted).await?;
        subscription.made.store(true, Ordering::Relaxed);
        if let Some(id) = known {
            // Left alone it runs out by itself, so failing here costs only some notifications twice.
            api::unsubscribe(&self.plane, cx, id)
                .await
                .unwrap_or_default();
        }
        Ok(kept(Some(&made.id)))
    }
}

impl Upkeep for EntraId {
    fn upkeep<'a>(&'a self, cx: &'a Call, state: Option<&'a Value>) -> BoxFuture<'a, Result<Kept>> {
        Box::pin(self.keep(cx, state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_is_echoed_decoded_and_bounded() {
        let token = |query: &str| validation_token(query);
        let said = "validationToken=Validation%3a+Testing+client%2Fapplication";
        assert_eq!(
            token(said),
            Some(Some("Validation: Testing client/application".to_owned()))
        );
        assert_eq!(token("a=b"), None);
        for bad in ["", "%0d%0aSet-Cookie", "%ff", "%4", "%zz"] {
            assert_eq!(
                token(&format!("validationToken={bad}")),
                Some(None),
                "{bad}"
            );
        }
        let long = "x".repeat(LONGEST_TOKEN + 1);
        assert_eq!(token(&format!("validationToken={long}")), Some(None));
    }
}

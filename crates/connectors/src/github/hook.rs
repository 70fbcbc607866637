//! Webhooks: told from forgeries by GitHub's signature over the raw body.

use quell_connector::http::HeaderMap;
use quell_connector::sign::{hmac_sha256_hex, same};
use quell_connector::{Push, Receive, Received};
use quell_model::{Secret, text};

use super::GitHub;

const SIGNATURE: &str = "x-hub-signature-256";
const EVENT: &str = "x-github-event";
const DELIVERY: &str = "x-github-delivery";

/// Events that are alerts. Others are genuine and say nothing that could be acted on: those about members
/// do not even say when.
const ALERTS: [&str; 3] = [
    "secret_scanning_alert",
    "code_scanning_alert",
    "dependabot_alert",
];

impl Receive for GitHub {
    fn receive(&self, push: &Push<'_>) -> Received {
        match &self.webhook_secret {
            Some(secret) if is_signed(push, secret) => genuine(push),
            _ => Received::Refused,
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    // Two of them would leave open which one counts.
    values.next().is_none().then_some(first)
}

fn is_signed(push: &Push<'_>, secret: &Secret) -> bool {
    let given = header(push.headers, SIGNATURE).and_then(|value| value.strip_prefix("sha256="));
    let expected = hmac_sha256_hex(secret, push.body.as_bytes());
    given.is_some_and(|given| same(given.as_bytes(), expected.as_bytes()))
}

fn genuine(push: &Push<'_>) -> Received {
    match header(push.headers, EVENT) {
        Some(event) if ALERTS.contains(&event) => Received::Alerts {
            documents: push.body.to_owned(),
            once: header(push.headers, DELIVERY).map(text::line),
        },
        _ => Received::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use quell_connector::http::Method;

    use super::*;

    /// The vendor's documented example.
    const BODY: &str = "Hello, World!";
    const GIVEN: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn check(body: &str, headers: &[(&'static str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let push = Push {
            method: &Method::POST,
            query: None,
            headers: &map,
            body,
        };
        is_signed(&push, &Secret::new("It's a Secret to Everybody".to_owned()))
    }

    #[test]
    fn the_vendors_own_example_is_taken_and_nothing_near_it() {
        assert!(check(BODY, &[(SIGNATURE, GIVEN)]));
        assert!(!check("Hello, World", &[(SIGNATURE, GIVEN)]));
        assert!(!check(
            BODY,
            &[(SIGNATURE, GIVEN.trim_start_matches("sha256="))]
        ));
        assert!(!check(BODY, &[("x-hub-signature", GIVEN)]));
        assert!(!check(BODY, &[(SIGNATURE, GIVEN), (SIGNATURE, GIVEN)]));
        assert!(!check(BODY, &[]));
    }
}

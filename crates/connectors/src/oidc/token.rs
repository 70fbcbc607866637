//! What is believed of a signed ID token (OpenID Connect Core 1.0, section 3.1.3.7). Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quell_connector::Identity;
use quell_connector::http::Url;
use quell_connector::sign::same;
use serde_json::Value;

use super::api::SIGNED_IN_WITHIN;

/// Clocks may differ by this much.
const SKEW: Duration = Duration::from_secs(60);
/// A token made longer ago than this is not from a sign-in that just ended.
const AGE: Duration = Duration::from_secs(600);

/// What a token must say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: Timestamp,
}

/// Whether claims with a good signature are for this client, this sign-in and this moment.
pub(super) fn check(claims: &Value, expected: &Expected<'_>) -> Result<(), &'static str> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return Err("the token is another issuer's");
    }
    let (named, others) = match claims.get("aud") {
        Some(Value::String(one)) => (one == expected.client_id, false),
        Some(Value::Array(many)) => (
            many.iter().any(|one| one == expected.client_id),
            many.len() > 1,
        ),
        _ => (false, false),
    };
    if !named {
        return Err("the token is for another client");
    }
    match text("azp") {
        Some(party) if party != expected.client_id => {
            return Err("the token was made for another client");
        }
        None if others => return Err("the token does not say which client it was made for"),
        _ => {}
    }
    let nonce = text("nonce").unwrap_or_default();
    if expected.nonce.is_empty() || !same(nonce.as_bytes(), expected.nonce.as_bytes()) {
        return Err("the token is from another sign-in");
    }
    let since = |name: &str| {
        let seconds = claims.get(name).and_then(Value::as_i64)?;
        let then = Timestamp::from_second(seconds).ok()?;
        Some(expected.now.duration_since(then))
    };
    let skew = SignedDuration::from_secs(60);
    let within = |age: SignedDuration, limit: Duration| {
        age >= -skew && age <= SignedDuration::try_from(limit + SKEW).unwrap_or(skew)
    };
    if since("exp").is_none_or(|past| past >= skew) {
        return Err("the token has expired");
    }
    if since("nbf").is_some_and(|past| past < -skew) {
        return Err("the token does not hold yet");
    }
    if since("iat").is_none_or(|age| !within(age, AGE)) {
        return Err("the token was not made just now");
    }
    if since("auth_time").is_some_and(|age| !within(age, SIGNED_IN_WITHIN)) {
        return Err("the person signed in too long ago");
    }
    Ok(())
}

/// Who the claims are about.
pub(super) fn identity(
    claims: &Value,
    issuer: &Url,
    principal_claim: Option<&str>,
) -> Result<Identity, &'static str> {
    let text = |name: &str| {
        let value = claims.get(name).and_then(Value::as_str);
        value.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let subject = text("sub").ok_or("the token does not say who it is about")?;
    let principals = match principal_claim {
        Some(claim) => text(claim).into_iter().collect(),
        None => {
            let verified = claims.get("email_verified") == Some(&Value::Bool(true));
            let email = text("email").filter(|_| verified);
            let mut all: Vec<String> = [email, text("preferred_username"), text("upn")]
                .into_iter()
                .flatten()
                .collect();
            all.dedup();
            all
        }
    };
    Ok(Identity {
        account: account(issuer, claims, &subject),
        subject,
        principals,
    })
}

/// The account at a provider whose ids alerts carry too.
fn account(issuer: &Url, claims: &Value, subject: &str) -> Option<(String, String)> {
    let host = issuer.host_str()?;
    let below = |domain: &str| {
        host.strip_suffix(domain)
            .is_some_and(|front| front.ends_with('.'))
    };
    let (provider, id) = if host == "login.microsoftonline.com" {
        ("entra_id", claims.get("oid")?.as_str()?)
    } else if below("okta.com") || below("oktapreview.com") || below("okta-emea.com") {
        ("okta", subject)
    } else if host == "accounts.google.com" {
        ("google_workspace", subject)
    } else {
        return None;
    };
    Some((provider.to_owned(), id.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_790_000_000;

    fn claims() -> Value {
        json!({
            "iss": "https://login.example.com", "aud": "quell", "sub": "1", "nonce": "n",
            "exp": NOW + 300, "iat": NOW - 1,
        })
    }

    fn checked(changes: Value) -> Result<(), &'static str> {
        let mut claims = claims();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let expected = Expected {
            issuer: "https://login.example.com",
            client_id: "quell",
            nonce: "n",
            now: Timestamp::from_second(NOW).unwrap(),
        };
        check(&claims, &expected)
    }

    #[test]
    fn a_token_for_this_client_sign_in_and_moment_is_believed() {
        for good in [
            json!({}),
            json!({ "aud": ["quell"] }),
            json!({ "aud": ["quell", "other"], "azp": "quell" }),
            json!({ "azp": "quell" }),
            json!({ "exp": NOW - 59 }),
            json!({ "iat": NOW + 59 }),
            json!({ "auth_time": NOW - 600 }),
        ] {
            assert_eq!(checked(good.clone()), Ok(()), "{good}");
        }
    }

    #[test]
    fn a_token_for_anything_else_is_refused() {
        for bad in [
            json!({ "iss": "https://login.example.com/" }),
            json!({ "iss": null }),
            json!({ "aud": "other" }),
            json!({ "aud": [] }),
            json!({ "aud": null }),
            json!({ "aud": ["quell", "other"] }),
            json!({ "aud": ["quell", "other"], "azp": "other" }),
            json!({ "azp": "other" }),
            json!({ "nonce": "m" }),
            json!({ "nonce": null }),
            json!({ "nonce": "" }),
            json!({ "exp": NOW - 60 }),
            json!({ "exp": null }),
            json!({ "exp": "1890000000" }),
            json!({ "iat": NOW - 700 }),
            json!({ "iat": NOW + 120 }),
            json!({ "iat": null }),
            json!({ "nbf": NOW + 120 }),
            json!({ "auth_time": NOW - 3600 }),
        ] {
            assert!(checked(bad.clone()).is_err(), "{bad}");
        }
    }

    fn who(issuer: &str, claim: Option<&str>, changes: Value) -> Identity {
        identity(&changes, &issuer.parse().unwrap(), claim).unwrap()
    }

    #[test]
    fn only_what_the_provider_vouches_for_is_a_principal() {
        let all = json!({
            "sub": "1", "email": "a@x.example", "email_verified": true,
            "preferred_username": "b@x.example", "upn": "c@x.example",
        });
        let issuer = "https://login.example.com";
        assert_eq!(
            who(issuer, None, all.clone()).principals,
            ["a@x.example", "b@x.example", "c@x.example"]
        );
        assert_eq!(
            who(issuer, Some("upn"), all.clone()).principals,
            ["c@x.example"]
        );
        assert!(who(issuer, Some("other"), all).principals.is_empty());
        for unverified in [json!(false), json!("true"), json!(null)] {
            let claims =
                json!({ "sub": "1", "email": "a@x.example", "email_verified": unverified });
            assert!(who(issuer, None, claims).principals.is_empty());
        }
    }

    #[test]
    fn ids_count_only_at_the_provider_that_made_them() {
        let claims = json!({ "sub": "00u1", "oid": "o-1" });
        for (issuer, account) in [
            (
                "https://login.microsoftonline.com/t/v2.0",
                Some(("entra_id", "o-1")),
            ),
            ("https://corp.okta.com", Some(("okta", "00u1"))),
            (
                "https://accounts.google.com",
                Some(("google_workspace", "00u1")),
            ),
            ("https://evilokta.com", None),
            ("https://okta.com.evil.example", None),
            ("https://login.microsoftonline.com.evil.example", None),
        ] {
            let found = who(issuer, None, claims.clone()).account;
            let wanted = account.map(|(provider, id)| (provider.to_owned(), id.to_owned()));
            assert_eq!(found, wanted, "{issuer}");
        }
    }
}

//! How Microsoft Graph speaks HTTP: its limits, its waits and its errors.

use std::time::Duration;

use jiff::Timestamp;
use quell_connector::Kind;
use quell_connector::http::{Complaint, Dialect, HeaderMap, Quota, Reply};
use quell_model::text;

use super::{api, wire};

/// Identity Protection takes one request a second, of all apps of a tenant together.
pub(super) const IDENTITY_PROTECTION: &str = "identity_protection";

/// How Microsoft Graph speaks HTTP.
pub(super) const DIALECT: Dialect = Dialect {
    request_id: "request-id",
    retry_after,
    complaint,
    quotas: &[
        // A third of what the smallest tenants are granted, of which a user costs one or two units.
        Quota {
            bucket: "default",
            per_minute: 3000,
            burst: 200,
        },
        Quota {
            bucket: IDENTITY_PROTECTION,
            per_minute: 60,
            burst: 1,
        },
    ],
    concurrency: 16,
};

/// Where the vendor does not say how long to wait: Identity Protection never does.
const UNSAID: Duration = Duration::from_secs(5);
const LONGEST_WAIT: f64 = 60.0;

/// Seconds, which may carry a fraction.
fn retry_after(headers: &HeaderMap, _: Timestamp) -> Option<Duration> {
    let Some(given) = headers.get("retry-after") else {
        return Some(UNSAID);
    };
    let seconds: f64 = given.to_str().ok()?.trim().parse().ok()?;
    let seconds = seconds.clamp(0.0, LONGEST_WAIT);
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(UNSAID))
}

fn complaint(reply: &Reply) -> Option<Complaint> {
    let failure: wire::Failure = reply.json().unwrap_or_default();
    let failure = failure.error.unwrap_or_default();
    let code = failure.code.as_deref().map(text::line);
    let said = words(&failure);
    let plain = Complaint {
        kind: None,
        code: code.clone(),
        words: said,
    };
    Some(match (reply.status.as_u16(), code.as_deref()) {
        (403, Some("Authentication_RequestFromNonPremiumTenantOrB2CTenant")) => Complaint {
            kind: Some(Kind::Unsupported),
            words: "the tenant lacks the licence for this; Identity Protection needs Microsoft Entra ID P1 or P2"
                .to_owned(),
            ..plain
        },
        (403, _) => match api::needs(reply.operation) {
            Some(needed) => Complaint {
                kind: Some(Kind::PermissionMissing),
                words: missing(reply.operation, needed),
                ..plain
            },
            None => plain,
        },
        // A conflict with another change: nothing was applied, and it passes.
        (409 | 412 | 423, _) => Complaint {
            kind: Some(Kind::VendorUnavailable),
            ..plain
        },
        _ => plain,
    })
}

fn missing(operation: &str, needed: &str) -> String {
    match operation {
        // One status for both causes.
        api::USER_ENABLE | api::USER_PASSWORD => format!(
            "the app lacks `{needed}`, or the user holds a directory role that the app's own does not reach"
        ),
        _ => format!("the app lacks `{needed}`"),
    }
}

/// The vendor's sentence, cut to what fits an error.
pub(super) fn words(failure: &wire::FailureBody) -> String {
    let said = text::line(failure.message.as_deref().unwrap_or_default());
    match said.char_indices().nth(199) {
        Some((end, _)) => format!("{}…", said.get(..end).unwrap_or_default()),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(value: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert("retry-after", value.parse().unwrap());
        }
        retry_after(&headers, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_wait_may_have_a_fraction_be_missing_or_be_nonsense() {
        assert_eq!(wait(Some("2.128")), Some(Duration::from_millis(2128)));
        assert_eq!(wait(Some("7")), Some(Duration::from_secs(7)));
        assert_eq!(wait(Some("86400")), Some(Duration::from_secs(60)));
        assert_eq!(wait(Some("-1")), Some(Duration::ZERO));
        assert_eq!(wait(None), Some(UNSAID));
        assert_eq!(wait(Some("NaN")), Some(UNSAID));
        assert_eq!(wait(Some("soon")), None);
    }
}

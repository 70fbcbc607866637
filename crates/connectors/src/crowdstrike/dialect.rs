//! How Falcon speaks HTTP: its limits, and what its complaints mean.

use quell_connector::http::{
    Complaint, Dialect, HeaderMap, Quota, Reply, SIGN_IN, epoch_or_delta_seconds,
};
use quell_connector::{Error, Kind};

use super::api::{
    ALERTS_READ, ALERTS_SEARCH, ALERTS_UPDATE, DEVICES_CONTAIN, DEVICES_LIFT, DEVICES_ONLINE,
    DEVICES_READ, DEVICES_SEARCH, IOC_CREATE, IOC_DELETE, IOC_DEVICES, IOC_SEARCH, IOC_UPDATE,
    RTR_CLOSE, RTR_KILL, RTR_KILL_RESULT, RTR_LIST, RTR_LIST_RESULT, RTR_OPEN,
};
use super::wire::{ApiError, Envelope};

/// The permission an operation needs, as the console names it.
pub(super) fn needs(operation: &str) -> Option<&'static str> {
    Some(match operation {
        DEVICES_SEARCH | DEVICES_READ | DEVICES_ONLINE => "Hosts: read",
        DEVICES_CONTAIN | DEVICES_LIFT => "Hosts: write",
        RTR_OPEN | RTR_CLOSE | RTR_LIST | RTR_LIST_RESULT => "Real time response: read",
        RTR_KILL | RTR_KILL_RESULT => "Real time response: write",
        IOC_SEARCH => "IOC Management: read",
        // A scope of its own, from before there was IOC Management.
        IOC_DEVICES => "IOCs: read",
        IOC_CREATE | IOC_UPDATE | IOC_DELETE => "IOC Management: write",
        ALERTS_SEARCH | ALERTS_READ => "Alerts: read",
        ALERTS_UPDATE => "Alerts: write",
        _ => return None,
    })
}

/// How Falcon speaks HTTP.
pub(super) const DIALECT: Dialect = Dialect {
    request_id: "x-cs-traceid",
    retry_after,
    complaint,
    quotas: &[
        Quota {
            bucket: "default",
            per_minute: 6000,
            burst: 1000,
        },
        Quota {
            bucket: SIGN_IN,
            per_minute: 300,
            burst: 20,
        },
    ],
    concurrency: 16,
};

fn retry_after(headers: &HeaderMap, now: jiff::Timestamp) -> Option<std::time::Duration> {
    epoch_or_delta_seconds(headers, "x-ratelimit-retryafter", now)
        .or_else(|| epoch_or_delta_seconds(headers, "retry-after", now))
}

fn complaint(reply: &Reply) -> Option<Complaint> {
    let envelope = reply.json::<Envelope<serde::de::IgnoredAny>>().ok();
    let first = envelope.and_then(|envelope| envelope.errors.0.into_iter().next());
    let first = first.unwrap_or_default();
    let said = words(&first);
    let code = first.code.0.map(|code| code.to_string());
    if reply.status.as_u16() != 403 {
        return Some(Complaint {
            kind: None,
            code,
            words: said,
        });
    }
    let lower = said.to_ascii_lowercase();
    let scope =
        said.is_empty() || lower.contains("authorization failed") || lower.contains("scope");
    Some(match needs(reply.operation) {
        // Another sentence than those about scopes is about this host's response policy.
        _ if reply.operation == RTR_OPEN && !scope => Complaint {
            kind: Some(Kind::VendorRejected),
            code,
            words: format!(
                "{said}; check that the host's response policy allows Real Time Response"
            ),
        },
        Some(needed) => Complaint {
            kind: Some(Kind::PermissionMissing),
            code,
            words: format!("the API client lacks `{needed}`"),
        },
        None => Complaint {
            kind: None,
            code,
            words: said,
        },
    })
}

/// The vendor's sentence, cut to what fits an error.
fn words(error: &ApiError) -> String {
    let mut words = error.message.line().unwrap_or_default();
    if words.chars().count() > 200 {
        words = words.chars().take(199).chain(['…']).collect();
    }
    words
}

impl ApiError {
    /// What an error inside a reply means. `wrote` when the request was a write.
    pub(super) fn meaning(&self, reply: &Reply, wrote: bool) -> Error {
        let code = self.code.0.unwrap_or_default();
        let kind = match code {
            401 => Kind::AuthRejected,
            403 => Kind::PermissionMissing,
            404 | 410 => Kind::TargetNotFound,
            429 => Kind::RateLimited,
            500..=599 if wrote => Kind::MaybeApplied,
            500..=599 => Kind::VendorUnavailable,
            _ => Kind::VendorRejected,
        };
        let detail = match (kind, needs(reply.operation), words(self)) {
            (Kind::PermissionMissing, Some(needed), _) => {
                format!("the API client lacks `{needed}`")
            }
            (_, _, said) if said.is_empty() => {
                "the vendor reports an error without a sentence".into()
            }
            (_, _, said) => said,
        };
        let error = Error::new(kind, reply.operation, detail).request_id(reply.request_id.clone());
        match self.code.0 {
            Some(code) => error.code(code),
            None => error,
        }
    }

    /// Whether the error is about the thing with this id: the vendor names it in a member of its
    /// own, or only in the sentence.
    pub(super) fn is_about(&self, id: &str) -> bool {
        match self.id.raw() {
            Some(named) => named.eq_ignore_ascii_case(id),
            None => {
                let said = self.message.raw().unwrap_or_default();
                !id.is_empty() && said.to_ascii_lowercase().contains(&id.to_ascii_lowercase())
            }
        }
    }

    /// Whether the error names anything at all.
    pub(super) fn names_something(&self) -> bool {
        self.id.raw().is_some()
    }
}

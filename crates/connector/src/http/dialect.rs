//! What differs from vendor to vendor on the wire, as data.

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;

use super::request::Reply;
use crate::error::Kind;

/// A vendor's way of speaking HTTP.
#[derive(Clone, Copy)]
pub struct Dialect {
    /// Header with the vendor's id of the request, lower case.
    pub request_id: &'static str,
    /// How long a 429 or 503 asks to wait.
    pub retry_after: fn(&HeaderMap, Timestamp) -> Option<Duration>,
    /// What a reply with an error status complains of. `None` leaves it to the status code.
    pub complaint: fn(&Reply) -> Option<Complaint>,
    /// Rate buckets. A request names one; an unknown name counts against the first. Sign-ins count
    /// against [`SIGN_IN`].
    pub quotas: &'static [Quota],
    /// Requests under way at once.
    pub concurrency: usize,
}

/// What a vendor said was wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Complaint {
    /// A better kind than the status code tells.
    pub kind: Option<Kind>,
    /// The vendor's own code.
    pub code: Option<String>,
    /// The vendor's words.
    pub words: String,
}

/// How many requests a bucket lets through.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// The bucket's name.
    pub bucket: &'static str,
    /// Requests per minute.
    pub per_minute: u32,
    /// Requests that may leave at once after a rest.
    pub burst: u32,
}

/// Name of the rate bucket that sign-ins count against, for vendors that meter them apart.
pub const SIGN_IN: &str = "sign_in";

/// Longest wait a vendor is allowed to ask for; a longer one is cut to this.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Reads `name` as seconds to wait, as an epoch in seconds, or as an epoch in milliseconds,
/// whichever the number can be; vendors use all three, some without saying which.
#[must_use]
pub fn epoch_or_delta_seconds(headers: &HeaderMap, name: &str, now: Timestamp) -> Option<Duration> {
    let number: i64 = headers.get(name)?.to_str().ok()?.trim().parse().ok()?;
    let seconds = match number {
        ..0 => return None,
        0..=1_000_000_000 => number,
        1_000_000_001..=100_000_000_000 => number - now.as_second(),
        _ => number / 1000 - now.as_second(),
    };
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_understood_in_every_unit_vendors_use_and_never_exceeds_a_minute() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let wait = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-wait", value.parse().unwrap());
            epoch_or_delta_seconds(&headers, "x-wait", now)
        };
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("1800000007"), Some(Duration::from_secs(7)));
        assert_eq!(wait("1800000007500"), Some(Duration::from_secs(7)));
        assert_eq!(wait("1799999990"), Some(Duration::ZERO));
        assert_eq!(wait("1800009999"), Some(LONGEST_WAIT));
        assert_eq!(wait("-1"), None);
        assert_eq!(wait("soon"), None);
    }
}

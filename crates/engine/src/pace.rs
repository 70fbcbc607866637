//! How long things wait. Every number of the engine that is a duration, in one place.

use std::time::Duration;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// How long a worker may hold a job. INVARIANT: longer than [`CALLS`] by a wide margin, so that a
/// worker's last vendor call is over before anybody else may take its job.
pub(crate) const LEASE: Duration = secs(150);
/// How long the vendor calls of one step may take together.
pub(crate) const CALLS: Duration = secs(90);
/// How long taking an alert in waits for a free worker before it leaves the work to the queue.
pub(crate) const ROOM: Duration = Duration::from_millis(50);
/// How long the engine rests at most before it looks for work it was not told of.
pub(crate) const REST: Duration = secs(30);
/// How long a list that another node changed may go unnoticed where nothing is done meanwhile.
pub(crate) const LISTS: Duration = secs(5);
/// How often connections are asked which machines there are.
pub(crate) const STOCK: Duration = secs(6 * 3600);
/// How often a step that changed nothing at the vendor is tried before it counts as failed.
pub(crate) const ATTEMPTS: u32 = 8;
/// How often a message is tried before it is given up: about a day with the waits below.
pub(crate) const SENDS: u32 = 30;
/// How long an effect that did not show in time is still watched, beyond the vendor's normal time.
pub(crate) const WATCH: Duration = secs(7 * 24 * 3600);

/// Wait before the next read of an effect that is on its way.
pub(crate) fn next_read(attempts: u32, overdue: bool) -> Duration {
    const WAITS: [Duration; 5] = [secs(1), secs(2), secs(3), secs(5), secs(10)];
    if overdue {
        return secs(300);
    }
    let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    WAITS.get(index).copied().unwrap_or(secs(10))
}

/// Wait before a step is tried again, doubling from one second to five minutes; a vendor that says
/// how long to wait is believed.
pub(crate) fn again(attempts: u32, asked: Option<Duration>) -> Duration {
    let doubled = 1_u64
        .checked_shl(attempts.saturating_sub(1))
        .unwrap_or(u64::MAX);
    asked.unwrap_or(secs(doubled.min(300)))
}

/// Wait before a message is tried again, doubling from five seconds to an hour.
pub(crate) fn resend(attempts: u32, asked: Option<Duration>) -> Duration {
    let doubled = 5_u64
        .checked_shl(attempts.saturating_sub(1))
        .unwrap_or(u64::MAX);
    asked.unwrap_or(secs(doubled.min(3600)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_done_with_its_vendor_before_its_job_is_free_again() {
        assert!(CALLS + secs(30) <= LEASE);
    }

    #[test]
    fn waits_grow_and_never_overflow() {
        assert_eq!(again(1, None), secs(1));
        assert_eq!(again(4, None), secs(8));
        assert_eq!(again(u32::MAX, None), secs(300));
        assert_eq!(resend(u32::MAX, None), secs(3600));
        assert_eq!(next_read(u32::MAX, false), secs(10));
        assert_eq!(again(1, Some(secs(42))), secs(42));
    }
}

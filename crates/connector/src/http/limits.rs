//! Rate buckets and the circuit breaker. State of one connection in one process.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota as GovernorQuota, RateLimiter};
use jiff::Timestamp;
use quell_model::Clock;

use super::dialect::Quota;
use crate::call::later;

/// Our clock, as the rate limiter wants it.
#[derive(Clone)]
struct Ticks {
    clock: Arc<dyn Clock>,
    origin: Timestamp,
}

impl GovernorClock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let passed = self.clock.now().duration_since(self.origin);
        Duration::try_from(passed).unwrap_or_default().into()
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Nanos>>;

/// The rate buckets of one connection.
pub(super) struct Buckets(Vec<(&'static str, Limiter)>);

impl Buckets {
    /// `per_minute` replaces the rate of the first bucket, the vendor's usual one.
    pub(super) fn new(quotas: &[Quota], per_minute: Option<u32>, clock: &Arc<dyn Clock>) -> Self {
        let ticks = Ticks {
            clock: clock.clone(),
            origin: clock.now(),
        };
        let limiter = |(index, quota): (usize, &Quota)| {
            let count = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
            let granted = per_minute.filter(|_| index == 0);
            let rate = granted.unwrap_or(quota.per_minute);
            // A burst is never more than a sixth of a granted minute, as with the usual limits.
            let burst = granted.map_or(quota.burst, |granted| granted / 6);
            let rate = GovernorQuota::per_minute(count(rate)).allow_burst(count(burst));
            let limiter = RateLimiter::direct_with_clock(rate, ticks.clone());
            (quota.bucket, limiter)
        };
        Self(quotas.iter().enumerate().map(limiter).collect())
    }

    /// Takes one request out of `bucket`, or says how long until there is one.
    pub(super) fn take(&self, bucket: &str) -> Result<(), Duration> {
        let found = self
            .0
            .iter()
            .find(|(name, _)| *name == bucket)
            .or_else(|| self.0.first());
        let Some((_, limiter)) = found else {
            return Ok(());
        };
        limiter.check().map_err(|not_until| {
            // The wait is rounded up so that a simulated clock that sleeps precisely this long makes progress.
            not_until.wait_time_from(limiter.clock().now()) + Duration::from_millis(1)
        })
    }
}

/// Failures in a row that open the breaker.
const FAILURES: u32 = 5;
/// How long an open breaker refuses before it lets one request try.
const REST: Duration = Duration::from_secs(15);

/// Stops hammering a vendor that is down, so that its recovery and our other connections are not
/// held up by calls that cannot succeed.
pub(super) struct Breaker {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    failures: u32,
    closed_again: Option<Timestamp>,
}

impl Breaker {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::new(State {
                failures: 0,
                closed_again: None,
            }),
        }
    }

    /// Whether a request may try now; if not, how long until one may.
    pub(super) fn admit(&self) -> Result<(), Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = state.closed_again else {
            return Ok(());
        };
        let now = self.clock.now();
        if now < at {
            return Err(Duration::try_from(at.duration_since(now)).unwrap_or_default());
        }
        // This request is the probe; the others keep waiting until it has answered.
        state.closed_again = Some(later(now, REST));
        Ok(())
    }

    pub(super) fn succeeded(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures = 0;
        state.closed_again = None;
    }

    pub(super) fn failed(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            state.closed_again = Some(later(self.clock.now(), REST));
        }
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::clock::SimClock;

    #[test]
    fn a_bucket_lets_its_burst_through_and_then_its_rate() {
        let clock = Arc::new(SimClock::default());
        let shared: Arc<dyn Clock> = clock.clone();
        let quota = Quota {
            bucket: "b",
            per_minute: 60,
            burst: 2,
        };
        let buckets = Buckets::new(&[quota], None, &shared);
        assert!(buckets.take("b").is_ok());
        assert!(buckets.take("b").is_ok());
        let wait = buckets.take("b").unwrap_err();
        assert!(
            wait > Duration::from_millis(900) && wait <= Duration::from_millis(1001),
            "{wait:?}"
        );
        clock.advance(wait);
        assert!(buckets.take("b").is_ok());
    }

    #[test]
    fn a_breaker_opens_after_failures_in_a_row_and_lets_one_probe_through_after_its_rest() {
        let clock = Arc::new(SimClock::default());
        let breaker = Breaker::new(clock.clone());
        for _ in 0..FAILURES {
            assert!(breaker.admit().is_ok());
            breaker.failed();
        }
        assert_eq!(breaker.admit(), Err(REST));
        clock.advance(REST);
        assert!(breaker.admit().is_ok(), "the probe");
        assert!(breaker.admit().is_err(), "only one probe at a time");
        breaker.succeeded();
        assert!(breaker.admit().is_ok());
    }

    #[test]
    fn a_success_forgets_earlier_failures() {
        let breaker = Breaker::new(Arc::new(SimClock::default()));
        for _ in 0..FAILURES * 3 {
            breaker.failed();
            breaker.succeeded();
        }
        assert!(breaker.admit().is_ok());
    }
}

//! The twin's own time. Nothing in a twin reads the wall clock except through here, so a test that moves time by hand
//! sees tokens expire, containment settle and rate windows pass without sleeping.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Notify;

/// Who moves the twin's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// Time passes by itself; [`Clock::advance`] skips ahead.
    #[default]
    RealTime,
    /// Time stands still until [`Clock::advance`] is called.
    Manual,
}

/// A clock that starts at a given instant and follows its [`Pace`].
#[derive(Debug)]
pub struct Clock {
    pace: Pace,
    origin: i64,
    started: Instant,
    skipped: AtomicI64,
    last_stamp: AtomicI64,
    moved: Notify,
}

impl Clock {
    /// Starts at `start_at`, or at the present when none is given.
    ///
    /// # Errors
    /// When the instant does not fit nanoseconds in 64 bits (years 1678 to 2262).
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everything else in a twin is passed"
    )]
    pub fn start(pace: Pace, start_at: Option<Timestamp>) -> Result<Self, crate::Error> {
        let at = start_at.unwrap_or_else(Timestamp::now);
        let origin =
            i64::try_from(at.as_nanosecond()).map_err(|_| crate::Error::TimeOutOfRange(at))?;
        Ok(Self {
            pace,
            origin,
            started: Instant::now(),
            skipped: AtomicI64::new(0),
            last_stamp: AtomicI64::new(0),
            moved: Notify::new(),
        })
    }

    /// Who moves this clock.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// The twin's present.
    pub fn now(&self) -> Timestamp {
        timestamp(self.now_ns())
    }

    /// Moves the clock forward at once, whatever the pace, and wakes whoever waits for that time.
    pub fn advance(&self, by: Duration) {
        self.skipped.fetch_add(nanos(by), Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    /// Nanoseconds since 1970.
    pub(crate) fn now_ns(&self) -> i64 {
        let ran = match self.pace {
            Pace::RealTime => nanos(self.started.elapsed()),
            Pace::Manual => 0,
        };
        self.origin
            .saturating_add(ran)
            .saturating_add(self.skipped.load(Ordering::SeqCst))
    }

    /// The present, but never the same instant twice: a later change always carries a later stamp.
    pub(crate) fn stamp(&self) -> i64 {
        let now = self.now_ns();
        let later = |last: i64| Some(now.max(last.saturating_add(1)));
        match self
            .last_stamp
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, later)
        {
            Ok(last) | Err(last) => now.max(last.saturating_add(1)),
        }
    }

    /// Returns once the clock shows `due` or later.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everything else in a twin sleeps on"
    )]
    pub(crate) async fn wait_until(&self, due: i64) {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // Registered before the time is read, or an advance in between would be missed.
            moved.as_mut().enable();
            let now = self.now_ns();
            if now >= due {
                return;
            }
            match self.pace {
                Pace::Manual => moved.await,
                Pace::RealTime => {
                    let rest = Duration::from_nanos(u64::try_from(due - now).unwrap_or(0));
                    tokio::select! {
                        () = tokio::time::sleep(rest) => {}
                        () = moved => {}
                    }
                }
            }
        }
    }
}

pub(crate) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

pub(crate) fn timestamp(ns: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(ns)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// RFC 3339 in UTC with as many fraction digits as are needed.
pub(crate) fn rfc3339(ns: i64) -> String {
    timestamp(ns).to_string()
}

/// RFC 3339 in UTC, whole seconds.
pub(crate) fn rfc3339_seconds(ns: i64) -> String {
    rfc3339(ns - ns.rem_euclid(1_000_000_000))
}

/// Reads RFC 3339 text, or a bare date taken as midnight UTC.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    let at = text.parse::<Timestamp>().ok().or_else(|| {
        text.parse::<jiff::civil::Date>()
            .ok()?
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|z| z.timestamp())
    })?;
    i64::try_from(at.as_nanosecond()).ok()
}

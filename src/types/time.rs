use core::time::Duration;

use super::number;

number! {
    /// Milliseconds since 1970-01-01 UTC: record timestamps. -1 means "none".
    Timestamp(i64)
}
number! {
    /// Nanoseconds of a clock that only goes forward: timeouts, leases, latencies.
    Instant(u64)
}

impl Timestamp {
    /// A record or batch without a timestamp.
    pub const NONE: Self = Self::new(-1);
}

impl Instant {
    /// The instant `duration` later; saturates at the end of time.
    pub fn after(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self::new(self.get().saturating_add(nanos))
    }

    /// The time since `earlier`, zero when that lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.get().saturating_sub(earlier.get()))
    }
}

/// Both clocks, read once per turn by the driver and handed in with each input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For durations; never goes back.
    pub instant: Instant,
    /// For timestamps; may jump either way.
    pub timestamp: Timestamp,
}

//! A rate over the last windows, counted as Kafka counts it, so that the same quota means the same.

use core::time::Duration;
use std::collections::VecDeque;

use crate::types::Instant;

/// How rates are counted: `quota.window.num` and `quota.window.size.seconds`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Windows {
    /// Windows that count, the current one included; at least one.
    pub count: u32,
    /// The length of each.
    pub length: Duration,
}

impl Windows {
    /// All but the current one together, and at least one: over so long a rate is taken at least.
    pub fn total(&self) -> Duration {
        self.length * (self.count - 1).max(1)
    }
}

/// The smallest limit: nothing is divided by zero.
const LIMIT_MIN: f64 = 1e-9;

/// What was used in the last windows.
#[derive(Clone, Debug, Default)]
pub(super) struct Rate {
    /// When each window began, and what was used in it; the newest last.
    samples: VecDeque<(Instant, f64)>,
    /// What other shards do not know of yet.
    pub(super) untold: f64,
}

impl Rate {
    pub(super) fn record(&mut self, amount: f64, windows: &Windows, now: Instant) {
        self.forget(windows, now);
        match self.samples.back_mut() {
            Some((begun, used)) if now.since(*begun) < windows.length => *used += amount,
            _ => self.samples.push_back((now, amount)),
        }
    }

    /// Drops windows that count no more.
    fn forget(&mut self, windows: &Windows, now: Instant) {
        let age_max = windows.length * windows.count;
        while self.samples.pop_front_if(|(begun, _)| now.since(*begun) >= age_max).is_some() {}
    }

    /// Whether nothing was used in any window that counts.
    pub(super) fn is_over(&mut self, windows: &Windows, now: Instant) -> bool {
        self.forget(windows, now);
        self.samples.is_empty()
    }

    /// What was used in all windows that count.
    pub(super) fn total(&mut self, windows: &Windows, now: Instant) -> f64 {
        self.forget(windows, now);
        self.samples.iter().map(|(_, used)| used).sum()
    }

    /// The time over which the rate is taken, in seconds. With few windows behind it, it counts as
    /// if those missing had been empty: a burst at the start is no rate yet.
    fn elapsed(&self, windows: &Windows, now: Instant) -> f64 {
        let length = windows.length.as_secs_f64();
        let since = self.samples.front().map_or(Duration::ZERO, |(begun, _)| now.since(*begun));
        let (elapsed, least) = (since.as_secs_f64(), f64::from(windows.count - 1));
        let missing = (least - (elapsed / length).floor()).max(0.0);
        (elapsed + missing * length).max(length)
    }

    /// How long nothing may be used until the rate is down to `limit`.
    pub(super) fn time_until_within(
        &mut self,
        limit: f64,
        windows: &Windows,
        now: Instant,
    ) -> Duration {
        let limit = limit.max(LIMIT_MIN);
        let total = self.total(windows, now);
        let elapsed = self.elapsed(windows, now);
        let over = total / elapsed - limit;
        // Rounding in the last digit is no reason to wait.
        if over <= limit * 1e-9 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(over / limit * elapsed).unwrap_or(Duration::MAX)
    }
}

//! The clocks, read once a turn.

use rustix::time::{ClockId, clock_gettime};

use crate::types::{Instant, Now, Timestamp};

/// Both clocks.
pub(super) fn now() -> Now {
    let monotonic = clock_gettime(ClockId::Monotonic);
    let wall = clock_gettime(ClockId::Realtime);
    let nanos = monotonic.tv_sec as u64 * 1_000_000_000 + monotonic.tv_nsec as u64;
    let millis = wall.tv_sec * 1000 + wall.tv_nsec / 1_000_000;
    Now { instant: Instant::new(nanos), timestamp: Timestamp::new(millis) }
}

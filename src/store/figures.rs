//! What a store counts for those who watch it.

use super::Store;
use crate::metrics::Histogram;
use crate::types::Instant;

/// What a store has counted since it began.
#[derive(Clone, Debug, Default)]
pub struct StoreFigures {
    /// From a commit's being given to the disk until it was durable.
    pub commit_time: Histogram,
    /// From a checkpoint's beginning until it was durable. Its count is that of checkpoints.
    pub checkpoint_time: Histogram,
    pub(super) commit_begun: Instant,
}

impl StoreFigures {
    /// Notes that the commit in flight is durable.
    pub(super) fn committed(&mut self, now: Instant) {
        self.commit_time.record(nanos_between(self.commit_begun, now));
    }

    /// Notes that a checkpoint is durable.
    pub(super) fn checkpointed(&mut self, begun: Instant, now: Instant) {
        self.checkpoint_time.record(nanos_between(begun, now));
    }
}

fn nanos_between(begun: Instant, now: Instant) -> u64 {
    now.get().saturating_sub(begun.get())
}

impl Store {
    /// What was counted.
    pub fn figures(&self) -> &StoreFigures {
        &self.figures
    }

    /// Whether appends are refused because the device has no space for them.
    pub fn is_device_full(&self) -> bool {
        self.space.is_full()
    }

    /// The space that the device has left for this user; none until it was looked at.
    pub fn device_free_bytes(&self) -> Option<u64> {
        self.space.free_bytes()
    }

    /// Appends that are not durable yet, and those that wait for room.
    pub fn waiting_appends(&self) -> (usize, usize) {
        self.commits.waiting()
    }
}

//! Long polls: who wants to be told when a partition has more to show.

use crate::types::ShardId;

/// A fetch that waits, on the shard that owns its connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waiter {
    /// The shard that asked.
    pub shard: ShardId,
    /// The fetch, in that shard's words.
    pub fetch: u64,
    /// Tell it when the partition shows this many bytes, counted as the high watermark counts them.
    pub bytes: u64,
}

/// The waiters of one partition.
#[derive(Debug, Default)]
pub struct Waiting {
    waiters: Vec<Waiter>,
}

impl Waiting {
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// Adds a waiter; it is told once.
    pub fn add(&mut self, waiter: Waiter) {
        self.waiters.push(waiter);
    }

    /// Forgets a fetch that has been answered.
    pub fn remove(&mut self, shard: ShardId, fetch: u64) {
        self.waiters.retain(|waiter| (waiter.shard, waiter.fetch) != (shard, fetch));
    }

    /// Takes out everyone who waits for no more than `bytes`.
    pub fn reached(&mut self, bytes: u64, tell: &mut Vec<Waiter>) {
        self.waiters.retain(|waiter| {
            let reached = waiter.bytes <= bytes;
            if reached {
                tell.push(*waiter);
            }
            !reached
        });
    }

    /// Takes out everyone: the partition is gone or has changed hands.
    pub fn take_all(&mut self, tell: &mut Vec<Waiter>) {
        tell.append(&mut self.waiters);
    }
}

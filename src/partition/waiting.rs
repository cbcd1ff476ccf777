//! Long polls: who wants to be told when a partition has more to show.

use std::collections::BTreeSet;

use crate::types::{Map, ShardId};

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

/// The waiters of one partition. Any number may wait, and nobody pays for the others.
#[derive(Debug, Default)]
pub struct Waiting {
    /// By the bytes that are waited for.
    waiters: BTreeSet<(u64, ShardId, u64)>,
    bytes: Map<(ShardId, u64), u64>,
}

impl Waiting {
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// Adds a waiter; it is told once. One that waits already waits for this now.
    pub fn add(&mut self, waiter: Waiter) {
        let Waiter { shard, fetch, bytes } = waiter;
        self.remove(shard, fetch);
        self.bytes.insert((shard, fetch), bytes);
        self.waiters.insert((bytes, shard, fetch));
    }

    /// Forgets a fetch that has been answered.
    pub fn remove(&mut self, shard: ShardId, fetch: u64) {
        if let Some(bytes) = self.bytes.remove(&(shard, fetch)) {
            self.waiters.remove(&(bytes, shard, fetch));
        }
    }

    /// Takes out everyone who waits for no more than `bytes`.
    pub fn reached(&mut self, bytes: u64, tell: &mut Vec<Waiter>) {
        while self.waiters.first().is_some_and(|first| first.0 <= bytes) {
            tell.extend(self.take_first());
        }
    }

    /// Takes out everyone: the partition is gone or has changed hands.
    pub fn take_all(&mut self, tell: &mut Vec<Waiter>) {
        self.reached(u64::MAX, tell);
    }

    fn take_first(&mut self) -> Option<Waiter> {
        let (bytes, shard, fetch) = self.waiters.pop_first()?;
        self.bytes.remove(&(shard, fetch));
        Some(Waiter { shard, fetch, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(fetch: u64, bytes: u64) -> Waiter {
        Waiter { shard: ShardId::FIRST, fetch, bytes }
    }

    #[test]
    fn each_is_told_once_when_there_is_enough() {
        let (mut waiting, mut told) = (Waiting::default(), Vec::new());
        (0..4).for_each(|fetch| waiting.add(waiter(fetch, 10 * fetch)));
        waiting.add(waiter(3, 5));
        waiting.remove(ShardId::FIRST, 1);
        waiting.reached(15, &mut told);
        assert_eq!(told, [waiter(0, 0), waiter(3, 5)]);
        told.clear();
        waiting.take_all(&mut told);
        assert_eq!(told, [waiter(2, 20)]);
        assert!(waiting.is_empty() && waiting.bytes.is_empty());
    }

    #[test]
    fn very_many_wait_and_leave_in_time() {
        let mut waiting = Waiting::default();
        let start = std::time::Instant::now();
        (0..100_000).for_each(|fetch| waiting.add(waiter(fetch, 1 << 40)));
        (0..1_000).for_each(|bytes| waiting.reached(bytes, &mut Vec::new()));
        (0..100_000).rev().for_each(|fetch| waiting.remove(ShardId::FIRST, fetch));
        assert!(waiting.is_empty());
        // Looking through all for each takes ten billion steps.
        assert!(start.elapsed().as_secs() < 2, "{:?}", start.elapsed());
    }
}

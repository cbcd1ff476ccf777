//! The memory that requests of all connections of a shard may hold together. A connection without
//! a permit is not read from: its bytes stay with the kernel, and its client feels it.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use crate::types::{ConnectionId, Instant};

/// Frames up to this length need no permit: an answer of the broker to its operator must pass
/// whatever others do.
const SMALL_FRAME_BYTES: usize = 16 << 10;
/// What is missing of a frame that may use the last quarter of the memory: most producers' requests
/// pass beside a few enormous ones.
const MEDIUM_MISSING_BYTES: usize = 256 << 10;
/// A frame that others wait for must be complete after this long.
const FRAME_MAX: Duration = Duration::from_secs(20);

/// The permits of one shard.
#[derive(Debug)]
pub struct Permits {
    bytes_max: usize,
    bytes_used: usize,
    /// Who waits, and for how many bytes: medium frames, and large ones.
    medium: VecDeque<(ConnectionId, usize)>,
    large: VecDeque<(ConnectionId, usize)>,
    /// One connection may exceed the bound to complete its frame, else nobody might ever.
    favoured: Option<ConnectionId>,
    /// Connections that hold a part of a frame and are read from, and since when.
    reading: BTreeMap<ConnectionId, Instant>,
}

impl Permits {
    /// Permits for `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            bytes_used: 0,
            medium: VecDeque::new(),
            large: VecDeque::new(),
            favoured: None,
            reading: BTreeMap::new(),
        }
    }

    /// Bytes held.
    pub fn bytes_used(&self) -> usize {
        self.bytes_used
    }

    /// A connection's holding went from `before` to `after`.
    pub fn changed(&mut self, before: usize, after: usize) {
        self.bytes_used = self.bytes_used + after - before;
    }

    /// How many bytes may be read at once from a connection that holds nothing: what is left of
    /// them when their requests are handled is held without a permit.
    pub fn read_bytes_max(&self) -> usize {
        if self.bytes_used < self.bytes_max { usize::MAX } else { 2 * SMALL_FRAME_BYTES }
    }

    fn fits(&self, missing: usize) -> bool {
        let large = missing > MEDIUM_MISSING_BYTES;
        let bound = if large { self.bytes_max / 4 * 3 } else { self.bytes_max };
        self.bytes_used + missing <= bound
    }

    /// Whether a connection may go on reading a frame of which it holds `held` bytes and `missing`
    /// are to come. If not, it is told by [`Permits::take_waiting`].
    pub fn may_read(&mut self, connection: ConnectionId, held: usize, missing: usize) -> bool {
        let small = held + missing <= SMALL_FRAME_BYTES;
        if small || self.favoured == Some(connection) || self.fits(missing) {
            return true;
        }
        if self.favoured.is_none() {
            self.favoured = Some(connection);
            return true;
        }
        let large = missing > MEDIUM_MISSING_BYTES;
        let queue = if large { &mut self.large } else { &mut self.medium };
        queue.push_back((connection, missing));
        // The time in which nobody reads is not the client's.
        self.reading.remove(&connection);
        false
    }

    /// Notes whether a connection holds a frame that is not complete. What a complete one waits for
    /// is not the client's doing.
    pub fn holds(&mut self, connection: ConnectionId, incomplete: bool, now: Instant) {
        if incomplete {
            self.reading.entry(connection).or_insert(now);
        } else {
            self.reading.remove(&connection);
        }
    }

    /// A connection's frame has been handled.
    pub fn done(&mut self, connection: ConnectionId) {
        self.reading.remove(&connection);
        if self.favoured == Some(connection) {
            self.favoured = None;
        }
    }

    /// A connection that held `bytes` is gone.
    pub fn gone(&mut self, connection: ConnectionId, bytes: usize) {
        self.changed(bytes, 0);
        self.done(connection);
        for queue in [&mut self.medium, &mut self.large] {
            queue.retain(|(waiting, _)| *waiting != connection);
        }
    }

    /// The next connection that may try again. It is favoured when there is no room for it.
    pub fn take_waiting(&mut self) -> Option<ConnectionId> {
        for medium in [true, false] {
            let queue = if medium { &self.medium } else { &self.large };
            let Some(&(connection, missing)) = queue.front() else { continue };
            let fits = self.fits(missing);
            if fits || self.favoured.is_none() {
                if !fits {
                    self.favoured = Some(connection);
                }
                let queue = if medium { &mut self.medium } else { &mut self.large };
                queue.pop_front();
                return Some(connection);
            }
        }
        None
    }

    /// Connections that keep others waiting for longer than a client needs that means it: whoever
    /// sends a frame drop by drop would hold the memory, or the favour, for ever.
    pub fn overdue(&self, now: Instant) -> Vec<ConnectionId> {
        if self.medium.is_empty() && self.large.is_empty() {
            return Vec::new();
        }
        let overdue = self.reading.iter().filter(|(_, since)| now.since(**since) > FRAME_MAX);
        overdue.map(|(connection, _)| *connection).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn connections() -> [ConnectionId; 3] {
        [ConnectionId::new(1), ConnectionId::new(2), ConnectionId::new(3)]
    }

    fn at(seconds: u64) -> Instant {
        Instant::new(seconds * 1_000_000_000)
    }

    #[test]
    fn one_connection_at_a_time_may_exceed_the_bound() {
        let [one, two, three] = connections();
        let mut permits = Permits::new(100 * MIB);
        assert!(permits.may_read(one, 4, 75 * MIB));
        permits.changed(0, 75 * MIB);
        assert!(permits.may_read(two, 4, 100 * MIB), "somebody must be able to go on");
        assert!(!permits.may_read(three, 4, 100 * MIB));
        permits.changed(0, 50 * MIB);
        assert_eq!(permits.take_waiting(), None);
        permits.changed(75 * MIB, 0);
        assert_eq!(permits.take_waiting(), None, "it would not fit");
        permits.done(two);
        assert_eq!(permits.take_waiting(), Some(three));
        assert!(!permits.may_read(one, 4, 100 * MIB), "the favour went with the turn");
        assert!(permits.may_read(three, 4, 100 * MIB));
    }

    #[test]
    fn small_frames_pass_always_and_medium_ones_beside_large_ones() {
        let [one, two, three] = connections();
        let mut permits = Permits::new(100 * MIB);
        permits.changed(0, 80 * MIB);
        assert!(permits.may_read(one, 4, MIB), "favoured");
        assert!(!permits.may_read(two, 4, MIB));
        assert!(permits.may_read(three, 4, 100 << 10));
        permits.changed(0, 20 * MIB);
        assert!(!permits.may_read(three, 4, 100 << 10));
        assert!(permits.may_read(three, 4, 1000));
        assert_eq!(permits.read_bytes_max(), 32 << 10);
        permits.changed(MIB, 0);
        assert_eq!(permits.take_waiting(), Some(three), "one that fits does not wait for others");
    }

    #[test]
    fn whoever_sends_drop_by_drop_while_others_wait_is_overdue() {
        let [one, two, three] = connections();
        let mut permits = Permits::new(MIB);
        assert!(permits.may_read(one, 4, 2 * MIB));
        permits.holds(one, true, at(0));
        permits.holds(one, true, at(15));
        assert!(permits.overdue(at(100)).is_empty(), "nobody waits");
        assert!(!permits.may_read(two, 100, 2 * MIB));
        assert!(permits.overdue(at(20)).is_empty());
        assert_eq!(permits.overdue(at(21)), [one]);
        permits.gone(one, 0);
        assert_eq!(permits.take_waiting(), Some(two));
        assert!(permits.may_read(two, 100, 2 * MIB));
        permits.holds(two, true, at(21));
        assert!(!permits.may_read(three, 4, 2 * MIB));
        assert_eq!(permits.overdue(at(100)), [two]);
        permits.holds(two, false, at(100));
        assert!(permits.overdue(at(100)).is_empty(), "it is complete");
        permits.holds(two, true, at(100));
        permits.gone(three, 0);
        assert!(permits.overdue(at(200)).is_empty(), "the one that waited is gone");
    }
}

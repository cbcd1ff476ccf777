//! The memory that requests of all connections of a shard may hold together. A connection without
//! a permit is not read from: its bytes stay with the kernel, and its client feels it.

use std::collections::VecDeque;

use crate::types::ConnectionId;

/// The permits of one shard.
#[derive(Debug)]
pub struct Permits {
    bytes_max: usize,
    bytes_used: usize,
    waiting: VecDeque<ConnectionId>,
    /// One connection may exceed the bound to complete its frame, else nobody might ever.
    favoured: Option<ConnectionId>,
}

impl Permits {
    /// Permits for `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes_used: 0, waiting: VecDeque::new(), favoured: None }
    }

    /// Bytes held.
    pub fn bytes_used(&self) -> usize {
        self.bytes_used
    }

    /// A connection's holding went from `before` to `after`.
    pub fn changed(&mut self, before: usize, after: usize) {
        self.bytes_used = self.bytes_used + after - before;
    }

    /// Whether a connection may go on reading a frame of which `missing` bytes are to come. If not,
    /// it is told by [`Permits::take_waiting`].
    pub fn may_read(&mut self, connection: ConnectionId, missing: usize) -> bool {
        if self.favoured == Some(connection) || self.bytes_used + missing <= self.bytes_max {
            return true;
        }
        if self.favoured.is_none() {
            self.favoured = Some(connection);
            return true;
        }
        self.waiting.push_back(connection);
        false
    }

    /// A connection has completed its frame, or is gone.
    pub fn done(&mut self, connection: ConnectionId) {
        if self.favoured == Some(connection) {
            self.favoured = None;
        }
    }

    /// The next connection that may try again.
    pub fn take_waiting(&mut self) -> Option<ConnectionId> {
        let free = self.favoured.is_none() || self.bytes_used < self.bytes_max;
        if free { self.waiting.pop_front() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_connection_at_a_time_may_exceed_the_bound() {
        let (one, two, three) = (ConnectionId::new(1), ConnectionId::new(2), ConnectionId::new(3));
        let mut permits = Permits::new(100);
        assert!(permits.may_read(one, 100));
        permits.changed(0, 90);
        assert!(permits.may_read(two, 1000), "somebody must be able to go on");
        assert!(!permits.may_read(three, 1000));
        permits.changed(0, 50);
        assert_eq!(permits.take_waiting(), None);
        permits.changed(90, 0);
        assert_eq!(permits.take_waiting(), Some(three));
        assert!(!permits.may_read(three, 1000));
        permits.done(two);
        assert_eq!(permits.take_waiting(), Some(three));
        assert!(permits.may_read(three, 1000));
    }
}

//! Which leader epoch began at which offset (KIP-101), and Kafka's file for it.

use core::fmt::Write as _;

use crate::types::{LeaderEpoch, Offset};

/// The name of the file in a partition's directory.
pub const FILE_NAME: &str = "leader-epoch-checkpoint";

/// The epochs of a log, ascending in epoch and start offset.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LeaderEpochs {
    entries: Vec<(LeaderEpoch, Offset)>,
}

impl LeaderEpochs {
    /// The epochs and their start offsets.
    pub fn entries(&self) -> &[(LeaderEpoch, Offset)] {
        &self.entries
    }

    /// The newest epoch that has begun.
    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|entry| entry.0)
    }

    /// Notes that the batch at `offset` was appended in `epoch`.
    pub fn assign(&mut self, epoch: LeaderEpoch, offset: Offset) {
        if self.latest().is_some_and(|latest| latest >= epoch) {
            return;
        }
        // An epoch in which nothing was appended before this one began ends where it started.
        while self.entries.last().is_some_and(|(_, start)| *start >= offset) {
            self.entries.pop();
        }
        self.entries.push((epoch, offset));
    }

    /// The end of `epoch` in a log that ends at `log_end`: the largest epoch not above it, and the
    /// offset behind the last record of that epoch. `None` for an epoch older than the log or newer
    /// than the leader's own.
    pub fn end_of(
        &self,
        epoch: LeaderEpoch,
        leader_epoch: LeaderEpoch,
        log_end: Offset,
    ) -> Option<(LeaderEpoch, Offset)> {
        if epoch == leader_epoch {
            return Some((epoch, log_end));
        }
        if epoch > leader_epoch {
            return None;
        }
        let behind = self.entries.partition_point(|entry| entry.0 <= epoch);
        let end = self.entries.get(behind).map_or(log_end, |entry| entry.1);
        match behind.checked_sub(1) {
            Some(at) => Some((self.entries[at].0, end)),
            // Kafka: an epoch below all known ends where the log starts.
            None => self.entries.first().map(|first| (epoch, first.1)),
        }
    }

    /// The epoch of the record at `offset`.
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let behind = self.entries.partition_point(|entry| entry.1 <= offset);
        Some(self.entries[behind.checked_sub(1)?].0)
    }

    /// Forgets epochs that lie wholly before `start`, the new log start offset.
    pub fn truncate_start(&mut self, start: Offset) {
        let behind = self.entries.partition_point(|entry| entry.1 <= start);
        if let Some(current) = behind.checked_sub(1) {
            self.entries.drain(..current);
            self.entries[0].1 = start;
        }
    }

    /// Forgets epochs that begin at `end` or behind.
    pub fn truncate_end(&mut self, end: Offset) {
        self.entries.retain(|entry| entry.1 < end);
    }

    /// The file's content: a version, the number of lines, then epoch and start offset.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("0\n{}\n", self.entries.len());
        for (epoch, start) in &self.entries {
            writeln!(text, "{epoch} {start}").expect("writing to a string");
        }
        text.into_bytes()
    }
}

impl FromIterator<(LeaderEpoch, Offset)> for LeaderEpochs {
    fn from_iter<T: IntoIterator<Item = (LeaderEpoch, Offset)>>(entries: T) -> Self {
        Self { entries: entries.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        entries.iter().map(|(epoch, at)| (LeaderEpoch::new(*epoch), Offset::new(*at))).collect()
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let epochs = epochs(&[(2, 10), (5, 20)]);
        let end = |epoch| {
            let (leader, end) = (LeaderEpoch::new(7), Offset::new(30));
            let found = epochs.end_of(LeaderEpoch::new(epoch), leader, end);
            found.map(|(epoch, offset)| (epoch.get(), offset.get()))
        };
        assert_eq!(end(1), Some((1, 10)));
        assert_eq!(end(2), Some((2, 20)));
        assert_eq!(end(4), Some((2, 20)));
        assert_eq!(end(5), Some((5, 30)));
        assert_eq!(end(6), Some((5, 30)));
        assert_eq!(end(7), Some((7, 30)));
        assert_eq!(end(8), None);
    }

    #[test]
    fn an_epoch_without_records_gives_way() {
        let mut epochs = epochs(&[(1, 0), (2, 10)]);
        epochs.assign(LeaderEpoch::new(3), Offset::new(10));
        assert_eq!(epochs.entries().last().unwrap().0.get(), 3);
        assert_eq!(epochs.entries().len(), 2);
        epochs.assign(LeaderEpoch::new(2), Offset::new(11));
        assert_eq!(epochs.latest(), Some(LeaderEpoch::new(3)));
    }

    #[test]
    fn truncation_keeps_the_epoch_that_reaches_in() {
        let mut cut = epochs(&[(1, 0), (2, 10), (3, 20)]);
        cut.truncate_start(Offset::new(15));
        assert_eq!(cut, epochs(&[(2, 15), (3, 20)]));
        cut.truncate_end(Offset::new(20));
        assert_eq!(cut, epochs(&[(2, 15)]));
        assert_eq!(cut.epoch_at(Offset::new(16)), Some(LeaderEpoch::new(2)));
        assert_eq!(String::from_utf8(cut.encode()).unwrap(), "0\n1\n2 15\n");
    }
}

//! The time index of a segment, in Kafka's format: the largest timestamp so far and the offset of
//! the batch that has it. 12 bytes each, big-endian.

use core::ops::Range;

use crate::types::{Offset, Timestamp};

/// Bytes of an entry.
pub(super) const ENTRY_BYTES: usize = 12;

/// The entries of one segment, ascending in both numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TimeIndex {
    entries: Vec<(i64, u32)>,
}

impl TimeIndex {
    /// Reads a file's content: the entries up to the first that cannot be one of this segment,
    /// whose offsets end before `end_offset`.
    pub fn parse(bytes: &[u8], base: Offset, end_offset: Offset) -> Self {
        let mut entries: Vec<(i64, u32)> = Vec::with_capacity(bytes.len() / ENTRY_BYTES);
        for entry in bytes.chunks_exact(ENTRY_BYTES) {
            let (timestamp, relative) = entry.split_at(8);
            let timestamp = i64::from_be_bytes(timestamp.try_into().expect("eight bytes"));
            let relative = u32::from_be_bytes(relative.try_into().expect("four bytes"));
            let ascends =
                entries.last().is_none_or(|(time, offset)| timestamp > *time && relative > *offset);
            let inside = base.plus(i64::from(relative)) < end_offset;
            if !ascends || !inside || timestamp < 0 {
                break;
            }
            entries.push((timestamp, relative));
        }
        Self { entries }
    }

    /// Adds the largest timestamp so far, unless it is not above the last entry's.
    ///
    /// # Panics
    /// When the offset is too far from the base.
    pub fn push(&mut self, base: Offset, timestamp: Timestamp, offset: Offset) {
        let relative = u32::try_from(offset.get() - base.get()).expect("rolled before");
        let ascends = self
            .entries
            .last()
            .is_none_or(|(time, place)| timestamp.get() > *time && relative > *place);
        if ascends && timestamp.get() >= 0 {
            self.entries.push((timestamp.get(), relative));
        }
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes that the file has.
    pub fn bytes(&self) -> usize {
        self.entries.len() * ENTRY_BYTES
    }

    /// How many entries are of offsets up to `relative`.
    pub fn count_to(&self, relative: u32) -> usize {
        self.entries.partition_point(|entry| entry.1 <= relative)
    }

    /// Forgets the entries of offsets behind `relative`, or all.
    pub fn keep_to(&mut self, relative: Option<u32>) {
        let kept = relative.map_or(0, |relative| self.count_to(relative));
        self.entries.truncate(kept);
    }

    /// A part of the file's content.
    pub fn encode(&self, entries: Range<usize>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(entries.len() * ENTRY_BYTES);
        for (timestamp, relative) in &self.entries[entries] {
            bytes.extend_from_slice(&timestamp.to_be_bytes());
            bytes.extend_from_slice(&relative.to_be_bytes());
        }
        bytes
    }

    /// An offset before which no record has a timestamp of `timestamp` or later.
    pub fn floor(&self, base: Offset, timestamp: Timestamp) -> Offset {
        let behind = self.entries.partition_point(|entry| entry.0 < timestamp.get());
        behind.checked_sub(1).map_or(base, |at| base.plus(i64::from(self.entries[at].1)))
    }

    /// The largest timestamp, and the offset of the batch that has it.
    pub fn last(&self, base: Offset) -> Option<(Timestamp, Offset)> {
        let (timestamp, relative) = self.entries.last()?;
        Some((Timestamp::new(*timestamp), base.plus(i64::from(*relative))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Offset = Offset::new(50);

    fn index() -> TimeIndex {
        let mut index = TimeIndex::default();
        for (timestamp, offset) in [(100, 53), (90, 55), (100, 56), (200, 60)] {
            index.push(BASE, Timestamp::new(timestamp), Offset::new(offset));
        }
        index
    }

    #[test]
    fn only_growing_timestamps_make_entries() {
        let index = index();
        assert_eq!(index.len(), 2);
        assert_eq!(index.last(BASE), Some((Timestamp::new(200), Offset::new(60))));
        for (timestamp, offset) in [(0, 50), (100, 50), (101, 53), (200, 53), (201, 60)] {
            assert_eq!(index.floor(BASE, Timestamp::new(timestamp)).get(), offset, "{timestamp}");
        }
    }

    #[test]
    fn believes_only_what_ascends_within_the_segment() {
        let mut bytes = index().encode(0..index().len());
        bytes.extend_from_slice(&[0; 24]);
        assert_eq!(TimeIndex::parse(&bytes, BASE, Offset::new(61)), index());
        assert_eq!(TimeIndex::parse(&bytes, BASE, Offset::new(60)).len(), 1);
    }
}

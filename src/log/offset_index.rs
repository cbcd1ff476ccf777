//! The offset index of a segment, in Kafka's format: for some batches, the offset of their last
//! record relative to the segment's base offset, and their position. 8 bytes each, big-endian.

use core::ops::Range;

use crate::types::{Offset, Position};

/// Bytes of an entry.
pub(super) const ENTRY_BYTES: usize = 8;

/// The entries of one segment, ascending in both numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OffsetIndex {
    entries: Vec<(u32, u32)>,
}

impl OffsetIndex {
    /// Reads a file's content: the entries up to the first that cannot be one of this segment,
    /// whose bytes and offsets end before `end_position` and `end_offset`. Nothing is believed that
    /// does not ascend: a power cut may have left zeros or older bytes.
    pub fn parse(bytes: &[u8], base: Offset, end_position: Position, end_offset: Offset) -> Self {
        let mut entries: Vec<(u32, u32)> = Vec::with_capacity(bytes.len() / ENTRY_BYTES);
        for entry in bytes.chunks_exact(ENTRY_BYTES) {
            let (relative, position) = entry.split_at(4);
            let relative = u32::from_be_bytes(relative.try_into().expect("four bytes"));
            let position = u32::from_be_bytes(position.try_into().expect("four bytes"));
            let ascends = entries
                .last()
                .is_none_or(|(offset, place)| relative > *offset && position > *place);
            let inside = base.plus(i64::from(relative)) < end_offset
                && u64::from(position) < end_position.get();
            if !ascends || !inside {
                break;
            }
            entries.push((relative, position));
        }
        Self { entries }
    }

    /// Adds a batch.
    ///
    /// # Panics
    /// When the offset is too far from the base, or not above the last entry's.
    pub fn push(&mut self, base: Offset, last_offset: Offset, position: Position) {
        let relative = u32::try_from(last_offset.get() - base.get()).expect("rolled before");
        let position = u32::try_from(position.get()).expect("segments stay below 2 GiB");
        assert!(self.entries.last().is_none_or(|entry| *entry < (relative, position)));
        self.entries.push((relative, position));
    }

    /// The entries, as last offset relative to the base, and position.
    pub fn entries(&self) -> &[(u32, u32)] {
        &self.entries
    }

    /// The bytes that the file has.
    pub fn bytes(&self) -> usize {
        self.entries.len() * ENTRY_BYTES
    }

    /// How many entries are of batches that start before `position`.
    pub fn count_before(&self, position: Position) -> usize {
        self.entries.partition_point(|entry| u64::from(entry.1) < position.get())
    }

    /// A part of the file's content.
    pub fn encode(&self, entries: Range<usize>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(entries.len() * ENTRY_BYTES);
        for (relative, position) in &self.entries[entries] {
            bytes.extend_from_slice(&relative.to_be_bytes());
            bytes.extend_from_slice(&position.to_be_bytes());
        }
        bytes
    }

    /// A place at or before which the batch that holds `offset` starts: the last indexed batch that
    /// ends at or below it, or the start of the segment.
    pub fn floor(&self, base: Offset, offset: Offset) -> Position {
        let relative = offset.get() - base.get();
        let behind = self.entries.partition_point(|entry| i64::from(entry.0) <= relative);
        behind.checked_sub(1).map_or(Position::ZERO, |at| position_of(self.entries[at]))
    }

    /// The last indexed batch that starts at or before `limit` and behind `start`.
    pub fn last_start(&self, start: Position, limit: Position) -> Option<Position> {
        let behind = self.entries.partition_point(|entry| u64::from(entry.1) <= limit.get());
        let position = position_of(self.entries[behind.checked_sub(1)?]);
        (position > start).then_some(position)
    }

    /// The first indexed batch that starts behind `position`.
    pub fn next_start(&self, position: Position) -> Option<Position> {
        let behind = self.entries.partition_point(|entry| u64::from(entry.1) <= position.get());
        self.entries.get(behind).map(|entry| position_of(*entry))
    }
}

fn position_of(entry: (u32, u32)) -> Position {
    Position::new(u64::from(entry.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Offset = Offset::new(1000);

    fn index() -> OffsetIndex {
        let mut index = OffsetIndex::default();
        index.push(BASE, Offset::new(1009), Position::new(500));
        index.push(BASE, Offset::new(1019), Position::new(5000));
        index
    }

    #[test]
    fn finds_where_to_look_for_an_offset() {
        let index = index();
        for (offset, position) in
            [(1000, 0), (1008, 0), (1009, 500), (1018, 500), (1019, 5000), (2000, 5000)]
        {
            assert_eq!(index.floor(BASE, Offset::new(offset)).get(), position, "{offset}");
        }
        let limit = |start, limit| index.last_start(Position::new(start), Position::new(limit));
        assert_eq!(limit(0, 4999), Some(Position::new(500)));
        assert_eq!(limit(500, 4999), None);
        assert_eq!(index.next_start(Position::new(500)), Some(Position::new(5000)));
    }

    #[test]
    fn believes_only_what_ascends_within_the_segment() {
        let bytes = index().encode(0..2);
        let parse = |bytes: &[u8], position, offset| {
            OffsetIndex::parse(bytes, BASE, Position::new(position), Offset::new(offset))
        };
        assert_eq!(parse(&bytes, 6000, 1020), index());
        assert_eq!(parse(&bytes, 5000, 1020).entries().len(), 1);
        assert_eq!(parse(&bytes, 6000, 1019).entries().len(), 1);
        let mut padded = bytes.clone();
        padded.extend_from_slice(&[0; 80]);
        assert_eq!(parse(&padded, 6000, 1020), index());
        assert_eq!(parse(&bytes[..bytes.len() - 3], 6000, 1020).entries().len(), 1);
    }
}

//! The offset of the last record of each key, in the part of a log that compaction has not seen.

use crate::planted::{Bug, planted};
use crate::record::Batch;
use crate::types::{Map, Offset};

/// Memory of an entry beside its key, about.
const ENTRY_BYTES: usize = 64;
/// A batch may have this much without its compression.
pub(super) const SECTION_BYTES_MAX: usize = 64 << 20;

/// The last offsets. Whole keys are kept, where Kafka keeps their hashes: no key is taken for
/// another, and one entry more or less only moves the end of the pass.
#[derive(Clone, Debug)]
pub(super) struct LatestOffsets {
    offsets: Map<Box<[u8]>, Offset>,
    bytes: usize,
    bytes_max: usize,
    /// All records before it are in, from where the log is dirty.
    end: Offset,
    /// A batch that was kept could not be looked into: it may hold older records of any key.
    unread: bool,
}

impl LatestOffsets {
    /// Empty, for the records from `first` on, in about `bytes_max` of memory.
    pub(super) fn new(first: Offset, bytes_max: usize) -> Self {
        Self { offsets: Map::default(), bytes: 0, bytes_max, end: first, unread: false }
    }

    /// Everything before this has been seen.
    pub(super) fn end(&self) -> Offset {
        self.end
    }

    /// Nothing more lies before `end`.
    pub(super) fn reach(&mut self, end: Offset) {
        self.end = self.end.max(end);
    }

    /// Notes a batch that stays because it cannot be looked into.
    pub(super) fn kept_unread(&mut self) {
        self.unread = true;
    }

    /// Whether a batch seen so far may hold older records of any key.
    pub(super) fn has_unread(&self) -> bool {
        self.unread
    }

    /// Sees a batch that follows those seen before. `false` when there is no memory for its keys;
    /// the first batch is always seen. What cannot be looked into replaces nothing.
    pub(super) fn see(&mut self, batch: &Batch<'_>, scratch: &mut Vec<u8>) -> bool {
        let header = batch.header();
        if header.next_offset() <= self.end || header.attributes.is_control() {
            self.end = self.end.max(header.next_offset());
            return true;
        }
        if self.bytes >= self.bytes_max {
            return false;
        }
        let records = batch.records(SECTION_BYTES_MAX, scratch);
        for record in records.into_iter().flatten().flatten() {
            let Some(key) = record.key else { continue };
            if let Some(offset) = self.offsets.get_mut(key) {
                *offset = record.offset.max(*offset);
            } else {
                self.bytes += key.len() + ENTRY_BYTES;
                self.offsets.insert(Box::from(key), record.offset);
            }
        }
        self.end = header.next_offset();
        true
    }

    /// Whether a record of this key at `offset` may be the last one.
    pub(super) fn is_latest(&self, key: &[u8], offset: Offset) -> bool {
        let drops = planted(Bug::DropLatest);
        self.offsets.get(key).is_none_or(|latest| offset > *latest || (offset == *latest && !drops))
    }
}

//! The offset of the last record of each key, in the part of a log that compaction has not seen.

use super::CompactionError;
use crate::planted::{Bug, planted};
use crate::record::Batch;
use crate::types::{Map, Offset};

/// Memory of an entry beside its key, about.
const ENTRY_BYTES: usize = 64;
/// A batch may have this much without its compression.
pub(super) const SECTION_BYTES_MAX: usize = 64 << 20;

/// The last offsets. Whole keys are kept, where Kafka keeps their hashes: no key is taken for
/// another, and one entry more or less only moves the end of the pass.
#[derive(Debug)]
pub(super) struct LatestOffsets {
    offsets: Map<Box<[u8]>, Offset>,
    bytes: usize,
    bytes_max: usize,
    /// All records before it are in, from where the log is dirty.
    end: Offset,
}

impl LatestOffsets {
    /// Empty, for the records from `first` on, in about `bytes_max` of memory.
    pub(super) fn new(first: Offset, bytes_max: usize) -> Self {
        Self { offsets: Map::default(), bytes: 0, bytes_max, end: first }
    }

    /// Everything before this has been seen.
    pub(super) fn end(&self) -> Offset {
        self.end
    }

    /// Nothing more lies before `end`.
    pub(super) fn reach(&mut self, end: Offset) {
        self.end = self.end.max(end);
    }

    /// Sees a batch that follows those seen before. `false` when there is no memory for its keys;
    /// the first batch is always seen.
    pub(super) fn see(
        &mut self,
        batch: &Batch<'_>,
        scratch: &mut Vec<u8>,
    ) -> Result<bool, CompactionError> {
        let header = batch.header();
        if header.next_offset() <= self.end || header.attributes.is_control() {
            self.end = self.end.max(header.next_offset());
            return Ok(true);
        }
        if self.bytes >= self.bytes_max {
            return Ok(false);
        }
        let damaged = |_| CompactionError::Damaged(header.base_offset);
        for record in batch.records(SECTION_BYTES_MAX, scratch).map_err(damaged)? {
            let record = record.map_err(|_| CompactionError::Damaged(header.base_offset))?;
            let Some(key) = record.key else { continue };
            if let Some(offset) = self.offsets.get_mut(key) {
                *offset = record.offset.max(*offset);
            } else {
                self.bytes += key.len() + ENTRY_BYTES;
                self.offsets.insert(Box::from(key), record.offset);
            }
        }
        self.end = header.next_offset();
        Ok(true)
    }

    /// Whether a record of this key at `offset` may be the last one.
    pub(super) fn is_latest(&self, key: &[u8], offset: Offset) -> bool {
        let drops = planted(Bug::DropLatest);
        self.offsets.get(key).is_none_or(|latest| offset > *latest || (offset == *latest && !drops))
    }
}

//! A step of a compaction: a pure function of some batches, to be run off the core.

use std::sync::Arc;

use super::CompactionError;
use super::filter::{KeepRules, keep};
use super::latest_offsets::LatestOffsets;
use crate::io::MemoryRange;
use crate::log::segment::SealedSegment;
use crate::log::{LogSettings, OffsetIndex, TimeIndex};
use crate::record::{BatchHeader, Batches};
use crate::types::{Offset, Position, Timestamp};

/// Some batches, and what is to be done with them.
#[derive(Debug)]
pub struct CompactionStep {
    pub(super) bytes: MemoryRange,
    pub(super) latest: Box<LatestOffsets>,
    pub(super) task: Task,
}

#[derive(Debug)]
pub(super) enum Task {
    See,
    Keep { rules: KeepRules, base: Offset, settings: LogSettings, output: Output },
}

/// A step that is done.
#[derive(Debug)]
pub struct CompactionWork {
    pub(super) latest: Box<LatestOffsets>,
    pub(super) result: Result<Brought, CompactionError>,
}

#[derive(Debug)]
pub(super) enum Brought {
    /// Whether all batches were seen, or the memory is full.
    Seen { all: bool },
    /// What is to be written next.
    Kept { bytes: MemoryRange, output: Output },
}

/// What a new segment's indexes will say.
#[derive(Debug, Default)]
pub(super) struct Output {
    position: Position,
    offsets: OffsetIndex,
    times: TimeIndex,
    bytes_since_entry: u64,
    largest: Option<(Timestamp, Offset)>,
}

impl Output {
    fn add(&mut self, header: &BatchHeader, base: Offset, settings: &LogSettings) {
        let bytes = header.total_bytes() as u64;
        let timestamp = header.max_timestamp;
        if timestamp.get() >= 0 && self.largest.is_none_or(|(largest, _)| timestamp > largest) {
            self.largest = Some((timestamp, header.last_offset()));
        }
        if self.bytes_since_entry > settings.index_interval_bytes {
            self.offsets.push(base, header.last_offset(), self.position);
            if let Some((largest, offset)) = self.largest {
                self.times.push(base, largest, offset);
            }
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += bytes;
        self.position = self.position.plus(bytes);
    }

    /// The segment, and the content of its index files.
    pub(super) fn finish(
        mut self,
        base: Offset,
        end: Offset,
        size: Position,
    ) -> (SealedSegment, [Vec<u8>; 2]) {
        assert_eq!(self.position, size, "what was counted is what was written");
        if let Some((largest, offset)) = self.largest {
            self.times.push(base, largest, offset);
        }
        let indexes = [
            self.offsets.encode(0..self.offsets.entries().len()),
            self.times.encode(0..self.times.len()),
        ];
        let mut segment = SealedSegment::new(base, end, size);
        segment.largest = Some(self.largest);
        segment.is_verified = true;
        segment.is_pinned = true;
        segment.offsets = Some(Arc::new(self.offsets));
        segment.times = Some(Arc::new(self.times));
        (segment, indexes)
    }
}

impl CompactionStep {
    /// Does it.
    pub fn run(self) -> CompactionWork {
        let Self { bytes, mut latest, task } = self;
        let result = match task {
            Task::See => see(&bytes, &mut latest),
            Task::Keep { rules, base, settings, output } => {
                keep_all(&bytes, &mut latest, &rules, base, &settings, output)
            }
        };
        CompactionWork { latest, result }
    }
}

fn see(bytes: &[u8], latest: &mut LatestOffsets) -> Result<Brought, CompactionError> {
    let mut scratch = Vec::new();
    for batch in Batches::new(bytes) {
        if !batch.checksum_holds() {
            return Err(CompactionError::Damaged(batch.header().base_offset));
        }
        if !latest.see(&batch, &mut scratch) {
            return Ok(Brought::Seen { all: false });
        }
    }
    Ok(Brought::Seen { all: true })
}

fn keep_all(
    bytes: &[u8],
    latest: &mut LatestOffsets,
    rules: &KeepRules,
    base: Offset,
    settings: &LogSettings,
    mut output: Output,
) -> Result<Brought, CompactionError> {
    let (mut scratch, mut kept) = (Vec::new(), Vec::new());
    for batch in Batches::new(bytes) {
        keep(&batch, latest, rules, &mut scratch, &mut kept)?;
    }
    Batches::new(&kept).for_each(|batch| output.add(batch.header(), base, settings));
    Ok(Brought::Kept { bytes: MemoryRange::copy_of(&kept), output })
}

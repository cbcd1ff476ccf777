//! The segment that is appended to, and the one that is being completed after a roll.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use super::offset_index::{self, OffsetIndex};
use super::segment::{FileKind, SealedSegment, file_name};
use super::time_index::{self, TimeIndex};
use super::token::{Step, Token};
use super::writer::{Goal, SegmentWriter};
use crate::io::{DiskOp, DiskQueue, FileName, round_down_to_block, round_up_to_block};
use crate::record::BatchHeader;
use crate::types::{Offset, Position, Timestamp};

/// The parts of a topic's settings that a log needs, resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogSettings {
    /// `segment.bytes`: a batch that would reach behind it starts a new segment.
    pub segment_bytes: u64,
    /// `segment.ms` less this partition's share of `segment.jitter.ms`.
    pub segment_age_max: Duration,
    /// `index.interval.bytes`: a batch this far behind the last indexed one is indexed.
    pub index_interval_bytes: u64,
    /// `segment.index.bytes`: a full index starts a new segment.
    pub index_bytes_max: u64,
}

/// How many index entries are saved at once: what a restart has to read again is at most the
/// data behind them.
const SAVED_ENTRIES: usize = 128;

/// The segment that is appended to.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) writer: SegmentWriter,
    /// The bytes appended.
    pub(super) size: Position,
    pub(super) offsets: OffsetIndex,
    pub(super) times: TimeIndex,
    saved_offsets: usize,
    saved_times: usize,
    bytes_since_entry: u64,
    /// The largest timestamp and its batch's last offset.
    largest: Option<(Timestamp, Offset)>,
    /// The first batch's largest timestamp, which `segment.ms` counts from.
    first_timestamp: Option<Timestamp>,
}

impl Active {
    pub(super) fn new(base: Offset, serial: u16) -> Self {
        Self::recovered(base, serial, Position::ZERO, OffsetIndex::default(), TimeIndex::default())
    }

    /// A segment of which the bytes before `synced` are on disk, with what its indexes say.
    pub(super) fn recovered(
        base: Offset,
        serial: u16,
        synced: Position,
        offsets: OffsetIndex,
        times: TimeIndex,
    ) -> Self {
        let largest = times.last(base);
        Self {
            writer: SegmentWriter::new(base, serial, synced.get()),
            size: synced,
            saved_offsets: offsets.entries().len(),
            saved_times: times.len(),
            offsets,
            times,
            bytes_since_entry: 0,
            largest,
            first_timestamp: largest.map(|(timestamp, _)| timestamp),
        }
    }

    pub(super) fn base(&self) -> Offset {
        self.writer.base_offset
    }

    /// The bytes that are durable and will not be written again: whole blocks, unless a clean stop
    /// wrote everything and nothing came after.
    pub(super) fn synced(&self) -> Position {
        let synced = Position::new(self.writer.synced());
        if synced >= self.size {
            return self.size;
        }
        synced.min(Position::new(round_down_to_block(self.size.get())))
    }

    /// Whether a batch has to start a new segment (as Kafka's `LogSegment.shouldRoll`).
    pub(super) fn is_full_for(&self, header: &BatchHeader, settings: &LogSettings) -> bool {
        if self.size == Position::ZERO {
            return false;
        }
        let bytes = header.total_bytes() as u64;
        let too_large = self.size.get() + bytes > settings.segment_bytes;
        let too_old = self.first_timestamp.is_some_and(|first| {
            let age = header.max_timestamp.get().saturating_sub(first.get());
            u64::try_from(age)
                .is_ok_and(|age| u128::from(age) > settings.segment_age_max.as_millis())
        });
        let too_far = header.last_offset().get() - self.base().get() > i64::from(i32::MAX);
        let offsets_full = self.offsets.bytes() + offset_index::ENTRY_BYTES;
        let times_full = self.times.bytes() + time_index::ENTRY_BYTES;
        let index_full = offsets_full.max(times_full) as u64 > settings.index_bytes_max;
        too_large || too_old || too_far || index_full
    }

    /// Counts a batch in.
    pub(super) fn appended(&mut self, header: &BatchHeader, settings: &LogSettings) {
        let bytes = header.total_bytes() as u64;
        let timestamp = header.max_timestamp;
        if self.first_timestamp.is_none() && timestamp.get() >= 0 {
            self.first_timestamp = Some(timestamp);
        }
        if self.largest.is_none_or(|(largest, _)| timestamp > largest) {
            self.largest = Some((timestamp, header.last_offset()));
        }
        if self.bytes_since_entry > settings.index_interval_bytes {
            self.offsets.push(self.base(), header.last_offset(), self.size);
            if let Some((largest, offset)) = self.largest {
                self.times.push(self.base(), largest, offset);
            }
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += bytes;
        self.size = self.size.plus(bytes);
    }

    /// Takes over what a checkpoint knew, unless the index knows better.
    pub(super) fn set_largest(&mut self, largest: Option<(Timestamp, Offset)>) {
        if largest.map(|(timestamp, _)| timestamp) > self.largest.map(|(timestamp, _)| timestamp) {
            self.largest = largest;
        }
    }

    /// The largest timestamp and an offset at or behind its record.
    pub(super) fn largest(&self) -> Option<(Timestamp, Offset)> {
        self.largest
    }

    /// Saves index entries that a restart would otherwise have to find again, of batches before
    /// `committed` only: what stands behind it a power cut may take back, and other batches with
    /// the same offsets and places may follow.
    pub(super) fn save_indexes(
        &mut self,
        directory: &FileName,
        committed: Position,
        queue: &mut DiskQueue<'_>,
    ) {
        let offsets_end = self.offsets.count_before(committed);
        if offsets_end < self.saved_offsets + SAVED_ENTRIES {
            return;
        }
        let last = self.offsets.entries()[offsets_end - 1].0;
        let times_end = self.times.count_to(last).max(self.saved_times);
        let mut save = |kind, position: usize, bytes| {
            let path = directory.join(&file_name(self.writer.base_offset, kind));
            let token = Token { step: Step::SaveIndex, serial: 0, number: 0 };
            queue.push(token.encode(), DiskOp::WriteAt { path, position: position as u64, bytes });
        };
        let from = self.saved_offsets;
        let bytes = self.offsets.encode(from..offsets_end);
        save(FileKind::OffsetIndex, from * offset_index::ENTRY_BYTES, bytes);
        let from = self.saved_times;
        let bytes = self.times.encode(from..times_end);
        save(FileKind::TimeIndex, from * time_index::ENTRY_BYTES, bytes);
        self.saved_offsets = offsets_end;
        self.saved_times = times_end;
    }

    /// Turns the segment into one that is only to be completed.
    pub(super) fn seal(mut self, end_offset: Offset, snapshot: Option<Vec<u8>>) -> Sealing {
        if let Some((largest, offset)) = self.largest {
            self.times.push(self.base(), largest, offset);
        }
        let mut files = VecDeque::from([
            (
                FileKind::OffsetIndex,
                self.base(),
                self.offsets.encode(0..self.offsets.entries().len()),
            ),
            (FileKind::TimeIndex, self.base(), self.times.encode(0..self.times.len())),
        ]);
        // Kafka names the producers' state after the segment that begins with it.
        files.extend(snapshot.map(|bytes| (FileKind::ProducerSnapshot, end_offset, bytes)));
        let size = self.size;
        let mut writer = self.writer;
        writer.set_goal(Goal::Durable(round_up_to_block(size.get())));
        let (offsets, times) = (Arc::new(self.offsets), Arc::new(self.times));
        let stage = SealingStage::Data;
        Sealing { writer, size, end_offset, offsets, times, files, stage, refused: false }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum SealingStage {
    /// The last blocks, filled up with zeros.
    Data,
    /// The exact length.
    Length,
    /// The length, durable.
    LengthSync,
    /// Indexes and snapshot, then the names.
    Files,
    /// All done, once the directory's names up to a count are durable.
    Names(u32),
}

/// A segment that gets its last bytes, its exact length and its other files.
#[derive(Debug)]
pub(super) struct Sealing {
    pub(super) writer: SegmentWriter,
    pub(super) size: Position,
    pub(super) end_offset: Offset,
    pub(super) offsets: Arc<OffsetIndex>,
    pub(super) times: Arc<TimeIndex>,
    files: VecDeque<(FileKind, Offset, Vec<u8>)>,
    stage: SealingStage,
    /// A file found no room.
    refused: bool,
}

impl Sealing {
    pub(super) fn base(&self) -> Offset {
        self.writer.base_offset
    }

    /// The count of names that must be durable before the segment is complete, once everything
    /// else is done.
    pub(super) fn awaits_names(&self) -> Option<u32> {
        match self.stage {
            SealingStage::Names(count) => Some(count),
            _ => None,
        }
    }

    /// The bytes that are durable and will not be written again: whole blocks, until it is done.
    pub(super) fn synced(&self) -> Position {
        Position::new(self.writer.synced().min(round_down_to_block(self.size.get())))
    }

    /// Asks for the next thing, once what came before is there.
    /// `names` counts the names created in the directory.
    pub(super) fn advance(
        &mut self,
        directory: &FileName,
        names: &mut u32,
        queue: &mut DiskQueue<'_>,
    ) {
        let serial = self.writer.serial();
        let token = |step| Token { step, serial, number: 0 }.encode();
        match self.stage {
            SealingStage::Data if self.writer.reached_goal() && self.writer.is_quiet() => {
                let Some(file) = self.writer.file().cloned() else {
                    return self.writer.open(directory, queue);
                };
                self.stage = SealingStage::Length;
                let len = self.size.get();
                queue.push(token(Step::Finish), DiskOp::SetLength { file, len });
            }
            SealingStage::Length => {
                self.stage = SealingStage::LengthSync;
                let file = self.writer.file().expect("written").clone();
                queue.push(token(Step::Finish), DiskOp::Sync { file });
            }
            SealingStage::LengthSync => self.write_file(directory, queue),
            SealingStage::Files => {
                self.files.pop_front();
                if self.files.is_empty() {
                    *names += 1;
                    self.stage = SealingStage::Names(*names);
                } else {
                    self.write_file(directory, queue);
                }
            }
            SealingStage::Data | SealingStage::Names(_) => {}
        }
    }

    fn write_file(&mut self, directory: &FileName, queue: &mut DiskQueue<'_>) {
        self.stage = SealingStage::Files;
        let (kind, base, bytes) = self.files.front().expect("a segment has two indexes at least");
        let path = directory.join(&file_name(*base, *kind));
        let write = DiskOp::WriteFile { path, bytes: bytes.clone() };
        let token = Token { step: Step::Finish, serial: self.writer.serial(), number: 0 };
        queue.push(token.encode(), write);
    }

    /// The device had no room. Whether it was for a file, which can be written later.
    pub(super) fn refused(&mut self) -> bool {
        self.refused = self.stage == SealingStage::Files;
        self.refused
    }

    /// Asks again for what found no room.
    pub(super) fn retry(&mut self, directory: &FileName, queue: &mut DiskQueue<'_>) {
        if core::mem::take(&mut self.refused) {
            self.write_file(directory, queue);
        }
    }

    pub(super) fn is_writing_data(&self) -> bool {
        self.stage == SealingStage::Data
    }

    pub(super) fn into_sealed(self) -> SealedSegment {
        let mut sealed = SealedSegment::new(self.base(), self.end_offset, self.size);
        sealed.largest = Some(self.times.last(self.writer.base_offset));
        sealed.is_verified = true;
        // Its indexes go: whoever reads it brings them back, and is counted for that.
        sealed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever reads it brings them back, so that they are counted: a log that nobody reads must not
    /// take more memory with each segment.
    #[test]
    fn a_sealed_segment_keeps_no_index_in_memory() {
        let mut active = Active::new(Offset::new(7), 0);
        active.set_largest(Some((Timestamp::new(5), Offset::new(8))));
        let sealed = active.seal(Offset::new(9), None).into_sealed();
        assert!(sealed.offsets.is_none() && sealed.times.is_none() && sealed.is_verified);
        assert_eq!(sealed.largest, Some(Some((Timestamp::new(5), Offset::new(8)))));
    }
}

//! Brings a partition's log back after a start: what the segments hold up to the checkpoint, and
//! behind it what the write-ahead log holds.
//!
//! Bytes of the active segment behind the checkpointed position are never believed, even if they
//! look right: they are cut off and written again from the write-ahead log.

use core::fmt;
use std::collections::BTreeMap;

use super::active::Active;
use super::offset_index::OffsetIndex;
use super::segment::{FileKind, SealedSegment, file_name, parse_file_name};
use super::swap::Swap;
use super::time_index::TimeIndex;
use super::{Chunks, Directory, Log, LogSettings, Place, ReadError};
use crate::io::{
    BLOCK_BYTES, DirectoryEntry, DiskDone, DiskError, DiskOp, DiskQueue, DiskResult, EntryKind,
    MemoryRange, OpenMode, round_down_to_block,
};
use crate::planted::{Bug, planted};
use crate::record::{BatchHeader, HEADER_BYTES};
use crate::types::{Offset, Position, Timestamp};

const INDEX_BYTES_MAX: u64 = i32::MAX as u64;

const TOKEN_LIST: u32 = 0;
const TOKEN_OFFSETS: u32 = 1;
const TOKEN_TIMES: u32 = 2;
const TOKEN_OPEN: u32 = 3;
const TOKEN_BLOCK: u32 = 4;
const TOKEN_REMOVE: u32 = 5;
const TOKEN_SHORTEN: u32 = 6;
const TOKEN_SWAP: u32 = 7;

/// What the last checkpoint says of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogCheckpoint {
    /// Everything before this place is durable in the segments.
    pub synced: Place,
    /// The log start offset.
    pub start_offset: Offset,
    /// The largest timestamp in the segment of that place, and an offset in its batch.
    pub largest: Option<(Timestamp, Offset)>,
}

/// Bytes that the write-ahead log holds of a log.
#[derive(Clone, Debug)]
pub struct ReplayedBytes {
    /// Where they stand.
    pub place: Place,
    /// The bytes.
    pub bytes: MemoryRange,
    /// Whether they are one whole batch, or the rest of a block.
    pub is_batch: bool,
}

impl ReplayedBytes {
    fn end(&self) -> Position {
        self.place.position.plus(self.bytes.len() as u64)
    }
}

/// Why a log cannot be brought back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecoveryError {
    /// The disk did not answer.
    Disk(DiskError),
    /// The checkpoint counts on a segment file that is missing or too short.
    SegmentLost(Place),
    /// Bytes between the checkpoint and the end of the log are nowhere.
    Gap(Place),
    /// Bytes that were durable are no record batches.
    Corrupt(Place),
    /// A segment that compaction was about to put in place cannot be read.
    Swap(ReadError),
}

impl fmt::Display for RecoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, place) = match self {
            Self::Disk(error) => return write!(f, "cannot be read: {error}"),
            Self::Swap(error) => return write!(f, "a compacted segment {error}"),
            Self::SegmentLost(place) => ("is missing or too short: it should reach byte", place),
            Self::Gap(place) => ("lacks acknowledged bytes at", place),
            Self::Corrupt(place) => ("is damaged at byte", place),
        };
        let name = file_name(place.segment_base_offset, FileKind::Log);
        write!(f, "{name} {what} {}", place.position)
    }
}

impl From<DiskError> for RecoveryError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

/// The machine. Drive it with [`LogRecovery::start`] and [`LogRecovery::completed`].
#[derive(Debug)]
pub struct LogRecovery {
    log: Log,
    checkpoint: Option<LogCheckpoint>,
    entries: Vec<ReplayedBytes>,
    removals: Vec<String>,
    removing: usize,
    offsets: Option<OffsetIndex>,
    times: Option<TimeIndex>,
    opened: bool,
    /// What compaction left unfinished.
    swap: Option<Swap>,
    /// How long the index files are.
    index_bytes: (usize, usize),
    settings: LogSettings,
}

impl LogRecovery {
    /// The recovery of `log`, which is new and empty. `entries` are in the order of the
    /// partition's sequence.
    pub fn new(
        log: Log,
        checkpoint: Option<LogCheckpoint>,
        entries: Vec<ReplayedBytes>,
        settings: LogSettings,
    ) -> Self {
        Self {
            log,
            checkpoint,
            entries,
            removals: Vec::new(),
            removing: 0,
            offsets: None,
            times: None,
            opened: false,
            swap: None,
            index_bytes: (0, 0),
            settings,
        }
    }

    /// Asks for the first thing.
    pub fn start(&mut self, queue: &mut DiskQueue<'_>) {
        queue.push(TOKEN_LIST, DiskOp::List { path: self.log.directory.clone() });
    }

    /// The place from which the write-ahead log has everything.
    fn synced(&self) -> Place {
        let first = || self.entries.first().map(|entry| entry.place.segment_base_offset);
        self.checkpoint.map_or_else(
            || Place { segment_base_offset: first().unwrap_or_default(), ..Place::default() },
            |checkpoint| checkpoint.synced,
        )
    }

    /// Takes an answer and asks for the next thing. The log, once it is complete.
    ///
    /// # Errors
    /// Acknowledged bytes are lost or damaged; the log must not be served.
    pub fn completed(
        &mut self,
        token: u32,
        result: DiskResult,
        chunks: &mut Chunks,
        queue: &mut DiskQueue<'_>,
    ) -> Result<Option<Log>, RecoveryError> {
        match (token, result) {
            (TOKEN_SWAP, result) => self.swap.as_mut().expect("it asked").completed(result)?,
            (TOKEN_LIST, Ok(DiskDone::Listed(entries))) => self.listed(&entries, queue)?,
            (TOKEN_LIST, Err(DiskError::NotFound)) => self.without_directory()?,
            (TOKEN_REMOVE, Ok(_) | Err(DiskError::NotFound)) => self.removing -= 1,
            // A file that has become shorter than it was to be is as good.
            (TOKEN_SHORTEN, Ok(_) | Err(DiskError::Full)) => self.removing -= 1,
            (TOKEN_OFFSETS | TOKEN_TIMES, Err(DiskError::NotFound)) => {
                self.take_index(token, &[]);
            }
            (TOKEN_OFFSETS | TOKEN_TIMES, Ok(DiskDone::Bytes(bytes))) => {
                self.take_index(token, &bytes);
            }
            (TOKEN_OPEN, Ok(DiskDone::Opened { file, .. })) => {
                let position = round_down_to_block(self.synced().position.get());
                queue.push(TOKEN_BLOCK, DiskOp::Read { file, position, len: BLOCK_BYTES });
                return Ok(None);
            }
            (TOKEN_BLOCK, Ok(DiskDone::Read(block))) => {
                let synced = self.synced();
                let kept = usize::try_from(synced.position.get() % BLOCK_BYTES as u64);
                let kept = kept.expect("below a block");
                let block = block.get(..kept).ok_or(RecoveryError::SegmentLost(synced))?;
                return self.rebuild(block, chunks).map(Some);
            }
            (_, Err(error)) => return Err(error.into()),
            (token, Ok(done)) => unreachable!("token {token} was answered by {done:?}"),
        }
        self.ask(chunks, queue)
    }

    fn without_directory(&mut self) -> Result<(), RecoveryError> {
        let synced = self.synced();
        if synced != Place::default() && self.checkpoint.is_some() {
            return Err(RecoveryError::SegmentLost(synced));
        }
        self.offsets = Some(OffsetIndex::default());
        self.times = Some(TimeIndex::default());
        Ok(())
    }

    fn listed(
        &mut self,
        entries: &[DirectoryEntry],
        queue: &mut DiskQueue<'_>,
    ) -> Result<(), RecoveryError> {
        self.swap = Swap::of(&self.log.directory, entries);
        if self.swap.is_some() {
            return Ok(());
        }
        self.log.directory_state = Directory::Present;
        // The directory is older than this process; its name may still not be durable.
        self.log.names.created = 1;
        let synced = self.synced();
        let active = synced.segment_base_offset;
        let mut logs = BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry.kind == EntryKind::File) {
            let Some((base, kind)) = parse_file_name(&entry.name) else { continue };
            // A snapshot is named after the segment that follows it.
            let newest =
                if kind == FileKind::ProducerSnapshot { self.newest_base() } else { active };
            if base > newest {
                self.removals.push(entry.name.clone());
            } else if kind == FileKind::Log {
                logs.insert(base, entry.len);
            }
        }
        let len = logs.remove(&active).unwrap_or(0);
        if len < synced.position.get() {
            return Err(RecoveryError::SegmentLost(synced));
        }
        self.believe(len);
        let ends: Vec<Offset> = logs.keys().copied().skip(1).chain([active]).collect();
        for ((base, size), end) in logs.into_iter().zip(ends) {
            self.log.sealed.push_back(SealedSegment::new(base, end, Position::new(size)));
        }
        for name in &self.removals {
            let path = self.log.directory.join(name);
            queue.push(TOKEN_REMOVE, DiskOp::Remove { path });
        }
        self.removing = self.removals.len();
        for (kind, token) in
            [(FileKind::OffsetIndex, TOKEN_OFFSETS), (FileKind::TimeIndex, TOKEN_TIMES)]
        {
            let path = self.log.directory.join(&file_name(active, kind));
            queue.push(token, DiskOp::ReadFile { path, bytes_max: INDEX_BYTES_MAX });
        }
        Ok(())
    }

    /// Bytes behind the checkpoint are not believed, whatever the file has there.
    fn believe(&mut self, len: u64) {
        if !planted(Bug::BelieveSegment) {
            return;
        }
        let base = self.synced().segment_base_offset;
        let inside = |entry: &&ReplayedBytes| entry.place.segment_base_offset == base;
        let logged = self.entries.iter().filter(inside).map(|entry| entry.end().get()).max();
        let end = Position::new(round_down_to_block(len.min(logged.unwrap_or(0))));
        if let Some(checkpoint) = &mut self.checkpoint {
            checkpoint.synced.position = checkpoint.synced.position.max(end);
        }
    }

    fn newest_base(&self) -> Offset {
        let replayed = self.entries.iter().map(|entry| entry.place.segment_base_offset).max();
        replayed.unwrap_or_default().max(self.synced().segment_base_offset)
    }

    fn take_index(&mut self, token: u32, bytes: &[u8]) {
        let Place { segment_base_offset: base, position } = self.synced();
        let end = Offset::new(i64::MAX);
        if token == TOKEN_OFFSETS {
            let trusted = planted(Bug::TrustIndex).then(|| Position::new(u64::MAX));
            let limit = trusted.unwrap_or(position);
            self.offsets = Some(OffsetIndex::parse(bytes, base, limit, end));
            self.index_bytes.0 = bytes.len();
        } else {
            self.times = Some(TimeIndex::parse(bytes, base, end));
            self.index_bytes.1 = bytes.len();
        }
    }

    /// Takes out of the index files what is not believed: it speaks of batches that a power cut
    /// took. Once others stand in their place, the next restart could no longer tell.
    fn shorten_indexes(&mut self, queue: &mut DiskQueue<'_>) {
        let base = self.synced().segment_base_offset;
        let (Some(offsets), Some(times)) = (&self.offsets, &mut self.times) else { return };
        // Both indexes grow together.
        times.keep_to(offsets.entries().last().map(|entry| entry.0));
        let believed = [
            (FileKind::OffsetIndex, offsets.encode(0..offsets.entries().len()), self.index_bytes.0),
            (FileKind::TimeIndex, times.encode(0..times.len()), self.index_bytes.1),
        ];
        self.index_bytes = (0, 0);
        for (kind, bytes, file_bytes) in believed {
            if bytes.len() < file_bytes {
                let path = self.log.directory.join(&file_name(base, kind));
                queue.push(TOKEN_SHORTEN, DiskOp::WriteFile { path, bytes });
                self.removing += 1;
            }
        }
    }

    fn ask(
        &mut self,
        chunks: &mut Chunks,
        queue: &mut DiskQueue<'_>,
    ) -> Result<Option<Log>, RecoveryError> {
        if let Some(swap) = &mut self.swap {
            let Some(op) = swap.ask() else {
                // The directory is as it should be, and looked at again.
                self.swap = None;
                self.start(queue);
                return Ok(None);
            };
            queue.push(TOKEN_SWAP, op);
            return Ok(None);
        }
        self.shorten_indexes(queue);
        if self.offsets.is_none() || self.times.is_none() || self.removing > 0 || self.opened {
            return Ok(None);
        }
        let Place { segment_base_offset: base, position: synced } = self.synced();
        if synced.get().is_multiple_of(BLOCK_BYTES as u64) {
            return self.rebuild(&[], chunks).map(Some);
        }
        // After a clean stop the last block was not full: its bytes begin the tail.
        self.opened = true;
        let path = self.log.directory.join(&file_name(base, FileKind::Log));
        queue.push(TOKEN_OPEN, DiskOp::Open { path, mode: OpenMode::Direct, create: false });
        Ok(None)
    }

    /// Builds the log from what was read and what the write-ahead log has.
    fn rebuild(&mut self, block: &[u8], chunks: &mut Chunks) -> Result<Log, RecoveryError> {
        let fresh = Log::new(&self.log.parent, "", Vec::new());
        let mut log = std::mem::replace(&mut self.log, fresh);
        let Place { segment_base_offset: base, position } = self.synced();
        log.start_offset = self.checkpoint.map_or(Offset::ZERO, |it| it.start_offset);
        log.end_offset = base;
        log.checkpointed = self.checkpoint.map_or(Offset::ZERO, |_| base);
        let begun = self.checkpoint.is_some() || !self.entries.is_empty();
        if begun && (position > Position::ZERO || !self.entries.is_empty()) {
            let offsets = self.offsets.take().expect("read");
            let times = self.times.take().expect("read");
            let serial = log.take_serial();
            let mut active = Active::recovered(base, serial, position, offsets, times);
            if position > Position::ZERO {
                // A checkpoint counts on bytes only when the file's name is durable.
                log.names.own_durable = true;
                active.writer.set_named_at(0);
            }
            active.set_largest(self.checkpoint.and_then(|checkpoint| checkpoint.largest));
            log.active = Some(active);
            let start = Position::new(round_down_to_block(position.get()));
            log.tail.resume(base, start, block, chunks);
        }
        if log.active.is_none() && self.checkpoint.is_some() {
            log.stopped = Some(self.synced());
        }
        // Appends whose files before them are recycled: a carried block has their bytes again.
        let mut uncovered: Vec<Place> = Vec::new();
        for entry in std::mem::take(&mut self.entries) {
            log.replay(&entry, &self.settings, chunks, &mut uncovered)?;
        }
        covered(&log, &uncovered)?;
        Ok(log)
    }
}

/// Whether the log's last segment reaches all of these ends.
fn covered(log: &Log, ends: &[Place]) -> Result<(), RecoveryError> {
    let end = log.end();
    let reaches = ends.iter().all(|place| *place <= end);
    if reaches { Ok(()) } else { Err(RecoveryError::Gap(end)) }
}

impl Log {
    /// Puts bytes of the write-ahead log behind what is there already. What does not follow is
    /// noted in `uncovered`, with its end.
    fn replay(
        &mut self,
        entry: &ReplayedBytes,
        settings: &LogSettings,
        chunks: &mut Chunks,
        uncovered: &mut Vec<Place>,
    ) -> Result<(), RecoveryError> {
        let end = self.end();
        let Place { segment_base_offset, position } = entry.place;
        if segment_base_offset < end.segment_base_offset {
            return Ok(());
        }
        if segment_base_offset > end.segment_base_offset {
            if position != Position::ZERO {
                return Err(RecoveryError::Gap(entry.place));
            }
            covered(self, uncovered)?;
            uncovered.clear();
            self.roll(segment_base_offset, || None, chunks);
        }
        let end = self.end();
        if entry.end() <= end.position {
            return Ok(());
        }
        if position > end.position {
            uncovered.push(Place { position: entry.end(), ..end });
            return Ok(());
        }
        let known = usize::try_from(end.position.get() - position.get()).expect("within the entry");
        if entry.is_batch && known == 0 {
            let header = BatchHeader::decode(&entry.bytes)
                .map_err(|_| RecoveryError::Corrupt(entry.place))?;
            let (head, body) = entry.bytes.split_at(HEADER_BYTES);
            self.end_offset = header.base_offset;
            self.append_bytes(&header, head, body, settings, chunks);
        } else {
            self.append_raw(&entry.bytes[known..], chunks);
        }
        Ok(())
    }

    /// Appends bytes that are not the start of a batch.
    fn append_raw(&mut self, bytes: &[u8], chunks: &mut Chunks) {
        let active = self.active.as_mut().expect("recovery has begun a segment");
        active.size = active.size.plus(bytes.len() as u64);
        self.tail.append_raw(bytes, chunks);
    }

    /// The log start offset, once recovery knows it.
    pub fn set_start_offset(&mut self, start_offset: Offset) {
        self.start_offset = start_offset;
        self.removals.committed(start_offset);
    }

    /// The offset behind the last record, once recovery knows it.
    pub fn set_end_offset(&mut self, end_offset: Offset) {
        assert!(self.end_offset <= end_offset);
        self.end_offset = end_offset;
    }
}

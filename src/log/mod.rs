//! The log of one partition: sealed segments, the active one, and the tail in memory. Knows
//! offsets, positions and files; nothing of brokers, replicas or requests.
//!
//! An append goes to memory only: the write-ahead log has made it durable, or will. From there full
//! chunks flow to the active segment, and checkpoints push the rest.

mod active;
mod chunks;
mod compaction;
mod find;
mod leader_epochs;
mod offset_index;
mod read;
mod recovery;
mod retention;
mod scan;
mod segment;
mod swap;
mod tail;
mod time_index;
mod token;
mod writer;

use std::collections::VecDeque;

use self::active::{Active, Sealing};
use self::retention::Removals;
use self::tail::Tail;
use self::token::{Step, Token};
use self::writer::{Goal, SegmentWriter};
use crate::io::{
    BLOCK_BYTES, DiskError, DiskOp, DiskQueue, DiskResult, FileName, round_down_to_block,
};
use crate::planted::{Bug, planted};
use crate::record::BatchHeader;
use crate::types::{Instant, Offset, Position};

pub use self::active::LogSettings;
pub use self::chunks::{ChunkSize, Chunks};
pub use self::compaction::{
    Compaction, CompactionError, CompactionPlan, CompactionStep, CompactionWant, CompactionWork,
};
pub use self::find::{FoundBatch, TimestampSearch, TimestampTarget};
pub use self::leader_epochs::{FILE_NAME as LEADER_EPOCHS_FILE, LeaderEpochs};
pub use self::offset_index::OffsetIndex;
pub use self::read::{
    Load, LoadRequest, Part, Parts, Read, ReadError, ReadLimits, Step as ReadStep,
};
pub use self::recovery::{LogCheckpoint, LogRecovery, RecoveryError, ReplayedBytes};
pub use self::retention::{Expired, Lack, RetentionLimits};
pub use self::scan::SegmentScan;
pub use self::segment::{FileKind, SealedSegment, file_name, parse_file_name};
pub use self::tail::Ranges;
pub use self::time_index::TimeIndex;

/// Kafka's file for the topic's id.
pub const METADATA_FILE: &str = "partition.metadata";
/// A chunk that fills within this time makes the next one larger.
const BUSY: core::time::Duration = core::time::Duration::from_secs(1);

/// A place in a log: between two batches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Place {
    /// The segment.
    pub segment_base_offset: Offset,
    /// The byte within it.
    pub position: Position,
}

/// How far the directory of the partition is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Directory {
    Missing,
    /// It may be there, without its first file.
    Unfinished,
    Creating,
    Present,
}

/// Names in the partition's directory, counted as they are created.
#[derive(Clone, Copy, Debug, Default)]
struct Names {
    created: u32,
    durable: u32,
    /// How many a sync under way will have made durable.
    syncing: Option<u32>,
    /// The directory's own name is durable.
    own_durable: bool,
}

/// One partition's log.
#[derive(Debug)]
pub struct Log {
    directory: FileName,
    parent: FileName,
    /// The content of `partition.metadata`, which Kafka's tools look for.
    metadata: Vec<u8>,
    directory_state: Directory,
    names: Names,
    start_offset: Offset,
    end_offset: Offset,
    sealed: VecDeque<SealedSegment>,
    /// Counts changes of the sealed segments' files: what was read of them before is not theirs.
    layout: u64,
    removals: Removals,
    /// Nothing but compaction changes the sealed segments now.
    is_compacting: bool,
    /// A restart believes the files of the segments before this one, and asks for them no more.
    checkpointed: Offset,
    sealing: VecDeque<Sealing>,
    active: Option<Active>,
    tail: Tail,
    next_serial: u16,
    last_fill: Instant,
    /// A checkpoint waits for this log.
    sync_wanted: bool,
    /// The end of a log whose last segment was ended without another after it.
    stopped: Option<Place>,
    /// The device had no room for a name or a small file.
    starved: bool,
    /// Everything before this place is durable in the write-ahead log or in the segments.
    committed: Place,
}

impl Log {
    /// An empty log in `parent`, whose directory comes into being with the first append.
    pub fn new(parent: &FileName, name: &str, metadata: Vec<u8>) -> Self {
        Self {
            directory: parent.join(name),
            parent: parent.clone(),
            metadata,
            directory_state: Directory::Missing,
            names: Names::default(),
            start_offset: Offset::ZERO,
            end_offset: Offset::ZERO,
            sealed: VecDeque::new(),
            layout: 0,
            removals: Removals::default(),
            is_compacting: false,
            checkpointed: Offset::ZERO,
            sealing: VecDeque::new(),
            active: None,
            tail: Tail::default(),
            next_serial: 0,
            last_fill: Instant::new(0),
            sync_wanted: false,
            stopped: None,
            starved: false,
            committed: Place::default(),
        }
    }

    /// Its directory.
    pub fn directory(&self) -> &FileName {
        &self.directory
    }

    /// The first offset that can be read.
    pub fn start_offset(&self) -> Offset {
        self.start_offset
    }

    /// The offset that the next record gets.
    pub fn end_offset(&self) -> Offset {
        self.end_offset
    }

    /// The place where the next batch goes, unless it starts a new segment.
    pub fn end(&self) -> Place {
        let end_of =
            |active: &Active| Place { segment_base_offset: active.base(), position: active.size };
        self.active.as_ref().map(end_of).or(self.stopped).unwrap_or_default()
    }

    /// Memory of the tail.
    pub fn tail_bytes(&self) -> usize {
        self.tail.capacity_bytes()
    }

    /// Bytes that can be appended into space already reserved.
    pub fn reserved_ahead(&self) -> u64 {
        self.active
            .as_ref()
            .map_or(0, |active| active.writer.allocated().saturating_sub(active.size.get()))
    }

    /// Bytes appended for which no space is reserved in the file system yet.
    pub fn unreserved_bytes(&self) -> u64 {
        let active = self.active.as_ref().map(|active| (&active.writer, active.size));
        let sealing = self.sealing.iter().map(|sealing| (&sealing.writer, sealing.size));
        active
            .into_iter()
            .chain(sealing)
            .map(|(writer, size)| size.get().saturating_sub(writer.allocated()))
            .sum()
    }

    /// Whether a reservation failed because the device is full.
    pub fn is_starved(&self) -> bool {
        self.starved
            || self.active.as_ref().is_some_and(|active| active.writer.is_starved())
            || self.sealing.iter().any(|sealing| sealing.writer.is_starved())
    }

    /// Notes that everything before `place` survives a power cut.
    pub fn set_committed(&mut self, place: Place) {
        self.committed = place;
    }

    /// How many segments there are.
    pub fn segments(&self) -> usize {
        self.sealed.len() + self.sealing.len() + usize::from(self.active.is_some())
    }

    /// The bytes of all segments.
    pub fn size_bytes(&self) -> u64 {
        let sealed: u64 = self.sealed.iter().map(|segment| segment.size.get()).sum();
        let sealing: u64 = self.sealing.iter().map(|segment| segment.size.get()).sum();
        sealed + sealing + self.end().position.get()
    }

    /// Where a batch will stand. `header` carries its final offsets and timestamps.
    pub fn place_for(&self, header: &BatchHeader, settings: &LogSettings) -> Place {
        match &self.active {
            Some(active) if !active.is_full_for(header, settings) => self.end(),
            _ => Place { segment_base_offset: header.base_offset, position: Position::ZERO },
        }
    }

    /// New chunk memory that appending `bytes` may take.
    pub fn memory_needed(&self, bytes: usize) -> usize {
        // One more: a chunk that is filled exactly opens the next.
        self.tail.memory_needed(bytes) + 2 * self.tail.size().bytes()
    }

    /// Appends a batch, `head` (its final header) followed by `body`, at `place`. If that starts a
    /// new segment, `snapshot` makes the producers' state at that point, in Kafka's format. Returns
    /// whether a chunk was filled or a segment ended, so that there is something to write.
    ///
    /// # Panics
    /// When `place` is not what [`Log::place_for`] would answer, or the offsets do not follow.
    #[expect(clippy::too_many_arguments, reason = "one call per batch, all of it is needed")]
    pub fn append(
        &mut self,
        place: Place,
        header: &BatchHeader,
        (head, body): (&[u8], &[u8]),
        settings: &LogSettings,
        snapshot: impl FnOnce() -> Option<Vec<u8>>,
        chunks: &mut Chunks,
        now: Instant,
    ) -> bool {
        assert_eq!(header.base_offset, self.end_offset, "offsets follow each other");
        assert_eq!(head.len() + body.len(), header.total_bytes());
        let rolls = place.position == Position::ZERO;
        if rolls {
            self.roll(place.segment_base_offset, snapshot, chunks);
        }
        assert_eq!(place, self.end());
        let filled = self.append_bytes(header, head, body, settings, chunks);
        if filled {
            let busy = now.since(self.last_fill) < BUSY;
            self.last_fill = now;
            if busy {
                self.tail.set_size(self.tail.size().larger());
            }
        }
        filled || rolls
    }

    /// Whether a chunk was filled.
    fn append_bytes(
        &mut self,
        header: &BatchHeader,
        head: &[u8],
        body: &[u8],
        settings: &LogSettings,
        chunks: &mut Chunks,
    ) -> bool {
        let active = self.active.as_mut().expect("there or just made");
        let filled = self.tail.append(header.base_offset, head, body, chunks);
        active.appended(header, settings);
        self.end_offset = header.next_offset();
        filled
    }

    /// Lets the tail's chunks grow no further than to `size`.
    pub fn limit_chunks(&mut self, size: ChunkSize) {
        self.tail.set_size(self.tail.size().min(size));
    }

    fn roll(
        &mut self,
        base: Offset,
        snapshot: impl FnOnce() -> Option<Vec<u8>>,
        chunks: &mut Chunks,
    ) {
        if let Some(active) = self.active.take() {
            self.sealing.push_back(active.seal(base, snapshot()));
        }
        let serial = self.take_serial();
        self.active = Some(Active::new(base, serial));
        self.tail.start_segment(base, chunks);
    }

    fn take_serial(&mut self) -> u16 {
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1) & Token::SERIAL_MAX;
        serial
    }

    /// The place before which everything is on disk for good: a restart reads it from the segments
    /// and does not need the write-ahead log for it. Never goes back.
    pub fn synced(&self) -> Place {
        let (writer, position) = match (self.sealing.front(), &self.active) {
            (Some(first), _) => (&first.writer, first.synced()),
            (None, Some(active)) => (&active.writer, active.synced()),
            (None, None) => return self.stopped.unwrap_or_default(),
        };
        let segment_base_offset = writer.base_offset;
        let position = if self.is_named(writer) { position } else { Position::ZERO };
        Place { segment_base_offset, position }
    }

    /// What a checkpoint keeps of this log.
    pub fn checkpoint(&self) -> LogCheckpoint {
        let synced = self.synced();
        let largest = match (self.sealing.front(), &self.active) {
            (Some(first), _) => first.times.last(first.base()),
            (None, Some(active)) => active.largest(),
            // The next segment has not begun.
            (None, None) if synced.position == Position::ZERO => None,
            (None, None) => self.sealed.back().and_then(|last| last.largest.flatten()),
        };
        LogCheckpoint { synced, start_offset: self.start_offset, largest }
    }

    /// Notes that a durable checkpoint has [`Log::synced`] in the segment at `base`: the files of
    /// those before it may change or go.
    pub fn set_checkpointed(&mut self, base: Offset, queue: &mut DiskQueue<'_>) {
        self.checkpointed = base;
        self.remove_old(queue);
    }

    /// Whether a power cut would leave the file under its name.
    fn is_named(&self, writer: &SegmentWriter) -> bool {
        let names = &self.names;
        names.own_durable && writer.named_at().is_some_and(|count| count <= names.durable)
    }

    /// Asks for everything appended so far to become durable in the segments, whole blocks only.
    /// [`Log::is_synced`] tells when it has.
    pub fn sync(&mut self, queue: &mut DiskQueue<'_>) {
        self.sync_wanted = true;
        if let Some(active) = &mut self.active {
            active.writer.set_goal(Goal::Durable(round_down_to_block(active.size.get())));
        }
        self.pump(queue);
    }

    /// Whether the last [`Log::sync`] has been done.
    pub fn is_synced(&self) -> bool {
        let active = self.active.as_ref().is_none_or(|active| {
            let writer = &active.writer;
            writer.reached_goal() && (writer.synced() == 0 || self.is_named(writer))
        });
        active && self.sealing.is_empty()
    }

    /// Whether every byte appended is in the segments, but for a block that is not full.
    pub fn is_clean(&self) -> bool {
        let end = self.end();
        let whole = Position::new(round_down_to_block(end.position.get()));
        self.synced() >= Place { position: whole, ..end }
    }

    /// Gives up the oldest chunk of the tail if it is durable in its segment.
    pub fn evict(&mut self, chunks: &mut Chunks) -> bool {
        let synced = self.synced();
        self.tail.evict(is_before(synced), chunks)
    }

    /// Reduces an idle partition to one block of memory and no open file.
    pub fn rest(&mut self, chunks: &mut Chunks) {
        let synced = self.synced();
        self.tail.shrink(is_before(synced), chunks);
        if let Some(active) = &mut self.active {
            active.writer.close_if_clean();
        }
    }

    /// Writes everything to the segment, the last block too, and ends it with its exact length and
    /// its other files. Nothing can be appended any more; [`Log::is_synced`] tells when it is done.
    pub fn stop(&mut self, snapshot: Option<Vec<u8>>, queue: &mut DiskQueue<'_>) {
        let end = self.end();
        let done = self.synced() == end && self.sealing.is_empty();
        let Some(active) = self.active.take_if(|_| !done) else { return };
        self.tail.end_segment();
        self.sync_wanted = true;
        self.stopped = Some(end);
        self.sealing.push_back(active.seal(self.end_offset, snapshot));
        self.pump(queue);
    }

    /// The last block, which is not full, is on disk and nowhere else, and the next append will
    /// write it again: nothing is written until [`Log::release`] says that the write-ahead log has
    /// its bytes.
    pub fn hold(&mut self) {
        self.active.as_mut().expect("a log with a block has a segment").writer.hold();
    }

    /// Lets writes go on.
    pub fn release(&mut self, queue: &mut DiskQueue<'_>) {
        let active = self.active.iter_mut().map(|active| &mut active.writer);
        let sealing = self.sealing.iter_mut().map(|sealing| &mut sealing.writer);
        active.chain(sealing).for_each(SegmentWriter::release);
        self.pump(queue);
    }

    /// Whether the last block is not full.
    pub fn has_partial_block(&self) -> bool {
        !self.end().position.get().is_multiple_of(BLOCK_BYTES as u64)
    }

    /// The bytes behind the last whole block, which are only in memory and in the write-ahead log.
    pub fn partial_block(&self) -> Option<(Place, Vec<u8>)> {
        let end = self.end();
        let position = Position::new(round_down_to_block(end.position.get()));
        if position == end.position {
            return None;
        }
        let len = end.position.get() - position.get();
        let ranges = self.tail.ranges(end.segment_base_offset, position, len);
        let bytes: Vec<u8> = ranges.iter().flat_map(|range| range.iter().copied()).collect();
        assert_eq!(bytes.len() as u64, len, "the last block stays in memory");
        Some((Place { position, ..end }, bytes))
    }

    /// Asks for whatever can be done now. To be called when a chunk was filled.
    pub fn pump(&mut self, queue: &mut DiskQueue<'_>) {
        if self.active.is_none() && self.sealing.is_empty() {
            return;
        }
        let absent = matches!(self.directory_state, Directory::Missing | Directory::Unfinished);
        if absent && !self.starved {
            self.directory_state = Directory::Creating;
            let path = self.directory.clone();
            queue.push(token(Step::CreateDirectory), DiskOp::CreateDirectory { path });
        }
        if self.directory_state != Directory::Present {
            return;
        }
        for sealing in &mut self.sealing {
            let end = sealing.size.get();
            sealing.writer.pump(&self.directory, &self.tail, end, queue);
            if sealing.is_writing_data() {
                // All of it may have been written before the segment ended.
                sealing.advance(&self.directory, &mut self.names.created, queue);
            }
        }
        if let Some(active) = &mut self.active {
            active.writer.pump(&self.directory, &self.tail, active.size.get(), queue);
            let place = Place { segment_base_offset: active.base(), ..Place::default() };
            let committed = self.committed.max(place);
            if committed.segment_base_offset == active.base() {
                active.save_indexes(&self.directory, committed.position, queue);
            }
        }
        self.sync_names(queue);
    }

    fn sync_names(&mut self, queue: &mut DiskQueue<'_>) {
        let names = &mut self.names;
        if names.syncing.is_some() || names.created == names.durable {
            return;
        }
        let sealed = self.sealing.front().is_some_and(|sealing| sealing.awaits_names().is_some());
        let opened = self.active.as_ref().is_some_and(|active| active.writer.named_at().is_some());
        if sealed || (self.sync_wanted && opened) {
            names.syncing = Some(names.created);
            if planted(Bug::ForgetPartitionDirectory) {
                self.names.own_durable = true;
                return self.names_durable();
            }
            let path = self.directory.clone();
            queue.push(token(Step::SyncNames), DiskOp::SyncDirectory { path });
        }
    }

    /// Takes the answer to a request of this log.
    ///
    /// # Errors
    /// The disk failed: what was acknowledged is still in the write-ahead log, but nothing may be
    /// acknowledged any more.
    pub fn completed(
        &mut self,
        raw: u32,
        result: DiskResult,
        queue: &mut DiskQueue<'_>,
    ) -> Result<(), DiskError> {
        let token = Token::decode(raw);
        if matches!(result, Err(DiskError::Full)) && self.refused(token) {
            self.starved = true;
            return Ok(());
        }
        match token.step {
            Step::CreateDirectory => {
                result?;
                let path = self.directory.join(METADATA_FILE);
                let bytes = self.metadata.clone();
                queue.push(crate::log::token(Step::WriteFile), DiskOp::WriteFile { path, bytes });
            }
            Step::WriteFile => {
                result?;
                self.names.created += 1;
                self.directory_state = Directory::Present;
            }
            // A cache: what could not be saved is found again after a restart.
            Step::SaveIndex => drop(result),
            // What is still there is removed after the next start.
            Step::Remove => self.removals.removed(),
            Step::SyncNames => {
                result?;
                self.names_synced(queue);
            }
            Step::SyncParent => {
                result?;
                self.names.own_durable = true;
                self.names_durable();
            }
            Step::Finish => {
                result?;
                self.finished_step(token, queue);
            }
            _ => self.writer_completed(token, result, queue)?,
        }
        self.remove_old(queue);
        self.pump(queue);
        Ok(())
    }

    /// The device has no room for a name or a small file: [`Log::retry`] asks again. `false` where
    /// somebody else knows what to do.
    fn refused(&mut self, token: Token) -> bool {
        match token.step {
            Step::CreateDirectory | Step::WriteFile => self.directory_state = Directory::Unfinished,
            Step::Finish => {
                let serial = token.serial;
                let sealing = self.sealing.iter_mut().find(|it| it.writer.serial() == serial);
                return sealing.is_some_and(Sealing::refused);
            }
            _ => return false,
        }
        true
    }

    fn names_synced(&mut self, queue: &mut DiskQueue<'_>) {
        if self.names.own_durable {
            self.names_durable();
        } else {
            let path = self.parent.clone();
            queue.push(token(Step::SyncParent), DiskOp::SyncDirectory { path });
        }
    }

    fn names_durable(&mut self) {
        let count = self.names.syncing.take().expect("a sync of names was under way");
        self.names.durable = count;
        let is_complete =
            |sealing: &mut Sealing| sealing.awaits_names().is_some_and(|at| at <= count);
        while let Some(done) = self.sealing.pop_front_if(is_complete) {
            self.sealed.push_back(done.into_sealed());
        }
    }

    fn finished_step(&mut self, token: Token, queue: &mut DiskQueue<'_>) {
        let sealing =
            self.sealing.iter_mut().find(|sealing| sealing.writer.serial() == token.serial);
        let sealing = sealing.expect("it is sealing until its names are synced");
        sealing.advance(&self.directory, &mut self.names.created, queue);
    }

    fn writer_completed(
        &mut self,
        token: Token,
        result: DiskResult,
        queue: &mut DiskQueue<'_>,
    ) -> Result<(), DiskError> {
        let named = token.step == Step::Open && result.is_ok();
        self.names.created += u32::from(named);
        let created = self.names.created;
        if let Some(active) = &mut self.active
            && active.writer.serial() == token.serial
        {
            active.writer.set_named_at(created);
            return active.writer.completed(token, result, queue);
        }
        let sealing =
            self.sealing.iter_mut().find(|sealing| sealing.writer.serial() == token.serial);
        let sealing = sealing.expect("writers live until their requests are answered");
        sealing.writer.set_named_at(created);
        sealing.writer.completed(token, result, queue)
    }

    /// Reserves space for appends to come.
    pub fn reserve(&mut self, queue: &mut DiskQueue<'_>) {
        self.pump(queue);
        if self.directory_state == Directory::Present
            && let Some(active) = &mut self.active
        {
            active.writer.reserve_ahead(&self.directory, active.size.get(), queue);
        }
    }

    /// Its directory's parent and name, if it has come into being.
    pub fn directory_on_disk(&self) -> Option<(FileName, String)> {
        let name = self.directory.strip_prefix(&*self.parent)?.trim_start_matches('/');
        (self.directory_state != Directory::Missing).then(|| (self.parent.clone(), name.to_owned()))
    }

    /// Gives all memory back: the log is deleted.
    pub fn discard(&mut self, chunks: &mut Chunks) {
        self.tail.clear(chunks);
    }

    /// Tries again to reserve space after the device was full.
    pub fn retry(&mut self, queue: &mut DiskQueue<'_>) {
        if let Some(active) = &mut self.active {
            active.writer.retry();
        }
        self.starved = false;
        for sealing in &mut self.sealing {
            sealing.writer.retry();
            sealing.retry(&self.directory, queue);
        }
        self.pump(queue);
    }
}

fn token(step: Step) -> u32 {
    Token { step, serial: 0, number: 0 }.encode()
}

fn is_before(synced: Place) -> impl Fn(Offset, Position) -> bool {
    move |segment_base_offset, position| Place { segment_base_offset, position } <= synced
}

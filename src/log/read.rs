//! Reading: from an offset to ranges of memory and files, or to what must be loaded first.
//!
//! A read never waits. It names what it lacks, somebody loads that, and the read tries again from
//! where it was: nothing is held in between but what was loaded.

use core::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use super::offset_index::OffsetIndex;
use super::segment::{FileKind, SealedSegment};
use super::tail::Ranges;
use super::time_index::TimeIndex;
use super::{Log, Place};
use crate::io::{
    DiskDone, DiskError, DiskOp, DiskQueue, DiskResult, FileHandle, MemoryRange, OpenMode,
    round_down_to_block, round_up_to_block,
};
use crate::record::{BatchHeader, HEADER_BYTES};
use crate::types::{Offset, Position};

/// An index file is at most this long (Kafka's own limit is a signed 32-bit length).
const INDEX_BYTES_MAX: u64 = i32::MAX as u64;
/// Headers are looked for in this much of a sealed segment at once: an index entry is at most this
/// far in front of the batch wanted, unless batches are larger, and then each has an entry.
const SEALED_WINDOW_BYTES: u64 = 8 << 10;
/// The active segment is read in pieces of this size, which other readers share.
const ACTIVE_WINDOW_BYTES: u64 = 1 << 20;

/// A part of a log, ready to be sent.
#[derive(Clone, Debug)]
pub enum Part {
    /// Bytes in memory.
    Memory(MemoryRange),
    /// Bytes of a sealed segment.
    File {
        /// The file, as it was when the read began.
        file: FileHandle,
        /// The first byte.
        position: u64,
        /// How many.
        len: u64,
    },
}

impl Part {
    /// Its bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(range) => range.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Parts in the order of the log.
pub type Parts = SmallVec<[Part; 2]>;

/// What a read lacks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Load {
    /// A sealed segment's offset index.
    Offsets(Offset),
    /// A sealed segment's time index.
    Times(Offset),
    /// A segment's open file.
    File(Offset),
    /// Bytes of a segment.
    Bytes {
        /// The segment.
        segment_base_offset: Offset,
        /// The first byte; a whole block where the file is read past the page cache.
        position: Position,
        /// How many.
        len: usize,
    },
}

/// How to bring what a read lacks.
#[derive(Debug)]
pub enum LoadRequest {
    /// Ask the disk for this, and hand the answer to [`Log::loaded`] or, for bytes, to the read.
    Ask(DiskOp),
    /// A request of the log itself brings it.
    OnItsWay,
    /// There is no such segment any more.
    Gone,
}

/// Why a read cannot go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// The place cannot be read from the disk.
    Disk(DiskError),
    /// The segment's bytes are no record batches there.
    Corrupt(Place),
    /// The log start offset has moved past what was to be read.
    BelowLogStart,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => write!(f, "cannot be read: {error}"),
            Self::BelowLogStart => f.write_str("what was to be read is deleted"),
            Self::Corrupt(place) => write!(
                f,
                "segment {} is damaged at byte {}",
                place.segment_base_offset, place.position
            ),
        }
    }
}

/// Either the answer, or what must be loaded before asking again.
#[derive(Debug)]
pub enum Step<T> {
    /// The answer.
    Done(T),
    /// Load this, and ask again.
    Load(Load),
}

/// Unwraps an answer or returns what is lacking.
macro_rules! done {
    ($step:expr) => {
        match $step {
            Step::Done(value) => value,
            Step::Load(load) => return Ok(Step::Load(load)),
        }
    };
}
pub(super) use done;

/// Bytes of a segment that were loaded.
#[derive(Clone, Debug)]
struct Window {
    segment_base_offset: Offset,
    position: Position,
    bytes: MemoryRange,
}

/// A place in the log from which batches are walked, and the bytes loaded for that.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    pub(super) place: Place,
    window: Option<Window>,
}

impl Cursor {
    pub(super) fn at(place: Place) -> Self {
        Self { place, window: None }
    }

    /// Takes what a [`Load::Bytes`] brought.
    pub(super) fn loaded(&mut self, load: Load, bytes: MemoryRange) {
        let Load::Bytes { segment_base_offset, position, .. } = load else {
            unreachable!("only bytes are kept with a read")
        };
        self.window = Some(Window { segment_base_offset, position, bytes });
    }

    /// The header of the batch at the cursor.
    pub(super) fn header(&self, log: &Log) -> Result<Step<BatchHeader>, ReadError> {
        let mut header = [0; HEADER_BYTES];
        let ranges = done!(self.bytes(log, HEADER_BYTES as u64)?);
        let mut filled = 0;
        for range in &ranges {
            header[filled..filled + range.len()].copy_from_slice(range);
            filled += range.len();
        }
        let corrupt = ReadError::Corrupt(self.place);
        if filled < HEADER_BYTES {
            return Err(corrupt);
        }
        Ok(Step::Done(BatchHeader::decode(&header).map_err(|_| corrupt)?))
    }

    /// Moves on by a batch.
    pub(super) fn advance(&mut self, batch_bytes: usize) {
        self.place.position = self.place.position.plus(batch_bytes as u64);
    }

    /// `len` bytes from the cursor: from memory, from what was loaded, or from both. Fewer only
    /// where the segment ends.
    pub(super) fn bytes(&self, log: &Log, len: u64) -> Result<Step<Ranges>, ReadError> {
        let Place { segment_base_offset, position } = self.place;
        let size = log.segment_size(segment_base_offset).ok_or(ReadError::Corrupt(self.place))?;
        let end = position.plus(len).min(size);
        let mut at = position;
        let mut ranges = Ranges::new();
        while at < end {
            let wanted = end.get() - at.get();
            let tail = log.tail.ranges(segment_base_offset, at, wanted);
            if let Some(first) = tail.first()
                && !first.is_empty()
            {
                at = at.plus(tail.iter().map(|range| range.len() as u64).sum());
                ranges.extend(tail);
                continue;
            }
            match self.loaded_range(segment_base_offset, at, wanted) {
                Some(range) => {
                    at = at.plus(range.len() as u64);
                    ranges.push(range);
                }
                // From the cursor on, so that the loaded bytes cover all that is wanted at once.
                None => return Ok(Step::Load(log.load_bytes(self.place, len))),
            }
        }
        Ok(Step::Done(ranges))
    }

    fn loaded_range(&self, base: Offset, at: Position, wanted: u64) -> Option<MemoryRange> {
        let window = self.window.as_ref().filter(|window| window.segment_base_offset == base)?;
        let from = at.get().checked_sub(window.position.get())?;
        let from = usize::try_from(from).ok().filter(|from| *from < window.bytes.len())?;
        let to = window.bytes.len().min(from + usize::try_from(wanted).ok()?);
        Some(window.bytes.slice(from..to))
    }
}

/// What a consumer wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadLimits {
    /// The first batch returned holds this offset.
    pub offset: Offset,
    /// Nothing at or behind this place is returned.
    pub end: Place,
    /// At most this many bytes; the last batch may be cut off.
    pub bytes_max: u64,
    /// The first batch is returned whole however large it is.
    pub first_whole: bool,
}

/// A read that has begun.
#[derive(Debug)]
pub struct Read {
    limits: ReadLimits,
    /// The segments' files as they were when it began: it begins again when they change.
    layout: Option<u64>,
    cursor: Option<Cursor>,
    /// Where the index led to.
    landing: Place,
    /// The index led astray; the segment is walked from its start.
    index_distrusted: bool,
}

impl Read {
    /// A read within these limits.
    pub fn new(limits: ReadLimits) -> Self {
        Self {
            limits,
            layout: None,
            cursor: None,
            landing: Place::default(),
            index_distrusted: false,
        }
    }

    /// Goes on as far as it can.
    ///
    /// # Errors
    /// The bytes are not what they should be.
    pub fn step(&mut self, log: &Log) -> Result<Step<Parts>, ReadError> {
        let limits = self.limits;
        if self.layout.replace(log.layout) != Some(log.layout) {
            (self.cursor, self.index_distrusted) = (None, false);
        }
        if limits.offset < log.start_offset {
            return Err(ReadError::BelowLogStart);
        }
        if let Some(found) = log.tail.find(limits.offset) {
            let Place { segment_base_offset, position } =
                Place { segment_base_offset: found.segment_base_offset, position: found.position };
            let len = self.bytes_wanted(log, segment_base_offset, position, found.bytes as u64);
            let ranges = log.tail.ranges(segment_base_offset, position, len);
            return Ok(Step::Done(ranges.into_iter().map(Part::Memory).collect()));
        }
        let first_bytes = done!(self.find(log)?);
        let cursor = self.cursor.as_ref().expect("found");
        let Place { segment_base_offset, position } = cursor.place;
        let len = self.bytes_wanted(log, segment_base_offset, position, first_bytes);
        if let Some(sealed) = log.sealed_segment(segment_base_offset) {
            let Some(file) = sealed.file.clone() else {
                return Ok(Step::Load(Load::File(segment_base_offset)));
            };
            if len == 0 {
                return Ok(Step::Done(Parts::new()));
            }
            let len = whole_batches(sealed, position, len);
            let part = Part::File { file, position: position.get(), len };
            return Ok(Step::Done(Parts::from_iter([part])));
        }
        if len == 0 {
            return Ok(Step::Done(Parts::new()));
        }
        // What is loaded for the first batch is all that is returned from the disk in one go.
        let ranges = done!(cursor.bytes(log, len.min(ACTIVE_WINDOW_BYTES).max(first_bytes))?);
        Ok(Step::Done(ranges.into_iter().map(Part::Memory).collect()))
    }

    /// Takes what a [`Load::Bytes`] brought.
    pub fn loaded(&mut self, load: Load, bytes: MemoryRange) {
        if let Some(cursor) = &mut self.cursor {
            cursor.loaded(load, bytes);
        }
    }

    /// Puts the cursor on the batch that holds the offset; answers its length.
    fn find(&mut self, log: &Log) -> Result<Step<u64>, ReadError> {
        let offset = self.limits.offset;
        if self.cursor.is_none() {
            let place = done!(log.floor(offset));
            self.cursor = Some(Cursor::at(place));
            self.landing = place;
        }
        loop {
            let cursor = self.cursor.as_mut().expect("just made");
            let first = cursor.place.segment_base_offset;
            let size = log.segment_size(first).unwrap_or(Position::ZERO);
            if cursor.place.position >= size {
                // The offset lies in a gap at the segment's end, as compaction leaves them.
                let next = log.segment_after(first).ok_or(ReadError::Corrupt(cursor.place))?;
                cursor.place = Place { segment_base_offset: next, position: Position::ZERO };
                continue;
            }
            let header = match cursor.header(log) {
                Ok(step) => done!(step),
                Err(error @ ReadError::Disk(_)) => return Err(error),
                Err(error) if self.index_distrusted => return Err(error),
                Err(_) => {
                    self.distrust_index();
                    continue;
                }
            };
            // Behind the landing a batch may begin above the offset: it lies in a gap.
            let landed = cursor.place == self.landing && cursor.place.position > Position::ZERO;
            let inside = header.base_offset >= first && (header.base_offset <= offset || !landed);
            if !inside && !self.index_distrusted {
                self.distrust_index();
                continue;
            }
            if header.last_offset() >= offset {
                return Ok(Step::Done(header.total_bytes() as u64));
            }
            cursor.advance(header.total_bytes());
        }
    }

    fn distrust_index(&mut self) {
        self.index_distrusted = true;
        let cursor = self.cursor.as_mut().expect("an index was used");
        cursor.place.position = Position::ZERO;
    }

    /// How much to return from a place, where the first batch has `first_bytes`. A batch that does
    /// not fit is not begun: its reader could do nothing with it.
    fn bytes_wanted(&self, log: &Log, base: Offset, position: Position, first_bytes: u64) -> u64 {
        let ReadLimits { end, bytes_max, first_whole, .. } = self.limits;
        let bytes = match bytes_max {
            _ if first_whole => bytes_max.max(first_bytes),
            _ if bytes_max < first_bytes => return 0,
            _ => bytes_max,
        };
        let size = log.segment_size(base).unwrap_or(Position::ZERO);
        let limit = if end.segment_base_offset == base { end.position.min(size) } else { size };
        bytes.min(limit.get().saturating_sub(position.get()))
    }
}

/// Shortens a part of a sealed segment so that it ends with a batch, where the index knows one.
fn whole_batches(sealed: &SealedSegment, position: Position, len: u64) -> u64 {
    let end = position.plus(len);
    let index = sealed.offsets.as_ref().filter(|_| end < sealed.size);
    let boundary = index.and_then(|index| index.last_start(position, end));
    boundary.map_or(len, |boundary| boundary.get() - position.get())
}

impl Log {
    pub(super) fn sealed_segment(&self, base: Offset) -> Option<&SealedSegment> {
        let at = self.sealed.binary_search_by_key(&base, |segment| segment.base_offset).ok()?;
        self.sealed.get(at)
    }

    fn sealed_segment_mut(&mut self, base: Offset) -> Option<&mut SealedSegment> {
        let at = self.sealed.binary_search_by_key(&base, |segment| segment.base_offset).ok()?;
        self.sealed.get_mut(at)
    }

    /// The base offsets of all segments, oldest first.
    pub fn segment_bases(&self) -> impl Iterator<Item = Offset> {
        let sealed = self.sealed.iter().map(|segment| segment.base_offset);
        let sealing = self.sealing.iter().map(super::active::Sealing::base);
        sealed.chain(sealing).chain(self.active.iter().map(super::active::Active::base))
    }

    pub(super) fn segment_after(&self, base: Offset) -> Option<Offset> {
        self.segment_bases().find(|other| *other > base)
    }

    /// The bytes of a segment, as far as they are batches.
    pub(super) fn segment_size(&self, base: Offset) -> Option<Position> {
        if let Some(active) = self.active.as_ref().filter(|active| active.base() == base) {
            return Some(active.size);
        }
        let sealing = self.sealing.iter().find(|sealing| sealing.base() == base);
        sealing
            .map(|sealing| sealing.size)
            .or_else(|| self.sealed_segment(base).map(|segment| segment.size))
    }

    /// A place at or before the batch that holds `offset`, by the indexes.
    fn floor(&self, offset: Offset) -> Step<Place> {
        let segment = self.segment_bases().take_while(|base| *base <= offset).last();
        let base = segment.or_else(|| self.segment_bases().next()).unwrap_or_default();
        let position = match self.offset_index(base) {
            Some(index) => index.floor(base, offset),
            None => return Step::Load(Load::Offsets(base)),
        };
        Step::Done(Place { segment_base_offset: base, position })
    }

    pub(super) fn offset_index(&self, base: Offset) -> Option<&OffsetIndex> {
        if let Some(active) = self.active.as_ref().filter(|active| active.base() == base) {
            return Some(&active.offsets);
        }
        if let Some(sealing) = self.sealing.iter().find(|sealing| sealing.base() == base) {
            return Some(&sealing.offsets);
        }
        self.sealed_segment(base)?.offsets.as_deref()
    }

    /// What to load so that `wanted` bytes from `place` can be read, as far as they are on disk.
    fn load_bytes(&self, place: Place, wanted: u64) -> Load {
        let Place { segment_base_offset, position } = place;
        let Some(writer) = self.writer_of(segment_base_offset) else {
            if self.sealed_segment(segment_base_offset).is_none_or(|sealed| sealed.file.is_none()) {
                return Load::File(segment_base_offset);
            }
            let len = usize::try_from(wanted.max(SEALED_WINDOW_BYTES)).expect("fits into memory");
            return Load::Bytes { segment_base_offset, position, len };
        };
        if writer.file().is_none() {
            return Load::File(segment_base_offset);
        }
        // Behind what is synced, the file may hold anything; the tail holds what is meant.
        let start = round_down_to_block(position.get());
        let end = round_up_to_block(position.get() + wanted.max(ACTIVE_WINDOW_BYTES));
        let end = end.min(round_down_to_block(writer.synced()));
        assert!(end > start, "what left the tail was durable");
        let len = usize::try_from(end - start).expect("fits into memory");
        Load::Bytes { segment_base_offset, position: Position::new(start), len }
    }

    fn writer_of(&self, base: Offset) -> Option<&super::SegmentWriter> {
        let active = self.active.iter().map(|active| &active.writer);
        let sealing = self.sealing.iter().map(|sealing| &sealing.writer);
        active.chain(sealing).find(|writer| writer.base_offset == base)
    }

    /// How to bring what a read lacks.
    pub fn load(&mut self, load: Load, queue: &mut DiskQueue<'_>) -> LoadRequest {
        let directory = self.directory.clone();
        let op = match load {
            Load::Offsets(base) => self.read_file(base, FileKind::OffsetIndex),
            Load::Times(base) => self.read_file(base, FileKind::TimeIndex),
            Load::File(base) => {
                let active = self.active.iter_mut().map(|active| &mut active.writer);
                let sealing = self.sealing.iter_mut().map(|sealing| &mut sealing.writer);
                let writer = active.chain(sealing).find(|writer| writer.base_offset == base);
                if let Some(writer) = writer {
                    writer.open(&directory, queue);
                    return LoadRequest::OnItsWay;
                }
                self.sealed_segment(base).map(|segment| DiskOp::Open {
                    path: segment.path(&directory, FileKind::Log),
                    mode: OpenMode::ReadOnly,
                    create: false,
                })
            }
            Load::Bytes { segment_base_offset, position, len } => {
                let file = match self.writer_of(segment_base_offset) {
                    Some(writer) => writer.file(),
                    None => {
                        self.sealed_segment(segment_base_offset).and_then(|it| it.file.as_ref())
                    }
                };
                let position = position.get();
                file.map(|file| DiskOp::Read { file: file.clone(), position, len })
            }
        };
        op.map_or(LoadRequest::Gone, LoadRequest::Ask)
    }

    fn read_file(&self, base: Offset, kind: FileKind) -> Option<DiskOp> {
        let path = self.sealed_segment(base)?.path(&self.directory, kind);
        Some(DiskOp::ReadFile { path, bytes_max: INDEX_BYTES_MAX })
    }

    /// Counts changes of the sealed segments' files.
    pub fn layout(&self) -> u64 {
        self.layout
    }

    /// Whether a segment is complete and read through the page cache.
    pub fn is_sealed(&self, base: Offset) -> bool {
        self.sealed_segment(base).is_some()
    }

    /// Gives up the file and indexes of a sealed segment; the next read brings them back.
    pub fn unload(&mut self, base: Offset) {
        if let Some(segment) = self.sealed_segment_mut(base).filter(|segment| !segment.is_pinned) {
            segment.let_go();
        }
    }

    /// Takes the answer to a request of [`Log::load`], other than for bytes, which are the read's.
    ///
    /// # Errors
    /// The file cannot be read. A missing or senseless index is no error: the segment is walked.
    pub fn loaded(&mut self, load: Load, result: DiskResult) -> Result<(), ReadError> {
        let (base, bytes, file) = match (load, result) {
            (Load::Offsets(base) | Load::Times(base), Ok(DiskDone::Bytes(bytes))) => {
                (base, bytes, None)
            }
            (Load::Offsets(base) | Load::Times(base), Err(DiskError::NotFound)) => {
                (base, Vec::new(), None)
            }
            (Load::File(base), Ok(DiskDone::Opened { file, .. })) => (base, Vec::new(), Some(file)),
            (_, Err(error)) => return Err(ReadError::Disk(error)),
            (load, Ok(done)) => unreachable!("{load:?} was answered by {done:?}"),
        };
        // The segment may have been deleted meanwhile; then the read notices.
        let Some(segment) = self.sealed_segment_mut(base) else { return Ok(()) };
        match load {
            Load::Offsets(_) => {
                let (size, end) = (segment.size, segment.end_offset);
                segment.offsets = Some(Arc::new(OffsetIndex::parse(&bytes, base, size, end)));
            }
            Load::Times(_) => {
                let times = TimeIndex::parse(&bytes, base, segment.end_offset);
                segment.largest = Some(times.last(base));
                segment.times = Some(Arc::new(times));
            }
            _ => segment.file = file,
        }
        Ok(())
    }
}

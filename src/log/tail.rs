//! The newest bytes of a partition in memory: what is not in the segment yet, and as much of the
//! rest as memory allows.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::chunks::{ChunkSize, Chunks};
use crate::io::{BLOCK_BYTES, Buffer, MemoryRange, round_down_to_block};
use crate::planted::{Bug, planted};
use crate::record::{BatchHeader, HEADER_BYTES};
use crate::types::{Offset, Position};

/// The start of a batch is remembered when the last one remembered is this far behind: between
/// two marks, headers are read.
const MARK_DISTANCE_BYTES: u64 = 512;

/// A few ranges of memory, in order.
pub type Ranges = SmallVec<[MemoryRange; 4]>;

/// A piece of one segment. Chunks follow each other without a gap within a segment.
#[derive(Debug)]
struct Chunk {
    segment_base_offset: Offset,
    /// The first byte's place in the segment: a whole block.
    position: Position,
    buffer: Buffer,
}

impl Chunk {
    fn end(&self) -> Position {
        self.position.plus(self.buffer.len() as u64)
    }
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    offset: Offset,
    segment_base_offset: Offset,
    position: Position,
}

/// Where a batch starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Found {
    /// Its segment.
    pub(super) segment_base_offset: Offset,
    /// Its place in that segment.
    pub(super) position: Position,
    /// Its length in bytes.
    pub(super) bytes: usize,
}

/// The tail of one partition.
#[derive(Debug, Default)]
pub(super) struct Tail {
    chunks: VecDeque<Chunk>,
    marks: VecDeque<Mark>,
    size: ChunkSize,
}

impl Tail {
    /// The segment that the oldest memory is of.
    pub(super) fn first_segment(&self) -> Option<Offset> {
        self.chunks.front().map(|chunk| chunk.segment_base_offset)
    }

    /// The memory held.
    pub(super) fn capacity_bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.buffer.capacity()).sum()
    }

    /// The new memory that appending `bytes` would take.
    pub(super) fn memory_needed(&self, bytes: usize) -> usize {
        let left = self.chunks.back().map_or(0, |chunk| chunk.buffer.remaining());
        if bytes <= left { 0 } else { (bytes - left).next_multiple_of(self.size.bytes()) }
    }

    /// Starts a segment: the next append goes to its position 0. The last chunk of the segment
    /// before is filled up with zeros to a whole block, so that it can be written.
    pub(super) fn start_segment(&mut self, base_offset: Offset, chunks: &mut Chunks) {
        self.end_segment();
        self.open_chunk(base_offset, Position::ZERO, chunks);
    }

    /// Fills the last chunk up with zeros to a whole block: nothing follows it in its segment.
    pub(super) fn end_segment(&mut self) {
        if let Some(last) = self.chunks.back_mut() {
            last.buffer.pad_to_block();
        }
    }

    /// Starts in the middle of a segment, at a whole block, with the bytes that the block already
    /// has; for recovery.
    ///
    /// # Panics
    /// When the tail is not empty.
    pub(super) fn resume(
        &mut self,
        segment_base_offset: Offset,
        position: Position,
        block: &[u8],
        chunks: &mut Chunks,
    ) {
        assert!(self.chunks.is_empty() && position.get().is_multiple_of(BLOCK_BYTES as u64));
        self.open_chunk(segment_base_offset, position, chunks);
        self.copy(segment_base_offset, block, chunks);
    }

    fn open_chunk(&mut self, segment_base_offset: Offset, position: Position, chunks: &mut Chunks) {
        let buffer = chunks.take(self.size);
        self.chunks.push_back(Chunk { segment_base_offset, position, buffer });
    }

    /// Appends a batch, `head` followed by `body`, that begins at `offset`. Returns whether a chunk
    /// was filled.
    pub(super) fn append(
        &mut self,
        offset: Offset,
        head: &[u8],
        body: &[u8],
        chunks: &mut Chunks,
    ) -> bool {
        let last = self.chunks.back().expect("a segment was started");
        let (segment_base_offset, position) = (last.segment_base_offset, last.end());
        let far = self.marks.back().is_none_or(|mark| {
            mark.segment_base_offset != segment_base_offset
                || position.get() - mark.position.get() >= MARK_DISTANCE_BYTES
        });
        if far {
            self.marks.push_back(Mark { offset, segment_base_offset, position });
        }
        let filled_by_head = self.copy(segment_base_offset, head, chunks);
        self.copy(segment_base_offset, body, chunks) || filled_by_head
    }

    /// Appends bytes that continue what is there and start no batch, for recovery.
    pub(super) fn append_raw(&mut self, bytes: &[u8], chunks: &mut Chunks) {
        let base = self.chunks.back().expect("resumed before").segment_base_offset;
        self.copy(base, bytes, chunks);
    }

    fn copy(&mut self, base: Offset, mut bytes: &[u8], chunks: &mut Chunks) -> bool {
        let mut filled = false;
        while !bytes.is_empty() {
            let last = self.chunks.back_mut().expect("a chunk is open");
            let part = last.buffer.remaining().min(bytes.len());
            last.buffer.extend(&bytes[..part]);
            bytes = &bytes[part..];
            if last.buffer.remaining() == 0 {
                filled = true;
                let position = last.end();
                // What is filled at once takes no more memory in one chunk than in many, but one
                // write.
                let size = self.size.max(ChunkSize::filled_by(bytes.len()));
                let buffer = chunks.take(size);
                self.chunks.push_back(Chunk { segment_base_offset: base, position, buffer });
            }
        }
        filled
    }

    /// The end of the last full chunk of a segment: what can be written without waiting for more.
    pub(super) fn full_chunks_end(&self, segment_base_offset: Offset) -> Option<Position> {
        let behind =
            self.chunks.partition_point(|chunk| chunk.segment_base_offset <= segment_base_offset);
        let last = self.chunks.get(behind.checked_sub(1)?)?;
        (last.segment_base_offset == segment_base_offset).then_some(last.position)
    }

    /// Sets the size of the chunks to come.
    pub(super) fn set_size(&mut self, size: ChunkSize) {
        self.size = size;
    }

    /// The size of the chunks to come.
    pub(super) fn size(&self) -> ChunkSize {
        self.size
    }

    /// Drops the oldest chunk if all of it is in the segment and none of it will be appended to:
    /// `synced(segment, position)` says whether everything before that place is durable there.
    pub(super) fn evict(
        &mut self,
        synced: impl Fn(Offset, Position) -> bool,
        chunks: &mut Chunks,
    ) -> bool {
        if self.chunks.len() < 2 {
            return false;
        }
        let first = self.chunks.front().expect("at least two");
        let kept = !synced(first.segment_base_offset, first.end());
        if kept && !planted(Bug::ReleaseUnwrittenChunk) {
            return false;
        }
        let first = self.chunks.pop_front().expect("at least two");
        let (base, end) = (first.segment_base_offset, first.end());
        chunks.give(first.buffer);
        while let Some(mark) = self.marks.front() {
            let gone = mark.segment_base_offset < base
                || (mark.segment_base_offset == base && mark.position < end);
            if !gone {
                break;
            }
            self.marks.pop_front();
        }
        true
    }

    /// Moves what is not yet in the segment to a chunk of one block and gives the larger one up:
    /// for a partition that has gone idle.
    pub(super) fn shrink(
        &mut self,
        synced: impl Fn(Offset, Position) -> bool,
        chunks: &mut Chunks,
    ) {
        while self.evict(&synced, chunks) {}
        self.size = ChunkSize::SMALLEST;
        let Some(only) = self.chunks.back() else { return };
        if self.chunks.len() > 1 || only.buffer.capacity() == BLOCK_BYTES {
            return;
        }
        let base = only.segment_base_offset;
        let block = Position::new(round_down_to_block(only.end().get()));
        if !synced(base, block) {
            return;
        }
        let only = self.chunks.pop_back().expect("just seen");
        let kept = (block.get() - only.position.get()) as usize;
        let rest = only.buffer.filled()[kept..].to_vec();
        self.marks.retain(|mark| mark.segment_base_offset == base && mark.position >= block);
        self.open_chunk(base, block, chunks);
        self.copy(base, &rest, chunks);
        chunks.give(only.buffer);
    }

    /// Gives everything up.
    pub(super) fn clear(&mut self, chunks: &mut Chunks) {
        self.marks.clear();
        for chunk in self.chunks.drain(..) {
            chunks.give(chunk.buffer);
        }
    }

    /// The batch that holds `offset`, when it starts in memory.
    pub(super) fn find(&self, offset: Offset) -> Option<Found> {
        let behind = self.marks.partition_point(|mark| mark.offset <= offset);
        let mark = self.marks.get(behind.checked_sub(1)?)?;
        let mut position = mark.position;
        loop {
            let header = self.header(mark.segment_base_offset, position)?;
            let bytes = header.total_bytes();
            let skipped = planted(Bug::LookUpOffByOne) && header.last_offset() == offset;
            if header.last_offset() >= offset && !skipped {
                let segment_base_offset = mark.segment_base_offset;
                return Some(Found { segment_base_offset, position, bytes });
            }
            position = position.plus(bytes as u64);
        }
    }

    fn header(&self, segment_base_offset: Offset, position: Position) -> Option<BatchHeader> {
        let mut bytes = [0; HEADER_BYTES];
        let mut filled = 0;
        for range in self.ranges(segment_base_offset, position, HEADER_BYTES as u64) {
            bytes[filled..filled + range.len()].copy_from_slice(&range);
            filled += range.len();
        }
        if filled < HEADER_BYTES {
            return None;
        }
        Some(BatchHeader::decode(&bytes).expect("only validated batches are appended"))
    }

    /// Up to `bytes` from `position` of a segment: fewer at the end of what was appended, none when
    /// `position` is not in memory.
    pub(super) fn ranges(
        &self,
        segment_base_offset: Offset,
        position: Position,
        bytes: u64,
    ) -> Ranges {
        self.ranges_from(segment_base_offset, position, bytes).collect()
    }

    /// As [`Tail::ranges`], one by one.
    pub(super) fn ranges_from(
        &self,
        segment_base_offset: Offset,
        position: Position,
        bytes: u64,
    ) -> impl Iterator<Item = MemoryRange> {
        let key = (segment_base_offset, position);
        let behind =
            self.chunks.partition_point(|chunk| (chunk.segment_base_offset, chunk.position) <= key);
        let first = behind.checked_sub(1).unwrap_or(self.chunks.len());
        let (mut at, end) = (position, position.plus(bytes));
        self.chunks.range(first..).map_while(move |chunk| {
            let inside = chunk.segment_base_offset == segment_base_offset
                && chunk.position <= at
                && at < chunk.end().min(end);
            if !inside {
                return None;
            }
            let from = (at.get() - chunk.position.get()) as usize;
            let to = (chunk.end().min(end).get() - chunk.position.get()) as usize;
            at = chunk.position.plus(to as u64);
            Some(chunk.buffer.range(from..to))
        })
    }
}

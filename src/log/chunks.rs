//! The memory of a shard's tails: blocks of a few sizes, bounded in total, used again.

use std::collections::VecDeque;

use crate::io::{BLOCK_BYTES, Buffer};

/// Chunk sizes, each four times the one before: a partition climbs while it is busy.
const SIZES: [usize; 5] = [BLOCK_BYTES, 16 << 10, 64 << 10, 256 << 10, 1 << 20];

/// The place of a partition on the ladder of sizes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct ChunkSize(u8);

impl ChunkSize {
    /// One block: what an idle partition keeps.
    pub const SMALLEST: Self = Self(0);

    /// What a busy partition gets.
    pub const LARGEST: Self = Self(SIZES.len() as u8 - 1);

    /// The largest that `bytes` fill.
    pub fn filled_by(bytes: usize) -> Self {
        let filled = SIZES.iter().take_while(|size| **size <= bytes).count();
        Self(filled.saturating_sub(1) as u8)
    }

    /// The next larger size.
    #[must_use]
    pub fn larger(self) -> Self {
        Self((self.0 + 1).min(SIZES.len() as u8 - 1))
    }

    /// In bytes.
    pub fn bytes(self) -> usize {
        SIZES[usize::from(self.0)]
    }
}

/// All chunk memory of a shard. Chunks that were given back while a send or write still refers to
/// them wait in `retired` and count as used until nobody does.
#[derive(Debug)]
pub struct Chunks {
    bytes_max: usize,
    bytes_used: usize,
    free: [Vec<Buffer>; SIZES.len()],
    free_bytes: usize,
    retired: VecDeque<Buffer>,
}

impl Chunks {
    /// Memory for at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            bytes_used: 0,
            free: Default::default(),
            free_bytes: 0,
            retired: VecDeque::new(),
        }
    }

    /// Bytes that tails, sends and writes hold.
    pub fn bytes_used(&self) -> usize {
        self.bytes_used
    }

    /// The bound.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Whether chunks of `bytes` together can be had without giving any up.
    pub fn has_room(&mut self, bytes: usize) -> bool {
        if self.bytes_used + bytes > self.bytes_max {
            self.collect();
        }
        self.bytes_used + bytes <= self.bytes_max
    }

    /// The largest size, up to `wanted`, of which a quarter of the memory that is left holds one
    /// more for each of `partitions`: many busy partitions share memory by having smaller chunks.
    pub fn affordable(&self, wanted: ChunkSize, partitions: usize) -> ChunkSize {
        let share = self.bytes_max / (4 * partitions.max(1));
        let fits = |size: &usize| *size <= share;
        let climbed = SIZES.iter().take_while(|size| fits(size)).count().max(1) - 1;
        wanted.min(ChunkSize(climbed as u8))
    }

    /// An empty chunk. Above the bound too: who appends has asked [`Chunks::has_room`] before.
    pub fn take(&mut self, size: ChunkSize) -> Buffer {
        self.bytes_used += size.bytes();
        if let Some(buffer) = self.free[usize::from(size.0)].pop() {
            self.free_bytes -= buffer.capacity();
            return buffer;
        }
        self.collect();
        if let Some(buffer) = self.free[usize::from(size.0)].pop() {
            self.free_bytes -= buffer.capacity();
            return buffer;
        }
        Buffer::with_capacity(size.bytes())
    }

    /// Takes a chunk back.
    pub fn give(&mut self, buffer: Buffer) {
        self.retired.push_back(buffer);
        if self.retired.len() > 64 {
            self.collect();
        }
    }

    /// Moves every retired chunk that nobody refers to any more to the free ones.
    fn collect(&mut self) {
        for _ in 0..self.retired.len() {
            let Some(mut buffer) = self.retired.pop_front() else { break };
            if !buffer.is_unshared() {
                self.retired.push_back(buffer);
                continue;
            }
            self.bytes_used -= buffer.capacity();
            let size = SIZES.iter().position(|size| *size == buffer.capacity());
            // An eighth of the bound is kept warm; the rest goes back to the system.
            if let Some(size) = size
                && self.free_bytes + buffer.capacity() <= self.bytes_max / 8
            {
                self.free_bytes += buffer.capacity();
                buffer.clear();
                self.free[size].push(buffer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_counts_until_the_last_reader_is_gone() {
        let mut chunks = Chunks::new(8 * BLOCK_BYTES);
        let mut chunk = chunks.take(ChunkSize::SMALLEST);
        chunk.extend(b"abc");
        let reader = chunk.range(0..3);
        chunks.give(chunk);
        assert!(!chunks.has_room(8 * BLOCK_BYTES));
        assert_eq!(chunks.bytes_used(), BLOCK_BYTES);
        drop(reader);
        assert!(chunks.has_room(8 * BLOCK_BYTES));
        assert!(chunks.take(ChunkSize::SMALLEST).is_empty(), "a used chunk comes back empty");
    }

    #[test]
    fn a_large_append_fills_large_chunks() {
        let bytes = |bytes| ChunkSize::filled_by(bytes).bytes();
        assert_eq!((bytes(0), bytes(5000), bytes(16 << 10)), (4096, 4096, 16 << 10));
        assert_eq!((bytes((1 << 20) - 1), bytes(90 << 20)), (256 << 10, 1 << 20));
    }

    #[test]
    fn many_partitions_get_small_chunks() {
        let chunks = Chunks::new(64 << 20);
        let wanted = ChunkSize(4);
        assert_eq!(chunks.affordable(wanted, 1).bytes(), 1 << 20);
        assert_eq!(chunks.affordable(wanted, 100).bytes(), 64 << 10);
        assert_eq!(chunks.affordable(wanted, 100_000).bytes(), BLOCK_BYTES);
    }
}

//! Block-aligned memory that is written once, front to back, and shared while it grows.
//!
//! A [`Buffer`] is the only handle that writes, and it writes only behind its length. A
//! [`MemoryRange`] covers bytes in front of that length and keeps the memory alive until the send
//! or write that uses it has completed, also on another core. So no byte is ever read and written
//! at the same time, which is the whole argument for the `unsafe` below.

use core::ptr::NonNull;
use core::{fmt, ops::Deref, ops::Range, slice};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::sync::Arc;

/// The unit of direct I/O and of torn writes: 4 KiB on every device that we support.
pub const BLOCK_BYTES: usize = 4096;

/// The largest multiple of [`BLOCK_BYTES`] that is not above `bytes`.
pub const fn round_down_to_block(bytes: u64) -> u64 {
    bytes & !(BLOCK_BYTES as u64 - 1)
}

/// The smallest multiple of [`BLOCK_BYTES`] that is not below `bytes`.
pub const fn round_up_to_block(bytes: u64) -> u64 {
    round_down_to_block(bytes + BLOCK_BYTES as u64 - 1)
}

/// A block-aligned allocation. All of it is initialised from the start.
struct Memory {
    start: NonNull<u8>,
    capacity: usize,
}

// SAFETY: the memory is plain bytes owned by this value; who may touch which of them at which time
// is ruled by `Buffer` and `MemoryRange` as the module's text says.
unsafe impl Send for Memory {}
// SAFETY: as above; shared access only ever reads bytes that no one writes any more.
unsafe impl Sync for Memory {}

impl Memory {
    fn layout(capacity: usize) -> Layout {
        Layout::from_size_align(capacity, BLOCK_BYTES).expect("a capacity far below isize::MAX")
    }

    fn new(capacity: usize) -> Self {
        assert!(capacity > 0 && capacity.is_multiple_of(BLOCK_BYTES));
        let layout = Self::layout(capacity);
        // SAFETY: the layout has a size above zero.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Self { start, capacity }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this very layout, and freed only here.
        unsafe { dealloc(self.start.as_ptr(), Self::layout(self.capacity)) }
    }
}

/// Memory that is filled front to back. Not `Clone`: there is one writer.
pub struct Buffer {
    memory: Arc<Memory>,
    len: usize,
}

impl Buffer {
    /// An empty buffer of at least `capacity` bytes, rounded up to whole blocks.
    pub fn with_capacity(capacity: usize) -> Self {
        let blocks = capacity.max(1).div_ceil(BLOCK_BYTES);
        Self { memory: Arc::new(Memory::new(blocks * BLOCK_BYTES)), len: 0 }
    }

    /// Takes the memory of a range back for writing, if nobody else refers to it any more.
    pub fn reuse(range: MemoryRange) -> Option<Self> {
        let mut memory = range.memory;
        Arc::get_mut(&mut memory)?;
        Some(Self { memory, len: 0 })
    }

    /// Whether no range of this buffer is held elsewhere.
    pub fn is_unshared(&self) -> bool {
        Arc::strong_count(&self.memory) == 1
    }

    /// Starts again at the front.
    ///
    /// # Panics
    /// When a range of this buffer is still held.
    pub fn clear(&mut self) {
        assert!(Arc::get_mut(&mut self.memory).is_some(), "a range of this buffer is in use");
        self.len = 0;
    }

    /// The bytes that can be held.
    pub fn capacity(&self) -> usize {
        self.memory.capacity
    }

    /// The bytes written so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes that still fit.
    pub fn remaining(&self) -> usize {
        self.memory.capacity - self.len
    }

    /// Appends `bytes`.
    ///
    /// # Panics
    /// When they do not fit.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.spare()[..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Appends `count` zeros.
    ///
    /// # Panics
    /// When they do not fit.
    pub fn extend_zeros(&mut self, count: usize) {
        self.spare()[..count].fill(0);
        self.len += count;
    }

    /// Appends zeros up to the next block.
    pub fn pad_to_block(&mut self) {
        self.extend_zeros(self.len.next_multiple_of(BLOCK_BYTES) - self.len);
    }

    /// Replaces bytes that were written but not shared yet: headers that are known last.
    ///
    /// # Panics
    /// When a range of this buffer exists, or `bytes` would reach behind what is written.
    pub fn rewrite(&mut self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= self.len);
        assert!(Arc::get_mut(&mut self.memory).is_some(), "a range of this buffer is in use");
        // SAFETY: no range exists, and this buffer is borrowed mutably: nobody else reads.
        let filled = unsafe { slice::from_raw_parts_mut(self.memory.start.as_ptr(), self.len) };
        filled[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// The space behind the length, for a driver that fills it; see [`Buffer::advance`].
    pub fn spare(&mut self) -> &mut [u8] {
        // SAFETY: ranges end at or before `len`, there is one `Buffer`, and it is borrowed
        // mutably, so these bytes have no other reader or writer. They are initialised.
        unsafe {
            slice::from_raw_parts_mut(self.memory.start.as_ptr().add(self.len), self.remaining())
        }
    }

    /// Counts `count` bytes of [`Buffer::spare`] as written.
    ///
    /// # Panics
    /// When that is more than there is.
    pub fn advance(&mut self, count: usize) {
        assert!(count <= self.remaining());
        self.len += count;
    }

    /// What has been written.
    pub fn filled(&self) -> &[u8] {
        // SAFETY: the bytes before `len` are never written again while this buffer is borrowed.
        unsafe { slice::from_raw_parts(self.memory.start.as_ptr(), self.len) }
    }

    /// A shared view of a part of what has been written.
    ///
    /// # Panics
    /// When the range is not wholly written.
    pub fn range(&self, range: Range<usize>) -> MemoryRange {
        assert!(range.start <= range.end && range.end <= self.len);
        MemoryRange {
            memory: Arc::clone(&self.memory),
            start: u32::try_from(range.start).expect("buffers stay below 4 GiB"),
            end: u32::try_from(range.end).expect("buffers stay below 4 GiB"),
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} of {})", self.len, self.capacity())
    }
}

/// Bytes that do not change any more, and the memory they lie in kept alive.
#[derive(Clone)]
pub struct MemoryRange {
    memory: Arc<Memory>,
    start: u32,
    end: u32,
}

impl MemoryRange {
    /// Copies `bytes` into memory of their own.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut buffer = Buffer::with_capacity(bytes.len());
        buffer.extend(bytes);
        buffer.range(0..bytes.len())
    }

    /// A part of this range, counted from its start.
    ///
    /// # Panics
    /// When `range` is not within this one.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len());
        let start = self.start + u32::try_from(range.start).expect("within the range");
        let end = self.start + u32::try_from(range.end).expect("within the range");
        Self { memory: Arc::clone(&self.memory), start, end }
    }

    /// Whether nothing else keeps its memory from being freed.
    pub fn is_unshared(&self) -> bool {
        Arc::strong_count(&self.memory) == 1
    }

    /// The bytes of memory that this range keeps from being freed.
    pub fn pinned_bytes(&self) -> usize {
        self.memory.capacity
    }
}

impl Deref for MemoryRange {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let (start, end) = (self.start as usize, self.end as usize);
        // SAFETY: ranges are made only over written bytes, and those are written again only by a
        // `Buffer` that has proved, with `Arc::get_mut`, that no range is left.
        unsafe { slice::from_raw_parts(self.memory.start.as_ptr().add(start), end - start) }
    }
}

impl fmt::Debug for MemoryRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryRange({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appending_goes_on_behind_a_shared_range() {
        let mut buffer = Buffer::with_capacity(10);
        assert_eq!(buffer.capacity(), BLOCK_BYTES);
        buffer.extend(b"abc");
        let shared = buffer.range(1..3);
        let reader = std::thread::spawn(move || shared.to_vec());
        buffer.extend(b"defg");
        assert_eq!(reader.join().unwrap(), b"bc");
        assert_eq!(buffer.filled(), b"abcdefg");
        assert_eq!(&*buffer.range(2..6).slice(1..3), b"de");
    }

    #[test]
    fn memory_is_reused_only_when_nobody_refers_to_it() {
        let mut buffer = Buffer::with_capacity(1);
        buffer.extend(b"x");
        let (one, two) = (buffer.range(0..1), buffer.range(0..1));
        drop(buffer);
        assert!(Buffer::reuse(one).is_none());
        let again = Buffer::reuse(two).unwrap();
        assert!(again.is_empty() && again.is_unshared());
    }

    #[test]
    #[should_panic(expected = "in use")]
    fn clearing_a_shared_buffer_is_refused() {
        let mut buffer = Buffer::with_capacity(1);
        buffer.extend(b"x");
        let _held = buffer.range(0..1);
        buffer.clear();
    }

    #[test]
    fn memory_is_aligned_and_padded_with_zeros() {
        let mut buffer = Buffer::with_capacity(5000);
        buffer.extend(&[7; 4097]);
        assert_eq!(buffer.filled().as_ptr().addr() % BLOCK_BYTES, 0);
        buffer.pad_to_block();
        assert_eq!(buffer.len(), 8192);
        assert!(buffer.filled()[4097..].iter().all(|byte| *byte == 0));
        assert_eq!(round_down_to_block(8191), 4096);
        assert_eq!(round_up_to_block(4097), 8192);
    }
}

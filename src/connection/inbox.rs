//! Frames out of a stream of bytes: a length in four bytes, then as many bytes.
//!
//! Most bytes are read into a buffer that all connections of a shard share, and their frames are
//! handled there. A connection keeps only what it has of a frame that is not complete, and grows
//! that with the bytes that arrive, never by the length that was announced.

use core::ops::Range;

/// The bytes of a frame's length.
pub const LENGTH_BYTES: usize = 4;
/// When less than this is missing of a frame, the rest is read together with what follows it.
const SMALL_REST_BYTES: usize = 16 << 10;
/// How much of a large frame is read at once: as much as has arrived already, within these.
const READ_BYTES_MIN: usize = 64 << 10;
const READ_BYTES_MAX: usize = 1 << 20;
/// Memory that a connection keeps for its next frames.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// Why a stream cannot be understood. The connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameError {
    /// The length is zero or negative.
    Length(i32),
    /// The frame is longer than `socket.request.max.bytes`.
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

/// Where the bytes of a read stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// In the shared buffer, up to this length.
    Shared(usize),
    /// With the connection: see [`Inbox::take`].
    Own,
}

/// The receiving side of a connection.
#[derive(Debug, Default)]
pub struct Inbox {
    /// Memory of the connection's own; the first `held` bytes wait to be handled.
    storage: Vec<u8>,
    held: usize,
    /// The read under way goes to the shared buffer, behind a copy of what is held.
    reads_shared: bool,
}

impl Inbox {
    /// Memory held.
    pub fn capacity_bytes(&self) -> usize {
        self.storage.capacity()
    }

    /// Bytes that wait to be handled.
    pub fn held_bytes(&self) -> usize {
        self.held
    }

    /// The bytes still missing of the frame that has begun, as far as is known.
    pub fn missing_bytes(&self) -> usize {
        match announced(&self.storage[..self.held]) {
            Some(length) => (LENGTH_BYTES + length.max(0) as usize).saturating_sub(self.held),
            None => LENGTH_BYTES - self.held,
        }
    }

    /// The space into which the next bytes are to be read.
    pub fn space<'a>(&'a mut self, shared: &'a mut [u8]) -> &'a mut [u8] {
        let missing = self.missing_bytes();
        self.reads_shared = missing < SMALL_REST_BYTES && self.held <= shared.len() / 2;
        if self.reads_shared {
            shared[..self.held].copy_from_slice(&self.storage[..self.held]);
            return &mut shared[self.held..];
        }
        // At least doubling keeps copies few; the announced length is never allocated ahead of what
        // has arrived.
        let more = missing.min(self.held.clamp(READ_BYTES_MIN, READ_BYTES_MAX));
        if self.storage.len() < self.held + more {
            self.storage.resize(self.held + more, 0);
        }
        &mut self.storage[self.held..self.held + more]
    }

    /// Takes note of `bytes` read into the space.
    pub fn received(&mut self, bytes: usize) -> Received {
        if self.reads_shared {
            let filled = self.held + bytes;
            self.held = 0;
            return Received::Shared(filled);
        }
        self.held += bytes;
        Received::Own
    }

    /// Keeps bytes of the shared buffer that were not handled.
    ///
    /// # Panics
    /// When something is held already.
    pub fn keep(&mut self, bytes: &[u8]) {
        assert_eq!(self.held, 0);
        if self.storage.len() < bytes.len() {
            self.storage.resize(bytes.len(), 0);
        }
        self.storage[..bytes.len()].copy_from_slice(bytes);
        self.held = bytes.len();
    }

    /// Takes out the memory, the held bytes in front, so that they can be handled while the
    /// connection is changed; and their number.
    pub fn take(&mut self) -> (Vec<u8>, usize) {
        (std::mem::take(&mut self.storage), std::mem::take(&mut self.held))
    }

    /// Puts back what [`Inbox::take`] took; of the `held` bytes the first `handled` are done with.
    pub fn put_back(&mut self, mut storage: Vec<u8>, held: usize, handled: usize) {
        storage.copy_within(handled..held, 0);
        self.storage = storage;
        self.held = held - handled;
        // A client that goes on with small requests is never at rest.
        if handled > 0 && self.storage.capacity() > KEPT_BYTES_MAX {
            self.storage.truncate(self.held);
            self.storage.shrink_to_fit();
        }
    }

    /// Gives memory back that a connection at rest does not need.
    pub fn rest(&mut self) {
        if self.held == 0 {
            self.storage = Vec::new();
        }
    }
}

fn announced(bytes: &[u8]) -> Option<i32> {
    Some(i32::from_be_bytes(*bytes.first_chunk::<LENGTH_BYTES>()?))
}

/// The next complete frame's body within `bytes`; `None` when it is not complete.
///
/// # Errors
/// The length cannot be one.
pub fn next_frame(bytes: &[u8], bytes_max: usize) -> Result<Option<Range<usize>>, FrameError> {
    let Some(length) = announced(bytes) else { return Ok(None) };
    let frame = usize::try_from(length).ok().filter(|length| *length > 0);
    let frame = frame.ok_or(FrameError::Length(length))?;
    if frame > bytes_max {
        return Err(FrameError::TooLong { bytes: frame });
    }
    let end = LENGTH_BYTES + frame;
    Ok((end <= bytes.len()).then_some(LENGTH_BYTES..end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prng::Prng;

    const BYTES_MAX: usize = 1 << 20;

    fn frame(body: &[u8]) -> Vec<u8> {
        let mut frame = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        frame.extend_from_slice(body);
        frame
    }

    /// Reads `stream` in pieces of the sizes that `next` gives, and collects the frames.
    fn read(stream: &[u8], mut next: impl FnMut() -> usize) -> Vec<Vec<u8>> {
        let (mut inbox, mut shared) = (Inbox::default(), vec![0; 4096]);
        let (mut frames, mut at) = (Vec::new(), 0);
        while at < stream.len() {
            let space = inbox.space(&mut shared);
            let bytes = next().clamp(1, space.len()).min(stream.len() - at);
            space[..bytes].copy_from_slice(&stream[at..at + bytes]);
            at += bytes;
            let mut collect = |bytes: &[u8]| {
                let mut handled = 0;
                while let Some(body) = next_frame(&bytes[handled..], BYTES_MAX).unwrap() {
                    frames.push(bytes[handled..][body.clone()].to_vec());
                    handled += body.end;
                }
                handled
            };
            match inbox.received(bytes) {
                Received::Shared(filled) => {
                    let handled = collect(&shared[..filled]);
                    inbox.keep(&shared[handled..filled]);
                }
                Received::Own => {
                    let (storage, held) = inbox.take();
                    let handled = collect(&storage[..held]);
                    inbox.put_back(storage, held, handled);
                }
            }
        }
        frames
    }

    #[test]
    fn frames_come_out_however_the_stream_is_cut() {
        for seed in 0..200 {
            let mut prng = Prng::new(seed);
            let bodies: Vec<Vec<u8>> = (0..20)
                .map(|index| {
                    let most = if prng.percent(20) { 100_000 } else { 300 };
                    vec![index; 1 + prng.below(most) as usize]
                })
                .collect();
            let stream: Vec<u8> = bodies.iter().flat_map(|body| frame(body)).collect();
            let most = 1 + prng.below(5000);
            assert_eq!(read(&stream, || 1 + prng.below(most) as usize), bodies, "seed {seed}");
        }
    }

    #[test]
    fn an_announced_length_allocates_nothing() {
        let mut inbox = Inbox::default();
        let mut shared = vec![0; 4096];
        inbox.space(&mut shared)[..4].copy_from_slice(&100_000_000u32.to_be_bytes());
        assert_eq!(inbox.received(4), Received::Shared(4));
        inbox.keep(&shared[..4]);
        assert!(inbox.space(&mut shared).len() <= READ_BYTES_MIN);
        assert!(inbox.capacity_bytes() <= 2 * READ_BYTES_MIN);
    }

    #[test]
    fn the_memory_of_a_large_frame_goes_with_it() {
        let mut inbox = Inbox::default();
        let stream = [frame(&vec![1; 8 << 20]), frame(b"next")[..6].to_vec()].concat();
        inbox.keep(&stream);
        let (storage, held) = inbox.take();
        inbox.put_back(storage, held, (8 << 20) + LENGTH_BYTES);
        assert_eq!((inbox.held_bytes(), inbox.missing_bytes()), (6, 2));
        assert!(inbox.capacity_bytes() <= KEPT_BYTES_MAX);
    }

    #[test]
    fn senseless_lengths_are_refused() {
        let next = |length: i32| next_frame(&length.to_be_bytes(), 100);
        assert_eq!(next(-1), Err(FrameError::Length(-1)));
        assert_eq!(next(0), Err(FrameError::Length(0)));
        assert_eq!(next(101), Err(FrameError::TooLong { bytes: 101 }));
        assert_eq!(next(100), Ok(None));
        assert_eq!(next_frame(&[0, 0], 100), Ok(None));
    }
}

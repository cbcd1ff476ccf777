//! Decompression piece by piece, for who looks at everything and keeps nothing: a batch of a megabyte
//! can be gigabytes without its compression.
//!
//! What is held is a piece of 64 KiB, a block of LZ4 (at most 4 MiB), the window that a zstd frame
//! refers back to (at most 128 MiB, and no more than there was output), or a block of Snappy, which
//! cannot be decoded in parts and has at most 22 times the bytes of its input.

use std::io::Read;

use super::{Codec, DecompressError, gzip, lz4, snappy, zstd};

/// How much is decompressed at once by codecs that stop anywhere.
const PIECE_BYTES: usize = 64 << 10;

enum Source<'a> {
    Stored(&'a [u8]),
    Gzip(gzip::Stream<'a>),
    Snappy(snappy::Blocks<'a>),
    Lz4(lz4::Blocks<'a>),
    Zstd(zstd::Stream<'a>),
}

/// The decompressed bytes of an input, the next ones at a time.
pub struct Decompressor<'a> {
    source: Source<'a>,
    buffer: Vec<u8>,
    /// What comes next in the buffer.
    at: usize,
    /// Output that is still allowed.
    left: usize,
}

impl core::fmt::Debug for Decompressor<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Decompressor({} bytes at hand)", self.buffer.len() - self.at)
    }
}

impl<'a> Decompressor<'a> {
    /// Decompresses `input` to at most `bytes_max` bytes.
    ///
    /// # Errors
    /// The input is damaged at its start.
    pub fn new(codec: Codec, input: &'a [u8], bytes_max: usize) -> Result<Self, DecompressError> {
        let source = match codec {
            Codec::None => Source::Stored(input),
            Codec::Gzip => Source::Gzip(gzip::Stream::new(input)),
            Codec::Snappy => Source::Snappy(snappy::Blocks::new(input)?),
            Codec::Lz4 => Source::Lz4(lz4::Blocks::new(input)?),
            Codec::Zstd => Source::Zstd(zstd::stream(input)?),
        };
        Ok(Self { source, buffer: Vec::new(), at: 0, left: bytes_max })
    }

    /// The bytes that come next, some of them; none at the end.
    ///
    /// # Errors
    /// The input is damaged, or has more than the allowed output.
    #[inline]
    pub fn fill(&mut self) -> Result<&[u8], DecompressError> {
        if self.at == self.buffer.len() {
            self.load()?;
        }
        Ok(&self.buffer[self.at..])
    }

    /// Passes over `count` of the bytes that [`Decompressor::fill`] gave.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        self.at += count;
        debug_assert!(self.at <= self.buffer.len());
    }

    fn load(&mut self) -> Result<(), DecompressError> {
        let buffer = &mut self.buffer;
        self.at = match &mut self.source {
            Source::Stored(rest) => {
                let (piece, behind) = rest.split_at(rest.len().min(PIECE_BYTES));
                *rest = behind;
                buffer.clear();
                buffer.extend_from_slice(piece);
                0
            }
            Source::Gzip(stream) => read(stream, buffer)?,
            Source::Zstd(stream) => read(stream, buffer)?,
            Source::Snappy(blocks) => {
                buffer.clear();
                while buffer.is_empty() && blocks.next(self.left, buffer)? {}
                0
            }
            Source::Lz4(blocks) => blocks.next(buffer)?,
        };
        let loaded = self.buffer.len() - self.at;
        self.left = self.left.checked_sub(loaded).ok_or(DecompressError::TooLarge)?;
        Ok(())
    }
}

/// Replaces what is in `buffer` by what comes next; returns where it starts there.
fn read(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Result<usize, DecompressError> {
    buffer.resize(PIECE_BYTES, 0);
    let read = stream.read(buffer).map_err(|_| DecompressError::Corrupt)?;
    buffer.truncate(read);
    Ok(0)
}

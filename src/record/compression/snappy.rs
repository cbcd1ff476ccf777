//! Snappy blocks. The Java client frames them as the xerial library does: 16 bytes of header, then
//! blocks, each behind its length in 4 bytes. Some clients send one bare block instead, which
//! Kafka takes too.

use super::{DecompressError, reserve};

const MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
/// The version of the framing and the lowest version that reads it: both 1, and nobody checks.
const VERSIONS: &[u8; 8] = b"\0\0\0\x01\0\0\0\x01";
/// The bytes that the Java library puts into a block.
const BLOCK_BYTES: usize = 32 * 1024;
/// No element of a block yields more output per input: 64 bytes from 3.
const EXPANSION_MAX: usize = 22;

pub(super) fn decompress(
    input: &[u8],
    bytes_max: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    let mut blocks = Blocks::new(input)?;
    while blocks.next(bytes_max, out)? {}
    Ok(())
}

/// The blocks of an input, one by one.
pub(super) struct Blocks<'a> {
    rest: &'a [u8],
    framed: bool,
    ended: bool,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(input: &'a [u8]) -> Result<Self, DecompressError> {
        let Some(rest) = input.strip_prefix(MAGIC) else {
            return Ok(Self { rest: input, framed: false, ended: false });
        };
        let rest = rest.get(VERSIONS.len()..).ok_or(DecompressError::Corrupt)?;
        Ok(Self { rest, framed: true, ended: rest.is_empty() })
    }

    /// Appends the next block to `out`, which may have `bytes_max` bytes then; `false` when there
    /// is none.
    pub(super) fn next(
        &mut self,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, DecompressError> {
        if self.ended {
            return Ok(false);
        }
        let mut block = std::mem::take(&mut self.rest);
        if self.framed {
            let (length, behind) = block.split_first_chunk().ok_or(DecompressError::Corrupt)?;
            let length = u32::from_be_bytes(*length) as usize;
            (block, self.rest) = behind.split_at_checked(length).ok_or(DecompressError::Corrupt)?;
        }
        self.ended = self.rest.is_empty();
        decompress_block(block, bytes_max, out)?;
        Ok(true)
    }
}

fn decompress_block(
    block: &[u8],
    bytes_max: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    let announced = snap::raw::decompress_len(block).map_err(|_| DecompressError::Corrupt)?;
    if announced > block.len() * EXPANSION_MAX {
        return Err(DecompressError::Corrupt);
    }
    if announced > bytes_max - out.len() {
        return Err(DecompressError::TooLarge);
    }
    let start = out.len();
    reserve(out, announced, bytes_max);
    out.resize(start + announced, 0);
    let decoded = snap::raw::Decoder::new().decompress(block, &mut out[start..]);
    decoded.map(|_| ()).map_err(|_| DecompressError::Corrupt)
}

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(VERSIONS);
    let mut encoder = snap::raw::Encoder::new();
    for block in input.chunks(BLOCK_BYTES) {
        let length_at = out.len();
        let start = length_at + 4;
        out.resize(start + snap::raw::max_compress_len(block.len()), 0);
        let length = encoder.compress(block, &mut out[start..]).expect("there is room");
        out.truncate(start + length);
        out[length_at..start].copy_from_slice(&(length as u32).to_be_bytes());
    }
}

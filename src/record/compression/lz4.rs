//! LZ4 frames (LZ4 frame format 1.6). Kafka writes independent blocks of 64 KiB without checksums;
//! other clients' frames may have larger or linked blocks, checksums and a content size, all of
//! which are read and verified here. Linked blocks are more than Kafka's own reader takes.

use core::hash::Hasher as _;

use lz4_flex::block;
use twox_hash::XxHash32;

use super::{DecompressError, reserve};

const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();
/// Flags and block size as Kafka writes them: version 1, independent blocks, at most 64 KiB each.
const DESCRIPTOR: [u8; 2] = [VERSION | INDEPENDENT, 4 << 4];
const BLOCK_BYTES: usize = 64 * 1024;
/// The bit of a block's length that says that the block is stored as it is.
const STORED: u32 = 1 << 31;
/// No more output comes of a byte of a block.
const EXPANSION_MAX: usize = 255;
/// How far back linked blocks refer.
const WINDOW_BYTES: usize = 64 * 1024;

const VERSION: u8 = 0x40;
const VERSION_MASK: u8 = 0xc0;
const INDEPENDENT: u8 = 0x20;
const BLOCK_CHECKSUM: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const CONTENT_CHECKSUM: u8 = 0x04;
/// A reserved bit, and a dictionary that nobody could send along.
const UNSUPPORTED: u8 = 0x03;

/// The rest of the input.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], DecompressError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DecompressError::Corrupt)?;
        self.0 = rest;
        Ok(taken)
    }

    fn take_u32(&mut self) -> Result<u32, DecompressError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(DecompressError::Corrupt)?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*taken))
    }

    /// Reads the checksum of `content`.
    fn verify(&mut self, content: &[u8]) -> Result<(), DecompressError> {
        if self.take_u32()? == XxHash32::oneshot(0, content) {
            return Ok(());
        }
        Err(DecompressError::Corrupt)
    }
}

/// What a frame says of itself before its first block.
struct Frame {
    flags: u8,
    block_bytes_max: usize,
    content_bytes: Option<u64>,
}

impl Frame {
    fn read(input: &mut Input<'_>) -> Result<Self, DecompressError> {
        if input.take(MAGIC.len())? != MAGIC {
            return Err(DecompressError::Corrupt);
        }
        let descriptor = input.0;
        let flags = input.take(1)?[0];
        if flags & VERSION_MASK != VERSION || flags & UNSUPPORTED != 0 {
            return Err(DecompressError::Corrupt);
        }
        // Sizes 4 to 7 stand for 64 KiB to 4 MiB, in factors of 4; the other bits are reserved.
        let block_bytes_max = match input.take(1)?[0] {
            size @ (0x40 | 0x50 | 0x60 | 0x70) => BLOCK_BYTES << (2 * ((size >> 4) - 4)),
            _ => return Err(DecompressError::Corrupt),
        };
        let mut content_bytes = None;
        if flags & CONTENT_SIZE != 0 {
            let field = input.take(8)?.first_chunk().expect("8 bytes were taken");
            content_bytes = Some(u64::from_le_bytes(*field));
        }
        let checked = &descriptor[..descriptor.len() - input.0.len()];
        if input.take(1)?[0] != descriptor_checksum(checked) {
            return Err(DecompressError::Corrupt);
        }
        Ok(Self { flags, block_bytes_max, content_bytes })
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Appends the next block to `out`; `false` at the mark that ends the frame.
    fn next_block(
        &self,
        input: &mut Input<'_>,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, DecompressError> {
        let length = input.take_u32()?;
        if length == 0 {
            return Ok(false);
        }
        let block = input.take((length & !STORED) as usize)?;
        if block.len() > self.block_bytes_max {
            return Err(DecompressError::Corrupt);
        }
        if self.has(BLOCK_CHECKSUM) {
            input.verify(block)?;
        }
        if length & STORED == 0 {
            self.decompress_block(block, bytes_max, out)?;
        } else if block.len() > bytes_max - out.len() {
            return Err(DecompressError::TooLarge);
        } else {
            reserve(out, block.len(), bytes_max);
            out.extend_from_slice(block);
        }
        Ok(true)
    }

    /// What stands behind the last block: perhaps the checksum of all content, and nothing else.
    fn end(
        &self,
        mut input: Input<'_>,
        checksum: impl FnOnce() -> u32,
        content_bytes: u64,
    ) -> Result<(), DecompressError> {
        let intact = !self.has(CONTENT_CHECKSUM) || input.take_u32()? == checksum();
        let whole = self.content_bytes.is_none_or(|bytes| bytes == content_bytes);
        let exact = intact && whole && input.0.is_empty();
        if exact { Ok(()) } else { Err(DecompressError::Corrupt) }
    }

    fn decompress_block(
        &self,
        content: &[u8],
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), DecompressError> {
        let start = out.len();
        let room = bytes_max - start;
        // By the input there is and not by the size announced, which may be 4 MiB for a few bytes.
        let expansion = content.len().saturating_mul(EXPANSION_MAX);
        let output_max = self.block_bytes_max.min(expansion);
        let output_bytes = output_max.min(room);
        reserve(out, output_bytes, bytes_max);
        out.resize(start + output_bytes, 0);
        let (before, output) = out.split_at_mut(start);
        let result = if self.has(INDEPENDENT) {
            block::decompress_into(content, output)
        } else {
            let window = &before[start.saturating_sub(WINDOW_BYTES)..];
            block::decompress_into_with_dict(content, output, window)
        };
        match result {
            Ok(length) => {
                out.truncate(start + length);
                Ok(())
            }
            Err(block::DecompressError::OutputTooSmall { .. }) if room < output_max => {
                Err(DecompressError::TooLarge)
            }
            Err(_) => Err(DecompressError::Corrupt),
        }
    }
}

fn descriptor_checksum(descriptor: &[u8]) -> u8 {
    (XxHash32::oneshot(0, descriptor) >> 8) as u8
}

pub(super) fn decompress(
    input: &[u8],
    bytes_max: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    let mut input = Input(input);
    let frame = Frame::read(&mut input)?;
    while frame.next_block(&mut input, bytes_max, out)? {}
    let checksum = || XxHash32::oneshot(0, out);
    frame.end(input, checksum, out.len() as u64)
}

/// A frame block by block.
pub(super) struct Blocks<'a> {
    input: Input<'a>,
    frame: Frame,
    checksum: XxHash32,
    bytes: u64,
    ended: bool,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(input: &'a [u8]) -> Result<Self, DecompressError> {
        let mut input = Input(input);
        let frame = Frame::read(&mut input)?;
        Ok(Self { input, frame, checksum: XxHash32::with_seed(0), bytes: 0, ended: false })
    }

    /// Puts the next block into `out`, behind what later blocks may refer to. Returns where the
    /// block starts; where nothing starts, the frame has ended.
    pub(super) fn next(&mut self, out: &mut Vec<u8>) -> Result<usize, DecompressError> {
        let kept = out.len().min(WINDOW_BYTES);
        out.drain(..out.len() - kept);
        while !self.ended && out.len() == kept {
            self.take_block(out, kept)?;
        }
        Ok(kept)
    }

    fn take_block(&mut self, out: &mut Vec<u8>, kept: usize) -> Result<(), DecompressError> {
        self.ended = !self.frame.next_block(&mut self.input, usize::MAX, out)?;
        self.bytes += (out.len() - kept) as u64;
        if self.frame.has(CONTENT_CHECKSUM) {
            self.checksum.write(&out[kept..]);
        }
        if self.ended {
            let (input, checksum) = (Input(self.input.0), || self.checksum.finish_32());
            self.frame.end(input, checksum, self.bytes)?;
        }
        Ok(())
    }
}

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&DESCRIPTOR);
    out.push(descriptor_checksum(&DESCRIPTOR));
    for chunk in input.chunks(BLOCK_BYTES) {
        let length_at = out.len();
        let start = length_at + 4;
        out.resize(start + block::get_maximum_output_size(chunk.len()), 0);
        let length = block::compress_into(chunk, &mut out[start..]).expect("there is room");
        out.truncate(start + length);
        let mut field = length as u32;
        if length >= chunk.len() {
            out.truncate(start);
            out.extend_from_slice(chunk);
            field = chunk.len() as u32 | STORED;
        }
        out[length_at..start].copy_from_slice(&field.to_le_bytes());
    }
    out.extend_from_slice(&[0; 4]);
}

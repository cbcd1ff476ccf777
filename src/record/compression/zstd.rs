//! Zstandard (RFC 8878).
//!
//! Where all output is wanted, frames are decoded whole into it: the streaming decoder allocates the
//! window that a frame's header asks for, up to 128 MiB, though what no output fills is never touched.

use std::io::Cursor;

use ::zstd::zstd_safe::{self, zstd_sys::ZSTD_ErrorCode};

use super::DecompressError;

/// The smallest output that is tried.
const OUTPUT_BYTES_MIN: usize = 16 * 1024;
/// How much more output than input is tried first, and believed when the input announces it.
const EXPANSION_FIRST: usize = 8;
const EXPANSION_BELIEVED: usize = 64;
/// By how much the next output tried is larger; the input is decoded again from its start.
const GROWTH: usize = 4;

pub(super) fn decompress(
    input: &[u8],
    bytes_max: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    let mut capacity = capacity_first(input, bytes_max)?;
    loop {
        out.reserve_exact(capacity);
        match zstd_safe::decompress(out, input) {
            // The vector may have brought more room than it was asked to have.
            Ok(length) if length > bytes_max => return Err(DecompressError::TooLarge),
            Ok(_) => return Ok(()),
            Err(code) if code != OUTPUT_TOO_SMALL => return Err(DecompressError::Corrupt),
            Err(_) if out.capacity() >= bytes_max => return Err(DecompressError::TooLarge),
            Err(_) => {}
        }
        let grown = out.capacity().saturating_mul(GROWTH);
        capacity = grown.max(OUTPUT_BYTES_MIN).min(bytes_max);
        // Given back before the larger one is taken, since nothing in it is kept.
        *out = Vec::new();
    }
}

/// The largest window, as with Kafka's reader: 128 MiB, which level 22 asks for.
const WINDOW_LOG_MAX: u32 = 27;

/// A decoder that gives its output piece by piece.
pub(super) type Stream<'a> = ::zstd::stream::read::Decoder<'static, &'a [u8]>;

pub(super) fn stream(input: &[u8]) -> Result<Stream<'_>, DecompressError> {
    let mut decoder = Stream::with_buffer(input).map_err(|_| DecompressError::Corrupt)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(|_| DecompressError::Corrupt)?;
    Ok(decoder)
}

/// The room for a first attempt, by the bytes there are rather than the length they announce.
fn capacity_first(input: &[u8], bytes_max: usize) -> Result<usize, DecompressError> {
    let at_least = |expansion: usize| {
        input.len().saturating_mul(expansion).max(OUTPUT_BYTES_MIN).min(bytes_max)
    };
    match zstd_safe::get_frame_content_size(input) {
        Err(_) => Err(DecompressError::Corrupt),
        Ok(None) => Ok(at_least(EXPANSION_FIRST)),
        Ok(Some(bytes)) if bytes > bytes_max as u64 => Err(DecompressError::TooLarge),
        Ok(Some(bytes)) => Ok(at_least(EXPANSION_BELIEVED).min(bytes as usize)),
    }
}

/// The library returns errors as negative numbers in an unsigned type.
const OUTPUT_TOO_SMALL: usize =
    (ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall as usize).wrapping_neg();

pub(super) fn compress(level: i32, input: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.reserve(zstd_safe::compress_bound(input.len()));
    let mut output = Cursor::new(out);
    output.set_position(start as u64);
    let written = zstd_safe::compress(&mut output, input, level);
    written.expect("there is room, and the library has memory");
}

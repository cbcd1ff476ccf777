//! Gzip: one or more members (RFC 1952), of which Kafka writes one.

use std::io::{Read as _, Write as _};

use super::DecompressError;

/// The first step in which output is allocated; each next one is as large as all before.
const STEP_BYTES: usize = 16 * 1024;

/// A decoder that gives its output piece by piece.
pub(super) type Stream<'a> = flate2::bufread::MultiGzDecoder<&'a [u8]>;

pub(super) fn decompress(
    input: &[u8],
    bytes_max: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    let mut decoder = Stream::new(input);
    loop {
        // One byte more than allowed tells a full output from one that is too large.
        let step = out.len().max(STEP_BYTES).min(bytes_max.saturating_add(1) - out.len());
        out.reserve_exact(step);
        let read = decoder.by_ref().take(step as u64).read_to_end(out);
        let read = read.map_err(|_| DecompressError::Corrupt)?;
        if out.len() > bytes_max {
            return Err(DecompressError::TooLarge);
        }
        if read < step {
            return Ok(());
        }
    }
}

pub(super) fn compress(level: i32, input: &[u8], out: &mut Vec<u8>) {
    let level = match u32::try_from(level) {
        Ok(level) => flate2::Compression::new(level),
        Err(_) => flate2::Compression::default(),
    };
    let mut encoder = flate2::write::GzEncoder::new(out, level);
    let written = encoder.write_all(input).and_then(|()| encoder.try_finish());
    written.expect("a vector takes every byte");
}

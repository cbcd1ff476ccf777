//! A batch in another codec, for topics whose `compression.type` is not the producer's.

use super::building::write_batch;
use super::{BatchHeader, BuildError, Compression};

/// Appends to `out` the batch of `header` with its records in another codec, and returns the new
/// header. `section` holds the records without compression, from [`super::Batch::section`].
///
/// Offsets, timestamps, producer and flags stay as they are, and so does every byte of the
/// records: Kafka encodes them afresh, relative to the first record's timestamp and without their
/// attributes, which no reader can tell. As there, control batches should not be recompressed and
/// the result has to be compared again with `max.message.bytes`.
///
/// # Errors
/// The new batch is longer than a length field can say; `out` is as before.
pub fn recompress(
    header: &BatchHeader,
    section: &[u8],
    compression: Compression,
    out: &mut Vec<u8>,
) -> Result<BatchHeader, BuildError> {
    write_batch(*header, section, compression, out)
}

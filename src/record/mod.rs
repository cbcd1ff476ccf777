//! Record batches of format 2, as on the wire and in segments (KIP-98): reading, checking what
//! clients send, stamping, building, compressing.
//!
//! The bytes of a batch are trusted nowhere: every function here takes any bytes, and fails
//! instead of panicking, reading beyond them or allocating what they announce.

mod batches;
mod building;
mod compression;
mod control;
mod crc;
mod header;
mod iteration;
mod recompression;
mod skimming;
mod validation;
mod varint;
mod walk;

pub use batches::{Batch, Batches, BatchesEnd, SectionError};
pub use building::{BatchBuilder, BatchOptions, BuildError, NewRecord, Producer};
pub use compression::{Codec, Compression, DecompressError, Decompressor, compress, decompress};
pub use control::{ControlKind, EndTransactionMarker};
pub use crc::{Crc32c, crc32c, crc32c_with_new_start};
pub use header::{Attributes, BatchHeader, HEADER_BYTES, HeaderError, Stamp, TimestampType};
pub use iteration::{Header, Headers, Record, RecordError, Records};
pub use recompression::recompress;
pub use skimming::{SkimError, Skimmed, Skimmer};
pub use validation::{
    FaultKind, Invalid, RecordFault, Rules, SECTION_BYTES_MAX, TimestampRule, Validated,
    Validation, record_faults, validate,
};

#[cfg(test)]
mod tests;

//! Record batches of format 2, as on the wire and in segments (KIP-98).

mod batches;
mod compression;
mod crc;
mod header;
mod iteration;
mod varint;

pub use batches::{Batch, Batches, BatchesEnd, SectionError};
pub use compression::{Codec, Compression, DecompressError, compress, decompress};
pub use crc::{Crc32c, crc32c, crc32c_with_new_start};
pub use header::{Attributes, BatchHeader, HEADER_BYTES, HeaderError, Stamp, TimestampType};
pub use iteration::{Header, Headers, Record, RecordError, Records};

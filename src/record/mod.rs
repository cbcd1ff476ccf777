//! Record batches of format 2, as on the wire and in segments (KIP-98).

mod compression;
mod crc;

pub use compression::{Codec, Compression, DecompressError, compress, decompress};
pub use crc::{Crc32c, crc32c, crc32c_with_new_start};

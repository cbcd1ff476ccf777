//! Record batches of format 2, as on the wire and in segments (KIP-98).

mod crc;

pub use crc::{Crc32c, crc32c, crc32c_with_new_start};

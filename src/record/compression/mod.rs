//! The compressed forms of a batch's records, as Kafka's Java client writes and reads them.
//!
//! Decompression never outputs more than its limit and allocates only for output that there is,
//! whatever length the input announces.

mod gzip;
mod lz4;
mod snappy;
mod stream;
mod zstd;

use core::fmt;
use core::ops::RangeInclusive;

pub use self::stream::Decompressor;

/// The codecs of batch attributes, with their numbers on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Codec {
    /// Not compressed.
    #[default]
    None = 0,
    /// RFC 1952.
    Gzip = 1,
    /// Snappy blocks in the framing of the Java library, or one bare block.
    Snappy = 2,
    /// The LZ4 frame format.
    Lz4 = 3,
    /// RFC 8878 (KIP-110).
    Zstd = 4,
}

impl Codec {
    /// All codecs in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec with this number on the wire.
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.get(usize::from(id)).copied()
    }

    /// The codec's number on the wire.
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// The codec with this name in Kafka's settings and tools.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// The codec's name in Kafka's settings and tools.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The levels that `compression.<codec>.level` may have (KIP-390), where there is such a
    /// setting. Gzip's default has the number -1 besides.
    pub const fn levels(self) -> Option<RangeInclusive<i32>> {
        match self {
            Self::None | Self::Snappy => None,
            Self::Gzip => Some(1..=9),
            Self::Lz4 => Some(1..=17),
            Self::Zstd => Some(-131_072..=22),
        }
    }

    /// Kafka's default for `compression.<codec>.level`; 0 for codecs without levels.
    pub const fn level_default(self) -> i32 {
        match self {
            Self::None | Self::Snappy => 0,
            Self::Gzip => -1,
            Self::Lz4 => 9,
            Self::Zstd => 3,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A codec with a level that it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Compression {
    codec: Codec,
    level: i32,
}

impl Compression {
    /// A codec at its default level.
    pub const fn new(codec: Codec) -> Self {
        Self { codec, level: codec.level_default() }
    }

    /// A codec at a level; `None` when it has no such level. All levels of lz4 compress alike, as
    /// fast as Kafka's default does, because its slow form exists only in C.
    pub fn with_level(codec: Codec, level: i32) -> Option<Self> {
        let exists = codec.levels().is_some_and(|levels| levels.contains(&level));
        (exists || level == codec.level_default()).then_some(Self { codec, level })
    }

    /// The codec.
    pub const fn codec(self) -> Codec {
        self.codec
    }
}

/// Why compressed bytes were refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecompressError {
    /// The output would be larger than the limit.
    TooLarge,
    /// The input is not in the codec's format, is cut off, goes on behind its end, or does not fit
    /// the checksum that it carries.
    Corrupt,
}

/// Replaces what is in `out` by the decompressed `input`, at most `bytes_max` bytes. On an error
/// `out` holds nothing of use.
///
/// # Errors
/// The output is larger than `bytes_max`, or the input is damaged.
pub fn decompress(
    codec: Codec,
    input: &[u8],
    bytes_max: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    out.clear();
    match codec {
        Codec::None if input.len() > bytes_max => Err(DecompressError::TooLarge),
        Codec::None => {
            out.extend_from_slice(input);
            Ok(())
        }
        Codec::Gzip => gzip::decompress(input, bytes_max, out),
        Codec::Snappy => snappy::decompress(input, bytes_max, out),
        Codec::Lz4 => lz4::decompress(input, bytes_max, out),
        Codec::Zstd => zstd::decompress(input, bytes_max, out),
    }
}

/// Appends the compressed `input` to `out`.
///
/// # Panics
/// When the codec's own library is out of memory.
pub fn compress(compression: Compression, input: &[u8], out: &mut Vec<u8>) {
    match compression.codec {
        Codec::None => out.extend_from_slice(input),
        Codec::Gzip => gzip::compress(compression.level, input, out),
        Codec::Snappy => snappy::compress(input, out),
        Codec::Lz4 => lz4::compress(input, out),
        Codec::Zstd => zstd::compress(compression.level, input, out),
    }
}

/// Makes room for `additional` bytes in steps that double, but never for more than `bytes_max` or
/// what is needed now.
fn reserve(out: &mut Vec<u8>, additional: usize, bytes_max: usize) {
    if out.capacity() - out.len() < additional {
        let doubled = out.capacity().saturating_mul(2).min(bytes_max);
        out.reserve_exact(additional.max(doubled - out.len().min(doubled)));
    }
}

#[cfg(test)]
mod tests;

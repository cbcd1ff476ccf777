//! Batches that follow each other in a byte range: a segment, a fetch response, a WAL entry.

use super::crc::crc32c;
use super::header::{CHECKED_FROM, HEADER_BYTES};
use super::{BatchHeader, Codec, DecompressError, HeaderError, Records, decompress};

/// A whole batch of format 2 in borrowed bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Batch<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
}

/// Why a batch's records cannot be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SectionError {
    /// The attributes name codec 5, 6 or 7, which do not exist.
    UnknownCodec(u8),
    /// The compressed bytes cannot be decompressed, or only to more than was allowed.
    Decompress(DecompressError),
}

impl<'a> Batch<'a> {
    /// The batch at the start of `bytes`. Its checksum and records are not looked at.
    ///
    /// # Errors
    /// The bytes are too few, or are no batch of this format.
    #[inline]
    pub fn first(bytes: &'a [u8]) -> Result<Self, HeaderError> {
        let header = BatchHeader::decode(bytes)?;
        match bytes.get(..header.total_bytes()) {
            Some(bytes) => Ok(Self { header, bytes }),
            None => Err(HeaderError::Partial { bytes_needed: header.total_bytes() }),
        }
    }

    /// The decoded header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// All bytes of the batch, header included.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The records as they are stored, compressed or not.
    pub fn stored_section(&self) -> &'a [u8] {
        &self.bytes[HEADER_BYTES..]
    }

    /// Whether the checksum is that of the bytes. It covers neither the base offset, the length
    /// nor the leader epoch.
    pub fn checksum_holds(&self) -> bool {
        crc32c(&self.bytes[CHECKED_FROM..]) == self.header.crc
    }

    /// The records without compression: borrowed from the batch itself, or decompressed into
    /// `scratch` to at most `bytes_max` bytes.
    ///
    /// # Errors
    /// The codec does not exist, the bytes are damaged, or there are more than `bytes_max`.
    pub fn section<'b>(
        &self,
        bytes_max: usize,
        scratch: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], SectionError>
    where
        'a: 'b,
    {
        match self.header.attributes.codec() {
            Err(id) => Err(SectionError::UnknownCodec(id)),
            Ok(Codec::None) => Ok(self.stored_section()),
            Ok(codec) => {
                decompress(codec, self.stored_section(), bytes_max, scratch)
                    .map_err(SectionError::Decompress)?;
                Ok(scratch)
            }
        }
    }

    /// The records, decompressed as by [`Batch::section`].
    ///
    /// # Errors
    /// As for [`Batch::section`].
    pub fn records<'b>(
        &self,
        bytes_max: usize,
        scratch: &'b mut Vec<u8>,
    ) -> Result<Records<'b>, SectionError>
    where
        'a: 'b,
    {
        Ok(Records::new(&self.header, self.section(bytes_max, scratch)?))
    }
}

/// How a range of batches ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BatchesEnd {
    /// With the last byte of a batch.
    Exact,
    /// In the midst of a batch, as a fetch response or a torn file may.
    Partial {
        /// How many bytes from [`Batches::position`] on make that batch complete, or tell at
        /// least how long it is.
        bytes_needed: usize,
    },
    /// With a message of format 0 or 1.
    OldFormat(u8),
    /// With bytes that are no batch.
    Garbage(HeaderError),
}

/// Yields each complete batch of a byte range in turn.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Batches<'a> {
    /// The batches of `bytes`, which start with one.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// The bytes of all batches yielded so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Why no further batch follows; `None` while one does.
    pub fn end(&self) -> Option<BatchesEnd> {
        let rest = &self.bytes[self.position..];
        if rest.is_empty() {
            return Some(BatchesEnd::Exact);
        }
        match Batch::first(rest) {
            Ok(_) => None,
            Err(HeaderError::Partial { bytes_needed }) => {
                Some(BatchesEnd::Partial { bytes_needed })
            }
            Err(HeaderError::OldFormat(magic)) => Some(BatchesEnd::OldFormat(magic)),
            Err(error) => Some(BatchesEnd::Garbage(error)),
        }
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Batch<'a>;

    fn next(&mut self) -> Option<Batch<'a>> {
        let batch = Batch::first(&self.bytes[self.position..]).ok()?;
        self.position += batch.bytes.len();
        Some(batch)
    }
}

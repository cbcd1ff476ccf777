//! The records of a batch without their keys and values: what validation and the search for a
//! timestamp need of a compressed batch. The batch is decompressed piece by piece, so that no record
//! has to fit into memory.

use super::compression::Decompressor;
use super::varint::{I32_BYTES_MAX, I64_BYTES_MAX, from_bits_32, from_bits_64};
use super::walk::Walk;
use super::{BatchHeader, Codec, DecompressError, Invalid, RecordError};
use crate::types::{Offset, Timestamp};

/// What is known of a record that was passed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Skimmed {
    /// Its offset, if the batch has its place in a log.
    pub offset: Offset,
    /// Its own timestamp.
    pub timestamp: Timestamp,
    /// Whether its key is not null.
    pub has_key: bool,
}

/// Why the records cannot be passed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SkimError {
    /// They cannot be decompressed, or only to more than was allowed.
    Decompress(DecompressError),
    /// One of them is not encoded as it must be.
    Record(RecordError),
}

impl From<DecompressError> for SkimError {
    fn from(error: DecompressError) -> Self {
        Self::Decompress(error)
    }
}

impl From<RecordError> for SkimError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<SkimError> for Invalid {
    fn from(error: SkimError) -> Self {
        match error {
            SkimError::Decompress(error) => error.into(),
            SkimError::Record(error) => Self::Record(error),
        }
    }
}

/// Yields what is known of each record, or an error and then nothing more.
#[derive(Debug)]
pub struct Skimmer<'a> {
    source: Decompressor<'a>,
    base_offset: i64,
    base_timestamp: i64,
    /// Records to come, and one turn more, which sees that no bytes are left.
    turns: u32,
    /// Bytes of the record at hand.
    left: usize,
}

impl<'a> Skimmer<'a> {
    /// The records of a batch with this header in its `stored_section`, which may be decompressed to
    /// at most `bytes_max` bytes.
    ///
    /// # Errors
    /// The codec does not exist, or the bytes are damaged at their start.
    pub fn new(
        header: &BatchHeader,
        stored_section: &'a [u8],
        bytes_max: usize,
    ) -> Result<Self, SkimError> {
        let codec: Codec = header.attributes.codec().map_err(|_| DecompressError::Corrupt)?;
        Ok(Self {
            source: Decompressor::new(codec, stored_section, bytes_max)?,
            base_offset: header.base_offset.get(),
            base_timestamp: header.base_timestamp.get(),
            turns: header.record_count.max(0).unsigned_abs() + 1,
            left: 0,
        })
    }

    fn record(&mut self) -> Result<Skimmed, SkimError> {
        if self.source.fill()?.is_empty() {
            return Err(RecordError::Missing.into());
        }
        // The length stands in front of what it counts.
        self.left = usize::MAX;
        let length = self.read_i32(RecordError::Length)?;
        self.left = usize::try_from(length).map_err(|_| RecordError::Length)?;
        // The attributes have no meaning.
        self.byte(RecordError::Field)?;
        let timestamp_delta = from_bits_64(self.bits(I64_BYTES_MAX, RecordError::Field)?);
        let offset_delta = self.read_i32(RecordError::Field)?;
        let has_key = self.skip_nullable()?;
        self.skip_nullable()?;
        self.skip_headers()?;
        if self.left > 0 {
            return Err(RecordError::LongerThanContent.into());
        }
        Ok(Skimmed {
            offset: Offset::new(self.base_offset.wrapping_add(i64::from(offset_delta))),
            timestamp: Timestamp::new(self.base_timestamp.wrapping_add(timestamp_delta)),
            has_key,
        })
    }

    #[inline]
    fn byte(&mut self, missing: RecordError) -> Result<u8, SkimError> {
        self.left = self.left.checked_sub(1).ok_or(missing)?;
        let byte = *self.source.fill()?.first().ok_or(RecordError::Length)?;
        self.source.consume(1);
        Ok(byte)
    }

    /// The bits of an integer of at most `bytes_max` bytes.
    fn bits(&mut self, bytes_max: usize, missing: RecordError) -> Result<u64, SkimError> {
        let mut bits = 0;
        for index in 0..bytes_max {
            let byte = self.byte(missing)?;
            bits |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok(bits);
            }
        }
        Err(missing.into())
    }

    fn read_i32(&mut self, missing: RecordError) -> Result<i32, SkimError> {
        Ok(from_bits_32(self.bits(I32_BYTES_MAX, missing)?))
    }

    /// Passes over a key or value; `false` when it is null.
    fn skip_nullable(&mut self) -> Result<bool, SkimError> {
        let length = self.read_i32(RecordError::Field)?;
        let Ok(mut count) = usize::try_from(length) else {
            let null = length == -1;
            return if null { Ok(false) } else { Err(RecordError::NegativeLength.into()) };
        };
        self.left = self.left.checked_sub(count).ok_or(RecordError::Field)?;
        while count > 0 {
            let step = self.source.fill()?.len().min(count);
            if step == 0 {
                return Err(RecordError::Length.into());
            }
            self.source.consume(step);
            count -= step;
        }
        Ok(true)
    }

    fn skip_headers(&mut self) -> Result<(), SkimError> {
        let count = self.read_i32(RecordError::Field)?;
        let count = usize::try_from(count).map_err(|_| RecordError::HeaderCount)?;
        if count > self.left {
            return Err(RecordError::HeaderCount.into());
        }
        for _ in 0..count {
            if !self.skip_nullable()? {
                return Err(RecordError::HeaderKey.into());
            }
            self.skip_nullable()?;
        }
        Ok(())
    }

    fn end(&mut self) -> Option<SkimError> {
        match self.source.fill() {
            Ok([]) => None,
            Ok(_) => Some(RecordError::TrailingBytes.into()),
            Err(error) => Some(error.into()),
        }
    }
}

impl Iterator for Skimmer<'_> {
    type Item = Result<Skimmed, SkimError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.turns = self.turns.checked_sub(1)?;
        if self.turns == 0 {
            return self.end().map(Err);
        }
        let record = self.record();
        if record.is_err() {
            self.turns = 0;
        }
        Some(record)
    }
}

/// As [`super::walk::walk`], for a compressed batch.
pub(super) fn walk(
    header: &BatchHeader,
    stored_section: &[u8],
    bytes_max: usize,
) -> Result<Walk, SkimError> {
    let mut walk = Walk::EMPTY;
    let records = Skimmer::new(header, stored_section, bytes_max)?;
    for (offset, record) in (header.base_offset.get()..).zip(records) {
        let record = record?;
        if record.offset.get() != offset {
            return Err(RecordError::OffsetDelta.into());
        }
        walk.see(record.timestamp.get());
        walk.keyless |= !record.has_key;
    }
    Ok(walk.ended())
}

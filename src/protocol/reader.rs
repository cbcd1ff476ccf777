use super::failure::DecodeError;
use super::field::Field;
use super::message::Format;
use super::records::Records;

/// Takes values off the front of borrowed bytes.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

/// Kafka's limit for strings, in both encodings.
pub(super) const STRING_BYTES_MAX: usize = i16::MAX as usize;

const LENGTH_MAX: u32 = i32::MAX as u32;

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The bytes not yet read.
    #[inline(always)]
    pub const fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    #[inline(always)]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    #[inline(always)]
    pub fn chunk<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(*taken)
    }

    /// An integer in groups of seven bits, the lowest first. Padding with zeros up to five bytes
    /// is valid, as it is for Kafka: some clients reserve room for a length before they know it.
    ///
    /// # Errors
    /// When the bytes end early or the value has more than 32 bits.
    #[inline(always)]
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        match self.bytes {
            [first, rest @ ..] if *first < 0x80 => {
                self.bytes = rest;
                Ok(u32::from(*first))
            }
            [first, second, rest @ ..] if *second < 0x80 => {
                self.bytes = rest;
                Ok(u32::from(*first & 0x7f) | u32::from(*second) << 7)
            }
            bytes => {
                let (value, rest) = long_varint(bytes)?;
                self.bytes = rest;
                Ok(value)
            }
        }
    }

    /// The length of an array, of bytes or of records; none stands for null.
    #[inline(always)]
    pub(super) fn length(&mut self, format: Format) -> Result<Option<usize>, DecodeError> {
        if format.flexible {
            return self.compact_length();
        }
        match i32::from_be_bytes(self.chunk()?) {
            -1 => Ok(None),
            length => length.try_into().map(Some).map_err(|_| DecodeError::InvalidLength),
        }
    }

    #[inline(always)]
    fn string_length(&mut self, format: Format) -> Result<Option<usize>, DecodeError> {
        if format.flexible {
            return match self.compact_length()? {
                Some(length) if length > STRING_BYTES_MAX => Err(DecodeError::StringTooLong),
                length => Ok(length),
            };
        }
        match i16::from_be_bytes(self.chunk()?) {
            -1 => Ok(None),
            length => length.try_into().map(Some).map_err(|_| DecodeError::InvalidLength),
        }
    }

    /// Flexible versions count from one, so that zero is left for null.
    #[inline(always)]
    fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        match self.unsigned_varint()?.checked_sub(1) {
            Some(length) if length > LENGTH_MAX => Err(DecodeError::InvalidLength),
            length => Ok(length.map(|length| length as usize)),
        }
    }

    #[inline(always)]
    pub(super) fn string(&mut self, format: Format) -> Result<Option<&'a str>, DecodeError> {
        let Some(length) = self.string_length(format)? else { return Ok(None) };
        match str::from_utf8(self.take(length)?) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(DecodeError::InvalidUtf8),
        }
    }

    #[inline(always)]
    pub(super) fn byte_string(&mut self, format: Format) -> Result<Option<&'a [u8]>, DecodeError> {
        match self.length(format)? {
            Some(length) => self.take(length).map(Some),
            None => Ok(None),
        }
    }

    #[inline(always)]
    pub(super) fn records(&mut self, format: Format) -> Result<Option<Records<'a>>, DecodeError> {
        Ok(self.byte_string(format)?.map(Records::Bytes))
    }

    /// A struct with a byte in front that says whether it is there.
    #[inline(always)]
    pub(super) fn nullable_struct<T: Field<'a>>(
        &mut self,
        format: Format,
    ) -> Result<Option<T>, DecodeError> {
        let [mark] = self.chunk()?;
        if (mark as i8) < 0 { Ok(None) } else { T::read(self, format).map(Some) }
    }

    /// The same in a tagged field, where Kafka says null with another byte.
    pub(super) fn nullable_tagged_struct<T: Field<'a>>(
        &mut self,
        format: Format,
    ) -> Result<Option<T>, DecodeError> {
        if self.unsigned_varint()? == 0 { Ok(None) } else { T::read(self, format).map(Some) }
    }

    /// How many tagged fields stand at the end of a struct.
    #[inline(always)]
    pub(super) fn tagged_field_count(&mut self, format: Format) -> Result<u32, DecodeError> {
        if format.flexible { self.unsigned_varint() } else { Ok(0) }
    }

    /// A tag and its field's bytes.
    #[inline(always)]
    pub(super) fn tagged_field(&mut self) -> Result<(u32, Self), DecodeError> {
        let tag = self.unsigned_varint()?;
        let size = self.unsigned_varint()?;
        Ok((tag, Self::new(self.take(size as usize)?)))
    }

    #[inline(always)]
    pub(super) fn end_of_tagged_field(&self) -> Result<(), DecodeError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(DecodeError::TaggedFieldSize) }
    }

    /// Passes over the tagged fields of a struct that defines none.
    #[inline(always)]
    pub(super) fn skip_tagged_fields(&mut self, format: Format) -> Result<(), DecodeError> {
        match self.bytes {
            _ if !format.flexible => Ok(()),
            [0, rest @ ..] => {
                self.bytes = rest;
                Ok(())
            }
            bytes => {
                self.bytes = skip_unknown_fields(bytes)?;
                Ok(())
            }
        }
    }

    /// Passes over bytes without looking at them.
    #[inline(always)]
    pub(super) fn skip(&mut self, count: usize) -> Result<(), DecodeError> {
        self.take(count).map(|_| ())
    }

    #[inline(always)]
    pub(super) fn skip_nullable_struct<T: Field<'a>>(
        &mut self,
        format: Format,
    ) -> Result<(), DecodeError> {
        let [mark] = self.chunk()?;
        if (mark as i8) < 0 { Ok(()) } else { T::skip(self, format) }
    }

    /// Passes over bytes with a length in front; returns whether they are not null.
    #[inline(always)]
    pub(super) fn skip_byte_string(&mut self, format: Format) -> Result<bool, DecodeError> {
        match self.length(format)? {
            Some(length) => self.skip(length).map(|()| true),
            None => Ok(false),
        }
    }

    /// Passes over a string, as thoroughly as if it were read; returns whether it is not null.
    #[inline(always)]
    pub(super) fn skip_string(&mut self, format: Format) -> Result<bool, DecodeError> {
        let Some(length) = self.string_length(format)? else { return Ok(false) };
        let bytes = self.take(length)?;
        if bytes.is_ascii() || str::from_utf8(bytes).is_ok() {
            Ok(true)
        } else {
            Err(DecodeError::InvalidUtf8)
        }
    }
}

// The rare ways out of the hot ones take and return bytes by value: a reader whose address is
// known to no one stays in registers.

#[cold]
fn long_varint(bytes: &[u8]) -> Result<(u32, &[u8]), DecodeError> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        if index == 4 && *byte > 0x0f {
            return Err(DecodeError::InvalidVarint);
        }
        value |= u32::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            return Ok((value, &bytes[index + 1..]));
        }
    }
    Err(DecodeError::Truncated)
}

#[cold]
fn skip_unknown_fields(bytes: &[u8]) -> Result<&[u8], DecodeError> {
    let mut reader = Reader::new(bytes);
    for _ in 0..reader.unsigned_varint()? {
        reader.tagged_field()?;
    }
    Ok(reader.rest())
}

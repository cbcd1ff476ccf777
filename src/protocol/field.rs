use super::array::Array;
use super::failure::DecodeError;
use super::message::Format;
use super::reader::Reader;
use super::records::Records;
use super::writer::Writer;
use crate::types::Uuid;

/// Something that stands in a message: a value, an array or a struct.
pub trait Field<'a>: Copy + 'a {
    /// The fewest bytes that it takes in any version.
    const BYTES_MIN: usize;

    /// The bytes that it takes when that never differs.
    const BYTES_ALWAYS: Option<usize> = None;

    /// Whether an array is the last thing in it, so that reading the last of several can spare
    /// itself the search for the end.
    const ENDS_IN_ARRAY: bool = false;

    /// Takes it off the front of the reader.
    ///
    /// # Errors
    /// When the bytes are no such thing.
    fn read(reader: &mut Reader<'a>, format: Format) -> Result<Self, DecodeError>;

    /// Passes over it, as thoroughly as `read` would look at it.
    ///
    /// # Errors
    /// When the bytes are no such thing.
    #[inline]
    fn skip(reader: &mut Reader<'a>, format: Format) -> Result<(), DecodeError> {
        Self::read(reader, format).map(|_| ())
    }

    /// Appends it.
    fn write(&self, writer: &mut Writer, format: Format);
}

macro_rules! number {
    ($($type:ty)*) => {$(
        impl Field<'_> for $type {
            const BYTES_MIN: usize = size_of::<$type>();
            const BYTES_ALWAYS: Option<usize> = Some(size_of::<$type>());

            #[inline]
            fn read(reader: &mut Reader<'_>, _: Format) -> Result<Self, DecodeError> {
                Ok(<$type>::from_be_bytes(reader.chunk()?))
            }

            #[inline]
            fn write(&self, writer: &mut Writer, _: Format) {
                writer.put(self.to_be_bytes());
            }
        }
    )*};
}
number!(i8 i16 i32 i64 u16 f64);

impl Field<'_> for bool {
    const BYTES_MIN: usize = 1;
    const BYTES_ALWAYS: Option<usize> = Some(1);

    #[inline]
    fn read(reader: &mut Reader<'_>, _: Format) -> Result<Self, DecodeError> {
        Ok(reader.chunk()? != [0])
    }

    #[inline]
    fn write(&self, writer: &mut Writer, _: Format) {
        writer.put([u8::from(*self)]);
    }
}

impl Field<'_> for Uuid {
    const BYTES_MIN: usize = 16;
    const BYTES_ALWAYS: Option<usize> = Some(16);

    #[inline]
    fn read(reader: &mut Reader<'_>, _: Format) -> Result<Self, DecodeError> {
        Ok(Self::from_bytes(reader.chunk()?))
    }

    #[inline]
    fn write(&self, writer: &mut Writer, _: Format) {
        writer.put(self.bytes());
    }
}

/// A type that takes its length from a prefix, which can also say null; and the same without null.
macro_rules! prefixed {
    ($type:ty, $read:expr, $skip:expr, $write:expr) => {
        impl<'a> Field<'a> for Option<$type> {
            const BYTES_MIN: usize = 1;

            #[inline]
            fn read(reader: &mut Reader<'a>, format: Format) -> Result<Self, DecodeError> {
                $read(reader, format)
            }

            #[inline]
            fn skip(reader: &mut Reader<'a>, format: Format) -> Result<(), DecodeError> {
                $skip(reader, format).map(|_| ())
            }

            #[inline]
            fn write(&self, writer: &mut Writer, format: Format) {
                $write(writer, *self, format);
            }
        }

        impl<'a> Field<'a> for $type {
            const BYTES_MIN: usize = 1;

            #[inline]
            fn read(reader: &mut Reader<'a>, format: Format) -> Result<Self, DecodeError> {
                $read(reader, format)?.ok_or(DecodeError::UnexpectedNull)
            }

            #[inline]
            fn skip(reader: &mut Reader<'a>, format: Format) -> Result<(), DecodeError> {
                if $skip(reader, format)? { Ok(()) } else { Err(DecodeError::UnexpectedNull) }
            }

            #[inline]
            fn write(&self, writer: &mut Writer, format: Format) {
                $write(writer, Some(*self), format);
            }
        }
    };
}
prefixed!(&'a str, Reader::string, Reader::skip_string, Writer::string);
prefixed!(&'a [u8], Reader::byte_string, Reader::skip_byte_string, Writer::byte_string);
prefixed!(Records<'a>, Reader::records, Reader::skip_byte_string, Writer::records);

impl<'a, T: Field<'a>> Field<'a> for Option<Array<'a, T>> {
    const BYTES_MIN: usize = 1;

    #[inline]
    fn read(reader: &mut Reader<'a>, format: Format) -> Result<Self, DecodeError> {
        match reader.length(format)? {
            Some(count) => Array::read_elements(reader, count, format).map(Some),
            None => Ok(None),
        }
    }

    #[inline]
    fn skip(reader: &mut Reader<'a>, format: Format) -> Result<(), DecodeError> {
        match reader.length(format)? {
            Some(count) => Array::<T>::skip_elements(reader, count, format),
            None => Ok(()),
        }
    }

    #[inline]
    fn write(&self, writer: &mut Writer, format: Format) {
        writer.length(self.as_ref().map(Array::len), format);
        for element in self.iter().flatten() {
            element.write(writer, format);
        }
    }
}

impl<'a, T: Field<'a>> Field<'a> for Array<'a, T> {
    const BYTES_MIN: usize = 1;

    #[inline]
    fn read(reader: &mut Reader<'a>, format: Format) -> Result<Self, DecodeError> {
        let count = reader.length(format)?.ok_or(DecodeError::UnexpectedNull)?;
        Self::read_elements(reader, count, format)
    }

    #[inline]
    fn skip(reader: &mut Reader<'a>, format: Format) -> Result<(), DecodeError> {
        let count = reader.length(format)?.ok_or(DecodeError::UnexpectedNull)?;
        Self::skip_elements(reader, count, format)
    }

    #[inline]
    fn write(&self, writer: &mut Writer, format: Format) {
        Some(*self).write(writer, format);
    }
}

use core::fmt;

use super::failure::DecodeError;
use super::field::Field;
use super::message::Format;
use super::reader::Reader;

/// The elements of a message's array, in one of two forms: the bytes of a decoded message, from
/// which each element is decoded when the iteration comes to it; or a slice, for building one.
pub struct Array<'a, T> {
    elements: Elements<'a, T>,
}

enum Elements<'a, T> {
    /// `bytes` were read once without a fault, so reading them again cannot fail.
    Encoded {
        bytes: &'a [u8],
        count: u32,
        format: Format,
    },
    Slice(&'a [T]),
}

impl<'a, T> Array<'a, T> {
    /// No element.
    pub const EMPTY: Self = Self::new(&[]);

    /// An array of the elements of a slice.
    pub const fn new(elements: &'a [T]) -> Self {
        Self { elements: Elements::Slice(elements) }
    }

    /// The number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        match self.elements {
            Elements::Encoded { count, .. } => count as usize,
            Elements::Slice(slice) => slice.len(),
        }
    }

    /// Whether there is no element.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a, T: Field<'a>> Array<'a, T> {
    /// The elements in order, by value.
    #[inline]
    pub fn iter(&self) -> ArrayIter<'a, T> {
        match self.elements {
            Elements::Encoded { bytes, count, format } => {
                ArrayIter { rest: Rest::Encoded { reader: Reader::new(bytes), count, format } }
            }
            Elements::Slice(slice) => ArrayIter { rest: Rest::Slice(slice.iter()) },
        }
    }

    /// Looks at all elements once, to know that they are valid and where they end.
    #[inline]
    pub(super) fn read_elements(
        reader: &mut Reader<'a>,
        count: usize,
        format: Format,
    ) -> Result<Self, DecodeError> {
        let mut bytes = reader.rest();
        if !format.open_end {
            Self::skip_elements(reader, count, format)?;
            bytes = &bytes[..bytes.len() - reader.rest().len()];
        }
        let format = format.with_open_end(false);
        // A count within the bytes left of a frame fits 32 bits.
        Ok(Self { elements: Elements::Encoded { bytes, count: count as u32, format } })
    }

    #[inline]
    pub(super) fn skip_elements(
        reader: &mut Reader<'a>,
        count: usize,
        format: Format,
    ) -> Result<(), DecodeError> {
        if count > reader.rest().len() / T::BYTES_MIN {
            return Err(DecodeError::ArrayTooLong);
        }
        if let Some(width) = T::BYTES_ALWAYS {
            return reader.skip(count * width);
        }
        let mut copy = *reader;
        for _ in 0..count {
            T::skip(&mut copy, format)?;
        }
        *reader = copy;
        Ok(())
    }
}

impl<T> Clone for Array<'_, T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Array<'_, T> {}

impl<T> Clone for Elements<'_, T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Elements<'_, T> {}

impl<T> Default for Array<'_, T> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<'a, T> From<&'a [T]> for Array<'a, T> {
    fn from(elements: &'a [T]) -> Self {
        Self::new(elements)
    }
}

impl<'a, T, const N: usize> From<&'a [T; N]> for Array<'a, T> {
    fn from(elements: &'a [T; N]) -> Self {
        Self::new(elements)
    }
}

impl<'a, T> From<&'a Vec<T>> for Array<'a, T> {
    fn from(elements: &'a Vec<T>) -> Self {
        Self::new(elements)
    }
}

impl<'a, T: Field<'a> + PartialEq> PartialEq for Array<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<'a, T: Field<'a> + fmt::Debug> fmt::Debug for Array<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: Field<'a>> IntoIterator for Array<'a, T> {
    type Item = T;
    type IntoIter = ArrayIter<'a, T>;

    #[inline]
    fn into_iter(self) -> ArrayIter<'a, T> {
        self.iter()
    }
}

impl<'a, T: Field<'a>> IntoIterator for &Array<'a, T> {
    type Item = T;
    type IntoIter = ArrayIter<'a, T>;

    #[inline]
    fn into_iter(self) -> ArrayIter<'a, T> {
        self.iter()
    }
}

/// The elements of an [`Array`] that are still to come.
pub struct ArrayIter<'a, T> {
    rest: Rest<'a, T>,
}

enum Rest<'a, T> {
    Encoded { reader: Reader<'a>, count: u32, format: Format },
    Slice(core::slice::Iter<'a, T>),
}

impl<'a, T: Field<'a>> Iterator for ArrayIter<'a, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match &mut self.rest {
            Rest::Encoded { reader, count, format } => {
                *count = count.checked_sub(1)?;
                let format = format.with_open_end(T::ENDS_IN_ARRAY && *count == 0);
                Some(T::read(reader, format).expect("the array was read before"))
            }
            Rest::Slice(slice) => slice.next().copied(),
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = match &self.rest {
            Rest::Encoded { count, .. } => *count as usize,
            Rest::Slice(slice) => slice.len(),
        };
        (count, Some(count))
    }
}

impl<'a, T: Field<'a>> ExactSizeIterator for ArrayIter<'a, T> {}

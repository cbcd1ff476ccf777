use core::fmt;

/// What is wrong with bytes that should be a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
// A whole word: an error that shares its word with a field of the success makes the compiler take
// each success apart.
#[repr(u64)]
pub enum DecodeError {
    /// The bytes end within a field.
    Truncated,
    /// The message is complete, but more bytes follow.
    TrailingBytes,
    /// The message is not defined in this version.
    UnsupportedVersion,
    /// Null where the version does not allow it.
    UnexpectedNull,
    /// A length below -1, or one that does not fit 31 bits.
    InvalidLength,
    /// An array announces more elements than the bytes left can hold.
    ArrayTooLong,
    /// A string of more than 32,767 bytes.
    StringTooLong,
    /// A string that is not UTF-8.
    InvalidUtf8,
    /// A variable-length integer of more than 32 bits.
    InvalidVarint,
    /// A tagged field whose announced size is not its size.
    TaggedFieldSize,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the bytes end within a field",
            Self::TrailingBytes => "bytes follow after the end of the message",
            Self::UnsupportedVersion => "the message does not exist in this version",
            Self::UnexpectedNull => "null in a field that cannot be null",
            Self::InvalidLength => "a negative length, or one above 2^31-1",
            Self::ArrayTooLong => "an array announces more elements than the bytes left can hold",
            Self::StringTooLong => "a string of more than 32,767 bytes",
            Self::InvalidUtf8 => "a string that is not UTF-8",
            Self::InvalidVarint => "a variable-length integer of more than 32 bits",
            Self::TaggedFieldSize => "a tagged field of another size than announced",
        })
    }
}

impl core::error::Error for DecodeError {}

/// Why a message cannot be put into bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EncodeError {
    /// A string of more than 32,767 bytes, or bytes or an array of more than 2^31-1.
    FieldTooLong,
    /// A frame of more than 2^31-1 bytes.
    FrameTooLong,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FieldTooLong => "a field is longer than its length prefix can say",
            Self::FrameTooLong => "the frame is longer than 2^31-1 bytes",
        })
    }
}

impl core::error::Error for EncodeError {}

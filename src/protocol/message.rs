use core::ops::RangeInclusive;

use super::api::ApiKey;
use super::failure::{DecodeError, EncodeError};
use super::field::Field;
use super::reader::Reader;
use super::writer::Writer;

/// In which form a message is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Format {
    /// The version of the message.
    pub version: i16,
    /// Whether lengths are variable integers and structs end with tagged fields (KIP-482).
    pub flexible: bool,
    /// Reading the last element of an array that was read before: where it ends does not matter.
    pub(super) open_end: bool,
}

impl Format {
    #[inline]
    pub(super) const fn with_open_end(self, open_end: bool) -> Self {
        Self { open_end, ..self }
    }

    /// The form for a value that never changes to variable lengths.
    #[inline]
    pub const fn classic(self) -> Self {
        Self { flexible: false, ..self }
    }
}

/// A struct that is encoded by itself: a request, a response, a record's key or value.
pub trait Message<'a>: Field<'a> {
    /// The name as Kafka spells it.
    const NAME: &'static str;
    /// The versions that are defined.
    const VERSIONS: RangeInclusive<i16>;
    /// The first version with variable lengths and tagged fields.
    const FLEXIBLE_FROM: Option<i16>;

    /// The form of a version.
    #[inline]
    fn format(version: i16) -> Format {
        let flexible = Self::FLEXIBLE_FROM.is_some_and(|first| version >= first);
        Format { version, flexible, open_end: false }
    }

    /// Reads the message from all of `bytes`.
    ///
    /// # Errors
    /// When the bytes are no such message, the version is not defined, or bytes follow.
    #[inline]
    fn decode(bytes: &'a [u8], version: i16) -> Result<Self, DecodeError> {
        match Self::decode_prefix(bytes, version)? {
            (message, []) => Ok(message),
            _ => Err(DecodeError::TrailingBytes),
        }
    }

    /// Reads the message from the start of `bytes` and returns what follows.
    ///
    /// # Errors
    /// When the bytes are no such message or the version is not defined.
    #[inline]
    fn decode_prefix(bytes: &'a [u8], version: i16) -> Result<(Self, &'a [u8]), DecodeError> {
        if !Self::VERSIONS.contains(&version) {
            return Err(DecodeError::UnsupportedVersion);
        }
        let mut reader = Reader::new(bytes);
        let message = Self::read(&mut reader, Self::format(version))?;
        Ok((message, reader.rest()))
    }

    /// Appends the message. Fields that the version does not have are left out; null where the
    /// version has no null becomes empty.
    ///
    /// # Errors
    /// When a field is too long for its length prefix; then nothing is appended.
    ///
    /// # Panics
    /// When the version is not defined: whoever answers has decoded or chosen it before.
    #[inline]
    fn encode(&self, version: i16, writer: &mut Writer) -> Result<(), EncodeError> {
        let name = Self::NAME;
        assert!(Self::VERSIONS.contains(&version), "{name} has no version {version}");
        writer.all_or_nothing(|writer| {
            self.write(writer, Self::format(version));
            Ok(())
        })
    }
}

/// A message that a client sends.
pub trait Request<'a>: Message<'a> {
    /// The API.
    const API: ApiKey;
    /// What is answered.
    type Response<'b>: Response<'b>;
}

/// A message that a broker answers.
pub trait Response<'a>: Message<'a> {
    /// The API.
    const API: ApiKey;
}

/// A message without its type, for tools that treat all of them alike.
#[derive(Clone, Debug)]
pub struct MessageInfo {
    /// The name as Kafka spells it.
    pub name: &'static str,
    /// The versions that are defined.
    pub versions: RangeInclusive<i16>,
    /// The first version with variable lengths and tagged fields.
    pub flexible_from: Option<i16>,
    /// Decodes bytes of one version and appends the message in another.
    pub transcode: fn(&[u8], i16, i16, &mut Writer) -> Result<(), DecodeError>,
}

use super::failure::EncodeError;
use super::field::Field;
use super::message::Format;
use super::reader::STRING_BYTES_MAX;
use super::records::Records;

/// Error codes that are noted: whoever counts them needs no more of one response.
const ERROR_CODES_MAX: usize = 1024;
/// What is said about an error may quote names and values of the request, which are longer than
/// anybody reads, and together longer than a string can be.
const ERROR_MESSAGE_BYTES_MAX: usize = 4 << 10;

/// A place in the written bytes where the sender inserts bytes that lie elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// How many of the writer's own bytes come before.
    pub position: usize,
    /// How many bytes are to be inserted.
    pub bytes: usize,
}

/// A piece of what is to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part<'a> {
    /// Written bytes.
    Bytes(&'a [u8]),
    /// The bytes of a cut, this many of them.
    Cut(usize),
}

/// Appends values to a buffer that it owns and that can be used again.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    cuts: Vec<Cut>,
    cut_bytes: usize,
    error_codes: Vec<i16>,
    /// Where the time stands that a client is to wait.
    throttle_time_at: Option<usize>,
    /// A field was too long for its prefix. Kept until the end of the message, so that the many
    /// writes of small values need no check.
    failed: bool,
}

impl Writer {
    /// A writer without room, which grows as needed.
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            cuts: Vec::new(),
            cut_bytes: 0,
            error_codes: Vec::new(),
            throttle_time_at: None,
            failed: false,
        }
    }

    /// A writer with room for `bytes` bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        let error_codes = Vec::with_capacity(ERROR_CODES_MAX);
        Self { bytes: Vec::with_capacity(bytes), error_codes, ..Self::new() }
    }

    /// Forgets what was written and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.cuts.clear();
        self.cut_bytes = 0;
        self.error_codes.clear();
        self.throttle_time_at = None;
    }

    /// The written bytes, without those of cuts.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where other bytes are to be inserted, in order.
    pub fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    /// The first 1,024 error codes that were written, except those that say that there was none.
    pub fn error_codes(&self) -> &[i16] {
        &self.error_codes
    }

    /// The bytes to be sent: the written ones and those of all cuts.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.cut_bytes
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is to be sent, in order.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let starts = core::iter::once(0).chain(self.cuts.iter().map(|cut| cut.position));
        let ends = self.cuts.iter().map(|cut| cut.position);
        let ends = ends.chain(core::iter::once(self.bytes.len()));
        let written = starts.zip(ends).map(|(start, end)| Part::Bytes(&self.bytes[start..end]));
        let cuts = self.cuts.iter().map(|cut| Some(Part::Cut(cut.bytes)));
        written
            .zip(cuts.chain(core::iter::once(None)))
            .flat_map(|(bytes, cut)| [Some(bytes), cut])
            .flatten()
            .filter(|part| *part != Part::Bytes(&[]))
    }

    /// Gives the buffer away.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes all or nothing: when something was too long, what `write` did is undone.
    pub(super) fn all_or_nothing(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let (bytes, cuts, cut_bytes) = (self.bytes.len(), self.cuts.len(), self.cut_bytes);
        let mut result = write(self);
        if core::mem::take(&mut self.failed) {
            result = Err(EncodeError::FieldTooLong);
        }
        if result.is_err() {
            self.bytes.truncate(bytes);
            self.cuts.truncate(cuts);
            self.cut_bytes = cut_bytes;
        }
        result
    }

    /// Writes a length, four bytes, and then what it is the length of. Cuts count.
    ///
    /// # Errors
    /// When `write` fails or the frame is too long; then nothing is written.
    pub fn frame(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let (position, before) = (self.bytes.len(), self.len());
        self.all_or_nothing(|writer| {
            writer.put([0; 4]);
            write(writer)?;
            let length = writer.len() - before - 4;
            let length = i32::try_from(length).map_err(|_| EncodeError::FrameTooLong)?;
            writer.bytes[position..position + 4].copy_from_slice(&length.to_be_bytes());
            Ok(())
        })
    }

    #[inline]
    pub(super) fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.bytes.extend_from_slice(&bytes);
    }

    #[inline]
    pub(super) fn throttle_time_ms(&mut self, millis: i32) {
        self.throttle_time_at = Some(self.bytes.len());
        self.put(millis.to_be_bytes());
    }

    /// Says how long the client is to wait, in a message that was written; nothing where it cannot
    /// say so.
    pub fn set_throttle_time_ms(&mut self, millis: i32) {
        if let Some(at) = self.throttle_time_at {
            self.bytes[at..at + 4].copy_from_slice(&millis.to_be_bytes());
        }
    }

    #[inline]
    pub(super) fn error_code(&mut self, code: i16) {
        if code != 0 && self.error_codes.len() < ERROR_CODES_MAX {
            self.error_codes.push(code);
        }
        self.put(code.to_be_bytes());
    }

    pub(super) fn error_message(&mut self, text: Option<&str>, format: Format) {
        let cut = |text: &str| text.floor_char_boundary(ERROR_MESSAGE_BYTES_MAX);
        self.string(text.map(|text| &text[..cut(text)]), format);
    }

    /// Appends an integer in groups of seven bits, the lowest first.
    #[inline]
    pub fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// The length of an array, of bytes or of records; none stands for null.
    #[inline]
    pub(super) fn length(&mut self, length: Option<usize>, format: Format) {
        let length = match length.map(i32::try_from) {
            Some(Ok(length)) => length,
            Some(Err(_)) => {
                self.failed = true;
                0
            }
            None => -1,
        };
        if format.flexible {
            self.unsigned_varint((length + 1) as u32);
        } else {
            self.put(length.to_be_bytes());
        }
    }

    #[inline]
    pub(super) fn string(&mut self, text: Option<&str>, format: Format) {
        let length = text.map_or(-1, |text| i32::try_from(text.len()).unwrap_or(i32::MAX - 1));
        if length > STRING_BYTES_MAX as i32 {
            self.failed = true;
        }
        if format.flexible {
            self.unsigned_varint((length + 1) as u32);
        } else {
            self.put((length as i16).to_be_bytes());
        }
        self.bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
    }

    #[inline]
    pub(super) fn byte_string(&mut self, bytes: Option<&[u8]>, format: Format) {
        self.length(bytes.map(<[u8]>::len), format);
        self.bytes.extend_from_slice(bytes.unwrap_or_default());
    }

    #[inline]
    pub(super) fn records(&mut self, records: Option<Records<'_>>, format: Format) {
        match records {
            None => self.byte_string(None, format),
            Some(Records::Bytes(bytes)) => self.byte_string(Some(bytes), format),
            Some(Records::Cut { bytes }) => {
                self.length(Some(bytes), format);
                self.cuts.push(Cut { position: self.bytes.len(), bytes });
                self.cut_bytes += bytes;
            }
        }
    }

    /// A struct with a byte in front that says whether it is there.
    #[inline]
    pub(super) fn nullable_struct<'a, T: Field<'a>>(&mut self, of: Option<&T>, format: Format) {
        match of {
            Some(value) => {
                self.put([1]);
                value.write(self, format);
            }
            None => self.put([0xff]),
        }
    }

    /// The same in a tagged field, where Kafka says null with another byte.
    pub(super) fn nullable_tagged_struct<'a, T: Field<'a>>(
        &mut self,
        of: Option<&T>,
        format: Format,
    ) {
        match of {
            Some(_) => self.nullable_struct(of, format),
            None => self.put([0]),
        }
    }

    #[inline]
    pub(super) fn no_tagged_fields(&mut self, format: Format) {
        if format.flexible {
            self.put([0]);
        }
    }

    /// A field with its tag and its size in front. The size is known only afterwards: one byte is
    /// kept free for it, and the rare field of 128 bytes or more is moved.
    pub(super) fn tagged_field(&mut self, tag: u32, write: impl FnOnce(&mut Self)) {
        self.unsigned_varint(tag);
        let start = self.bytes.len();
        self.put([0]);
        write(self);
        let mut size = self.bytes.len() - start - 1;
        if size < 0x80 {
            self.bytes[start] = size as u8;
            return;
        }
        let (mut prefix, mut length) = ([0; 5], 0);
        while size >= 0x80 {
            prefix[length] = size as u8 | 0x80;
            size >>= 7;
            length += 1;
        }
        prefix[length] = size as u8;
        self.bytes.splice(start..=start, prefix.into_iter().take(length + 1));
    }
}

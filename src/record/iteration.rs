//! The records of a batch, one after the other, borrowed from its uncompressed bytes.

use super::{BatchHeader, TimestampType, varint};
use crate::types::{Offset, Timestamp};

/// What is wrong with a batch's records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordError {
    /// The bytes end where another record should start.
    Missing,
    /// A record's length is negative or reaches beyond the bytes.
    Length,
    /// A field reaches beyond its record, or an integer is longer than its type allows.
    Field,
    /// The length of a key, value or header value is below -1, which means "null".
    NegativeLength,
    /// The number of headers is negative or larger than the record has room for.
    HeaderCount,
    /// A header has no key.
    HeaderKey,
    /// Bytes are left in a record behind its last header.
    LongerThanContent,
    /// Bytes are left behind the last record.
    TrailingBytes,
    /// The offset deltas are not 0, 1, 2 and so on. Only validation asks for that.
    OffsetDelta,
}

/// A record of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Its offset, if the batch has its place in a log.
    pub offset: Offset,
    /// Its timestamp; the time of the append when the batch says so.
    pub timestamp: Timestamp,
    /// The key, `None` for null.
    pub key: Option<&'a [u8]>,
    /// The value, `None` for null: a tombstone in compacted topics.
    pub value: Option<&'a [u8]>,
    /// The headers (KIP-82).
    pub headers: Headers<'a>,
}

/// A record's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header<'a> {
    /// Its key: UTF-8 by convention, which Kafka does not check.
    pub key: &'a [u8],
    /// Its value, `None` for null.
    pub value: Option<&'a [u8]>,
}

/// The headers of a record. They were checked when the record was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Headers<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The headers in their order. Keys may repeat.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let (bytes, mut at) = (self.bytes, 0);
        (0..self.count)
            .map(move |_| read_header(bytes, &mut at).expect("checked when the record was read"))
    }

    /// The encoded headers without their number.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Yields a batch's records, or an error and then nothing more.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    section: &'a [u8],
    at: usize,
    left: u32,
    base_offset: i64,
    base_timestamp: i64,
    log_append_time: Option<Timestamp>,
}

impl<'a> Records<'a> {
    /// The records of a batch with this header in its uncompressed `section`.
    pub fn new(header: &BatchHeader, section: &'a [u8]) -> Self {
        let append_time = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
        Self {
            section,
            at: 0,
            // One turn more than records, which sees that no bytes are left.
            left: header.record_count.max(0).unsigned_abs() + 1,
            base_offset: header.base_offset.get(),
            base_timestamp: header.base_timestamp.get(),
            log_append_time: append_time.then_some(header.max_timestamp),
        }
    }

    fn read(&mut self) -> Result<Record<'a>, RecordError> {
        let raw = RawRecord::read(self.section, &mut self.at)?;
        let create_time = Timestamp::new(self.base_timestamp.wrapping_add(raw.timestamp_delta));
        Ok(Record {
            offset: Offset::new(self.base_offset.wrapping_add(i64::from(raw.offset_delta))),
            timestamp: self.log_append_time.unwrap_or(create_time),
            key: raw.key,
            value: raw.value,
            headers: raw.headers,
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.left {
            0 => return None,
            1 if self.at == self.section.len() => {
                self.left = 0;
                return None;
            }
            1 => {
                self.left = 0;
                return Some(Err(RecordError::TrailingBytes));
            }
            _ => self.left -= 1,
        }
        let record = self.read();
        if record.is_err() {
            self.left = 0;
        }
        Some(record)
    }
}

/// A record as it is encoded: everything relative to its batch.
pub(super) struct RawRecord<'a> {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Headers<'a>,
}

impl<'a> RawRecord<'a> {
    /// Reads the record at `at` and moves it behind. The attributes are 8 bits that have no
    /// meaning and that Kafka does not look at either.
    #[inline(always)]
    pub(super) fn read(section: &'a [u8], at: &mut usize) -> Result<Self, RecordError> {
        if *at == section.len() {
            return Err(RecordError::Missing);
        }
        let length = varint::read_i32(section, at).ok_or(RecordError::Length)?;
        let length = usize::try_from(length).map_err(|_| RecordError::Length)?;
        let body = section[*at..].get(..length).ok_or(RecordError::Length)?;
        *at += length;
        let mut at = 1;
        let timestamp_delta = varint::read_i64(body, &mut at).ok_or(RecordError::Field)?;
        let offset_delta = varint::read_i32(body, &mut at).ok_or(RecordError::Field)?;
        let key = read_nullable(body, &mut at)?;
        let value = read_nullable(body, &mut at)?;
        let headers = read_headers(body, at)?;
        Ok(Self { timestamp_delta, offset_delta, key, value, headers })
    }
}

#[inline(always)]
fn read_nullable<'a>(body: &'a [u8], at: &mut usize) -> Result<Option<&'a [u8]>, RecordError> {
    let length = varint::read_i32(body, at).ok_or(RecordError::Field)?;
    let Ok(length) = usize::try_from(length) else {
        return if length == -1 { Ok(None) } else { Err(RecordError::NegativeLength) };
    };
    let bytes = body[*at..].get(..length).ok_or(RecordError::Field)?;
    *at += length;
    Ok(Some(bytes))
}

/// The headers, which are all that is left of a record.
#[inline(always)]
fn read_headers(body: &[u8], mut at: usize) -> Result<Headers<'_>, RecordError> {
    let count = varint::read_i32(body, &mut at).ok_or(RecordError::Field)?;
    let bytes = &body[at..];
    if count != 0 {
        return check_headers(count, bytes);
    }
    if !bytes.is_empty() {
        return Err(RecordError::LongerThanContent);
    }
    Ok(Headers::default())
}

fn check_headers(count: i32, bytes: &[u8]) -> Result<Headers<'_>, RecordError> {
    let count = usize::try_from(count).map_err(|_| RecordError::HeaderCount)?;
    if count > bytes.len() {
        return Err(RecordError::HeaderCount);
    }
    let mut at = 0;
    for _ in 0..count {
        read_header(bytes, &mut at)?;
    }
    if at != bytes.len() {
        return Err(RecordError::LongerThanContent);
    }
    Ok(Headers { count, bytes })
}

fn read_header<'a>(bytes: &'a [u8], at: &mut usize) -> Result<Header<'a>, RecordError> {
    let key = read_nullable(bytes, at)?.ok_or(RecordError::HeaderKey)?;
    Ok(Header { key, value: read_nullable(bytes, at)? })
}

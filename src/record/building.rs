//! Batches made here: of internal topics, of control records, of what compaction keeps.

use super::crc::crc32c;
use super::header::{CHECKED_FROM, HEADER_BYTES, LENGTH_MAX, LENGTH_MIN};
use super::{
    Attributes, BatchHeader, Codec, Compression, Header, Headers, Record, TimestampType, compress,
    varint,
};
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};

/// The producer's part of a batch (KIP-98).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Producer {
    /// The producer, or -1.
    pub id: ProducerId,
    /// Its epoch, or -1.
    pub epoch: ProducerEpoch,
    /// The sequence number of the first record, or -1.
    pub base_sequence: i32,
}

impl Producer {
    /// No idempotence.
    pub const NONE: Self =
        Self { id: ProducerId::NONE, epoch: ProducerEpoch::new(-1), base_sequence: -1 };
}

/// All of a batch but its records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchOptions {
    /// The offset of the first record.
    pub base_offset: Offset,
    /// The leader's epoch.
    pub leader_epoch: LeaderEpoch,
    /// Who wrote the records.
    pub producer: Producer,
    /// Whether they belong to a transaction.
    pub transactional: bool,
    /// Whether they are control records.
    pub control: bool,
    /// The time of the append, if it is to stand in place of the records' own timestamps.
    pub log_append_time: Option<Timestamp>,
    /// When compaction may drop the tombstones and markers of this batch (KIP-534).
    pub delete_horizon: Option<Timestamp>,
    /// How the records are compressed.
    pub compression: Compression,
}

impl Default for BatchOptions {
    /// Offset 0, no producer, no flags, no compression: what a client sends.
    fn default() -> Self {
        Self {
            base_offset: Offset::ZERO,
            leader_epoch: LeaderEpoch::UNKNOWN,
            producer: Producer::NONE,
            transactional: false,
            control: false,
            log_append_time: None,
            delete_horizon: None,
            compression: Compression::default(),
        }
    }
}

impl BatchOptions {
    /// Options that make a batch like an existing one, to be filled with a part of its records.
    /// Its codec is used at the default level; one that does not exist is none.
    pub fn like(header: &BatchHeader) -> Self {
        let attributes = header.attributes;
        let append_time = attributes.timestamp_type() == TimestampType::LogAppendTime;
        Self {
            base_offset: header.base_offset,
            leader_epoch: header.leader_epoch,
            producer: Producer {
                id: header.producer_id,
                epoch: header.producer_epoch,
                base_sequence: header.base_sequence,
            },
            transactional: attributes.is_transactional(),
            control: attributes.is_control(),
            log_append_time: append_time.then_some(header.max_timestamp),
            delete_horizon: attributes.has_delete_horizon().then_some(header.base_timestamp),
            compression: Compression::new(attributes.codec().unwrap_or_default()),
        }
    }

    fn attributes(&self) -> Attributes {
        let timestamp_type = match self.log_append_time {
            None => TimestampType::CreateTime,
            Some(_) => TimestampType::LogAppendTime,
        };
        Attributes::default()
            .with_codec(self.compression.codec())
            .with_timestamp_type(timestamp_type)
            .with_transactional(self.transactional)
            .with_control(self.control)
            .with_delete_horizon(self.delete_horizon.is_some())
    }
}

/// A record to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewRecord<'a> {
    /// Its timestamp, or -1.
    pub timestamp: Timestamp,
    /// The key, `None` for null.
    pub key: Option<&'a [u8]>,
    /// The value, `None` for null.
    pub value: Option<&'a [u8]>,
    /// The headers in their order.
    pub headers: &'a [Header<'a>],
}

/// Why a record cannot be added, or a batch not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BuildError {
    /// The record's offset is not above those before it, or too far above the base offset.
    Offset,
    /// The batch would be longer than its length field can say, 2 GiB.
    TooLarge,
}

/// Collects the records of one batch.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    options: BatchOptions,
    section: Vec<u8>,
    record_count: i32,
    /// The delta of the last record, -1 while there is none.
    last_offset_delta: i32,
    base_timestamp: Option<Timestamp>,
    max_timestamp: Timestamp,
}

impl BatchBuilder {
    /// A batch without records.
    pub fn new(options: BatchOptions) -> Self {
        Self {
            options,
            section: Vec::new(),
            record_count: 0,
            last_offset_delta: -1,
            base_timestamp: options.delete_horizon,
            max_timestamp: Timestamp::NONE,
        }
    }

    /// The records added so far.
    pub fn record_count(&self) -> usize {
        self.record_count as usize
    }

    /// The bytes that the batch has so far, before compression.
    pub fn total_bytes(&self) -> usize {
        HEADER_BYTES + self.section.len()
    }

    /// Adds a record at the next offset.
    ///
    /// # Errors
    /// The batch is full.
    pub fn append(&mut self, record: &NewRecord<'_>) -> Result<(), BuildError> {
        let mut headers = Vec::new();
        for header in record.headers {
            push_nullable(&mut headers, Some(header.key));
            push_nullable(&mut headers, header.value);
        }
        let offset_delta = self.last_offset_delta.checked_add(1).ok_or(BuildError::Offset)?;
        let fields = Fields {
            offset_delta,
            timestamp: record.timestamp,
            key: record.key,
            value: record.value,
            header_count: record.headers.len(),
            headers: &headers,
        };
        self.push(&fields)
    }

    /// Adds a record of another batch with its offset, timestamp and headers.
    ///
    /// # Errors
    /// The offset is not above the last one, or the batch is full.
    pub fn append_record(&mut self, record: &Record<'_>) -> Result<(), BuildError> {
        let offset_delta = self.delta_of(record.offset)?;
        if offset_delta <= self.last_offset_delta {
            return Err(BuildError::Offset);
        }
        let headers: Headers<'_> = record.headers;
        let fields = Fields {
            offset_delta,
            timestamp: record.timestamp,
            key: record.key,
            value: record.value,
            header_count: headers.len(),
            headers: headers.bytes(),
        };
        self.push(&fields)
    }

    /// Makes the batch reach to `offset` even if its last record lies before it. Compaction keeps
    /// the offsets of a batch and, for its producer, an empty batch where no record is left.
    ///
    /// # Errors
    /// A record lies behind `offset`, or it is too far above the base offset.
    pub fn extend_to(&mut self, offset: Offset) -> Result<(), BuildError> {
        let offset_delta = self.delta_of(offset)?;
        if offset_delta < self.last_offset_delta {
            return Err(BuildError::Offset);
        }
        self.last_offset_delta = offset_delta;
        Ok(())
    }

    /// Sets the maximum timestamp to at least `timestamp`, for a batch that lost its records.
    pub fn extend_max_timestamp(&mut self, timestamp: Timestamp) {
        self.max_timestamp = self.max_timestamp.max(timestamp);
    }

    /// Appends the batch to `out` and returns its header. A batch without records is written as
    /// its header alone, not compressed.
    ///
    /// # Errors
    /// The compressed records are too large, in which case `out` is as before.
    pub fn finish(&self, out: &mut Vec<u8>) -> Result<BatchHeader, BuildError> {
        let compression = match self.record_count {
            0 => Compression::default(),
            _ => self.options.compression,
        };
        let options = BatchOptions { compression, ..self.options };
        let header = BatchHeader {
            base_offset: options.base_offset,
            batch_length: 0,
            leader_epoch: options.leader_epoch,
            crc: 0,
            attributes: options.attributes(),
            last_offset_delta: self.last_offset_delta,
            base_timestamp: self.base_timestamp.unwrap_or(Timestamp::NONE),
            max_timestamp: options.log_append_time.unwrap_or(self.max_timestamp),
            producer_id: options.producer.id,
            producer_epoch: options.producer.epoch,
            base_sequence: options.producer.base_sequence,
            record_count: self.record_count,
        };
        write_batch(header, &self.section, compression, out)
    }

    fn delta_of(&self, offset: Offset) -> Result<i32, BuildError> {
        let delta = offset.get().checked_sub(self.options.base_offset.get());
        let delta = delta.and_then(|delta| i32::try_from(delta).ok());
        delta.filter(|delta| *delta >= 0).ok_or(BuildError::Offset)
    }

    fn push(&mut self, fields: &Fields<'_>) -> Result<(), BuildError> {
        let base_timestamp = *self.base_timestamp.get_or_insert(fields.timestamp);
        let timestamp_delta = fields.timestamp.get().wrapping_sub(base_timestamp.get());
        let length = fields.len(timestamp_delta);
        let section_max = (LENGTH_MAX - LENGTH_MIN) as usize;
        if length + varint::len(length as i64) > section_max - self.section.len() {
            return Err(BuildError::TooLarge);
        }
        varint::push(&mut self.section, length as i64);
        fields.write(timestamp_delta, &mut self.section);
        self.record_count += 1;
        self.last_offset_delta = fields.offset_delta;
        self.max_timestamp = self.max_timestamp.max(fields.timestamp);
        Ok(())
    }
}

/// Appends a batch of these records to `out`: the header with its length, codec and checksum
/// filled in, then the records in that codec.
pub(super) fn write_batch(
    header: BatchHeader,
    section: &[u8],
    compression: Compression,
    out: &mut Vec<u8>,
) -> Result<BatchHeader, BuildError> {
    let start = out.len();
    let hint = if compression.codec() == Codec::None { section.len() } else { section.len() / 2 };
    out.reserve(HEADER_BYTES + hint);
    out.extend_from_slice(&[0; HEADER_BYTES]);
    compress(compression, section, out);
    let section_length = out.len() - start - HEADER_BYTES;
    if section_length > (LENGTH_MAX - LENGTH_MIN) as usize {
        out.truncate(start);
        return Err(BuildError::TooLarge);
    }
    let mut header = BatchHeader {
        batch_length: LENGTH_MIN + section_length as u32,
        attributes: header.attributes.with_codec(compression.codec()),
        ..header
    };
    let batch = &mut out[start..];
    batch[..HEADER_BYTES].copy_from_slice(&header.encode());
    header.crc = crc32c(&batch[CHECKED_FROM..]);
    batch[..HEADER_BYTES].copy_from_slice(&header.encode());
    Ok(header)
}

/// A record on its way into a batch.
struct Fields<'a> {
    offset_delta: i32,
    timestamp: Timestamp,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    header_count: usize,
    /// The headers as they are encoded.
    headers: &'a [u8],
}

impl Fields<'_> {
    /// The bytes behind the record's length.
    fn len(&self, timestamp_delta: i64) -> usize {
        let attributes = 1;
        attributes
            + varint::len(timestamp_delta)
            + varint::len(i64::from(self.offset_delta))
            + nullable_len(self.key)
            + nullable_len(self.value)
            + varint::len(self.header_count as i64)
            + self.headers.len()
    }

    fn write(&self, timestamp_delta: i64, out: &mut Vec<u8>) {
        out.push(0);
        varint::push(out, timestamp_delta);
        varint::push(out, i64::from(self.offset_delta));
        push_nullable(out, self.key);
        push_nullable(out, self.value);
        varint::push(out, self.header_count as i64);
        out.extend_from_slice(self.headers);
    }
}

fn nullable_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint::len(bytes.len() as i64) + bytes.len())
}

fn push_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else { return varint::push(out, -1) };
    varint::push(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

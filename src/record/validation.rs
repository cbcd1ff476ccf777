//! What a leader checks before it appends a batch that a client sent, and refuses.
//!
//! As strict as Kafka 4.3 with records that are looked into, and stricter where Kafka appends what
//! readers stumble over: bytes behind the batch (Kafka drops a partial batch there), attribute bits
//! without meaning, a delete horizon, the leader's timestamp type (Kafka refuses it only with
//! LogAppendTime), offset deltas out of order, record lengths that do not fit compressed records,
//! lengths below -1, a producer id below -1 or with a negative epoch.

use super::header::HEADER_BYTES;
use super::walk::{self, Walk};
use super::{
    Batch, BatchHeader, Codec, DecompressError, HeaderError, RecordError, Skimmer, TimestampType,
    skimming,
};
use crate::types::Timestamp;

/// The fewest bytes of a record: a length, attributes, two deltas, no key, no value, no headers.
const RECORD_BYTES_MIN: usize = 7;

/// No batch has more bytes without its compression: its consumers could not hold them.
pub const SECTION_BYTES_MAX: usize = 1 << 30;

/// What a topic and a request allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// `max.message.bytes`: the largest batch, header included.
    pub bytes_max: usize,
    /// The most bytes that the records may have without their compression, where that is looked at.
    /// They are never held together.
    pub section_bytes_max: usize,
    /// Whether zstd may be used: Produce version 7 and later (KIP-110).
    pub zstd_allowed: bool,
    /// Whether the batch may be of a transaction: the request names one and may write to it.
    pub transactional_allowed: bool,
    /// Whether each record must have a key: `cleanup.policy` contains `compact`.
    pub keys_required: bool,
    /// What the topic does with timestamps.
    pub timestamps: TimestampRule,
    /// How closely compressed records are looked at.
    pub validation: Validation,
    /// The leader's clock.
    pub now: Timestamp,
}

impl Rules {
    /// Whether compressed records are decompressed: only so can their keys be seen.
    pub fn looks_into_compressed(&self) -> bool {
        self.validation == Validation::Full || self.keys_required
    }
}

/// A topic's `message.timestamp.type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimestampRule {
    /// Timestamps are the producers' and must lie in a range around now; -1 always may.
    CreateTime {
        /// `message.timestamp.before.max.ms`.
        before_max_ms: i64,
        /// `message.timestamp.after.max.ms`.
        after_max_ms: i64,
    },
    /// Timestamps are replaced by the time of the append.
    LogAppendTime,
}

impl TimestampRule {
    pub(super) fn allows(self, timestamp: i64, now: Timestamp) -> bool {
        let Self::CreateTime { before_max_ms, after_max_ms } = self else { return true };
        let age = now.get().saturating_sub(timestamp);
        timestamp == Timestamp::NONE.get()
            || (age <= before_max_ms && age.saturating_neg() <= after_max_ms)
    }
}

/// How closely compressed records are looked at. Others are always read one by one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Validation {
    /// The header has to do, unless keys are required.
    HeaderOnly,
    /// They are decompressed and read one by one.
    Full,
}

/// What a client did wrong. Each variant names the error code of the Kafka protocol it is meant to
/// be answered with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invalid {
    /// Sent no batch, or only a part of one. `INVALID_RECORD`.
    Incomplete,
    /// Sent something behind the batch, of which there must be one. `INVALID_RECORD`.
    MoreThanOneBatch,
    /// Sent messages of format 0 or 1. `INVALID_RECORD`.
    OldFormat,
    /// Sent a format that does not exist. `CORRUPT_MESSAGE`.
    UnknownFormat,
    /// Sent a length that no batch has. `CORRUPT_MESSAGE`.
    Length,
    /// Sent zstd in a version of Produce that does not have it. `UNSUPPORTED_COMPRESSION_TYPE`.
    CodecNotAllowed,
    /// Named a codec that does not exist. `UNSUPPORTED_COMPRESSION_TYPE`.
    UnknownCodec,
    /// Chose a base offset, which is the leader's to choose. `INVALID_RECORD`.
    BaseOffset,
    /// Sent a batch above the limit. `MESSAGE_TOO_LARGE`, upon which producers split the batch.
    TooLarge,
    /// Sent records above the limit once their compression is undone. `MESSAGE_TOO_LARGE`.
    SectionTooLarge,
    /// Sent a checksum that is not that of the bytes. `CORRUPT_MESSAGE`, upon which they are sent
    /// again.
    Checksum,
    /// Set attribute bits that have no meaning or that only compaction sets. `INVALID_RECORD`.
    Attributes,
    /// Sent control records, which only brokers write. `INVALID_RECORD`.
    Control,
    /// Sent a batch of a transaction it did not name. `TRANSACTIONAL_ID_AUTHORIZATION_FAILED`.
    Transactional,
    /// Announced no records, or more than can be. `INVALID_RECORD`.
    RecordCount,
    /// Sent a last offset delta that is not the number of records less one. `INVALID_RECORD`.
    LastOffsetDelta,
    /// Sent a producer id below -1, or a transaction without one. `INVALID_RECORD`.
    ProducerId,
    /// Sent a producer id with a negative epoch. `INVALID_PRODUCER_EPOCH`.
    ProducerEpoch,
    /// Sent a producer id with a negative sequence number. `INVALID_RECORD`.
    Sequence,
    /// Set the timestamp type that is the leader's to set. `INVALID_TIMESTAMP`.
    TimestampType,
    /// Sent a timestamp too far from now; see [`record_faults`]. `INVALID_TIMESTAMP`.
    Timestamp,
    /// Sent a record without a key to a compacted topic; see [`record_faults`].
    /// `INVALID_RECORD`.
    KeyMissing,
    /// Encoded a record wrongly. `INVALID_RECORD`.
    Record(RecordError),
    /// Sent compressed bytes that cannot be decompressed. `INVALID_RECORD`.
    Corrupt,
}

impl From<HeaderError> for Invalid {
    fn from(error: HeaderError) -> Self {
        match error {
            HeaderError::Partial { .. } => Self::Incomplete,
            HeaderError::Length(_) => Self::Length,
            HeaderError::OldFormat(_) => Self::OldFormat,
            HeaderError::UnknownFormat(_) => Self::UnknownFormat,
        }
    }
}

impl From<DecompressError> for Invalid {
    fn from(error: DecompressError) -> Self {
        match error {
            DecompressError::TooLarge => Self::SectionTooLarge,
            DecompressError::Corrupt => Self::Corrupt,
        }
    }
}

/// A batch that may be appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Validated<'a> {
    /// The header to be stamped and appended. It differs from the one that came where the maximum
    /// timestamp was not that of the records, which Kafka corrects too.
    pub header: BatchHeader,
    /// The records as they came, to be appended behind the header.
    pub stored_section: &'a [u8],
}

/// Checks what a client sent for one partition.
///
/// # Errors
/// The first thing found wrong. Where several are, the order is Kafka's.
pub fn validate<'a>(bytes: &'a [u8], rules: &Rules) -> Result<Validated<'a>, Invalid> {
    let batch = Batch::first(bytes)?;
    let header = batch.header();
    check_frame(header, bytes, rules)?;
    if !batch.checksum_holds() {
        return Err(Invalid::Checksum);
    }
    let codec = check_header(header)?;
    let stored_section = batch.stored_section();
    let walk = match codec {
        Codec::None => walk::walk(stored_section, header.record_count, header.base_timestamp)
            .map_err(Invalid::Record)?,
        _ if rules.looks_into_compressed() => {
            skimming::walk(header, stored_section, rules.section_bytes_max)?
        }
        _ if rules.timestamps.allows(header.max_timestamp.get(), rules.now) => {
            return Ok(Validated { header: *header, stored_section });
        }
        _ => return Err(Invalid::Timestamp),
    };
    check_walk(&walk, rules)?;
    let max = Timestamp::new(walk.max_timestamp);
    let header = match rules.timestamps {
        TimestampRule::CreateTime { .. } if max != header.max_timestamp => corrected(*header, max),
        _ => *header,
    };
    Ok(Validated { header, stored_section })
}

/// By value: with a reference to it the header could not stay in registers all along.
#[cold]
fn corrected(header: BatchHeader, max: Timestamp) -> BatchHeader {
    header.with_max_timestamp(TimestampType::CreateTime, max)
}

/// What Kafka checks before the checksum.
#[inline(always)]
fn check_frame(header: &BatchHeader, bytes: &[u8], rules: &Rules) -> Result<(), Invalid> {
    if header.attributes.codec() == Ok(Codec::Zstd) && !rules.zstd_allowed {
        return Err(Invalid::CodecNotAllowed);
    }
    if bytes.len() != header.total_bytes() {
        return Err(Invalid::MoreThanOneBatch);
    }
    if header.attributes.is_transactional() && !rules.transactional_allowed {
        return Err(Invalid::Transactional);
    }
    if header.base_offset.get() != 0 {
        return Err(Invalid::BaseOffset);
    }
    if bytes.len() > rules.bytes_max {
        return Err(Invalid::TooLarge);
    }
    Ok(())
}

/// What the rest of the header tells; returns the codec.
#[inline(always)]
fn check_header(header: &BatchHeader) -> Result<Codec, Invalid> {
    let attributes = header.attributes;
    let codec = attributes.codec().map_err(|_| Invalid::UnknownCodec)?;
    let section_bytes_max = match codec {
        Codec::None => header.section_bytes() as usize,
        _ => SECTION_BYTES_MAX,
    };
    let records_max = section_bytes_max / RECORD_BYTES_MIN;
    let count = usize::try_from(header.record_count).unwrap_or(0);
    if count == 0 || count > records_max {
        return Err(Invalid::RecordCount);
    }
    if header.last_offset_delta != header.record_count - 1 {
        return Err(Invalid::LastOffsetDelta);
    }
    if attributes.is_control() {
        return Err(Invalid::Control);
    }
    if attributes.unknown_bits() != 0 || attributes.has_delete_horizon() {
        return Err(Invalid::Attributes);
    }
    check_producer(header)?;
    if attributes.timestamp_type() == TimestampType::LogAppendTime {
        return Err(Invalid::TimestampType);
    }
    Ok(codec)
}

/// Without a producer id, epoch and sequence may be anything: some clients send zeros.
#[inline(always)]
fn check_producer(header: &BatchHeader) -> Result<(), Invalid> {
    let id = header.producer_id.get();
    if id < -1 || (id == -1 && header.attributes.is_transactional()) {
        return Err(Invalid::ProducerId);
    }
    if id >= 0 && header.base_sequence < 0 {
        return Err(Invalid::Sequence);
    }
    if id >= 0 && header.producer_epoch.get() < 0 {
        return Err(Invalid::ProducerEpoch);
    }
    Ok(())
}

/// The range of timestamps needs no more than its ends looked at.
fn check_walk(walk: &Walk, rules: &Rules) -> Result<(), Invalid> {
    let ends = [walk.min_timestamp, walk.max_timestamp];
    if !ends.into_iter().all(|end| rules.timestamps.allows(end, rules.now)) {
        return Err(Invalid::Timestamp);
    }
    if walk.keyless && rules.keys_required {
        return Err(Invalid::KeyMissing);
    }
    Ok(())
}

/// Why one record of a refused batch was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordFault {
    /// The record's place in its batch, from 0.
    pub index: u32,
    /// What is wrong.
    pub kind: FaultKind,
}

/// What a record may be refused for by itself (KIP-467).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// It has no key, and the topic is compacted.
    KeyMissing,
    /// This timestamp is too far from now.
    Timestamp(Timestamp),
}

/// The records for which [`validate`] answered [`Invalid::Timestamp`] or [`Invalid::KeyMissing`],
/// in their order, given the same rules. Kafka names all of them in its answer.
/// There are none when only the header of a compressed batch was looked at.
pub fn record_faults<'a>(
    bytes: &'a [u8],
    rules: &'a Rules,
) -> impl Iterator<Item = RecordFault> + 'a {
    let header = BatchHeader::decode(bytes).ok();
    let compressed = header.is_some_and(|header| header.attributes.codec() != Ok(Codec::None));
    let looked_into = !compressed || rules.looks_into_compressed();
    let section = bytes.get(HEADER_BYTES..).unwrap_or_default();
    let records = header.filter(|_| looked_into).and_then(|header| {
        Skimmer::new(&header, section, rules.section_bytes_max.max(section.len())).ok()
    });
    let records = records.into_iter().flatten();
    (0..).zip(records.map_while(Result::ok)).filter_map(|(index, record)| {
        if rules.keys_required && !record.has_key {
            return Some(RecordFault { index, kind: FaultKind::KeyMissing });
        }
        let allowed = rules.timestamps.allows(record.timestamp.get(), rules.now);
        (!allowed).then_some(RecordFault { index, kind: FaultKind::Timestamp(record.timestamp) })
    })
}

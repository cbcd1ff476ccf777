//! Work that takes too long for a turn of the shard: pure functions with their inputs, run off its
//! core.

use super::peer::{AskError, FoundRecord};
use super::topics::SECTION_BYTES_MAX;
use crate::io::MemoryRange;
use crate::log::{FoundBatch, Ranges};
use crate::record::{
    Batch, BatchHeader, Codec, Compression, DecompressError, HEADER_BYTES, Invalid, Rules,
    SectionError, TimestampType, Validated, recompress, validate,
};
use crate::store::Reply;
use crate::types::TopicPartition;

/// Records up to this size are decompressed in the turn.
const SMALL_BYTES: usize = 64 << 10;
/// How much of a batch is decompressed to find one record in it. Anyone may ask, several at once,
/// and a megabyte can be a gigabyte without its compression.
const SEARCHED_BYTES_MAX: usize = 64 << 20;

/// A piece of work.
#[derive(Debug)]
pub struct Job {
    /// The partition it is for.
    pub id: TopicPartition,
    /// Who wants the result.
    pub reply: Reply,
    work: Work,
}

#[derive(Debug)]
enum Work {
    FindRecord(FoundBatch),
    Prepare { bytes: MemoryRange, rules: Rules, compression: Option<Compression> },
}

/// A batch that was validated, and compressed as its topic wants it.
#[derive(Debug)]
pub struct Prepared {
    /// Its header.
    pub header: BatchHeader,
    /// Everything behind the header.
    pub body: MemoryRange,
}

/// What a job brought.
#[derive(Debug)]
pub enum JobResult {
    /// The record that was looked for.
    Found(Result<Option<FoundRecord>, AskError>),
    /// A batch to be appended.
    Prepared(Result<Prepared, Invalid>),
}

impl Job {
    /// Finds the record with a timestamp in its batch.
    pub fn find_record(id: TopicPartition, reply: Reply, found: FoundBatch) -> Self {
        Self { id, reply, work: Work::FindRecord(found) }
    }

    /// Validates a batch and brings it into the topic's compression.
    pub fn prepare(
        id: TopicPartition,
        reply: Reply,
        bytes: MemoryRange,
        rules: Rules,
        compression: Option<Compression>,
    ) -> Self {
        Self { id, reply, work: Work::Prepare { bytes, rules, compression } }
    }

    /// Whether a client's batch is better prepared by a job: it is large, and has to be decompressed
    /// or compressed.
    pub fn is_needed_for(bytes: &[u8], rules: &Rules, compression: Option<Compression>) -> bool {
        if bytes.len() <= SMALL_BYTES / 8 {
            return false;
        }
        let Ok(header) = BatchHeader::decode(bytes) else { return false };
        let codec = header.attributes.codec().unwrap_or(Codec::None);
        let changes = compression.is_some_and(|compression| compression.codec() != codec);
        changes || (codec != Codec::None && rules.looks_into_compressed())
    }

    /// Whether it is done sooner than handed over.
    pub fn is_small(&self) -> bool {
        match &self.work {
            Work::FindRecord(found) => {
                let header = &found.header;
                let append_time =
                    header.attributes.timestamp_type() == TimestampType::LogAppendTime;
                let plain = header.attributes.codec() == Ok(Codec::None);
                append_time || (plain && header.total_bytes() <= SMALL_BYTES)
            }
            Work::Prepare { .. } => false,
        }
    }

    /// Does it.
    pub fn run(self) -> JobResult {
        match self.work {
            Work::FindRecord(found) => JobResult::Found(find_record(&found)),
            Work::Prepare { bytes, rules, compression } => {
                JobResult::Prepared(prepare(&bytes, &rules, compression))
            }
        }
    }
}

fn prepare(
    bytes: &MemoryRange,
    rules: &Rules,
    compression: Option<Compression>,
) -> Result<Prepared, Invalid> {
    let mut scratch = Vec::new();
    let validated = validate(bytes, rules, &mut scratch)?;
    match compression {
        Some(compression) if validated.header.attributes.codec() != Ok(compression.codec()) => {
            recompressed(&validated, &mut scratch, compression, rules.bytes_max)
        }
        _ => {
            let body = bytes.slice(HEADER_BYTES..bytes.len());
            Ok(Prepared { header: validated.header, body })
        }
    }
}

/// A validated batch in another codec. `scratch` holds its records if they were decompressed.
///
/// # Errors
/// The records cannot be decompressed, or what they are in the other codec is above `bytes_max`.
pub(super) fn recompressed(
    validated: &Validated<'_>,
    scratch: &mut Vec<u8>,
    compression: Compression,
    bytes_max: usize,
) -> Result<Prepared, Invalid> {
    let header = &validated.header;
    if !validated.walked {
        let codec = header.attributes.codec().map_err(|_| Invalid::UnknownCodec)?;
        crate::record::decompress(codec, validated.stored_section, SECTION_BYTES_MAX, scratch)?;
    }
    let section = if header.attributes.codec() == Ok(Codec::None) {
        validated.stored_section
    } else {
        scratch
    };
    let mut out = Vec::new();
    let header =
        recompress(header, section, compression, &mut out).map_err(|_| Invalid::TooLarge)?;
    if out.len() > bytes_max {
        return Err(Invalid::TooLarge);
    }
    Ok(Prepared { header, body: MemoryRange::copy_of(&out[HEADER_BYTES..]) })
}

fn find_record(found: &FoundBatch) -> Result<Option<FoundRecord>, AskError> {
    let header = &found.header;
    let record = |offset, timestamp| {
        Ok(Some(FoundRecord { offset, timestamp, leader_epoch: header.leader_epoch }))
    };
    if header.attributes.timestamp_type() == TimestampType::LogAppendTime {
        return record(header.base_offset, header.max_timestamp);
    }
    let bytes = joined(&found.bytes);
    let batch = Batch::first(&bytes).map_err(|_| AskError::Storage)?;
    let mut scratch = Vec::new();
    let records = match batch.records(SEARCHED_BYTES_MAX, &mut scratch) {
        Ok(records) => records,
        // Earlier than need be, but no record that was asked for is left out.
        Err(SectionError::Decompress(DecompressError::TooLarge)) => {
            return record(header.base_offset, header.base_timestamp);
        }
        Err(_) => return Err(AskError::Storage),
    };
    for candidate in records {
        let candidate = candidate.map_err(|_| AskError::Storage)?;
        if candidate.timestamp >= found.timestamp {
            return record(candidate.offset, candidate.timestamp);
        }
    }
    Ok(None)
}

fn joined(ranges: &Ranges) -> Vec<u8> {
    ranges.iter().flat_map(|range| range.iter().copied()).collect()
}

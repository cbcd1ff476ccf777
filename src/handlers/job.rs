//! Work that takes too long for a turn of the shard: pure functions with their inputs, run off its
//! core.

use super::group_log::{self, GroupRecords};
use super::peer::{AskError, FoundRecord};
use crate::io::MemoryRange;
use crate::log::{CompactionStep, CompactionWork, FoundBatch, Ranges};
use crate::record::{
    Batch, BatchHeader, Codec, Compression, DecompressError, HEADER_BYTES, Invalid, Rules,
    SECTION_BYTES_MAX, SkimError, Skimmer, TimestampType, Validated, decompress, recompress,
    validate,
};
use crate::store::Reply;
use crate::types::{ShardId, TopicPartition};

/// Records up to this size are decompressed in the turn.
pub(super) const SMALL_BYTES: usize = 64 << 10;
/// What is brought into another codec is held whole without its compression, so it is refused above
/// this, unless batches of twice that are allowed anyway. Kafka holds any amount.
const RECOMPRESSED_BYTES_MAX: usize = 16 << 20;

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
    GroupRecords(Vec<u8>),
    Compact(Box<CompactionStep>),
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
    /// Records of groups.
    GroupRecords(GroupRecords),
    /// A batch to be appended.
    Prepared {
        /// The batch.
        prepared: Result<Prepared, Invalid>,
        /// As [`Job::working_bytes_max`] said.
        working_bytes_max: usize,
    },
    /// A step of a compaction.
    Compacted(Box<CompactionWork>),
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

    /// Reads records of groups back from the batches in `bytes`.
    pub fn group_records(id: TopicPartition, reply: Reply, bytes: Vec<u8>) -> Self {
        Self { id, reply, work: Work::GroupRecords(bytes) }
    }

    /// A step of the compaction of a partition of `shard`, which nobody waits for.
    pub fn compact(id: TopicPartition, shard: ShardId, step: Box<CompactionStep>) -> Self {
        let reply = Reply { shard, operation: 0, item: 0 };
        Self { id, reply, work: Work::Compact(step) }
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

    /// The most memory that it takes beside what it was given: for the records without compression
    /// and for the batch that it makes of them.
    pub fn working_bytes_max(&self) -> usize {
        let Work::Prepare { bytes, rules, compression: Some(_) } = &self.work else { return 0 };
        let codec = BatchHeader::decode(bytes).ok().map(|header| header.attributes.codec());
        let plain = codec == Some(Ok(Codec::None));
        rules.bytes_max + if plain { 0 } else { recompressed_bytes_max(rules) }
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
            Work::Prepare { .. } | Work::Compact(_) => false,
            Work::GroupRecords(bytes) => group_log::is_small(bytes),
        }
    }

    /// Does it.
    pub fn run(self) -> JobResult {
        let working_bytes_max = self.working_bytes_max();
        match self.work {
            Work::FindRecord(found) => JobResult::Found(find_record(&found)),
            Work::GroupRecords(bytes) => JobResult::GroupRecords(group_log::group_records(&bytes)),
            Work::Prepare { bytes, rules, compression } => {
                let prepared = prepare(&bytes, &rules, compression);
                JobResult::Prepared { prepared, working_bytes_max }
            }
            Work::Compact(step) => JobResult::Compacted(Box::new(step.run())),
        }
    }
}

fn prepare(
    bytes: &MemoryRange,
    rules: &Rules,
    compression: Option<Compression>,
) -> Result<Prepared, Invalid> {
    let validated = validate(bytes, rules)?;
    match compression {
        Some(compression) if validated.header.attributes.codec() != Ok(compression.codec()) => {
            recompressed(&validated, rules, compression)
        }
        _ => {
            let body = bytes.slice(HEADER_BYTES..bytes.len());
            Ok(Prepared { header: validated.header, body })
        }
    }
}

/// A validated batch in another codec.
///
/// # Errors
/// The records cannot be decompressed, or are too large without compression or in the other codec.
pub(super) fn recompressed(
    validated: &Validated<'_>,
    rules: &Rules,
    compression: Compression,
) -> Result<Prepared, Invalid> {
    let (header, stored) = (&validated.header, validated.stored_section);
    let codec = header.attributes.codec().map_err(|_| Invalid::UnknownCodec)?;
    let section_bytes_max = rules.section_bytes_max.min(recompressed_bytes_max(rules));
    let mut scratch = Vec::new();
    let section = match codec {
        Codec::None => stored,
        _ => {
            decompress(codec, stored, section_bytes_max, &mut scratch)?;
            &scratch
        }
    };
    let mut out = Vec::new();
    let header =
        recompress(header, section, compression, &mut out).map_err(|_| Invalid::TooLarge)?;
    if out.len() > rules.bytes_max {
        return Err(Invalid::TooLarge);
    }
    Ok(Prepared { header, body: MemoryRange::copy_of(&out[HEADER_BYTES..]) })
}

/// The most that a batch may have without its compression to be brought into another codec.
fn recompressed_bytes_max(rules: &Rules) -> usize {
    RECOMPRESSED_BYTES_MAX.max(rules.bytes_max.saturating_mul(2))
}

fn find_record(found: &FoundBatch) -> Result<Option<FoundRecord>, AskError> {
    let header = &found.header;
    let record = |offset, timestamp| {
        Ok(Some(FoundRecord { offset, timestamp, leader_epoch: header.leader_epoch }))
    };
    if header.attributes.timestamp_type() == TimestampType::LogAppendTime {
        return record(header.base_offset.max(found.log_start), header.max_timestamp);
    }
    let bytes = joined(&found.bytes);
    let batch = Batch::first(&bytes).map_err(|_| AskError::Storage)?;
    let records = Skimmer::new(header, batch.stored_section(), SECTION_BYTES_MAX);
    for candidate in records.map_err(|_| AskError::Storage)? {
        match candidate {
            Ok(candidate)
                if candidate.timestamp >= found.timestamp
                    && candidate.offset >= found.log_start =>
            {
                return record(candidate.offset, candidate.timestamp);
            }
            Ok(_) => {}
            // Earlier than need be, but no record that was asked for is left out; and no consumer
            // can read this batch.
            Err(SkimError::Decompress(DecompressError::TooLarge)) => {
                return record(header.base_offset.max(found.log_start), header.base_timestamp);
            }
            Err(_) => return Err(AskError::Storage),
        }
    }
    Ok(None)
}

fn joined(ranges: &Ranges) -> Vec<u8> {
    ranges.iter().flat_map(|range| range.iter().copied()).collect()
}

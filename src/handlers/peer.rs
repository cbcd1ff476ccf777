//! What shards ask each other, and what they answer. A shard asks itself in the same words.

use crate::io::MemoryRange;
use crate::log::{Parts, TimestampTarget};
use crate::record::BatchHeader;
use crate::store::{AppendAnswer, AppendError};
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};

/// A question about a partition, for the shard that owns it.
#[derive(Debug)]
pub enum Ask {
    /// Append a validated batch.
    Append {
        /// Its header as validated.
        header: Box<BatchHeader>,
        /// Everything behind the header.
        body: MemoryRange,
        /// Give all records this timestamp.
        log_append_time: Option<Timestamp>,
    },
    /// Read from an offset.
    Read {
        /// The offset.
        offset: Offset,
        /// At most this many bytes.
        bytes_max: u64,
        /// The first batch whole, however large.
        first_whole: bool,
        /// The epoch in which the client believes the leader leads; -1 if it does not know.
        current_leader_epoch: LeaderEpoch,
    },
    /// Tell a fetch once the partition shows `bytes`, as [`ReadResult::visible_bytes`] counts.
    Watch {
        /// The fetch.
        fetch: u64,
        /// The bytes.
        bytes: u64,
    },
    /// Forget a fetch that watches.
    Unwatch {
        /// The fetch.
        fetch: u64,
    },
    /// One of the offsets that need no search.
    Bounds {
        /// As for [`Ask::Read`].
        current_leader_epoch: LeaderEpoch,
    },
    /// Find a record by timestamp.
    Find {
        /// Which.
        target: TimestampTarget,
        /// As for [`Ask::Read`].
        current_leader_epoch: LeaderEpoch,
    },
    /// Where a leader epoch ended (KIP-101).
    EpochEnd {
        /// The epoch.
        epoch: LeaderEpoch,
        /// As for [`Ask::Read`].
        current_leader_epoch: LeaderEpoch,
    },
    /// How many bytes it has on disk.
    Size,
    /// The producers that it remembers.
    Producers,
}

/// Why a question cannot be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AskError {
    /// The partition is not here.
    NotHere,
    /// The client knows an older epoch of the leader.
    FencedLeaderEpoch,
    /// The client knows a newer epoch of the leader.
    UnknownLeaderEpoch,
    /// The offset is below the log start or above the log end.
    OffsetOutOfRange(Bounds),
    /// The bytes cannot be read.
    Storage,
}

/// The offsets at which a partition begins and ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// The log start offset.
    pub log_start: Offset,
    /// The high watermark.
    pub high_watermark: Offset,
    /// The epoch of the leader.
    pub leader_epoch: LeaderEpoch,
    /// The epoch of the first record, and of the last one that is visible.
    pub epochs: (Option<LeaderEpoch>, Option<LeaderEpoch>),
}

/// A part of a partition.
#[derive(Debug)]
pub struct ReadResult {
    /// Where the partition begins and ends.
    pub bounds: Bounds,
    /// The bytes.
    pub parts: Parts,
    /// The bytes that the partition had shown when this was read, counted from the start of the
    /// process.
    pub visible_bytes: u64,
}

/// A record found by timestamp.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoundRecord {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// The epoch in which it was appended.
    pub leader_epoch: LeaderEpoch,
}

/// A producer that a partition remembers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ActiveProducer {
    /// Its id.
    pub id: ProducerId,
    /// The newest epoch that wrote.
    pub epoch: ProducerEpoch,
    /// The sequence of the last record; -1 when no batch is remembered.
    pub last_sequence: i32,
    /// The timestamp of its last batch.
    pub last_timestamp: Timestamp,
}

/// An answer.
#[derive(Debug)]
pub enum Answer {
    /// To [`Ask::Append`].
    Appended(AppendAnswer),
    /// To [`Ask::Read`].
    Read(Result<ReadResult, AskError>),
    /// To [`Ask::Bounds`].
    Bounds(Result<Bounds, AskError>),
    /// To [`Ask::Find`].
    Found(Result<Option<FoundRecord>, AskError>),
    /// To [`Ask::EpochEnd`]: the epoch found and its end, if any.
    EpochEnd(Result<Option<(LeaderEpoch, Offset)>, AskError>),
    /// To [`Ask::Size`].
    Size(Result<u64, AskError>),
    /// To [`Ask::Producers`], by id.
    Producers(Result<Vec<ActiveProducer>, AskError>),
}

impl From<AppendError> for Answer {
    fn from(error: AppendError) -> Self {
        Self::Appended(Err(error))
    }
}

/// The shard that owns a partition: neighbours in a topic go to neighbouring shards.
pub fn owner(id: TopicPartition, shards: u16) -> crate::types::ShardId {
    let (high, low) = id.topic.halves();
    let start = (high ^ low.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let partition = u64::from(id.partition.get().unsigned_abs());
    let shard = (start + partition) % u64::from(shards);
    crate::types::ShardId::new(u16::try_from(shard).expect("below the number of shards"))
}

//! One replica of one partition: its log, its producers, and what may be seen of it. Knows nothing
//! of sockets or of other partitions.

mod producers;
mod waiting;

use smallvec::SmallVec;

use crate::config::CleanupSettings;
use crate::log::{LeaderEpochs, Log, LogSettings, Place};
use crate::planted::{Bug, planted};
use crate::record::{BatchHeader, Stamp};
use crate::types::{Instant, LeaderEpoch, Offset, PartitionSequence, Timestamp, TopicPartition};

pub use self::producers::{ProducerBatch, ProducerEntry, Producers, SequenceCheck, TooMany};
pub use self::waiting::{Waiter, Waiting};

/// When an append is acknowledged (`ack.durability`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// After it is on disk on every replica that counts.
    Disk,
    /// Before that: a killed process may lose the last milliseconds.
    Memory,
}

/// The parts of a topic's settings that a partition needs, resolved.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PartitionSettings {
    /// For the log.
    pub log: LogSettings,
    /// When an append is acknowledged.
    pub durability: Durability,
    /// What is removed.
    pub cleanup: CleanupSettings,
}

/// An end of a log: the offset behind a batch, and the place behind it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct LogEnd {
    /// The offset.
    pub offset: Offset,
    /// The place.
    pub place: Place,
    /// Bytes appended to the partition up to here, since this process started.
    pub bytes: u64,
}

/// A batch with its final header, and where it goes.
#[derive(Clone, Copy, Debug)]
pub struct Prepared {
    /// The header, with its offset, epoch and timestamps.
    pub header: BatchHeader,
    /// Its place in the log.
    pub place: Place,
    /// The partition's sequence after the append.
    pub sequence: PartitionSequence,
}

/// One partition that this broker leads.
#[derive(Debug)]
pub struct Partition {
    /// Which one.
    pub id: TopicPartition,
    /// Its log.
    pub log: Log,
    /// Its producers.
    pub producers: Producers,
    /// Its leader epochs, with their start offsets.
    pub epochs: LeaderEpochs,
    /// The epoch in which this broker leads it.
    pub leader_epoch: LeaderEpoch,
    /// The number of changes so far.
    pub sequence: PartitionSequence,
    /// Its settings.
    pub settings: PartitionSettings,
    /// The first offset that compaction has not seen.
    pub first_dirty_offset: Offset,
    /// Fetches that wait for more.
    pub waiting: Waiting,
    end: LogEnd,
    durable_end: LogEnd,
    high_watermark: LogEnd,
    /// For each live generation of the write-ahead log that holds bytes of this partition, the
    /// place of the first.
    logged: SmallVec<[(u64, Place); 2]>,
    /// The oldest generation that the state in the last checkpoint needs beside it.
    recorded_need: Option<u64>,
    /// The generation of the first change since then.
    unrecorded: Option<u64>,
    /// The segment of the place up to which that state counts on segments.
    recorded_segment: Offset,
}

impl Partition {
    /// A partition with the log that creation or recovery made. Bytes behind what is synced are in
    /// the write-ahead logs of an earlier life, which count as generation 0.
    pub fn new(
        id: TopicPartition,
        log: Log,
        leader_epoch: LeaderEpoch,
        settings: PartitionSettings,
    ) -> Self {
        let end = LogEnd { offset: log.end_offset(), place: log.end(), bytes: 0 };
        let mut logged = SmallVec::new();
        let synced = log.synced();
        if synced < end.place {
            logged.push((0, synced));
        }
        Self {
            id,
            log,
            producers: Producers::default(),
            epochs: LeaderEpochs::default(),
            leader_epoch,
            sequence: PartitionSequence::new(0),
            settings,
            first_dirty_offset: Offset::ZERO,
            waiting: Waiting::default(),
            end,
            durable_end: end,
            high_watermark: end,
            recorded_need: logged.first().map(|(generation, _)| *generation),
            logged,
            unrecorded: None,
            recorded_segment: Offset::ZERO,
        }
    }

    /// The end of what was appended.
    pub fn end(&self) -> LogEnd {
        self.end
    }

    /// The end of what is on disk here.
    pub fn durable_end(&self) -> LogEnd {
        self.durable_end
    }

    /// The end of what consumers see.
    pub fn high_watermark(&self) -> LogEnd {
        self.high_watermark
    }

    /// Gives a validated batch its offsets and its place.
    pub fn prepare(&self, header: &BatchHeader, log_append_time: Option<Timestamp>) -> Prepared {
        let base_offset = self.log.end_offset();
        let leader_epoch = self.leader_epoch;
        let header = header.stamped(Stamp { base_offset, leader_epoch, log_append_time });
        let place = self.log.place_for(&header, &self.settings.log);
        Prepared { header, place, sequence: self.sequence.next() }
    }

    /// Notes that a prepared batch is in the log and in the write-ahead log's `generation`.
    pub fn appended(&mut self, prepared: &Prepared, generation: u64, now: Instant) {
        let header = &prepared.header;
        self.sequence = prepared.sequence;
        self.producers.appended(header, now);
        self.epochs.assign(self.leader_epoch, header.base_offset);
        self.note_logged(generation, prepared.place);
        let bytes = self.end.bytes + header.total_bytes() as u64;
        self.end = LogEnd { offset: self.log.end_offset(), place: self.log.end(), bytes };
        if self.settings.durability == Durability::Memory || planted(Bug::ShowLogEnd) {
            self.high_watermark = self.end;
        }
    }

    /// Notes that the log start offset moves, as entry `sequence + 1` in the write-ahead log's
    /// `generation`.
    pub fn log_start_moved(&mut self, start: Offset, generation: u64) {
        self.sequence = self.sequence.next();
        self.log.advance_start(start);
        self.epochs.truncate_start(start);
        self.unrecorded.get_or_insert(generation);
    }

    /// Notes that the write-ahead log has the bytes from `place` on in `generation`.
    fn note_logged(&mut self, generation: u64, place: Place) {
        self.unrecorded.get_or_insert(generation);
        let newest = self.logged.last().map(|(generation, _)| *generation);
        if newest != Some(generation) {
            assert!(newest.is_none_or(|newest| newest < generation));
            self.logged.push((generation, place));
        }
    }

    /// Notes that everything up to `end` is on disk. Returns whether consumers see more now.
    pub fn committed(&mut self, end: LogEnd) -> bool {
        assert!(end >= self.durable_end && end <= self.end);
        self.durable_end = end;
        self.log.set_committed(end.place);
        let seen = self.high_watermark;
        self.high_watermark = seen.max(end);
        self.high_watermark > seen
    }

    /// Notes that a checkpoint takes the partition's state as it is now.
    pub fn recorded(&mut self) {
        self.unrecorded = None;
        self.recorded_need = self.unsynced_generation();
        self.recorded_segment = self.log.synced().segment_base_offset;
    }

    /// The segment up to which the last checkpoint counts on segments.
    pub fn recorded_segment(&self) -> Offset {
        self.recorded_segment
    }

    /// Whether anything has changed since the last checkpoint took the partition's state.
    pub fn is_recorded(&self) -> bool {
        self.unrecorded.is_none()
    }

    /// The oldest generation that holds bytes which are not synced in the segments.
    fn unsynced_generation(&mut self) -> Option<u64> {
        let synced = self.log.synced();
        // An entry is needed until the next one starts at or before what is synced.
        while self.logged.get(1).is_some_and(|(_, start)| *start <= synced) {
            self.logged.remove(0);
        }
        if synced >= self.end.place {
            self.logged.clear();
        }
        self.logged.first().map(|(generation, _)| *generation)
    }

    /// The oldest generation of the write-ahead log that a restart needs, beside the state that the
    /// last checkpoint took.
    pub fn needed_generation(&self) -> Option<u64> {
        match (self.recorded_need, self.unrecorded) {
            (Some(recorded), Some(since)) => Some(recorded.min(since)),
            (recorded, since) => recorded.or(since),
        }
    }

    /// The write-ahead log has the last block's bytes again, now in `generation`: where they stood
    /// before is not needed for them.
    pub fn carried(&mut self, generation: u64, place: Place) {
        self.logged.clear();
        self.logged.push((generation, place));
        self.recorded_need = Some(generation);
    }

    /// Whether the last block is not full and stands in the segment only: it has to be carried into
    /// the write-ahead log before it is written again.
    pub fn must_carry(&self) -> bool {
        self.logged.is_empty() && self.log.has_partial_block()
    }
}

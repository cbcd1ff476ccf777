//! Bringing partitions back after a start, out of what earlier write-ahead logs held.

use core::fmt;
use std::collections::{BTreeMap, VecDeque};

use super::{Owner, PartitionRecord, Store, retention};
use crate::io::{DiskQueue, DiskResult, FileName};
use crate::log::{Log, LogRecovery, RecoveryError, ReplayedBytes};
use crate::partition::{Partition, PartitionSettings, Producers};
use crate::planted::{Bug, planted};
use crate::record::BatchHeader;
use crate::types::{
    Instant, LeaderEpoch, Lsn, Map, Now, Offset, PartitionSequence, TopicPartition, Uuid,
};
use crate::wal::{EntryKind, EntryMeta, Replayed, ReplayedEntry, Urgency};

/// Logs recovered at the same time.
const RECOVERIES_AT_ONCE: usize = 64;

/// What earlier lives left of one partition.
#[derive(Clone, Debug, Default)]
pub struct PartitionSource {
    /// The newest checkpoint's record.
    pub record: Option<PartitionRecord>,
    /// Entries of the write-ahead logs, in no order.
    pub entries: Vec<ReplayedEntry>,
}

/// What earlier lives left, sorted by whom it is for.
#[derive(Debug, Default)]
pub struct Sources {
    /// For the partitions.
    pub partitions: BTreeMap<TopicPartition, PartitionSource>,
    /// Entries of the metadata log.
    pub metadata: Vec<ReplayedEntry>,
    /// How far each write-ahead log was believed: its id and its last number.
    pub fences: Vec<(u64, Lsn)>,
    /// What the write-ahead logs take on the device, as far as they were believed.
    pub logs_bytes: u64,
}

/// A checkpoint holds something other than the records of partitions, under a CRC that is right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DamagedRecord {
    /// The write-ahead log it belongs to.
    pub wal_id: u64,
}

impl fmt::Display for DamagedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = crate::wal::directory_name(self.wal_id);
        write!(f, "write-ahead log {name}: the checkpoint has a record that cannot be read")
    }
}

impl Sources {
    /// Takes in all write-ahead logs. A log's entries behind a fence that a later life set are
    /// dropped: they were never acknowledged, and the later life gave their offsets to others.
    ///
    /// # Errors
    /// A checkpoint's record is none: without it, nothing can be said of its partition.
    pub fn of(replayed: Vec<(u64, Replayed)>, now: Instant) -> Result<Self, DamagedRecord> {
        let mut fences: Map<u64, Lsn> = Map::default();
        for (_, log) in &replayed {
            let set = log.entries.iter().filter(|entry| entry.meta.kind == EntryKind::Fence);
            for (wal_id, last) in set.filter_map(|entry| decode_fence(&entry.payload)) {
                let fence = fences.entry(wal_id).or_insert(last);
                *fence = last.min(*fence);
            }
        }
        let mut sources = Self::default();
        for (wal_id, log) in replayed {
            sources.logs_bytes += log.commits_bytes;
            let fence = fences.get(&wal_id).copied().unwrap_or(Lsn::new(u64::MAX));
            let kept = log.entries.into_iter().filter(|entry| entry.lsn <= fence);
            let mut last = Lsn::new(0);
            for entry in kept {
                last = entry.lsn;
                sources.take_entry(entry);
            }
            sources.fences.push((wal_id, last));
            for record in log.slot.iter().flat_map(|slot| slot.records()) {
                let record = super::record::decode(record, now);
                sources.take_record(record.ok_or(DamagedRecord { wal_id })?);
            }
        }
        Ok(sources)
    }

    fn take_entry(&mut self, entry: ReplayedEntry) {
        match entry.meta.kind {
            EntryKind::Metadata => self.metadata.push(entry),
            EntryKind::Fence => {}
            _ => {
                let id = self.meant(entry.meta.partition);
                self.partitions.entry(id).or_default().entries.push(entry);
            }
        }
    }

    /// Which partition an entry is for: the one whose topic's id it has.
    fn meant(&self, id: TopicPartition) -> TopicPartition {
        let mut known = self.partitions.keys().copied();
        let alike = |other: &TopicPartition| other.partition == id.partition;
        let another = known.find(alike).filter(|_| planted(Bug::IgnoreTopicId));
        another.unwrap_or(id)
    }

    fn take_record(&mut self, record: PartitionRecord) {
        let source = self.partitions.entry(record.id).or_default();
        let age = |record: &PartitionRecord| (record.sequence, record.log.synced);
        if source.record.as_ref().is_none_or(|known| age(known) < age(&record)) {
            source.record = Some(record);
        }
    }
}

fn encode_fence(wal_id: u64, last: Lsn) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&wal_id.to_le_bytes());
    bytes[8..].copy_from_slice(&last.get().to_le_bytes());
    bytes
}

fn decode_fence(bytes: &[u8]) -> Option<(u64, Lsn)> {
    let (wal_id, rest) = bytes.split_first_chunk()?;
    let (last, _) = rest.split_first_chunk()?;
    Some((u64::from_le_bytes(*wal_id), Lsn::new(u64::from_le_bytes(*last))))
}

/// A partition to be brought back.
#[derive(Debug)]
pub struct Returning {
    /// Which one.
    pub id: TopicPartition,
    /// The name of its directory.
    pub name: String,
    /// Its settings.
    pub settings: PartitionSettings,
    /// The epoch in which it is led.
    pub leader_epoch: LeaderEpoch,
    /// What earlier lives left of it.
    pub source: PartitionSource,
    /// Whether there is a directory of its name.
    pub has_directory: bool,
}

/// Why a partition cannot be served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecoveryFault {
    /// The partition's directory.
    pub directory: FileName,
    /// What is wrong.
    pub error: RecoveryError,
}

impl fmt::Display for RecoveryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.directory, self.error)
    }
}

#[derive(Debug)]
struct UnderWay {
    recovery: LogRecovery,
    directory: FileName,
    returning: Returning,
}

/// All partitions that come back to one shard.
#[derive(Debug, Default)]
pub struct Recovery {
    waiting: VecDeque<Returning>,
    under_way: BTreeMap<u32, UnderWay>,
    next_key: u32,
    /// What earlier write-ahead logs have of the partitions, or this shard's share of them if that is
    /// more: small commits take more on the device than in memory.
    earlier_bytes: u64,
}

impl Recovery {
    /// A recovery of these partitions by a shard whose share of earlier write-ahead logs is
    /// `logs_bytes`.
    pub fn new(partitions: Vec<Returning>, logs_bytes: u64) -> Self {
        let entries = partitions.iter().flat_map(|returning| &returning.source.entries);
        let payload_bytes: u64 = entries.map(|entry| entry.payload.len() as u64).sum();
        let earlier_bytes = payload_bytes.max(logs_bytes);
        Self { waiting: partitions.into(), earlier_bytes, ..Self::default() }
    }

    /// Whether every partition is there.
    pub fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_empty()
    }
}

impl Store {
    /// Begins or goes on with bringing partitions back.
    ///
    /// # Errors
    /// A partition cannot be served.
    pub fn recover(&mut self, recovery: &mut Recovery) -> Result<(), RecoveryFault> {
        self.wal.set_earlier_bytes(recovery.earlier_bytes);
        while recovery.under_way.len() < RECOVERIES_AT_ONCE
            && let Some(mut returning) = recovery.waiting.pop_front()
        {
            let log = self.new_log(returning.id, &returning.name);
            let nothing = returning.source.record.is_none() && returning.source.entries.is_empty();
            if nothing && !returning.has_directory {
                let (id, epoch) = (returning.id, returning.leader_epoch);
                self.add(Partition::new(id, log, epoch, returning.settings));
                continue;
            }
            sort(&mut returning.source.entries);
            let directory = log.directory().clone();
            let checkpoint = returning.source.record.as_ref().map(|record| record.log);
            let bytes = returning.source.entries.iter().filter_map(replayed_bytes).collect();
            let settings = returning.settings.log;
            let mut machine = LogRecovery::new(log, checkpoint, bytes, settings);
            let key = recovery.next_key;
            recovery.next_key += 1;
            machine.start(&mut DiskQueue::new(Owner::Recovery(key).encode(), &mut self.requests));
            recovery.under_way.insert(key, UnderWay { recovery: machine, directory, returning });
        }
        Ok(())
    }

    /// Takes the answer to a request of a recovery.
    ///
    /// # Errors
    /// The partition cannot be served.
    pub fn recovery_completed(
        &mut self,
        recovery: &mut Recovery,
        key: u32,
        token: u32,
        result: DiskResult,
        now: Now,
    ) -> Result<(), RecoveryFault> {
        let under_way = recovery.under_way.get_mut(&key).expect("it asked");
        let mut queue = DiskQueue::new(Owner::Recovery(key).encode(), &mut self.requests);
        let step = under_way.recovery.completed(token, result, &mut self.chunks, &mut queue);
        let directory = &under_way.directory;
        let fault = |error| RecoveryFault { directory: directory.clone(), error };
        if let Some(log) = step.map_err(fault)? {
            let under_way = recovery.under_way.remove(&key).expect("still there");
            let partition = restore(log, under_way.returning, now.instant)
                .map_err(|error| RecoveryFault { directory: under_way.directory, error })?;
            self.add(partition);
        }
        self.recover(recovery)
    }

    /// An empty log of a partition.
    pub fn new_log(&self, id: TopicPartition, name: &str) -> Log {
        Log::new(&self.config.log_directory, name, partition_metadata(id.topic))
    }

    /// Ends the recovery: every partition is back. Notes in the new write-ahead log, in front of
    /// everything else, how far earlier ones were believed.
    pub fn recovered(&mut self, fences: &[(u64, Lsn)]) {
        assert!(self.is_open() && !self.recovered);
        self.recovered = true;
        let meta = EntryMeta {
            kind: EntryKind::Fence,
            partition: TopicPartition::default(),
            sequence: PartitionSequence::new(0),
            segment_base_offset: Offset::ZERO,
            position: crate::types::Position::ZERO,
        };
        for (wal_id, last) in fences {
            let payload = encode_fence(*wal_id, *last);
            self.wal.append(&meta, &payload, &[], Urgency::MakesRoom);
        }
    }
}

/// Kafka's `partition.metadata`.
fn partition_metadata(topic: Uuid) -> Vec<u8> {
    format!("version: 0\ntopic_id: {topic}").into_bytes()
}

/// By the partition's sequence; a carried block stands behind the appends that it holds.
fn sort(entries: &mut [ReplayedEntry]) {
    let last = if planted(Bug::SortCarriedFirst) { EntryKind::Append } else { EntryKind::Carry };
    entries.sort_by_key(|entry| (entry.meta.sequence, entry.meta.kind == last));
}

fn replayed_bytes(entry: &ReplayedEntry) -> Option<ReplayedBytes> {
    let EntryMeta { kind, segment_base_offset, position, .. } = entry.meta;
    let place = crate::log::Place { segment_base_offset, position };
    let bytes = entry.payload.clone();
    match kind {
        EntryKind::Append => Some(ReplayedBytes { place, bytes, is_batch: true }),
        EntryKind::Carry => Some(ReplayedBytes { place, bytes, is_batch: false }),
        _ => None,
    }
}

/// Puts a partition together: the state of the checkpoint, and what was appended after it.
fn restore(mut log: Log, returning: Returning, now: Instant) -> Result<Partition, RecoveryError> {
    let Returning { id, settings, leader_epoch, source, .. } = returning;
    let (mut sequence, mut producers) = (PartitionSequence::new(0), Producers::default());
    let mut epochs = crate::log::LeaderEpochs::default();
    let (mut end_offset, mut first_dirty_offset) = (Offset::ZERO, Offset::ZERO);
    if let Some(record) = source.record {
        sequence = record.sequence;
        producers = record.producers;
        epochs = record.epochs;
        end_offset = record.end_offset;
        first_dirty_offset = record.first_dirty_offset;
    }
    let mut start_offset = log.start_offset();
    for entry in &source.entries {
        if entry.meta.sequence <= sequence {
            continue;
        }
        let follows = entry.meta.sequence == sequence.next();
        match entry.meta.kind {
            EntryKind::Append => {}
            EntryKind::LogStart => {
                let place = log.end();
                let start = retention::decode_log_start(&entry.payload);
                let start = start.filter(|start| follows && *start <= end_offset);
                start_offset = start.ok_or(RecoveryError::Gap(place))?.max(start_offset);
                sequence = entry.meta.sequence;
                epochs.truncate_start(start_offset);
                continue;
            }
            _ => continue,
        }
        let EntryMeta { segment_base_offset, position, .. } = entry.meta;
        let place = crate::log::Place { segment_base_offset, position };
        let header =
            BatchHeader::decode(&entry.payload).map_err(|_| RecoveryError::Corrupt(place))?;
        if !follows || header.base_offset != end_offset {
            return Err(RecoveryError::Gap(place));
        }
        sequence = entry.meta.sequence;
        producers.appended(&header, now);
        epochs.assign(header.leader_epoch, header.base_offset);
        end_offset = header.next_offset();
    }
    if end_offset < log.end_offset() {
        return Err(RecoveryError::Corrupt(log.end()));
    }
    log.set_end_offset(end_offset);
    if !planted(Bug::ForgetLogStart) {
        log.set_start_offset(start_offset);
    }
    let mut partition = Partition::new(id, log, leader_epoch, settings);
    partition.sequence = sequence;
    if !planted(Bug::LoseProducers) {
        partition.producers = producers;
    }
    partition.epochs = epochs;
    partition.first_dirty_offset = first_dirty_offset;
    Ok(partition)
}

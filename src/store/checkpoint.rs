//! The checkpoint: brings what was appended into the segments, notes how far each partition is, and
//! frees the files of the write-ahead log that no restart needs any more.
//!
//! In this order: the changed segments and their names are synced; their partitions' state is taken;
//! whatever that state counts on is durable in the write-ahead log; the slot is durable; files are
//! recycled.

use core::fmt;
use std::collections::VecDeque;

use flatbuffers::FlatBufferBuilder;

use super::{Owner, Store, StoreConfig, StoreEvent, StoreFault, record};
use crate::io::{DiskError, DiskOp, DiskQueue, DiskResult};
use crate::planted::{Bug, planted};
use crate::types::{Instant, Lsn, Now, Offset, PartitionSequence};
use crate::wal::{SLOT_NAMES, SlotWriter};

/// Partitions whose segments are synced at the same time.
const SYNCS_AT_ONCE: usize = 16;

const TOKEN_SLOT: u32 = 0;
const TOKEN_NAME: u32 = 1;

/// Where the checkpoint is.
#[derive(Debug)]
enum Phase {
    Idle,
    /// Segments are being synced: the ones still to begin, and the ones under way.
    Syncing {
        waiting: VecDeque<u32>,
        under_way: Vec<u32>,
    },
    /// The state taken counts on entries up to this number.
    AwaitingCommit {
        lsn: Lsn,
    },
    /// The slot is being written; with it, replay starts at this generation.
    Writing {
        generation: u64,
        drains: bool,
    },
}

pub(super) struct Checkpointer {
    phase: Phase,
    /// Partitions with changes that no checkpoint has taken.
    changed: Vec<u32>,
    /// The last record of each slot.
    records: Vec<Option<Vec<u8>>>,
    builder: FlatBufferBuilder<'static>,
    number: u64,
    last_begin: Instant,
    last_bytes: u64,
    hurried: bool,
    /// The last slot found no room on the device: nothing but time asks for another.
    refused: bool,
    /// Nothing came free for those who wait, and the device has no room for more files.
    in_vain: bool,
    /// The first one frees the write-ahead logs of earlier lives.
    drained: bool,
    /// The last one of all.
    stop: StopPhase,
    /// Partitions as the last checkpoint took them, which may have gone idle.
    resting: Vec<(u32, PartitionSequence)>,
    /// The generation that the metadata needs.
    metadata_generation: Option<u64>,
}

impl fmt::Debug for Checkpointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checkpointer({:?})", self.phase)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum StopPhase {
    Running,
    Closing,
    Closed,
}

impl Checkpointer {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Idle,
            changed: Vec::new(),
            records: Vec::new(),
            builder: FlatBufferBuilder::new(),
            number: 0,
            last_begin: Instant::new(0),
            last_bytes: 0,
            hurried: false,
            refused: false,
            in_vain: false,
            drained: false,
            stop: StopPhase::Running,
            resting: Vec::new(),
            metadata_generation: None,
        }
    }

    /// A partition came in. One that needs an earlier life's write-ahead log has to be taken soon.
    pub(super) fn added(&mut self, slot: u32) {
        if self.records.len() <= slot as usize {
            self.records.resize(slot as usize + 1, None);
        }
        self.records[slot as usize] = None;
        self.changed.push(slot);
    }

    /// A partition is gone.
    pub(super) fn removed(&mut self, slot: u32) {
        self.records[slot as usize] = None;
        self.changed.retain(|changed| *changed != slot);
        if let Phase::Syncing { waiting, under_way } = &mut self.phase {
            waiting.retain(|waiting| *waiting != slot);
            under_way.retain(|syncing| *syncing != slot);
        }
    }

    /// A partition has its first change since its state was taken.
    pub(super) fn changed(&mut self, slot: u32) {
        self.changed.push(slot);
    }

    pub(super) fn changed_count(&self) -> usize {
        self.changed.len()
    }

    /// Somebody waits for what a checkpoint frees.
    pub(super) fn hurry(&mut self) {
        self.hurried = true;
    }

    /// Whether who waits for room would wait for space on the device.
    pub(super) fn is_in_vain(&self) -> bool {
        self.in_vain
    }

    /// The device may have space: what found none is tried again, at once where somebody `waits`.
    pub(super) fn retry(&mut self, waits: bool) {
        self.refused = false;
        self.in_vain = false;
        self.hurried |= waits;
    }

    pub(super) fn deadline(&self, config: &StoreConfig) -> Option<Instant> {
        let work = self.refused || !self.changed.is_empty() || !self.resting.is_empty();
        (work && matches!(self.phase, Phase::Idle))
            .then(|| self.last_begin.after(config.checkpoint_interval))
    }
}

impl Store {
    /// The oldest generation that holds metadata which no snapshot has.
    pub fn set_metadata_generation(&mut self, generation: Option<u64>) {
        let freed = generation > self.checkpointer.metadata_generation || generation.is_none();
        self.checkpointer.metadata_generation = generation;
        if freed && self.room_wanted {
            // The checkpoint that somebody waits for could not free what this kept alive.
            self.checkpointer.hurry();
        }
    }

    /// Every partition is back: a checkpoint would leave none out.
    fn speaks_for_all(&self) -> bool {
        self.recovered || (planted(Bug::CheckpointBeforeRecovery) && self.is_open())
    }

    pub(super) fn tick_checkpoint(&mut self, now: Now) {
        let due = self.checkpointer.deadline(&self.config);
        if self.speaks_for_all() && due.is_some_and(|due| due <= now.instant) {
            self.rest_idle();
            self.checkpointer.last_begin = now.instant;
            if self.checkpointer.refused || !self.checkpointer.changed.is_empty() {
                self.begin_checkpoint(now);
            }
        }
        self.continue_checkpoint(now);
    }

    /// Does what can be done now.
    pub(super) fn continue_checkpoint(&mut self, now: Now) {
        if matches!(self.checkpointer.phase, Phase::Idle) {
            let logged = self.wal.written().1 - self.checkpointer.last_bytes;
            let wanted = self.checkpointer.hurried
                || logged >= self.config.checkpoint_bytes
                || !self.checkpointer.drained;
            let closing = self.stopping && self.checkpointer.stop != StopPhase::Closed;
            let needed = closing || (wanted && !self.checkpointer.refused);
            if !needed || !self.speaks_for_all() {
                return;
            }
            self.begin_checkpoint(now);
        }
        self.sync_partitions();
        if let Phase::AwaitingCommit { lsn } = self.checkpointer.phase
            && self.wal.durable_lsn() >= lsn
        {
            self.write_slot();
        }
    }

    fn begin_checkpoint(&mut self, now: Now) {
        assert!(self.speaks_for_all(), "a checkpoint speaks for every partition");
        if self.stopping && self.checkpointer.stop == StopPhase::Running && self.wal.is_idle() {
            self.close_partitions();
        }
        let checkpointer = &mut self.checkpointer;
        checkpointer.last_begin = now.instant;
        checkpointer.last_bytes = self.wal.written().1;
        checkpointer.hurried = false;
        let waiting = VecDeque::from(std::mem::take(&mut checkpointer.changed));
        checkpointer.phase = Phase::Syncing { waiting, under_way: Vec::new() };
    }

    /// Lets every log write all it has, to its exact end.
    fn close_partitions(&mut self) {
        self.checkpointer.stop = StopPhase::Closing;
        let slots: Vec<u32> = self.slots_in_order();
        for slot in &slots {
            let partition = &mut self.partitions[*slot as usize];
            let snapshot = partition.producers.snapshot();
            let snapshot = (!partition.producers.is_empty()).then_some(snapshot);
            let mut queue = DiskQueue::new(Owner::Log(*slot).encode(), &mut self.requests);
            partition.log.stop(snapshot, &mut queue);
        }
        self.checkpointer.changed = slots;
    }

    fn slots_in_order(&self) -> Vec<u32> {
        self.partitions.iter().map(|(slot, _)| u32::try_from(slot).expect("few")).collect()
    }

    fn sync_partitions(&mut self) {
        let Phase::Syncing { waiting, under_way } = &mut self.checkpointer.phase else { return };
        let mut taken = Vec::new();
        loop {
            while under_way.len() < SYNCS_AT_ONCE
                && let Some(slot) = waiting.pop_front()
            {
                let mut queue = DiskQueue::new(Owner::Log(slot).encode(), &mut self.requests);
                self.partitions[slot as usize].log.sync(&mut queue);
                under_way.push(slot);
            }
            let is_synced = |slot: &u32| self.partitions[*slot as usize].log.is_synced();
            let Some(at) = under_way.iter().position(is_synced) else { break };
            let slot = under_way.swap_remove(at);
            let partition = &mut self.partitions[slot as usize];
            partition.recorded();
            let directory = self.config.log_directory_id;
            let record = record::encode(&mut self.checkpointer.builder, partition, directory);
            self.checkpointer.records[slot as usize] = Some(record);
            self.checkpointer.resting.push((slot, partition.sequence));
            if !partition.log.is_clean() {
                // A segment began while the one before it was synced: the next checkpoint brings
                // this one to disk, even if nothing is appended any more.
                self.checkpointer.changed.push(slot);
            }
            taken.push(slot);
        }
        let done = waiting.is_empty() && under_way.is_empty();
        taken.into_iter().for_each(|slot| self.carry_old_block(slot));
        if done {
            self.slots_in_order().into_iter().for_each(|slot| self.carry_old_block(slot));
            self.checkpointer.phase = Phase::AwaitingCommit { lsn: self.wal.last_lsn() };
        }
    }

    /// Logs again what keeps an old file alive although all of it but a part of a block is synced.
    fn carry_old_block(&mut self, slot: u32) {
        // While there is room, only the files of earlier lives are old.
        let newest = self.wal.newest_generation();
        let oldest_kept = if self.wal.wants_files() { newest } else { 1 };
        let partition = &self.partitions[slot as usize];
        let old = partition.needed_generation().is_some_and(|needed| needed < oldest_kept);
        if old && partition.is_recorded() && partition.log.is_clean() {
            self.carry(slot, false);
        }
    }

    /// Reduces partitions to which nothing was appended since the last checkpoint took them.
    fn rest_idle(&mut self) {
        for (slot, sequence) in std::mem::take(&mut self.checkpointer.resting) {
            if let Some(partition) = self.partitions.get_mut(slot as usize)
                && partition.sequence == sequence
            {
                partition.log.rest(&mut self.chunks);
            }
        }
    }

    fn write_slot(&mut self) {
        let needed =
            self.partitions.iter().filter_map(|(_, partition)| partition.needed_generation());
        // After a clean stop nothing is replayed at all.
        let closed = u64::from(self.checkpointer.stop == StopPhase::Closing);
        let newest = self.wal.newest_generation() + closed;
        let metadata = self.checkpointer.metadata_generation;
        if metadata.is_some_and(|generation| generation < newest) {
            self.events.push(StoreEvent::MetadataIsOld);
        }
        let needed = needed.chain(metadata).min().unwrap_or(newest);
        // Generation 0 stands for earlier lives.
        let drains = needed > 0;
        let mut generation = needed.max(self.wal.oldest_generation());
        if planted(Bug::RecycleBeforeSync) {
            generation = newest;
        }
        let checkpointer = &mut self.checkpointer;
        checkpointer.number += 1;
        let mut writer = SlotWriter::default();
        checkpointer.records.iter().flatten().for_each(|record| writer.push(record));
        let bytes = writer.finish(self.wal.id(), checkpointer.number, generation);
        let slots = if planted(Bug::OverwriteSlot) { 1 } else { SLOT_NAMES.len() as u64 };
        let name = SLOT_NAMES[(checkpointer.number % slots) as usize];
        let path = self.wal.directory().join(name);
        checkpointer.phase = Phase::Writing { generation, drains };
        let mut queue = DiskQueue::new(Owner::Checkpoint.encode(), &mut self.requests);
        queue.push(TOKEN_SLOT, DiskOp::WriteFile { path, bytes });
    }

    pub(super) fn checkpoint_completed(
        &mut self,
        token: u32,
        result: DiskResult,
        now: Now,
    ) -> Result<(), StoreFault> {
        let refused = matches!(result, Err(DiskError::Full));
        if refused && self.checkpointer.stop == StopPhase::Running {
            // The slot before this one stands; this one is written again when there is space.
            self.checkpointer.number -= 1;
            self.checkpointer.phase = Phase::Idle;
            self.checkpointer.refused = true;
            self.checkpointer.in_vain = self.room_wanted;
            return Ok(());
        }
        result.map_err(StoreFault::Checkpoint)?;
        self.checkpointer.refused = false;
        if token == TOKEN_SLOT && self.checkpointer.number <= SLOT_NAMES.len() as u64 {
            let path = self.wal.directory().clone();
            let mut queue = DiskQueue::new(Owner::Checkpoint.encode(), &mut self.requests);
            queue.push(TOKEN_NAME, DiskOp::SyncDirectory { path });
            return Ok(());
        }
        let Phase::Writing { generation, drains } = self.checkpointer.phase else {
            unreachable!("a slot was being written")
        };
        let freed = self.wal.recycle(generation);
        self.figures.checkpointed(self.checkpointer.last_begin, now.instant);
        self.checkpointer.phase = Phase::Idle;
        self.checkpointer.in_vain = self.room_wanted && !freed && self.wal.is_starved();
        if drains && !self.checkpointer.drained {
            self.checkpointer.drained = true;
            self.wal.set_earlier_bytes(0);
            self.events.push(StoreEvent::Drained);
        }
        if self.checkpointer.stop == StopPhase::Closing {
            self.checkpointer.stop = StopPhase::Closed;
            self.events.push(StoreEvent::Stopped);
        }
        if self.room_wanted && !self.chunks.has_room(self.chunks.bytes_max() / 2) {
            self.relieve();
        }
        self.segments_recorded();
        self.expire_producers(now);
        Ok(())
    }

    /// The checkpoint is durable: a restart asks no more for segments before those it names.
    fn segments_recorded(&mut self) {
        for (slot, partition) in &mut self.partitions {
            let owner = Owner::Log(u32::try_from(slot).expect("few"));
            let mut queue = DiskQueue::new(owner.encode(), &mut self.requests);
            let segment = partition.recorded_segment();
            if segment > Offset::ZERO {
                partition.log.set_checkpointed(segment, &mut queue);
            }
        }
    }

    fn expire_producers(&mut self, now: Now) {
        for (_, partition) in &mut self.partitions {
            partition.producers.expire(now.instant, self.config.producer_expiry);
        }
    }
}

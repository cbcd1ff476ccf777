//! Everything that one shard stores: its partitions, the write-ahead log that makes their appends
//! durable, and the checkpoints that bring them to their segments. The order in which the disk is
//! asked for things, and what may be acknowledged when, is decided here.

mod append;
mod checkpoint;
mod compaction;
mod figures;
mod owner;
mod reading;
mod record;
mod removal;
mod retention;
mod space;
mod start;

use core::time::Duration;
use std::collections::VecDeque;

use slab::Slab;

use self::append::Commits;
use self::checkpoint::Checkpointer;
use self::compaction::Compactor;
use self::reading::Reading;
use self::removal::Removals;
use self::retention::Retention;
use self::space::Space;
use crate::io::{DiskError, DiskQueue, DiskRequest, DiskResult, FileName, FreeSpace};
use crate::log::{Chunks, CompactionStep};
use crate::partition::{Partition, Waiter};
use crate::planted::{Bug, planted};
use crate::trace::Event;
use crate::types::{Instant, Map, Now, Offset, ShardId, TopicPartition, Uuid};
use crate::wal::{Wal, WalLimits};

pub use self::append::{AppendAnswer, AppendError, Appended, Batch, Outcome};
pub use self::compaction::CompactionLimits;
pub use self::figures::StoreFigures;
pub use self::owner::Owner;
pub use self::reading::{ReadAnswer, ReadDone, ReadFailure, ReadOutcome};
pub use self::record::PartitionRecord;
pub use self::removal::DELETED_SUFFIX;
pub use self::retention::{DeleteError, Deletion};
pub use self::start::{
    DamagedRecord, PartitionSource, Recovery, RecoveryFault, Returning, Sources,
};

/// Where an answer goes: an item of an operation of some shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reply {
    /// The shard that asked.
    pub shard: ShardId,
    /// The operation, in that shard's words.
    pub operation: u64,
    /// Which of the operation's items this is.
    pub item: u32,
}

/// What a store is made with.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The log directory.
    pub log_directory: FileName,
    /// Its id, from `meta.properties`.
    pub log_directory_id: Uuid,
    /// Where the write-ahead logs are.
    pub wal_parent: FileName,
    /// The random id of the write-ahead log.
    pub wal_id: u64,
    /// The shard, for names that two shards must not share.
    pub shard: ShardId,
    /// Sizes of the write-ahead log.
    pub wal: WalLimits,
    /// Memory of all tails together.
    pub tail_bytes_max: usize,
    /// A checkpoint begins when this much was logged since the last.
    pub checkpoint_bytes: u64,
    /// Or when this much time has passed.
    pub checkpoint_interval: Duration,
    /// Disk space that appends leave alone.
    pub reserve_bytes: u64,
    /// `producer.id.expiration.ms`.
    pub producer_expiry: Duration,
    /// `log.retention.check.interval.ms`.
    pub retention_interval: Duration,
    /// What compaction may take.
    pub compaction: CompactionLimits,
}

/// Something that others have to be told.
#[derive(Debug)]
pub enum StoreEvent {
    /// An append has been decided.
    Appended(Reply, AppendAnswer),
    /// Records have been deleted, durably: the log start offset now.
    Deleted(Reply, Offset),
    /// A step of the compaction of a partition, to be run off the core: its result goes to
    /// [`Store::compaction_computed`].
    Compact(TopicPartition, Box<CompactionStep>),
    /// A fetch that waited may be answered.
    Readable(Waiter),
    /// A read or search of a partition has ended.
    Read(Reply, TopicPartition, ReadAnswer),
    /// Appends that found no room may be tried again.
    Room,
    /// What earlier write-ahead logs held is in the segments or in this one.
    Drained,
    /// Metadata without a snapshot keeps old files of the write-ahead log alive.
    MetadataIsOld,
    /// The device has space to spare, as far as is known.
    Plenty,
    /// Something is worth a line in the log.
    Log(Event),
    /// Everything that was deleted is out of the way: its names can be used again.
    Removed,
    /// Everything is on disk and nothing follows.
    Stopped,
}

/// The store of one shard.
#[derive(Debug)]
pub struct Store {
    config: StoreConfig,
    partitions: Slab<Partition>,
    slots: Map<TopicPartition, u32>,
    wal: Wal,
    chunks: Chunks,
    commits: Commits,
    checkpointer: Checkpointer,
    reading: Reading,
    space: Space,
    removals: Removals,
    retention: Retention,
    compactor: Compactor,
    figures: StoreFigures,
    /// Slots in the order in which their chunks grew: who gives memory up first.
    grown: VecDeque<u32>,
    requests: Vec<DiskRequest>,
    /// For each slot, the requests that the disk has not answered.
    outstanding: Vec<u32>,
    events: Vec<StoreEvent>,
    stopping: bool,
    /// Every partition is back: a checkpoint before that would leave some out.
    recovered: bool,
    /// An append was refused for lack of room since the last [`StoreEvent::Room`].
    room_wanted: bool,
}

impl Store {
    /// An empty store.
    pub fn new(config: StoreConfig) -> Self {
        Self {
            wal: Wal::new(config.wal_id, &config.wal_parent, config.wal),
            chunks: Chunks::new(config.tail_bytes_max),
            checkpointer: Checkpointer::new(),
            space: Space::new(config.reserve_bytes),
            config,
            partitions: Slab::new(),
            slots: Map::default(),
            commits: Commits::default(),
            reading: Reading::default(),
            removals: Removals::default(),
            retention: Retention::default(),
            compactor: Compactor::default(),
            figures: StoreFigures::default(),
            grown: VecDeque::new(),
            requests: Vec::new(),
            outstanding: Vec::new(),
            events: Vec::new(),
            stopping: false,
            recovered: false,
            room_wanted: false,
        }
    }

    /// Sets the log directory's id, once it is known.
    pub fn set_log_directory_id(&mut self, id: Uuid) {
        self.config.log_directory_id = id;
    }

    /// Sets how long silent producers are remembered.
    pub fn set_producer_expiry(&mut self, expiry: Duration) {
        self.config.producer_expiry = expiry;
    }

    /// The log directory, with its id.
    pub fn log_directory(&self) -> (&FileName, Uuid) {
        (&self.config.log_directory, self.config.log_directory_id)
    }

    /// The space of the device, as it was seen last.
    pub fn device_space(&self) -> Option<FreeSpace> {
        self.space.last_seen()
    }

    /// Begins: makes the write-ahead log, looks at the space.
    pub fn open(&mut self, now: Now) {
        self.retention.begin(now.instant.after(self.config.retention_interval));
        self.compactor.begin(now.instant);
        self.wal.create(&mut DiskQueue::new(Owner::Wal.encode(), &mut self.requests));
        let mut queue = DiskQueue::new(Owner::Space.encode(), &mut self.requests);
        self.space.open(&self.config, now.instant, &mut queue);
    }

    /// Whether appends can be taken.
    pub fn is_open(&self) -> bool {
        self.wal.is_ready() && self.space.is_known()
    }

    /// The slot of a partition.
    pub fn slot(&self, id: TopicPartition) -> Option<u32> {
        self.slots.get(&id).copied()
    }

    /// A partition.
    ///
    /// # Panics
    /// When nothing is in the slot.
    pub fn partition(&self, slot: u32) -> &Partition {
        &self.partitions[slot as usize]
    }

    /// A partition, to be changed.
    ///
    /// # Panics
    /// When nothing is in the slot.
    pub fn partition_mut(&mut self, slot: u32) -> &mut Partition {
        &mut self.partitions[slot as usize]
    }

    /// All partitions.
    pub fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.iter().map(|(_, partition)| partition)
    }

    /// Takes a partition in.
    ///
    /// # Panics
    /// When it is there already.
    pub fn add(&mut self, partition: Partition) -> u32 {
        let id = partition.id;
        self.space.reserved(0, partition.log.unreserved_bytes());
        let slot = u32::try_from(self.partitions.insert(partition)).expect("few partitions");
        assert!(self.slots.insert(id, slot).is_none(), "a partition is added once");
        self.checkpointer.added(slot);
        slot
    }

    /// The write-ahead log.
    pub fn wal(&self) -> &Wal {
        &self.wal
    }

    /// Memory that tails hold.
    pub fn tail_bytes(&self) -> usize {
        self.chunks.bytes_used()
    }

    /// What tails may hold; a large append that was admitted below it comes on top.
    pub fn tail_bytes_max(&self) -> usize {
        self.chunks.bytes_max()
    }

    /// Takes what the disk is asked for.
    pub fn take_requests(&mut self, out: &mut Vec<DiskRequest>) {
        for request in &self.requests {
            if let Owner::Log(slot) | Owner::Retention(slot) | Owner::Compaction(slot) =
                Owner::decode(request.owner)
            {
                let slot = slot as usize;
                if self.outstanding.len() <= slot {
                    self.outstanding.resize(slot + 1, 0);
                }
                self.outstanding[slot] += 1;
            }
        }
        out.append(&mut self.requests);
    }

    /// Requests of a log that have not been answered, whether the disk knows of them or not.
    fn outstanding(&self, slot: u32) -> usize {
        let owners = [Owner::Log(slot), Owner::Retention(slot), Owner::Compaction(slot)];
        let owners = owners.map(Owner::encode);
        let asked = self.outstanding.get(slot as usize).copied().unwrap_or(0);
        let new = self.requests.iter().filter(|request| owners.contains(&request.owner));
        asked as usize + new.count()
    }

    /// What others have to be told.
    pub fn events(&mut self) -> &mut Vec<StoreEvent> {
        &mut self.events
    }

    /// When [`Store::tick`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let checkpoint = self.checkpointer.deadline(&self.config).filter(|_| self.recovered);
        let cleanup = [self.retention.deadline(), self.compactor.deadline(&self.config.compaction)];
        let cleanup = cleanup.into_iter().flatten().min();
        let cleanup = cleanup.filter(|_| self.recovered && !self.stopping);
        [checkpoint, self.space.deadline(), cleanup].into_iter().flatten().min()
    }

    /// Does what has become due, and takes up what waited for room.
    pub fn tick(&mut self, now: Now) {
        let mut queue = DiskQueue::new(Owner::Space.encode(), &mut self.requests);
        self.space.tick(&self.config, now.instant, &mut queue);
        self.tick_retention(now);
        self.tick_compaction(now);
        self.tick_checkpoint(now);
        let told = !planted(Bug::ForgetRoom);
        if told && self.room_wanted && (self.commits.has_queued() || self.has_room_again()) {
            self.room_wanted = false;
            self.append_queued(now);
            if !self.room_wanted {
                self.events.push(StoreEvent::Room);
            }
        }
    }

    /// Ends a turn: everything that arrived in it is committed together.
    pub fn end_turn(&mut self, now: Now) {
        // Somebody may have found no room since the last tick.
        self.continue_checkpoint(now);
        let mut queue = DiskQueue::new(Owner::Wal.encode(), &mut self.requests);
        let (commits, _) = self.wal.written();
        self.wal.flush(&mut queue);
        if self.wal.written().0 > commits {
            self.figures.commit_begun = now.instant;
        }
    }

    /// Takes the answer to a request.
    ///
    /// # Errors
    /// The disk failed in a way after which nothing more may be acknowledged: stop the process.
    pub fn completed(
        &mut self,
        owner: Owner,
        token: u32,
        result: DiskResult,
        now: Now,
    ) -> Result<(), StoreFault> {
        let mut queue = DiskQueue::new(owner.encode(), &mut self.requests);
        match owner {
            Owner::Wal => {
                let committed = self.wal.completed(token, result, &mut queue);
                if committed.map_err(StoreFault::Wal)? {
                    self.figures.committed(now.instant);
                    self.committed();
                    self.log_starts_committed();
                    self.continue_removals();
                }
                if self.wal.is_homeless() {
                    let mut queue = DiskQueue::new(Owner::Space.encode(), &mut self.requests);
                    if !self.space.give_back(&mut queue) {
                        return Err(StoreFault::Wal(DiskError::Full));
                    }
                }
            }
            Owner::Log(slot) => self.log_completed(slot, token, result)?,
            Owner::Checkpoint => self.checkpoint_completed(token, result, now)?,
            Owner::Read(key) => self.read_completed(key, result),
            Owner::Retention(slot) => self.retention_completed(slot, result, now),
            Owner::Compaction(slot) => self.compaction_completed(slot, result, now)?,
            Owner::Space => {
                if self.space.completed(token, result, &mut queue) {
                    self.space_is_back();
                }
            }
            Owner::Removal(key) => {
                self.removals.completed(key, token, result, &mut queue);
                if !self.is_removing() {
                    self.events.push(StoreEvent::Removed);
                }
            }
            Owner::Replay(_) | Owner::Recovery(_) | Owner::Outside(_) => {
                unreachable!("{owner:?} is not the store's")
            }
        }
        self.continue_checkpoint(now);
        Ok(())
    }

    fn log_completed(
        &mut self,
        slot: u32,
        token: u32,
        result: DiskResult,
    ) -> Result<(), StoreFault> {
        self.outstanding[slot as usize] -= 1;
        let partition = &mut self.partitions[slot as usize];
        let before = partition.log.unreserved_bytes();
        let mut queue = DiskQueue::new(Owner::Log(slot).encode(), &mut self.requests);
        let result = partition.log.completed(token, result, &mut queue);
        result.map_err(|error| StoreFault::Log(partition.log.directory().clone(), error))?;
        self.space.reserved(before, partition.log.unreserved_bytes());
        if partition.log.is_starved() {
            let mut queue = DiskQueue::new(Owner::Space.encode(), &mut self.requests);
            self.space.starved(slot, &mut queue);
        }
        self.resume_reads_of(slot);
        self.continue_removals();
        Ok(())
    }

    /// There may be space: reservations and WAL files are tried again.
    fn space_is_back(&mut self) {
        for slot in self.space.take_starved() {
            if let Some(partition) = self.partitions.get_mut(slot as usize) {
                let mut queue = DiskQueue::new(Owner::Log(slot).encode(), &mut self.requests);
                partition.log.retry(&mut queue);
            }
        }
        let mut queue = DiskQueue::new(Owner::Wal.encode(), &mut self.requests);
        self.wal.retry_files(self.space.spare_bytes(), &mut queue);
        self.checkpointer.retry(self.room_wanted);
        self.events.push(StoreEvent::Plenty);
    }

    /// Begins to stop: no appends any more; [`StoreEvent::Stopped`] follows when all is on disk.
    pub fn stop(&mut self, now: Now) {
        self.stopping = true;
        self.continue_checkpoint(now);
    }
}

/// A failure of the disk after which nothing may be acknowledged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreFault {
    /// Of the write-ahead log.
    Wal(DiskError),
    /// Of a partition's files.
    Log(FileName, DiskError),
    /// Of a checkpoint's slot.
    Checkpoint(DiskError),
}

impl core::fmt::Display for StoreFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Wal(DiskError::Full) => {
                write!(f, "the device has no room to begin a write-ahead log: free some space")
            }
            Self::Wal(error) => write!(f, "the write-ahead log cannot be written: {error}"),
            Self::Log(path, error) => write!(f, "{path} cannot be written: {error}"),
            Self::Checkpoint(error) => write!(f, "the checkpoint cannot be written: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;

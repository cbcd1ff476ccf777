//! Appending: room is asked for first, then nothing but a failing disk can fail; the answer is given
//! when the commit is durable, or before it where the topic says so.

use std::collections::VecDeque;

use super::{Owner, Reply, Store, StoreEvent};
use crate::io::{BLOCK_BYTES, DiskQueue, MemoryRange};
use crate::log::{ChunkSize, Place};
use crate::partition::{Durability, LogEnd, SequenceCheck, Waiter};
use crate::planted::{Bug, planted};
use crate::record::BatchHeader;
use crate::types::{
    LeaderEpoch, Lsn, Now, Offset, PartitionSequence, Position, ProducerEpoch, Timestamp,
    TopicPartition,
};
use crate::wal::{EntryKind, EntryMeta, Logged, Urgency};

/// What an append brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Appended {
    /// The offset of the first record.
    pub base_offset: Offset,
    /// The time given to all records, where the topic asks for that; else -1.
    pub log_append_time: Timestamp,
    /// The log start offset.
    pub log_start_offset: Offset,
}

/// Why a batch was not appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendError {
    /// The partition is not here.
    NotHere,
    /// A sequence is missing in front of it.
    OutOfOrder,
    /// A newer epoch of the same producer has written.
    OldProducerEpoch {
        /// The newest one.
        current: ProducerEpoch,
    },
    /// No segment may hold it.
    LargerThanSegment {
        /// The topic's `segment.bytes`.
        segment_bytes: u64,
    },
    /// The device is full.
    StorageFull,
    /// The broker is stopping.
    Stopping,
}

/// The answer to an append.
pub type AppendAnswer = Result<Appended, AppendError>;

/// A validated batch of a client.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Its header as it came.
    pub header: &'a BatchHeader,
    /// Everything behind the header.
    pub body: &'a [u8],
    /// Give all records this timestamp.
    pub log_append_time: Option<Timestamp>,
}

/// Bytes of an append in the write-ahead log, with a block that may have to be carried along.
const fn with_carried(bytes: usize) -> usize {
    bytes + 2 * BLOCK_BYTES
}

/// What became of an append.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Decided.
    Answered(AppendAnswer),
    /// Appended; [`StoreEvent::Appended`] follows.
    Pending,
    /// Nothing was done for lack of room: try again after [`StoreEvent::Room`].
    NoRoom,
}

/// How many partitions one append asks for memory.
const EVICTIONS_MAX: usize = 64;
/// Entry headers, blocks and chunks that appends take beside their bytes.
const ROOM_SLACK_BYTES: usize = 64 << 10;
/// What an append needs at least to be worth trying again.
const ROOM_BYTES: usize = 1 << 20;

/// What happens when the write-ahead log is durable up to a number.
#[derive(Clone, Copy, Debug)]
struct Commit {
    lsn: Lsn,
    slot: u32,
    end: LogEnd,
    answer: Option<(Reply, Appended)>,
    /// A carried block is logged: the partition's writes may go on.
    releases: bool,
}

/// An append that found no room, with its bytes.
#[derive(Debug)]
struct Queued {
    id: TopicPartition,
    header: BatchHeader,
    body: MemoryRange,
    log_append_time: Option<Timestamp>,
    reply: Reply,
}

/// Commits that are not durable yet, in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Commits {
    queue: VecDeque<Commit>,
    told: Vec<Waiter>,
    /// Appends that wait for room, in order; others wait behind them.
    queued: VecDeque<Queued>,
}

impl Commits {
    /// Appends that are not durable yet, and those that wait for room.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.queue.len(), self.queued.len())
    }

    /// Whether appends wait for room.
    pub(super) fn has_queued(&self) -> bool {
        !self.queued.is_empty()
    }
}

impl Store {
    /// Appends a batch to the partition in `slot`. With no `reply`, nobody waits for the answer.
    pub fn append(
        &mut self,
        slot: u32,
        batch: &Batch<'_>,
        reply: Option<Reply>,
        now: Now,
    ) -> Outcome {
        if self.commits.has_queued() {
            // Behind those that came first: whether a sequence follows is only known then.
            self.room_wanted = true;
            return Outcome::NoRoom;
        }
        let partition = &self.partitions[slot as usize];
        let segment_bytes = partition.settings.log.segment_bytes;
        if batch.header.total_bytes() as u64 > segment_bytes {
            return Outcome::Answered(Err(AppendError::LargerThanSegment { segment_bytes }));
        }
        if batch.header.has_producer() {
            match partition.producers.check(batch.header) {
                SequenceCheck::Append => {}
                SequenceCheck::Duplicate(found) => {
                    let log_append_time =
                        batch.log_append_time.map_or(Timestamp::NONE, |_| found.timestamp);
                    return self.duplicate(slot, found.base_offset(), log_append_time, reply);
                }
                SequenceCheck::OutOfOrder => {
                    return Outcome::Answered(Err(AppendError::OutOfOrder));
                }
                SequenceCheck::OldEpoch => {
                    let current = partition.producers.epoch_of(batch.header.producer_id);
                    return Outcome::Answered(Err(AppendError::OldProducerEpoch { current }));
                }
            }
        }
        if self.stopping {
            return Outcome::Answered(Err(AppendError::Stopping));
        }
        let bytes = batch.header.total_bytes();
        if self.refuses(bytes) {
            self.partitions[slot as usize].producers.refused(batch.header, now.instant);
            return Outcome::Answered(Err(AppendError::StorageFull));
        }
        if !self.make_room(slot, bytes) {
            self.room_wanted = true;
            return Outcome::NoRoom;
        }
        self.append_in_room(slot, batch, reply, now)
    }

    /// Whether `bytes` would wait for space on the device, which nothing here brings.
    pub(super) fn refuses(&mut self, bytes: usize) -> bool {
        let vain = self.checkpointer.is_in_vain()
            && !self.wal.has_room(with_carried(bytes), Urgency::Ordinary);
        vain || self.space.is_full()
    }

    /// Appends a batch whose body another core has copied, or keeps it until there is room.
    pub fn append_or_queue(
        &mut self,
        slot: u32,
        batch: &Batch<'_>,
        body: &MemoryRange,
        reply: Reply,
        now: Now,
    ) -> Outcome {
        let outcome = self.append(slot, batch, Some(reply), now);
        if outcome == Outcome::NoRoom {
            let (id, header) = (self.partitions[slot as usize].id, *batch.header);
            self.queue(id, header, body.clone(), batch.log_append_time, reply);
        }
        outcome
    }

    /// Keeps an append until there is room; [`StoreEvent::Appended`] follows.
    pub fn queue(
        &mut self,
        id: TopicPartition,
        header: BatchHeader,
        body: MemoryRange,
        log_append_time: Option<Timestamp>,
        reply: Reply,
    ) {
        self.room_wanted = true;
        self.commits.queued.push_back(Queued { id, header, body, log_append_time, reply });
    }

    /// Appends what waited for room, as far as there is.
    pub(super) fn append_queued(&mut self, now: Now) {
        let mut queued = std::mem::take(&mut self.commits.queued);
        while let Some(next) = queued.pop_front() {
            let Queued { header, body, log_append_time, reply, .. } = &next;
            let batch = Batch { header, body, log_append_time: *log_append_time };
            let outcome = match self.slot(next.id) {
                Some(slot) => self.append(slot, &batch, Some(*reply), now),
                None => Outcome::Answered(Err(AppendError::NotHere)),
            };
            match outcome {
                Outcome::Answered(answer) => self.events.push(StoreEvent::Appended(*reply, answer)),
                Outcome::Pending => {}
                Outcome::NoRoom => {
                    queued.push_front(next);
                    break;
                }
            }
        }
        self.commits.queued = queued;
    }

    /// Whether appends of `bytes` together have room now, or are refused at once; if not,
    /// [`StoreEvent::Room`] follows.
    pub fn has_room(&mut self, bytes: usize) -> bool {
        // Requests that are larger are taken when half is free; their batches wait one by one.
        let bytes = (bytes + ROOM_SLACK_BYTES).min(self.chunks.bytes_max() / 2);
        let room = self.commits.queued.is_empty() && self.is_decided(bytes);
        if !room {
            self.room_wanted = true;
            self.checkpointer.hurry();
        }
        room
    }

    /// Whether appends of `bytes` need not wait.
    fn is_decided(&mut self, bytes: usize) -> bool {
        self.refuses(bytes)
            || (self.wal.has_room(bytes, Urgency::Ordinary)
                && (self.chunks.has_room(bytes) || self.evict(bytes)))
    }

    /// Tells a fetch when a partition shows as much as it waits for; at once if it does already.
    pub fn watch(&mut self, slot: u32, waiter: Waiter) {
        let partition = &mut self.partitions[slot as usize];
        if partition.high_watermark().bytes >= waiter.bytes {
            self.events.push(StoreEvent::Readable(waiter));
        } else {
            partition.waiting.add(waiter);
        }
    }

    fn append_in_room(
        &mut self,
        slot: u32,
        batch: &Batch<'_>,
        reply: Option<Reply>,
        now: Now,
    ) -> Outcome {
        if self.partitions[slot as usize].must_carry() && !planted(Bug::ForgetCarriedBlock) {
            self.wal.keep_together(with_carried(batch.header.total_bytes()), Urgency::Ordinary);
            self.carry(slot, true);
        }
        let partition = &mut self.partitions[slot as usize];
        let before = partition.log.unreserved_bytes();
        let prepared = partition.prepare(batch.header, batch.log_append_time);
        let head = prepared.header.encode();
        let meta = EntryMeta {
            kind: EntryKind::Append,
            partition: partition.id,
            sequence: prepared.sequence,
            segment_base_offset: prepared.place.segment_base_offset,
            position: prepared.place.position,
        };
        let logged = self.wal.append(&meta, &head, batch.body, Urgency::Ordinary);
        let producers = &partition.producers;
        let filled = partition.log.append(
            prepared.place,
            &prepared.header,
            (&head, batch.body),
            &partition.settings.log,
            || (!producers.is_empty()).then(|| producers.snapshot()),
            &mut self.chunks,
            now.instant,
        );
        let was_recorded = partition.is_recorded();
        partition.appended(&prepared, logged.generation, now.instant);
        self.space.reserved(before, partition.log.unreserved_bytes());
        if was_recorded {
            self.checkpointer.changed(slot);
        }
        let appended = Appended {
            base_offset: prepared.header.base_offset,
            log_append_time: batch.log_append_time.unwrap_or(Timestamp::NONE),
            log_start_offset: partition.log.start_offset(),
        };
        let early = partition.settings.durability == Durability::Memory
            || planted(Bug::AcknowledgeBeforeCommit);
        let end = partition.end();
        if filled {
            self.chunk_filled(slot);
        }
        let answer = reply.filter(|_| !early).map(|reply| (reply, appended));
        self.commits.queue.push_back(Commit {
            lsn: logged.lsn,
            slot,
            end,
            answer,
            releases: false,
        });
        if early {
            self.show(slot);
            return Outcome::Answered(Ok(appended));
        }
        Outcome::Pending
    }

    /// A batch that is there already: its answer waits for the original's commit.
    fn duplicate(
        &mut self,
        slot: u32,
        base_offset: Offset,
        log_append_time: Timestamp,
        reply: Option<Reply>,
    ) -> Outcome {
        let partition = &self.partitions[slot as usize];
        let log_start_offset = partition.log.start_offset();
        let appended = Appended { base_offset, log_append_time, log_start_offset };
        let (end, durable) = (partition.end(), partition.durable_end());
        let memory = partition.settings.durability == Durability::Memory;
        if memory || base_offset < durable.offset || planted(Bug::AnswerDuplicateEarly) {
            return Outcome::Answered(Ok(appended));
        }
        let answer = reply.map(|reply| (reply, appended));
        let lsn = self.wal.last_lsn();
        self.commits.queue.push_back(Commit { lsn, slot, end, answer, releases: false });
        Outcome::Pending
    }

    /// Whether an append of `bytes` can be taken, after giving up memory that others can spare.
    fn make_room(&mut self, slot: u32, bytes: usize) -> bool {
        let partition = &self.partitions[slot as usize];
        let reserved = partition.log.reserved_ahead() >= bytes as u64;
        if !reserved && !self.space.has_room(bytes as u64) {
            // Space for its own segment, so that it need not rely on the common reserve.
            let mut queue = DiskQueue::new(Owner::Log(slot).encode(), &mut self.requests);
            self.partitions[slot as usize].log.reserve(&mut queue);
            // A log without a segment has nothing to reserve for: what others hold must go.
            self.checkpointer.hurry();
            return false;
        }
        if !self.wal.has_room(with_carried(bytes), Urgency::Ordinary) {
            self.checkpointer.hurry();
            return false;
        }
        let has_memory = self.make_memory(slot, bytes);
        if !has_memory {
            self.checkpointer.hurry();
        }
        has_memory
    }

    /// Whether there is memory for `bytes` more, in smaller chunks if need be.
    fn make_memory(&mut self, slot: u32, bytes: usize) -> bool {
        let memory = self.partitions[slot as usize].log.memory_needed(bytes);
        let forced = planted(Bug::IgnoreMemory);
        if forced || self.chunks.has_room(memory) || self.evict(memory) {
            return true;
        }
        let log = &mut self.partitions[slot as usize].log;
        log.limit_chunks(ChunkSize::SMALLEST);
        // A batch that is larger goes over the bound, alone.
        let memory = log.memory_needed(bytes).min(self.chunks.bytes_max() / 2);
        self.chunks.has_room(memory) || self.memory_is_least()
    }

    /// Memory is short: every partition gives up what its segment has, and the rest of what it
    /// does not fill.
    pub(super) fn relieve(&mut self) {
        self.grown.clear();
        for (_, partition) in &mut self.partitions {
            while partition.log.evict(&mut self.chunks) {}
            partition.log.rest(&mut self.chunks);
        }
    }

    /// Gives up chunks that are in their segments, the oldest first, until `bytes` are free.
    fn evict(&mut self, bytes: usize) -> bool {
        for _ in 0..self.grown.len().min(EVICTIONS_MAX) {
            let Some(slot) = self.grown.pop_front() else { break };
            let Some(partition) = self.partitions.get_mut(slot as usize) else { continue };
            if !partition.log.evict(&mut self.chunks) {
                self.grown.push_back(slot);
            }
            if self.chunks.has_room(bytes) {
                return true;
            }
        }
        self.chunks.has_room(bytes) || self.memory_is_least()
    }

    /// Whether no partition can give up more, as each keeps a block that is not full: were the bound
    /// kept then, nothing could ever be appended.
    fn memory_is_least(&self) -> bool {
        self.chunks.bytes_used() <= self.partitions.len() * BLOCK_BYTES
    }

    fn chunk_filled(&mut self, slot: u32) {
        self.grown.push_back(slot);
        let busy = self.checkpointer.changed_count().max(1);
        let partition = &mut self.partitions[slot as usize];
        let size = self.chunks.affordable(ChunkSize::LARGEST, busy);
        partition.log.limit_chunks(size);
        let mut queue = DiskQueue::new(Owner::Log(slot).encode(), &mut self.requests);
        partition.log.pump(&mut queue);
    }

    /// Puts the bytes of the last block, which is not full, into the newest file of the write-ahead
    /// log. With `holds`, they stand in the segment only, and it is not written until the entry is
    /// durable.
    pub(super) fn carry(&mut self, slot: u32, holds: bool) -> Option<Logged> {
        // Should there be no room at all, the next checkpoint tries again.
        if !self.wal.has_room(BLOCK_BYTES, Urgency::MakesRoom) {
            return None;
        }
        let partition = &mut self.partitions[slot as usize];
        let (place, bytes) = partition.log.partial_block()?;
        let Place { segment_base_offset, position } = place;
        let meta = EntryMeta {
            kind: EntryKind::Carry,
            partition: partition.id,
            sequence: partition.sequence,
            segment_base_offset,
            position,
        };
        let logged = self.wal.append(&meta, &[], &bytes, Urgency::MakesRoom);
        partition.carried(logged.generation, place);
        let end = partition.end();
        if holds {
            partition.log.hold();
        }
        let commit = Commit { lsn: logged.lsn, slot, end, answer: None, releases: holds };
        self.commits.queue.push_back(commit);
        Some(logged)
    }

    /// The write-ahead log is durable up to a new number: answers and shows what that covers.
    pub(super) fn committed(&mut self) {
        let durable = self.wal.durable_lsn();
        while let Some(commit) = self.commits.queue.pop_front_if(|commit| commit.lsn <= durable) {
            let Commit { slot, end, answer, releases, .. } = commit;
            if let Some((reply, appended)) = answer {
                self.events.push(StoreEvent::Appended(reply, Ok(appended)));
            }
            let Some(partition) = self.partitions.get_mut(slot as usize) else { continue };
            if releases && !planted(Bug::ForgetRelease) {
                let mut queue = DiskQueue::new(Owner::Log(slot).encode(), &mut self.requests);
                partition.log.release(&mut queue);
            }
            if partition.committed(end) {
                self.show(slot);
            }
        }
    }

    /// Tells who waits for what has become visible.
    fn show(&mut self, slot: u32) {
        let partition = &mut self.partitions[slot as usize];
        if partition.waiting.is_empty() {
            return;
        }
        let visible = partition.high_watermark().bytes;
        partition.waiting.reached(visible, &mut self.commits.told);
        self.events.extend(self.commits.told.drain(..).map(StoreEvent::Readable));
    }

    /// Whether an entry of `bytes` of the metadata log can be logged now; else in a later turn.
    pub fn has_metadata_room(&mut self, bytes: usize) -> bool {
        self.wal.has_room(bytes, Urgency::MakesRoom)
    }

    /// Logs an entry of the metadata log, which belongs to no partition. It is durable when
    /// [`Wal::durable_lsn`](crate::wal::Wal::durable_lsn) reaches its number.
    ///
    /// # Panics
    /// When there is no room.
    pub fn log_metadata(&mut self, entry: &[u8]) -> Logged {
        let meta = EntryMeta {
            kind: EntryKind::Metadata,
            partition: TopicPartition::default(),
            sequence: PartitionSequence::new(0),
            segment_base_offset: Offset::ZERO,
            position: Position::ZERO,
        };
        self.wal.append(&meta, entry, &[], Urgency::MakesRoom)
    }

    /// Raises the epoch in which a partition is led.
    pub fn set_leader_epoch(&mut self, slot: u32, epoch: LeaderEpoch) {
        let partition = &mut self.partitions[slot as usize];
        assert!(epoch >= partition.leader_epoch, "leader epochs never go back");
        partition.leader_epoch = epoch;
    }

    /// Whether an append that found no room before has a chance now.
    pub(super) fn has_room_again(&mut self) -> bool {
        let bytes = ROOM_BYTES.min(self.config.wal.commit_bytes_max);
        let bytes = bytes.min(self.chunks.bytes_max() / 2);
        self.is_decided(bytes)
    }
}

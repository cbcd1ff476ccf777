//! Retention and deletion of records: moves log start offsets. The move is logged like an append,
//! and when it is durable it is answered and files go.

use std::collections::VecDeque;

use super::{Owner, Reply, Store, StoreEvent};
use crate::io::{DiskQueue, DiskResult};
use crate::log::{Expired, Lack, Load, LoadRequest, RetentionLimits, SegmentScan};
use crate::record::Batches;
use crate::trace::Event;
use crate::types::{Instant, Lsn, Now, Offset, Timestamp, TopicPartition};
use crate::wal::{EntryKind, EntryMeta, Urgency};

/// Partitions looked at in one turn.
const LOOKS_PER_TURN: usize = 1000;

/// What became of a deletion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deletion {
    /// Nothing was left to do: the log start offset.
    Done(Offset),
    /// [`StoreEvent::Deleted`] follows.
    Pending,
}

/// Why records cannot be deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeleteError {
    /// The offset is negative or above the high watermark.
    OffsetOutOfRange,
    /// The write-ahead log has no room now.
    NoRoom,
    /// The broker is stopping.
    Stopping,
}

/// A log start offset that is on its way into the write-ahead log.
#[derive(Clone, Copy, Debug)]
struct Move {
    lsn: Lsn,
    slot: u32,
    id: TopicPartition,
    start: Offset,
    reply: Option<Reply>,
}

/// What is being found out about a segment.
#[derive(Debug)]
enum Question {
    Times(Load),
    Batches { base: Offset, scan: SegmentScan, largest: Option<(Timestamp, Offset)> },
}

#[derive(Debug)]
struct Asking {
    id: TopicPartition,
    /// The log's files as they were when it was asked.
    layout: u64,
    question: Question,
}

#[derive(Debug, Default)]
pub(super) struct Retention {
    next_check: Instant,
    /// Partitions that this check has yet to look at.
    waiting: VecDeque<TopicPartition>,
    /// One partition at a time asks the disk.
    asking: Option<Asking>,
    moves: VecDeque<Move>,
}

impl Retention {
    /// Sets the time of the first check.
    pub(super) fn begin(&mut self, at: Instant) {
        self.next_check = at;
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match (&self.asking, self.waiting.is_empty()) {
            (Some(_), _) => None,
            (None, true) => Some(self.next_check),
            (None, false) => Some(Instant::new(0)),
        }
    }
}

/// The offset in an [`EntryKind::LogStart`] entry.
pub(super) fn decode_log_start(payload: &[u8]) -> Option<Offset> {
    let offset = i64::from_le_bytes(*payload.first_chunk()?);
    (offset >= 0).then(|| Offset::new(offset))
}

impl Store {
    /// Looks at partitions, as far as nobody has to be asked.
    pub(super) fn tick_retention(&mut self, now: Now) {
        if !self.recovered || self.stopping {
            return;
        }
        if self.retention.waiting.is_empty() && self.retention.next_check <= now.instant {
            self.retention.next_check = now.instant.after(self.config.retention_interval);
            self.retention.waiting = self.partitions().map(|partition| partition.id).collect();
        }
        for _ in 0..LOOKS_PER_TURN {
            if self.retention.asking.is_some() {
                break;
            }
            let Some(id) = self.retention.waiting.pop_front() else { break };
            if let Some(slot) = self.slot(id) {
                self.look(slot, id, now);
            }
        }
    }

    fn look(&mut self, slot: u32, id: TopicPartition, now: Now) {
        let partition = &mut self.partitions[slot as usize];
        let mut queue = DiskQueue::new(Owner::Log(slot).encode(), &mut self.requests);
        // What the last life did not get to.
        partition.log.remove_old(&mut queue);
        let mut lack = partition.compaction_lack(now.timestamp);
        let cleanup = &partition.settings.cleanup;
        if cleanup.delete {
            let limits =
                RetentionLimits { age_max: cleanup.retention, bytes_max: cleanup.retention_bytes };
            let visible = partition.high_watermark().offset;
            let expired = partition.log.expired(&limits, now.timestamp, visible);
            if expired.lack.is_none() && expired.start_offset > partition.log.start_offset() {
                self.expire(slot, &expired);
            }
            lack = expired.lack.or(lack);
        }
        if let Some(lack) = lack {
            self.find_out(slot, id, lack);
        }
    }

    fn expire(&mut self, slot: u32, expired: &Expired) {
        let must_carry = self.partitions[slot as usize].must_carry();
        // Without room, the next check tries again.
        if expired.with_active && must_carry && self.carry(slot, true).is_none() {
            return;
        }
        let moved = self.move_log_start(slot, expired.start_offset, None);
        if moved && expired.with_active {
            let partition = &mut self.partitions[slot as usize];
            let before = partition.log.unreserved_bytes();
            let producers = &partition.producers;
            let snapshot = (!producers.is_empty()).then(|| producers.snapshot());
            let mut queue = DiskQueue::new(Owner::Log(slot).encode(), &mut self.requests);
            partition.log.end_active(snapshot, &mut queue);
            self.space.reserved(before, partition.log.unreserved_bytes());
        }
    }

    /// Asks for what is lacking to judge a partition's segments.
    fn find_out(&mut self, slot: u32, id: TopicPartition, lack: Lack) {
        let partition = &mut self.partitions[slot as usize];
        let mut queue = DiskQueue::new(Owner::Log(slot).encode(), &mut self.requests);
        let (question, op) = match lack {
            Lack::Times(base) => match partition.log.load(Load::Times(base), &mut queue) {
                LoadRequest::Ask(op) => (Question::Times(Load::Times(base)), op),
                _ => return,
            },
            Lack::Batches(base) => {
                let Some(scan) = partition.log.scan(base) else { return };
                let Some(op) = scan.ask() else { return partition.log.verified(base, None) };
                (Question::Batches { base, scan, largest: None }, op)
            }
        };
        let layout = partition.log.layout();
        self.retention.asking = Some(Asking { id, layout, question });
        DiskQueue::new(Owner::Retention(slot).encode(), &mut self.requests).push(0, op);
    }

    pub(super) fn retention_completed(&mut self, slot: u32, result: DiskResult, now: Now) {
        self.outstanding[slot as usize] -= 1;
        let Asking { id, layout, question } = self.retention.asking.take().expect("it asked");
        if self.slot(id) != Some(slot) {
            return self.continue_removals();
        }
        let log = &mut self.partitions[slot as usize].log;
        if log.layout() != layout {
            // It may speak of files that are no longer the log's.
            return self.look(slot, id, now);
        }
        let failed = match question {
            Question::Times(load) => {
                let failed = log.loaded(load, result).err();
                self.remember(slot, load);
                failed
            }
            Question::Batches { base, mut scan, mut largest } => match scan.completed(result) {
                Ok(bytes) => {
                    for batch in Batches::new(bytes.as_deref().unwrap_or(&[])) {
                        let header = batch.header();
                        let newest = largest.is_none_or(|(most, _)| header.max_timestamp > most);
                        if newest && header.max_timestamp.get() >= 0 {
                            largest = Some((header.max_timestamp, header.last_offset()));
                        }
                    }
                    if let Some(op) = scan.ask() {
                        let question = Question::Batches { base, scan, largest };
                        self.retention.asking = Some(Asking { id, layout, question });
                        let owner = Owner::Retention(slot).encode();
                        return DiskQueue::new(owner, &mut self.requests).push(0, op);
                    }
                    log.verified(base, largest);
                    None
                }
                Err(error) => Some(error),
            },
        };
        match failed {
            // Nobody deletes by what cannot be read.
            Some(error) => {
                let directory = log_directory(self, slot).to_string();
                let problem = error.to_string();
                self.events.push(StoreEvent::Log(Event::LogDamaged { directory, problem }));
            }
            None => self.look(slot, id, now),
        }
    }

    /// Moves a log start offset; `false` where there is no room for that.
    fn move_log_start(&mut self, slot: u32, start: Offset, reply: Option<Reply>) -> bool {
        let payload = start.get().to_le_bytes();
        if !self.wal.has_room(payload.len(), Urgency::MakesRoom) {
            return false;
        }
        let partition = &mut self.partitions[slot as usize];
        let place = partition.log.end();
        let id = partition.id;
        let meta = EntryMeta {
            kind: EntryKind::LogStart,
            partition: id,
            sequence: partition.sequence.next(),
            segment_base_offset: place.segment_base_offset,
            position: place.position,
        };
        let logged = self.wal.append(&meta, &payload, &[], Urgency::MakesRoom);
        if partition.is_recorded() {
            self.checkpointer.changed(slot);
        }
        partition.log_start_moved(start, logged.generation);
        self.retention.moves.push_back(Move { lsn: logged.lsn, slot, id, start, reply });
        true
    }

    /// The write-ahead log is durable up to a new number: deletions are answered, and files go.
    pub(super) fn log_starts_committed(&mut self) {
        let durable = self.wal.durable_lsn();
        while let Some(moved) = self.retention.moves.pop_front_if(|moved| moved.lsn <= durable) {
            let Move { slot, id, start, reply, .. } = moved;
            self.events.extend(reply.map(|reply| StoreEvent::Deleted(reply, start)));
            if self.slot(id) == Some(slot) {
                let mut queue = DiskQueue::new(Owner::Log(slot).encode(), &mut self.requests);
                self.partitions[slot as usize].log.start_committed(start, &mut queue);
            }
        }
    }

    /// Deletes the records before `offset`, or all that are visible.
    ///
    /// # Errors
    /// The offset cannot be the log start, or the log cannot be changed now.
    pub fn delete_records(
        &mut self,
        slot: u32,
        offset: Option<Offset>,
        reply: Reply,
    ) -> Result<Deletion, DeleteError> {
        let partition = &self.partitions[slot as usize];
        let visible = partition.high_watermark().offset;
        let start = offset.unwrap_or(visible);
        if start < Offset::ZERO || start > visible {
            return Err(DeleteError::OffsetOutOfRange);
        }
        if self.stopping {
            return Err(DeleteError::Stopping);
        }
        let before = partition.log.start_offset();
        let id = partition.id;
        if start > before {
            let moved = self.move_log_start(slot, start, Some(reply));
            return if moved { Ok(Deletion::Pending) } else { Err(DeleteError::NoRoom) };
        }
        // Another deletion may have moved it and is not durable yet.
        match self.retention.moves.iter().rev().find(|moved| moved.id == id) {
            None => Ok(Deletion::Done(before)),
            Some(last) => {
                let moved = Move { reply: Some(reply), ..*last };
                self.retention.moves.push_back(Move { lsn: self.wal.last_lsn(), ..moved });
                Ok(Deletion::Pending)
            }
        }
    }
}

fn log_directory(store: &Store, slot: u32) -> &crate::io::FileName {
    store.partitions[slot as usize].log.directory()
}

//! Answers questions about partitions of this shard.

use super::context::Context;
use super::job::{Job, JobResult};
use super::peer::{ActiveProducer, Answer, Ask, AskError, Bounds, FoundRecord, ReadResult};
use crate::log::{FoundBatch, ReadError, ReadLimits};
use crate::partition::{Partition, Waiter};
use crate::store::{
    DeleteError, Deletion, Outcome, ReadAnswer, ReadDone, ReadFailure, ReadOutcome, Reply,
};
use crate::trace::Event;
use crate::types::{LeaderEpoch, Offset, TopicPartition};

impl Context<'_> {
    /// Answers now, or later through the events of the store or a job.
    pub fn serve(&mut self, id: TopicPartition, ask: Ask, reply: Reply) -> Option<Answer> {
        let Some(slot) = self.store.slot(id) else { return not_here(&ask) };
        match ask {
            Ask::Append { header, body, log_append_time } => {
                let batch = crate::store::Batch { header: &header, body: &body, log_append_time };
                match self.store.append_or_queue(slot, &batch, &body, reply, self.now) {
                    Outcome::Answered(answer) => Some(Answer::Appended(answer)),
                    Outcome::Pending | Outcome::NoRoom => None,
                }
            }
            Ask::Read { offset, bytes_max, first_whole, current_leader_epoch } => {
                let limits = (offset, bytes_max, first_whole);
                self.read(slot, limits, current_leader_epoch, reply)
            }
            Ask::Watch { fetch, bytes } => {
                let waiter = Waiter { shard: reply.shard, fetch, bytes };
                self.store.watch(slot, waiter);
                None
            }
            Ask::Unwatch { fetch } => {
                self.store.partition_mut(slot).waiting.remove(reply.shard, fetch);
                None
            }
            Ask::Bounds { current_leader_epoch } => {
                let partition = self.store.partition(slot);
                let checked = check_epoch(partition, current_leader_epoch);
                Some(Answer::Bounds(checked.map(|()| bounds(partition))))
            }
            Ask::Find { target, current_leader_epoch } => {
                let partition = self.store.partition(slot);
                if let Err(error) = check_epoch(partition, current_leader_epoch) {
                    return Some(Answer::Found(Err(error)));
                }
                match self.store.search(slot, target, reply) {
                    ReadOutcome::Done(answer) => self.read_ended(id, reply, answer),
                    ReadOutcome::Pending => None,
                }
            }
            Ask::DeleteRecords { offset } => self.delete_records(slot, offset, reply),
            Ask::EpochEnd { epoch, current_leader_epoch } => {
                let partition = self.store.partition(slot);
                let checked = check_epoch(partition, current_leader_epoch);
                Some(Answer::EpochEnd(checked.map(|()| epoch_end(partition, epoch))))
            }
            Ask::Size => Some(Answer::Size(Ok(self.store.partition(slot).log.size_bytes()))),
            Ask::Producers => Some(Answer::Producers(Ok(producers(self.store.partition(slot))))),
        }
    }

    fn read(
        &mut self,
        slot: u32,
        (offset, bytes_max, first_whole): (Offset, u64, bool),
        epoch: LeaderEpoch,
        reply: Reply,
    ) -> Option<Answer> {
        let partition = self.store.partition(slot);
        if let Err(error) = check_epoch(partition, epoch) {
            return Some(Answer::Read(Err(error)));
        }
        let bounds = bounds(partition);
        let end = partition.high_watermark();
        if offset < bounds.log_start || offset > partition.end().offset {
            return Some(Answer::Read(Err(AskError::OffsetOutOfRange(bounds))));
        }
        // Between the high watermark and the log end there is something, but not to be seen yet.
        if offset >= end.offset || bytes_max == 0 {
            let parts = crate::log::Parts::new();
            return Some(Answer::Read(Ok(ReadResult { bounds, parts, visible_bytes: end.bytes })));
        }
        let id = partition.id;
        let limits = ReadLimits { offset, end: end.place, bytes_max, first_whole };
        match self.store.read(slot, limits, reply) {
            ReadOutcome::Done(answer) => self.read_ended(id, reply, answer),
            ReadOutcome::Pending => None,
        }
    }

    fn delete_records(
        &mut self,
        slot: u32,
        offset: Option<Offset>,
        reply: Reply,
    ) -> Option<Answer> {
        let deleted = match self.store.delete_records(slot, offset, reply) {
            Ok(Deletion::Done(start)) => Ok(start),
            Ok(Deletion::Pending) => return None,
            Err(DeleteError::OffsetOutOfRange) => {
                Err(AskError::OffsetOutOfRange(bounds(self.store.partition(slot))))
            }
            Err(DeleteError::NoRoom | DeleteError::Stopping) => Err(AskError::Storage),
        };
        Some(Answer::Deleted(deleted))
    }

    /// A read or search of this shard's store has ended.
    pub fn read_ended(
        &mut self,
        id: TopicPartition,
        reply: Reply,
        answer: ReadAnswer,
    ) -> Option<Answer> {
        let Some(slot) = self.store.slot(id) else {
            return Some(Answer::Read(Err(AskError::NotHere)));
        };
        let partition = self.store.partition(slot);
        let bounds = bounds(partition);
        match answer {
            Ok(ReadDone::Parts(parts)) => {
                let visible_bytes = partition.high_watermark().bytes;
                Some(Answer::Read(Ok(ReadResult { bounds, parts, visible_bytes })))
            }
            Ok(ReadDone::Found(None)) => Some(Answer::Found(Ok(None))),
            Ok(ReadDone::Found(Some(found))) => self.find_record(id, reply, found),
            Err(failure) => {
                let storage = match failure {
                    ReadFailure::Gone => AskError::NotHere,
                    ReadFailure::Segment(ReadError::BelowLogStart) => {
                        AskError::OffsetOutOfRange(bounds)
                    }
                    ReadFailure::Segment(error) => {
                        self.report_damage(id, error);
                        AskError::Storage
                    }
                };
                Some(Answer::Read(Err(storage)))
            }
        }
    }

    /// The batch is found; which of its records it is may take a decompression.
    fn find_record(
        &mut self,
        id: TopicPartition,
        reply: Reply,
        found: FoundBatch,
    ) -> Option<Answer> {
        let job = Job::find_record(id, reply, found);
        if !job.is_small() {
            self.outbound.jobs.push(job);
            return None;
        }
        match job.run() {
            JobResult::Found(found) => Some(self.record_found(id, found)),
            other => unreachable!("a record was looked for, not {other:?}"),
        }
    }

    /// A job has found the record, or that the batch is damaged.
    pub fn record_found(
        &mut self,
        id: TopicPartition,
        found: Result<Option<FoundRecord>, AskError>,
    ) -> Answer {
        let visible = self.store.slot(id).map(|slot| self.store.partition(slot).high_watermark());
        Answer::Found(found.map(|record| {
            record.filter(|record| visible.is_some_and(|end| record.offset < end.offset))
        }))
    }

    fn report_damage(&mut self, id: TopicPartition, error: ReadError) {
        let slot = self.store.slot(id).expect("its log was read");
        let directory = self.store.partition(slot).log.directory().to_string();
        self.outbound.events.push(Event::LogDamaged { directory, problem: error.to_string() });
    }
}

fn not_here(ask: &Ask) -> Option<Answer> {
    let error = AskError::NotHere;
    match ask {
        Ask::Append { .. } => Some(crate::store::AppendError::NotHere.into()),
        Ask::Read { .. } => Some(Answer::Read(Err(error))),
        Ask::Bounds { .. } => Some(Answer::Bounds(Err(error))),
        Ask::Find { .. } => Some(Answer::Found(Err(error))),
        Ask::EpochEnd { .. } => Some(Answer::EpochEnd(Err(error))),
        Ask::DeleteRecords { .. } => Some(Answer::Deleted(Err(error))),
        Ask::Size => Some(Answer::Size(Err(error))),
        Ask::Producers => Some(Answer::Producers(Err(error))),
        Ask::Watch { .. } | Ask::Unwatch { .. } => None,
    }
}

/// KIP-320: a client that knows another epoch has to look for the leader again.
fn check_epoch(partition: &Partition, known: LeaderEpoch) -> Result<(), AskError> {
    match known.get() {
        ..0 => Ok(()),
        epoch if epoch < partition.leader_epoch.get() => Err(AskError::FencedLeaderEpoch),
        epoch if epoch > partition.leader_epoch.get() => Err(AskError::UnknownLeaderEpoch),
        _ => Ok(()),
    }
}

fn bounds(partition: &Partition) -> Bounds {
    let (log_start, end) = (partition.log.start_offset(), partition.high_watermark().offset);
    let last = Offset::new(end.get() - 1);
    Bounds {
        log_start,
        high_watermark: end,
        leader_epoch: partition.leader_epoch,
        epochs: (partition.epochs.epoch_at(log_start), partition.epochs.epoch_at(last)),
    }
}

fn epoch_end(partition: &Partition, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
    let end = partition.high_watermark().offset;
    partition.epochs.end_of(epoch, partition.leader_epoch, end)
}

fn producers(partition: &Partition) -> Vec<ActiveProducer> {
    let producers = partition.producers.sorted().into_iter();
    producers
        .map(|(id, entry)| ActiveProducer {
            id,
            epoch: entry.epoch,
            last_sequence: entry.batches.last().map_or(-1, |batch| batch.last_sequence),
            last_timestamp: entry.last_timestamp,
        })
        .collect()
}

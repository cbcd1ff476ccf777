//! The groups that this shard coordinates: those of the partitions of `__consumer_offsets` that it
//! owns. What the groups want is done here: records are appended, answers find who asked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Shard;
use super::group_loading::Loading;
use crate::coordinator::group::{
    APPEND_BYTES_MAX, AppendFailure, AppendId, Effect, GroupError, GroupRecord, Groups, ReplyId,
    Request, Settings,
};
use crate::handlers::{Answer, OFFSETS_TOPIC};
use crate::io::MemoryRange;
use crate::record::{
    BatchBuilder, BatchHeader, BatchOptions, Codec, Compression, HEADER_BYTES, NewRecord,
};
use crate::store::{AppendAnswer, AppendError, Batch, Outcome, Reply};
use crate::types::{Instant, Now, TopicPartition};

/// The item of replies that are for groups: no request has as many items.
const ITEM: u32 = u32::MAX;
/// Bytes of appends that may wait for room: more are refused, and clients try again.
const QUEUED_BYTES_MAX: usize = 16 << 20;

/// Whether an answer is for groups of this shard, not for an operation.
pub(super) fn is_for_groups(reply: Reply) -> bool {
    reply.item == ITEM
}

/// What the store or the disk was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wait {
    /// An append, for the groups of a partition, and its bytes if it had to wait for room.
    Append(TopicPartition, AppendId, usize),
    /// A piece of a partition whose groups are being loaded.
    Load(TopicPartition),
}

/// The groups of one partition.
#[derive(Debug)]
pub(super) struct Coordinator {
    pub(super) groups: Groups,
    /// How far the partition has been read; none once it has been.
    pub(super) loading: Option<Loading>,
    /// When something is to be done, as [`Coordinators::due`] has it.
    due: Option<Instant>,
}

/// All groups of a shard.
#[derive(Debug, Default)]
pub(super) struct Coordinators {
    pub(super) by_partition: BTreeMap<TopicPartition, Coordinator>,
    /// When something is to be done, for each partition where there is.
    due: BTreeSet<(Instant, TopicPartition)>,
    /// Partitions whose next piece is to be read in the next turn.
    pub(super) to_load: VecDeque<TopicPartition>,
    /// Who waits for the answer of a group.
    asked: BTreeMap<u64, Reply>,
    waits: BTreeMap<u64, Wait>,
    queued_bytes: usize,
    /// For each token of a disk request, the key of the wait and the bytes wanted.
    pub(super) reading: BTreeMap<u32, (u64, usize)>,
    /// Counts both.
    next: u64,
}

impl Coordinators {
    fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Notes what is asked of the store or the disk; answers its key.
    pub(super) fn wait(&mut self, wait: Wait) -> u64 {
        let key = self.next();
        self.waits.insert(key, wait);
        key
    }

    pub(super) fn take_wait(&mut self, key: u64) -> Option<Wait> {
        let wait = self.waits.remove(&key);
        if let Some(Wait::Append(_, _, queued_bytes)) = wait {
            self.queued_bytes -= queued_bytes;
        }
        wait
    }

    /// Nobody waits for anything of a partition any more.
    fn end_waits(&mut self, id: TopicPartition) {
        let of_partition = self.waits.iter().filter(|(_, wait)| match wait {
            Wait::Append(of, ..) | Wait::Load(of) => *of == id,
        });
        let keys: Vec<u64> = of_partition.map(|(key, _)| *key).collect();
        for key in keys {
            self.take_wait(key);
        }
    }

    /// Takes over when something is to be done for a partition.
    fn schedule(&mut self, id: TopicPartition) {
        let Some(coordinator) = self.by_partition.get_mut(&id) else { return };
        let next = coordinator.groups.deadline();
        let before = std::mem::replace(&mut coordinator.due, next);
        if before != next {
            before.map(|before| self.due.remove(&(before, id)));
            next.map(|next| self.due.insert((next, id)));
        }
    }

    /// When something is to be done.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if !self.to_load.is_empty() {
            return Some(Instant::new(0));
        }
        self.due.first().map(|(instant, _)| *instant)
    }
}

impl Shard {
    /// Begins to coordinate the groups of a partition, which are read from it first.
    pub(super) fn coordinate(&mut self, id: TopicPartition) {
        let Some(slot) = self.parts.store.slot(id) else { return };
        if self.stopping || self.coordinators.by_partition.contains_key(&id) {
            return;
        }
        let start = self.parts.store.partition(slot).log.start_offset();
        let settings = &self.parts.settings;
        let settings = Settings { classic: settings.classic_groups, offsets: settings.offsets };
        let groups = Groups::new(settings, self.parts.prng.fork());
        let loading = Some(Loading::new(start));
        self.coordinators.by_partition.insert(id, Coordinator { groups, loading, due: None });
        self.coordinators.to_load.push_back(id);
    }

    /// Coordinates what the partitions of this shard hold.
    pub(super) fn coordinate_all(&mut self) {
        let Some(topic) = self.parts.topics.by_name(OFFSETS_TOPIC) else { return };
        for id in super::images::partitions_of(&topic.topic.clone()) {
            self.coordinate(id);
        }
    }

    /// Takes a question about groups of a partition.
    pub(super) fn group_asked(
        &mut self,
        now: Now,
        id: TopicPartition,
        request: Request,
        reply: Reply,
    ) {
        let Some(coordinator) = self.coordinators.by_partition.get_mut(&id) else {
            let answer = request.refused(GroupError::NotCoordinator);
            return self.deliver(now, reply, Answer::Group(Box::new(answer)));
        };
        self.coordinators.next += 1;
        let key = self.coordinators.next;
        self.coordinators.asked.insert(key, reply);
        let mut effects = Vec::new();
        coordinator.groups.handle(now, request, ReplyId(key), &mut effects);
        self.carry_out(now, id, effects);
    }

    /// Takes an answer of the store that [`is_for_groups`].
    pub(super) fn groups_answered(&mut self, now: Now, key: u64, answer: Answer) {
        // Whoever waited may be gone with a deleted topic.
        let Some(wait) = self.coordinators.take_wait(key) else { return };
        match (wait, answer) {
            (Wait::Append(id, append, _), Answer::Appended(answer)) => {
                let mut effects = Vec::new();
                if let Some(coordinator) = self.coordinators.by_partition.get_mut(&id) {
                    coordinator.groups.appended(now, append, result_of(answer), &mut effects);
                }
                self.carry_out(now, id, effects);
            }
            (Wait::Load(id), Answer::Read(result)) => self.group_log_read(now, id, result),
            (wait, answer) => unreachable!("{wait:?} was answered by {answer:?}"),
        }
    }

    /// Does what the groups of a partition want.
    pub(super) fn carry_out(&mut self, now: Now, id: TopicPartition, effects: Vec<Effect>) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Respond { reply, response } => {
                    let asked = self.coordinators.asked.remove(&reply.0);
                    let reply = asked.expect("each request is answered once");
                    self.deliver(now, reply, Answer::Group(Box::new(response)));
                }
                Effect::Append { id: append, records } => {
                    let Some(result) = self.append_records(now, id, append, &records) else {
                        continue;
                    };
                    let mut more = Vec::new();
                    if let Some(coordinator) = self.coordinators.by_partition.get_mut(&id) {
                        coordinator.groups.appended(now, append, result, &mut more);
                    }
                    effects.extend(more);
                }
            }
        }
        self.coordinators.schedule(id);
    }

    /// Appends records as one batch; answers when that is decided at once.
    fn append_records(
        &mut self,
        now: Now,
        id: TopicPartition,
        append: AppendId,
        records: &[GroupRecord],
    ) -> Option<Result<(), AppendFailure>> {
        let entry = self.parts.topics.by_id(id.topic);
        let (Some(slot), Some(entry)) = (self.parts.store.slot(id), entry) else {
            return Some(Err(AppendFailure::NotLeader));
        };
        if self.coordinators.queued_bytes > QUEUED_BYTES_MAX {
            return Some(Err(AppendFailure::Unavailable));
        }
        let bytes_max = entry.settings.message_bytes_max.min(APPEND_BYTES_MAX);
        let codec = Codec::from_id(self.parts.settings.offsets_codec).unwrap_or_default();
        let compression = Compression::new(codec);
        let Some((header, body)) = batch_of(now, records, compression, bytes_max) else {
            return Some(Err(AppendFailure::TooLarge));
        };
        let batch = Batch { header: &header, body: &body, log_append_time: None };
        let operation = self.coordinators.wait(Wait::Append(id, append, 0));
        let reply = Reply { shard: self.parts.shard, operation, item: ITEM };
        match self.parts.store.append_or_queue(slot, &batch, &body, reply, now) {
            Outcome::Pending => None,
            Outcome::NoRoom => {
                self.coordinators.queued_bytes += body.len();
                self.coordinators.waits.insert(operation, Wait::Append(id, append, body.len()));
                None
            }
            Outcome::Answered(answer) => {
                self.coordinators.take_wait(operation);
                Some(result_of(answer))
            }
        }
    }

    /// The reply by which the store's answer comes to the groups.
    pub(super) fn reply_to_groups(&mut self, wait: Wait) -> Reply {
        let operation = self.coordinators.wait(wait);
        Reply { shard: self.parts.shard, operation, item: ITEM }
    }

    /// Does what is due.
    pub(super) fn tick_groups(&mut self, now: Now) {
        self.load_groups(now);
        let due = self.coordinators.due.iter().take_while(|(at, _)| *at <= now.instant);
        let ids: Vec<TopicPartition> = due.map(|(_, id)| *id).collect();
        for id in ids {
            let mut effects = Vec::new();
            let coordinator = self.coordinators.by_partition.get_mut(&id).expect("just there");
            coordinator.groups.tick(now, &mut effects);
            self.carry_out(now, id, effects);
        }
    }

    /// A topic is gone: its groups are nobody's any more, or groups forget how far they read it.
    pub(super) fn groups_without_topic(&mut self, now: Now, topic: &crate::metadata::Topic) {
        let ids: Vec<TopicPartition> = self.coordinators.by_partition.keys().copied().collect();
        for id in ids {
            if id.topic == topic.id {
                self.uncoordinate(now, id);
                continue;
            }
            let coordinator = self.coordinators.by_partition.get_mut(&id).expect("just there");
            if let Some(loading) = &mut coordinator.loading {
                loading.deleted.push(topic.name.to_string());
                continue;
            }
            let mut effects = Vec::new();
            coordinator.groups.topics_deleted(now, &[&topic.name], &mut effects);
            self.carry_out(now, id, effects);
        }
    }

    /// The shard stops: everybody who waits is told to look elsewhere.
    pub(super) fn uncoordinate_all(&mut self, now: Now) {
        let ids: Vec<TopicPartition> = self.coordinators.by_partition.keys().copied().collect();
        for id in ids {
            self.uncoordinate(now, id);
        }
    }

    fn uncoordinate(&mut self, now: Now, id: TopicPartition) {
        let coordinator = self.coordinators.by_partition.remove(&id).expect("it is there");
        coordinator.due.map(|due| self.coordinators.due.remove(&(due, id)));
        self.coordinators.to_load.retain(|other| *other != id);
        self.coordinators.end_waits(id);
        let mut effects = Vec::new();
        coordinator.groups.unload(&mut effects);
        self.carry_out(now, id, effects);
    }
}

fn result_of(answer: AppendAnswer) -> Result<(), AppendFailure> {
    match answer {
        Ok(_) => Ok(()),
        Err(AppendError::LargerThanSegment { .. }) => Err(AppendFailure::TooLarge),
        Err(AppendError::StorageFull) => Err(AppendFailure::Unavailable),
        Err(AppendError::NotHere | AppendError::Stopping) => Err(AppendFailure::NotLeader),
        Err(error @ (AppendError::OutOfOrder | AppendError::OldProducerEpoch { .. })) => {
            unreachable!("{error:?} without a producer")
        }
    }
}

/// One batch of records, unless it is larger than `bytes_max` without compression: what is read
/// back has to fit the memory.
fn batch_of(
    now: Now,
    records: &[GroupRecord],
    compression: Compression,
    bytes_max: usize,
) -> Option<(BatchHeader, MemoryRange)> {
    let mut builder = BatchBuilder::new(BatchOptions { compression, ..Default::default() });
    for record in records {
        let timestamp = now.timestamp;
        let (key, value) = (Some(&record.key[..]), record.value.as_deref());
        builder.append(&NewRecord { timestamp, key, value, headers: &[] }).ok()?;
    }
    if builder.total_bytes() > bytes_max {
        return None;
    }
    let mut bytes = Vec::new();
    let header = builder.finish(&mut bytes).ok()?;
    Some((header, MemoryRange::copy_of(&bytes[HEADER_BYTES..])))
}

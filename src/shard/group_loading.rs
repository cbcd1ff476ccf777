//! Bringing groups back: their partition is read from its start to the high watermark, a piece in a
//! turn, so that a long log keeps nobody else waiting.

use std::collections::VecDeque;

use super::groups::Wait;
use super::{Effect, Shard};
use crate::handlers::{Ask, AskError, GroupRecords, Job, JobResult, ReadResult};
use crate::io::{DiskDone, DiskOp, DiskQueue, DiskResult};
use crate::log::Part;
use crate::store::Owner;
use crate::trace::Event;
use crate::types::{LeaderEpoch, Now, Offset, TopicPartition, Uuid};

/// Bytes read at once, or one batch if that is larger.
const PIECE_BYTES: u64 = 1 << 20;
/// Disk requests of the loading, apart from those of the start.
const OUTSIDE: u32 = 1;

/// How far a partition has been read.
#[derive(Debug)]
pub(super) struct Loading {
    /// The next offset.
    next: Offset,
    /// What is to be read of the present piece.
    parts: VecDeque<Part>,
    /// What has been read of it.
    bytes: Vec<u8>,
    /// Topics that were deleted meanwhile.
    pub(super) deleted: Vec<String>,
}

impl Loading {
    /// To be read from `start`.
    pub(super) fn new(start: Offset) -> Self {
        Self { next: start, parts: VecDeque::new(), bytes: Vec::new(), deleted: Vec::new() }
    }
}

impl Shard {
    /// Reads the next piece of one partition.
    pub(super) fn load_groups(&mut self, now: Now) {
        let Some(id) = self.coordinators.to_load.pop_front() else { return };
        let Some(loading) = self.loading(id) else { return };
        let ask = Ask::Read {
            offset: loading.next,
            bytes_max: PIECE_BYTES,
            first_whole: true,
            current_leader_epoch: LeaderEpoch::UNKNOWN,
        };
        let reply = self.reply_to_groups(Wait::Load(id));
        let answer = self.parts.context(now, reply.operation).serve(id, ask, reply);
        if let Some(answer) = answer {
            self.groups_answered(now, reply.operation, answer);
        }
    }

    fn loading(&mut self, id: TopicPartition) -> Option<&mut Loading> {
        self.coordinators.by_partition.get_mut(&id)?.loading.as_mut()
    }

    /// A piece has been found.
    pub(super) fn group_log_read(
        &mut self,
        now: Now,
        id: TopicPartition,
        result: Result<ReadResult, AskError>,
    ) {
        let read = match result {
            Ok(read) => read,
            Err(error) => return self.groups_lost(id, &error),
        };
        let Some(loading) = self.loading(id) else { return };
        if loading.next >= read.bounds.high_watermark {
            return self.groups_loaded(now, id);
        }
        loading.parts.extend(read.parts);
        self.read_parts(now, id);
    }

    /// Puts the piece together, as far as the disk need not be asked.
    fn read_parts(&mut self, now: Now, id: TopicPartition) {
        let Some(loading) = self.loading(id) else { return };
        while let Some(part) = loading.parts.pop_front() {
            match part {
                Part::Memory(range) => loading.bytes.extend_from_slice(&range),
                Part::File { file, position, len } => {
                    let len = usize::try_from(len).expect("a piece fits the memory");
                    let key = self.coordinators.wait(Wait::Load(id));
                    let token = u32::try_from(key & u64::from(u32::MAX)).expect("masked");
                    self.coordinators.reading.insert(token, (key, len));
                    let owner = Owner::Outside(OUTSIDE).encode();
                    let op = DiskOp::Read { file, position, len };
                    return DiskQueue::new(owner, &mut self.disk_requests).push(token, op);
                }
            }
        }
        let bytes = std::mem::take(&mut loading.bytes);
        let reply = self.reply_to_groups(Wait::Load(id));
        let job = Job::group_records(id, reply, bytes);
        if !job.is_small() {
            return self.parts.outbound.jobs.push(job);
        }
        let JobResult::GroupRecords(read) = job.run() else {
            unreachable!("records were asked for")
        };
        self.group_records_read(now, reply.operation, read);
    }

    /// The disk has read a part of a piece.
    pub(super) fn group_part_read(&mut self, now: Now, token: u32, result: DiskResult) {
        let asked = self.coordinators.reading.remove(&token);
        let (key, len) = asked.expect("the disk answers what was asked");
        let Some(Wait::Load(id)) = self.coordinators.take_wait(key) else { return };
        match result {
            Ok(DiskDone::Read(bytes)) if bytes.len() == len => {
                if let Some(loading) = self.loading(id) {
                    loading.bytes.extend_from_slice(&bytes);
                }
                self.read_parts(now, id);
            }
            Ok(done) => self.groups_lost(id, &done),
            Err(error) => self.groups_lost(id, &error),
        }
    }

    /// The records of a piece are here.
    pub(super) fn group_records_read(&mut self, _now: Now, key: u64, read: GroupRecords) {
        let Some(Wait::Load(id)) = self.coordinators.take_wait(key) else { return };
        if read.damaged > 0 {
            let problem = format!("{} batches cannot be read", read.damaged);
            let event = Event::GroupRecordsIgnored { partition: id.partition, problem };
            self.effects.push(Effect::Log(event));
        }
        let Some(coordinator) = self.coordinators.by_partition.get_mut(&id) else { return };
        let Some(loading) = &mut coordinator.loading else { return };
        let Some(next) = read.next else {
            return self.groups_lost(id, &"no batch where one should be");
        };
        loading.next = next;
        for (record_key, value) in &read.records {
            if let Err(error) = coordinator.groups.replay(record_key, value.as_deref()) {
                let problem = format!("a record before offset {next}: {error}");
                let event = Event::GroupRecordsIgnored { partition: id.partition, problem };
                self.effects.push(Effect::Log(event));
            }
        }
        self.coordinators.to_load.push_back(id);
    }

    fn groups_loaded(&mut self, now: Now, id: TopicPartition) {
        let Some(coordinator) = self.coordinators.by_partition.get_mut(&id) else { return };
        let Some(loading) = coordinator.loading.take() else { return };
        let mut effects = Vec::new();
        coordinator.groups.loaded(now, &mut effects);
        let deleted: Vec<&str> = loading.deleted.iter().map(String::as_str).collect();
        coordinator.groups.topics_deleted(now, &deleted, &mut effects);
        let topics = &self.parts.topics;
        let exists = |name: &str, id: Uuid| {
            let topic = topics.by_name(name);
            topic.is_some_and(|entry| id == Uuid::ZERO || id == entry.topic.id)
        };
        coordinator.groups.forget_missing_topics(now, exists, &mut effects);
        self.carry_out(now, id, effects);
    }

    /// The groups stay "being loaded": to serve them without what they committed would take offsets
    /// back.
    fn groups_lost(&mut self, id: TopicPartition, why: &dyn core::fmt::Debug) {
        let event = Event::GroupsLost { partition: id.partition, problem: format!("{why:?}") };
        self.effects.push(Effect::Log(event));
    }
}

//! Answers find the requests that wait for them, on this shard or on another.

use super::groups::is_for_groups;
use super::{Effect, Message, Shard};
use crate::controller;
use crate::handlers::{Answer, GroupQuestion, Job, JobResult};
use crate::io::DiskResult;
use crate::store::{Owner, Reply, StoreEvent};
use crate::types::{Now, ShardId, TopicPartition};

impl Shard {
    /// Carries on until nothing follows from what has happened.
    pub(super) fn settle(&mut self, now: Now) {
        loop {
            let mut events = std::mem::take(&mut self.store_events);
            std::mem::swap(&mut events, self.parts.store.events());
            let outbound = &self.parts.outbound;
            let quiet = events.is_empty()
                && outbound.commands.is_empty()
                && outbound.group_questions.is_empty();
            for event in events.drain(..) {
                self.store_event(now, event);
            }
            self.store_events = events;
            for (reply, command) in std::mem::take(&mut self.parts.outbound.commands) {
                self.route_command(now, reply, command);
            }
            for question in std::mem::take(&mut self.parts.outbound.group_questions) {
                self.route_to_groups(now, question);
            }
            if quiet {
                break;
            }
        }
        for question in self.parts.outbound.questions.drain(..) {
            let (to, id, ask, reply) = (question.to, question.id, question.ask, question.reply);
            self.effects.push(Effect::Send { to, message: Message::Ask { id, ask, reply } });
        }
        self.effects.extend(self.parts.outbound.jobs.drain(..).map(Effect::Compute));
        self.effects.extend(self.parts.outbound.events.drain(..).map(Effect::Log));
        self.parts.store.take_requests(&mut self.disk_requests);
        self.effects.extend(self.disk_requests.drain(..).map(Effect::Disk));
    }

    fn route_to_groups(&mut self, now: Now, question: GroupQuestion) {
        let GroupQuestion { to, id, request, reply } = question;
        if to == self.parts.shard {
            self.group_asked(now, id, *request, reply);
        } else {
            self.send(to, Message::AskGroups { id, request, reply });
        }
    }

    fn store_event(&mut self, now: Now, event: StoreEvent) {
        match event {
            StoreEvent::Appended(reply, answer) => {
                self.deliver(now, reply, Answer::Appended(answer));
            }
            StoreEvent::Deleted(reply, start) => {
                self.deliver(now, reply, Answer::Deleted(Ok(start)));
            }
            StoreEvent::Compact(id, step) => {
                let job = Job::compact(id, self.parts.shard, step);
                self.parts.outbound.jobs.push(job);
            }
            StoreEvent::Readable(waiter) if waiter.shard == self.parts.shard => {
                self.look_again(now, waiter.fetch);
            }
            StoreEvent::Readable(waiter) => {
                self.send(waiter.shard, Message::Readable { fetch: waiter.fetch });
            }
            StoreEvent::Read(reply, id, answer) => {
                let answer = self.parts.context(now, reply.operation).read_ended(id, reply, answer);
                if let Some(answer) = answer {
                    self.deliver(now, reply, answer);
                }
            }
            StoreEvent::Room => self.wake_without_room(now),
            StoreEvent::MetadataIsOld if !self.stopping => self.write_snapshot(),
            StoreEvent::MetadataIsOld => {}
            StoreEvent::Plenty => self.retry_snapshot(),
            StoreEvent::Log(event) => self.effects.push(Effect::Log(event)),
            StoreEvent::Drained => self.send(ShardId::FIRST, Message::Drained),
            StoreEvent::Removed => self.partitions_removed(),
            StoreEvent::Stopped => self.store_stopped(now),
        }
    }

    /// Hands an answer to the operation that it is for.
    pub(super) fn deliver(&mut self, now: Now, reply: Reply, answer: Answer) {
        if reply.shard != self.parts.shard {
            self.send(reply.shard, Message::Answer { reply, answer });
            return;
        }
        if is_for_groups(reply) {
            return self.groups_answered(now, reply.operation, answer);
        }
        let id = reply.operation;
        // Whoever asked may be gone.
        let Some(operation) = self.operations.get_mut(id) else { return };
        let settled = operation.answered(&mut self.parts.context(now, id), reply.item, answer);
        self.settled(now, id, settled);
    }

    /// Hands the controller's answer to the operation that it is for.
    pub(super) fn deliver_command(&mut self, now: Now, reply: Reply, answer: controller::Answer) {
        if reply.shard != self.parts.shard {
            self.send(reply.shard, Message::Commanded { reply, answer });
            return;
        }
        let id = reply.operation;
        let Some(operation) = self.operations.get_mut(id) else { return };
        let settled = operation.commanded(&mut self.parts.context(now, id), answer);
        self.settled(now, id, settled);
    }

    pub(super) fn computed(
        &mut self,
        now: Now,
        id: TopicPartition,
        reply: Reply,
        result: JobResult,
    ) {
        match result {
            JobResult::Found(found) => {
                let answer = self.parts.context(now, reply.operation).record_found(id, found);
                self.deliver(now, reply, answer);
            }
            JobResult::GroupRecords(read) => self.group_records_read(now, reply.operation, read),
            JobResult::Compacted(work) => {
                if let Err(fault) = self.parts.store.compaction_computed(id, *work, now) {
                    self.fail(fault);
                }
            }
            JobResult::Prepared { prepared, working_bytes_max } => {
                let made = prepared.as_ref().ok().map(|prepared| &prepared.body);
                self.parts.outbound.prepared(working_bytes_max, made);
                let operation_id = reply.operation;
                let Some(operation) = self.operations.get_mut(operation_id) else { return };
                let mut context = self.parts.context(now, operation_id);
                let settled = operation.prepared(&mut context, id, reply.item, prepared);
                self.settled(now, operation_id, settled);
            }
        }
    }

    pub(super) fn message(&mut self, now: Now, from: ShardId, message: Message) {
        match message {
            Message::Ask { id, ask, reply } => {
                let answer = self.parts.context(now, reply.operation).serve(id, ask, reply);
                if let Some(answer) = answer {
                    self.deliver(now, reply, answer);
                }
            }
            Message::AskGroups { id, request, reply } => {
                self.group_asked(now, id, *request, reply);
            }
            Message::Answer { reply, answer } => self.deliver(now, reply, answer),
            Message::Readable { fetch } => self.look_again(now, fetch),
            Message::Command { reply, command } => self.route_command(now, reply, command),
            Message::Commanded { reply, answer } => self.deliver_command(now, reply, answer),
            Message::Image { image, changed } => self.apply_image(now, image, &changed),
            Message::ImageApplied { index } => self.image_applied(now, index),
            Message::Replay { directories } => self.replay(now, directories),
            Message::Replayed { logs } => self.replayed(now, logs),
            Message::Recover { image, sources, fences, log_directory_id, directories } => {
                self.parts.store.set_log_directory_id(log_directory_id);
                self.recover(now, image, *sources, &fences, &directories);
            }
            Message::Recovered => self.shard_recovered(now),
            Message::Serve => self.serve(),
            Message::Used { usage } => {
                self.throttle.quotas.used_elsewhere(&usage, now.instant);
            }
            Message::Drained => self.shard_drained(),
            Message::Stopped => self.shard_stopped(now, from),
        }
    }

    pub(super) fn disk_answered(&mut self, now: Now, owner: Owner, token: u32, result: DiskResult) {
        match owner {
            Owner::Replay(key) => self.replay_answered(now, key, token, result),
            Owner::Recovery(key) => self.recovery_answered(now, key, token, result),
            Owner::Outside(0) => self.boot_answered(now, token, result),
            Owner::Outside(_) => self.group_part_read(now, token, result),
            _ => {
                if let Err(fault) = self.parts.store.completed(owner, token, result, now) {
                    self.fail(fault);
                }
            }
        }
        self.metadata_decided(now);
        self.start_progressed(now);
    }
}

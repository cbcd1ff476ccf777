//! OffsetCommit, OffsetFetch, OffsetDelete.

use std::collections::BTreeSet;

use super::append::{OffsetChange, Purpose};
use super::classic::{Group, Turn};
use super::offsets::Committed;
use super::{
    APPEND_BYTES_MAX, AppendFailure, CommitPartition, CommitRequest, CommittedTopic,
    DeleteOffsetsRequest, DeletedOffsets, FetchTopic, FetchedPartition, FetchedTopic, GroupError,
    GroupState, ReplyId, Response,
};
use crate::types::{LeaderEpoch, PartitionIndex, Timestamp, Uuid};

/// What a record of an offset takes beside its names and its note.
pub(super) const RECORD_BYTES: usize = 64;

impl Group {
    /// Appends the offsets of a commit that are in order, and answers when they are durable.
    pub(super) fn commit(&mut self, turn: &mut Turn<'_>, request: CommitRequest, reply: ReplyId) {
        if let Err(error) = self.check_commit(&request) {
            return turn.respond(reply, Response::Commit(request.answered(Err(error))));
        }
        if matches!(self.state, GroupState::Stable | GroupState::PreparingRebalance) {
            self.expect_heartbeat(turn, &request.member_id);
        }
        let most = turn.settings.offsets.metadata_bytes_max;
        if record_bytes(&request, most) > APPEND_BYTES_MAX {
            let error = GroupError::InvalidCommitOffsetSize;
            return turn.respond(reply, Response::Commit(request.answered(Err(error))));
        }
        let mut topics = request.answered(Ok(()));
        let mut changes = Vec::new();
        let now = turn.now.timestamp;
        let expire_timestamp = request.retention.map(|retention| {
            let millis = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
            Timestamp::new(now.get().saturating_add(millis))
        });
        for (topic, answered) in request.topics.into_iter().zip(&mut topics) {
            for (offset, answer) in topic.partitions.into_iter().zip(&mut answered.partitions) {
                if characters(&offset) > most {
                    answer.1 = Err(GroupError::OffsetMetadataTooLarge);
                    continue;
                }
                self.offsets.begin(&topic.name, offset.partition);
                changes.push(OffsetChange {
                    group: self.id.clone(),
                    topic: topic.name.clone(),
                    partition: offset.partition,
                    value: Some(Committed {
                        offset: offset.offset,
                        leader_epoch: offset.leader_epoch,
                        metadata: offset.metadata.unwrap_or_default(),
                        commit_timestamp: now,
                        expire_timestamp,
                        topic_id: topic.id,
                    }),
                });
            }
        }
        if changes.is_empty() {
            return turn.respond(reply, Response::Commit(topics));
        }
        turn.append(changes, Vec::new(), Purpose::Commit { reply: Some(reply), topics });
    }

    fn check_commit(&self, request: &CommitRequest) -> Result<(), GroupError> {
        let member_id = request.member_id.as_str();
        let instance_id = request.instance_id.as_deref();
        let is_empty = self.state == GroupState::Empty;
        // A consumer that assigns itself, or a tool, commits to groups without members.
        if request.generation < 0 && is_empty {
            return Ok(());
        }
        if request.generation < 0 && member_id.is_empty() && instance_id.is_none() {
            return Err(GroupError::UnknownMemberId);
        }
        self.members.check(member_id, instance_id)?;
        if request.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        match self.state {
            GroupState::CompletingRebalance => Err(GroupError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// The committed offsets of the topics named.
    pub(super) fn fetch(&self, topics: Vec<FetchTopic>) -> Vec<FetchedTopic> {
        let fetched = topics.into_iter().map(|FetchTopic { name, id, partitions }| {
            let find = |partition| {
                let committed = self.offsets.get(&name, partition);
                let committed = committed.filter(|offset| is_same_topic(offset.topic_id, id));
                fetched(partition, committed)
            };
            let partitions = partitions.into_iter().map(find).collect();
            FetchedTopic { name, id, partitions }
        });
        fetched.collect()
    }

    /// All committed offsets.
    pub(super) fn fetch_all(&self) -> Vec<FetchedTopic> {
        let mut topics: Vec<FetchedTopic> = Vec::new();
        for (topic, partition, committed) in self.offsets.durable() {
            if topics.last().is_none_or(|last| last.name != topic) {
                let (name, partitions) = (topic.to_owned(), Vec::new());
                topics.push(FetchedTopic { name, id: Uuid::ZERO, partitions });
            }
            let last = topics.last_mut().expect("pushed above");
            last.partitions.push(fetched(partition, Some(committed)));
        }
        topics
    }

    /// Appends tombstones for the offsets, and answers when they are durable.
    pub(super) fn delete_offsets(
        &mut self,
        turn: &mut Turn<'_>,
        request: DeleteOffsetsRequest,
        reply: ReplyId,
    ) {
        if self.state != GroupState::Empty && !self.of_consumers() {
            let refused = Response::DeleteOffsets(Err(GroupError::NonEmptyGroup));
            return turn.respond(reply, refused);
        }
        let mut places = BTreeSet::new();
        let mut topics = Vec::new();
        for (name, partitions) in request.topics {
            let result = match self.is_subscribed(&name) {
                true => Err(GroupError::GroupSubscribedToTopic),
                false => Ok(()),
            };
            if result.is_ok() {
                let held = partitions.iter().filter(|index| self.offsets.may_hold(&name, **index));
                places.extend(held.map(|index| (name.clone(), *index)));
            }
            let partitions = partitions.into_iter().map(|index| (index, result)).collect();
            topics.push(DeletedOffsets { name, partitions });
        }
        let changes = self.forget(places);
        if changes.is_empty() {
            return turn.respond(reply, Response::DeleteOffsets(Ok(topics)));
        }
        turn.append(changes, Vec::new(), Purpose::DeleteOffsets { reply: Some(reply), topics });
    }

    /// The changes that forget offsets. They have to be appended.
    pub(super) fn forget(
        &mut self,
        places: impl IntoIterator<Item = (String, PartitionIndex)>,
    ) -> Vec<OffsetChange> {
        let group = self.id.clone();
        let change = |(topic, partition): (String, _)| {
            self.offsets.begin(&topic, partition);
            OffsetChange { group: group.clone(), topic, partition, value: None }
        };
        places.into_iter().map(change).collect()
    }

    /// The changes that forget all offsets, also those whose commits are under way.
    pub(super) fn forget_all(&mut self) -> Vec<OffsetChange> {
        let places = self.offsets.places().map(|(topic, index)| (topic.to_owned(), index));
        let places: Vec<_> = places.collect();
        self.forget(places)
    }
}

/// About the size of a commit's records. Each repeats the names of group and topic, so a request
/// may ask for many times its own size.
fn record_bytes(request: &CommitRequest, metadata_max: usize) -> usize {
    let records = request.topics.iter().flat_map(|topic| {
        let kept = topic.partitions.iter().filter(|offset| characters(offset) <= metadata_max);
        kept.map(|offset| topic.name.len() + offset.metadata.as_ref().map_or(0, String::len))
    });
    records.map(|bytes| request.group.len() + bytes + RECORD_BYTES).sum()
}

/// The length of a commit's note as Java counts it, which `offset.metadata.max.bytes` bounds.
fn characters(offset: &CommitPartition) -> usize {
    offset.metadata.as_ref().map_or(0, |metadata| metadata.encode_utf16().count())
}

/// Whether two ids can be of one topic; an unknown one can be of any.
fn is_same_topic(committed: Uuid, asked: Uuid) -> bool {
    committed == asked || committed == Uuid::ZERO || asked == Uuid::ZERO
}

fn fetched(partition: PartitionIndex, committed: Option<&Committed>) -> FetchedPartition {
    FetchedPartition {
        partition,
        offset: committed.map(|committed| committed.offset),
        leader_epoch: committed.map_or(LeaderEpoch::UNKNOWN, |committed| committed.leader_epoch),
        metadata: committed.map(|committed| committed.metadata.clone()).unwrap_or_default(),
    }
}

/// The offsets of a group that does not exist.
pub(super) fn fetch_nothing(topics: Option<Vec<FetchTopic>>) -> Vec<FetchedTopic> {
    let fetched = topics.into_iter().flatten().map(|FetchTopic { name, id, partitions }| {
        let partitions = partitions.into_iter().map(|partition| fetched(partition, None));
        FetchedTopic { name, id, partitions: partitions.collect() }
    });
    fetched.collect()
}

/// Turns what was to be answered into what has to be, after the append has failed.
pub(super) fn fail(topics: &mut [CommittedTopic], failure: AppendFailure) {
    let results = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    for (_, result) in results {
        *result = result.and(Err(failure.of_commit()));
    }
}

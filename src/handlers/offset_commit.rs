//! OffsetCommit: stores how far a group has consumed. Topics are looked up here; what exists goes
//! to the group.

use core::time::Duration;

use super::context::{Context, Frame, Handled};
use super::error::group_error_code;
use super::group_call::{Caller, Respond, only};
use crate::coordinator::group::{
    CommitPartition, CommitRequest, CommitTopic, GroupError, Request, Response,
};
use crate::protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::protocol::{Array, ErrorCode, Message as _};
use crate::types::{LeaderEpoch, Offset, PartitionIndex, Uuid};

/// The first version that names topics by id.
const TOPIC_IDS_FROM: i16 = 10;

/// The first version whose clients know of groups that do not exist.
const GROUP_NOT_FOUND_FROM: i16 = 9;

/// The request's topics, for the answer.
#[derive(Debug)]
struct OffsetCommit {
    topics: Vec<Topic>,
}

#[derive(Debug)]
struct Topic {
    name: String,
    id: Uuid,
    /// Each partition, and why it is refused if the group is not asked about it.
    partitions: Vec<(i32, Option<ErrorCode>)>,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = OffsetCommitRequest::decode(frame.body, frame.version) else {
        return Handled::Close("an OffsetCommit request that cannot be decoded");
    };
    let mut outline = OffsetCommit { topics: Vec::new() };
    let mut topics = Vec::new();
    for topic in request.topics {
        let (known, commit) = look_up(ctx, frame.version, &topic);
        outline.topics.push(known);
        topics.extend(commit.filter(|commit| !commit.partitions.is_empty()));
    }
    let retention = u64::try_from(request.retention_time_ms).ok().map(Duration::from_millis);
    let commit = CommitRequest {
        group: request.group_id.to_owned(),
        generation: request.generation_id_or_member_epoch,
        member_id: request.member_id.to_owned(),
        instance_id: request.group_instance_id.map(str::to_owned),
        retention,
        topics,
    };
    let id = ctx.partition_of_group(request.group_id);
    ctx.ask_groups(frame, vec![(id, Request::Commit(commit))], outline)
}

fn look_up(
    ctx: &Context<'_>,
    version: i16,
    topic: &OffsetCommitRequestTopic<'_>,
) -> (Topic, Option<CommitTopic>) {
    let (entry, unknown) = if version >= TOPIC_IDS_FROM {
        (ctx.topics.by_id(topic.topic_id), ErrorCode::UnknownTopicId)
    } else {
        (ctx.topics.by_name(topic.name), ErrorCode::UnknownTopicOrPartition)
    };
    let count = entry.map_or(0, |entry| entry.topic.partitions.len());
    let exists = |index: i32| usize::try_from(index).is_ok_and(|index| index < count);
    let refused = |index| match entry {
        None => Some(unknown),
        Some(_) => (!exists(index)).then_some(ErrorCode::UnknownTopicOrPartition),
    };
    let partitions = topic.partitions.iter().map(|partition| partition.partition_index);
    let outline = Topic {
        name: topic.name.to_owned(),
        id: topic.topic_id,
        partitions: partitions.map(|index| (index, refused(index))).collect(),
    };
    let commit = entry.map(|entry| CommitTopic {
        name: entry.topic.name.to_string(),
        id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .filter(|partition| exists(partition.partition_index))
            .map(|partition| commit_partition(&partition))
            .collect(),
    });
    (outline, commit)
}

fn commit_partition(partition: &OffsetCommitRequestPartition<'_>) -> CommitPartition {
    CommitPartition {
        partition: PartitionIndex::new(partition.partition_index),
        offset: Offset::new(partition.committed_offset),
        leader_epoch: LeaderEpoch::new(partition.committed_leader_epoch),
        metadata: partition.committed_metadata.map(str::to_owned),
    }
}

fn error_code(error: GroupError, version: i16) -> ErrorCode {
    match error {
        GroupError::GroupIdNotFound if version < GROUP_NOT_FOUND_FROM => {
            ErrorCode::IllegalGeneration
        }
        error => group_error_code(error),
    }
}

impl Respond for OffsetCommit {
    fn respond(&self, ctx: &mut Context<'_>, answers: Vec<Response>, to: Caller) {
        let Response::Commit(committed) = only(answers) else {
            unreachable!("a commit was asked for")
        };
        let mut results = committed.iter().flat_map(|topic| &topic.partitions);
        let mut partition = |(partition_index, refused): (i32, Option<ErrorCode>)| {
            let error_code = refused.map(ErrorCode::code).unwrap_or_else(|| {
                let (_, result) = results.next().expect("each partition is answered");
                result.err().map_or(0, |error| error_code(error, to.version).code())
            });
            OffsetCommitResponsePartition { partition_index, error_code }
        };
        let partitions: Vec<Vec<OffsetCommitResponsePartition>> = self
            .topics
            .iter()
            .map(|topic| topic.partitions.iter().copied().map(&mut partition).collect())
            .collect();
        let topics: Vec<OffsetCommitResponseTopic<'_>> = self
            .topics
            .iter()
            .zip(&partitions)
            .map(|(topic, partitions)| OffsetCommitResponseTopic {
                name: &topic.name,
                topic_id: topic.id,
                partitions: Array::new(partitions),
            })
            .collect();
        let response = OffsetCommitResponse { topics: Array::new(&topics), ..Default::default() };
        ctx.responder.respond(to.correlation_id, to.version, &response, []);
    }
}

//! DescribeTopicPartitions: topics and their partitions, page by page (KIP-966).
//!
//! Behaviour: topics come sorted by name; the cursor names the first partition of the next page; one
//! whose topic is not asked for, or gone, begins with the first topic behind it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::context::{Context, Frame, Handled};
use super::metadata::TOPIC_OPERATIONS;
use super::topics::is_internal;
use crate::metadata::{Topic, validate_topic_name};
use crate::protocol::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use crate::protocol::{Array, ErrorCode, Message as _};
use crate::types::NodeId;

/// A topic on a page: its name, itself if it exists, and the range of its partitions.
struct Shown<'a> {
    name: &'a str,
    topic: Option<&'a Arc<Topic>>,
    first: usize,
    end: usize,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = DescribeTopicPartitionsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a DescribeTopicPartitions request that cannot be decoded");
    };
    if request.cursor.is_some_and(|cursor| cursor.partition_index < 0) {
        let refused = request.topics.iter().map(|topic| DescribeTopicPartitionsResponseTopic {
            error_code: ErrorCode::InvalidRequest.code(),
            name: Some(topic.name),
            ..Default::default()
        });
        let refused: Vec<_> = refused.collect();
        let topics = Array::new(&refused);
        return ctx
            .respond(frame, &DescribeTopicPartitionsResponse { topics, ..Default::default() });
    }
    let image = Arc::clone(ctx.image);
    let from = request.cursor.map_or("", |cursor| cursor.topic_name);
    let names: BTreeSet<&str> = match request.topics.is_empty() {
        true => image.topics().map(|topic| &*topic.name).filter(|name| *name >= from).collect(),
        false => {
            request.topics.iter().map(|topic| topic.name).filter(|name| *name >= from).collect()
        }
    };
    let most = ctx.settings.network.partitions_described_max;
    let asked = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let mut left = asked.min(most).max(1);
    let mut shown = Vec::new();
    let mut next_cursor = None;
    for name in names {
        let first = request.cursor.filter(|cursor| cursor.topic_name == name);
        let first = first.map_or(0, |cursor| cursor.partition_index as usize);
        let topic = image.topic_named(name);
        let count = topic.map_or(0, |topic| topic.partitions.len());
        if left == 0 && topic.is_some() {
            next_cursor = Some(Cursor { topic_name: name, partition_index: 0 });
            break;
        }
        let first = first.min(count);
        let end = count.min(first + left);
        left -= end - first;
        shown.push(Shown { name, topic, first, end });
        if end < count {
            next_cursor = Some(Cursor { topic_name: name, partition_index: end as i32 });
            break;
        }
    }
    respond(ctx, frame, &shown, next_cursor)
}

fn respond(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    shown: &[Shown<'_>],
    next_cursor: Option<Cursor<'_>>,
) -> Handled {
    let numbers = |nodes: &[NodeId]| nodes.iter().map(|node| node.get()).collect::<Vec<i32>>();
    let nodes: Vec<Vec<(Vec<i32>, Vec<i32>)>> = shown
        .iter()
        .map(|Shown { topic, first, end, .. }| {
            let states = topic.map_or(&[][..], |topic| &topic.partitions[*first..*end]);
            let nodes = states.iter();
            nodes
                .map(|state| (numbers(&state.replicas), numbers(&state.in_sync_replicas)))
                .collect()
        })
        .collect();
    let partitions: Vec<Vec<DescribeTopicPartitionsResponsePartition<'_>>> =
        shown.iter().zip(&nodes).map(|(shown, nodes)| partitions_of(shown, nodes)).collect();
    let topics: Vec<DescribeTopicPartitionsResponseTopic<'_>> =
        shown.iter().zip(&partitions).map(|(shown, partitions)| topic(shown, partitions)).collect();
    let topics = Array::new(&topics);
    let response = DescribeTopicPartitionsResponse { topics, next_cursor, ..Default::default() };
    ctx.respond(frame, &response)
}

fn partitions_of<'a>(
    shown: &Shown<'_>,
    nodes: &'a [(Vec<i32>, Vec<i32>)],
) -> Vec<DescribeTopicPartitionsResponsePartition<'a>> {
    let states = shown.topic.map_or(&[][..], |topic| &topic.partitions[shown.first..shown.end]);
    (shown.first as i32..)
        .zip(states.iter().zip(nodes))
        .map(|(partition_index, (state, (replicas, in_sync)))| {
            let led = state.leader.get() >= 0;
            let error = if led { ErrorCode::None } else { ErrorCode::LeaderNotAvailable };
            DescribeTopicPartitionsResponsePartition {
                error_code: error.code(),
                partition_index,
                leader_id: state.leader.get(),
                leader_epoch: state.leader_epoch.get(),
                replica_nodes: Array::new(replicas),
                isr_nodes: Array::new(in_sync),
                eligible_leader_replicas: Some(Array::EMPTY),
                last_known_elr: Some(Array::EMPTY),
                offline_replicas: Array::EMPTY,
            }
        })
        .collect()
}

fn topic<'a>(
    shown: &Shown<'a>,
    partitions: &'a [DescribeTopicPartitionsResponsePartition<'a>],
) -> DescribeTopicPartitionsResponseTopic<'a> {
    let name = Some(shown.name);
    let Some(topic) = shown.topic else {
        let error = match validate_topic_name(shown.name) {
            Ok(()) => ErrorCode::UnknownTopicOrPartition,
            Err(_) => ErrorCode::InvalidTopicException,
        };
        let error_code = error.code();
        return DescribeTopicPartitionsResponseTopic { error_code, name, ..Default::default() };
    };
    DescribeTopicPartitionsResponseTopic {
        error_code: 0,
        name,
        topic_id: topic.id,
        is_internal: is_internal(&topic.name),
        partitions: Array::new(partitions),
        topic_authorized_operations: TOPIC_OPERATIONS,
    }
}

//! OffsetFetch: reads how far groups have consumed.

use super::context::{Context, Frame, Handled};
use super::error::group_error_code;
use super::group_call::{Caller, Respond, in_order};
use crate::coordinator::group::{
    FetchGroup, FetchRequest, FetchTopic, FetchedGroup, FetchedPartition, FetchedTopic, Request,
    Response,
};
use crate::protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use crate::protocol::{Array, ErrorCode, Message as _};
use crate::types::{LeaderEpoch, PartitionIndex, Uuid};

/// The first version whose response has an error for the whole group.
const GROUP_ERROR_FROM: i16 = 2;
/// The first version that asks about many groups.
const BATCHED_FROM: i16 = 8;
/// The first version that names topics by id.
const TOPIC_IDS_FROM: i16 = 10;

#[derive(Debug)]
struct OffsetFetch {
    /// The place of each group in the request.
    places: Vec<usize>,
    /// For each group in the order of the request, the partitions of topics whose id is unknown.
    unknown: Vec<Vec<FetchTopic>>,
    /// The topics of a request before [`GROUP_ERROR_FROM`], which get the group's error.
    topics: Vec<FetchTopic>,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = OffsetFetchRequest::decode(frame.body, frame.version) else {
        return Handled::Close("an OffsetFetch request that cannot be decoded");
    };
    let (groups, unknown): (Vec<FetchGroup>, Vec<Vec<FetchTopic>>) = if frame.version < BATCHED_FROM
    {
        (vec![only_group(&request)], vec![Vec::new()])
    } else {
        request.groups.iter().map(|group| look_up(ctx, frame.version, &group)).unzip()
    };
    let topics = match (&groups[..], frame.version) {
        ([only], ..GROUP_ERROR_FROM) => only.topics.clone().unwrap_or_default(),
        _ => Vec::new(),
    };
    let (shares, places) = ctx.shares(groups.into_iter(), |group| &group.group);
    let require_stable = request.require_stable;
    let questions = shares
        .into_iter()
        .map(|(id, groups)| (id, Request::Fetch(FetchRequest { groups, require_stable })))
        .collect();
    ctx.ask_groups(frame, questions, OffsetFetch { places, unknown, topics })
}

fn only_group(request: &OffsetFetchRequest<'_>) -> FetchGroup {
    let topics = request.topics.map(|topics| {
        let topics = topics.iter().map(|topic| FetchTopic {
            name: topic.name.to_owned(),
            id: Uuid::ZERO,
            partitions: topic.partition_indexes.iter().map(PartitionIndex::new).collect(),
        });
        topics.collect()
    });
    FetchGroup { group: request.group_id.to_owned(), member_id: None, member_epoch: -1, topics }
}

/// A group of the request, and apart from it the topics that do not exist.
fn look_up(
    ctx: &Context<'_>,
    version: i16,
    group: &OffsetFetchRequestGroup<'_>,
) -> (FetchGroup, Vec<FetchTopic>) {
    let mut unknown = Vec::new();
    let topics = group.topics.map(|topics| {
        let mut known = Vec::new();
        for topic in topics {
            let by_id = ctx.topics.by_id(topic.topic_id).map(|entry| entry.topic.name.to_string());
            let name = match version {
                ..TOPIC_IDS_FROM => Some(topic.name.to_owned()),
                _ => by_id,
            };
            let to = if name.is_some() { &mut known } else { &mut unknown };
            to.push(FetchTopic {
                name: name.unwrap_or_default(),
                id: topic.topic_id,
                partitions: topic.partition_indexes.iter().map(PartitionIndex::new).collect(),
            });
        }
        known
    });
    let group = FetchGroup {
        group: group.group_id.to_owned(),
        member_id: group.member_id.map(str::to_owned),
        member_epoch: group.member_epoch,
        topics,
    };
    (group, unknown)
}

impl Respond for OffsetFetch {
    fn respond(&self, ctx: &mut Context<'_>, answers: Vec<Response>, to: Caller) {
        let fetched = answers.into_iter().flat_map(|answer| match answer {
            Response::Fetch(groups) => groups,
            other => unreachable!("a fetch was answered by {other:?}"),
        });
        let mut groups = in_order(&self.places, fetched);
        if to.version < BATCHED_FROM {
            let group = groups.pop().expect("one group was asked about");
            return self.respond_one(ctx, &group, to);
        }
        if to.version >= TOPIC_IDS_FROM {
            for topics in groups.iter_mut().filter_map(|group| group.topics.as_mut().ok()) {
                for topic in topics.iter_mut().filter(|topic| topic.id == Uuid::ZERO) {
                    topic.id = ctx.topics.by_name(&topic.name).map_or(Uuid::ZERO, |e| e.topic.id);
                }
                // A topic that is gone has no id by which to speak of it.
                topics.retain(|topic| topic.id != Uuid::ZERO);
            }
        }
        self.respond_all(ctx, &groups, to);
    }
}

impl OffsetFetch {
    fn respond_one(&self, ctx: &mut Context<'_>, group: &FetchedGroup, to: Caller) {
        let code = group.topics.as_ref().err().map_or(0, |error| group_error_code(*error).code());
        let per_partition = code != 0 && to.version < GROUP_ERROR_FROM;
        let refused: Vec<FetchedTopic> = if per_partition {
            self.topics.iter().map(without_offsets).collect()
        } else {
            Vec::new()
        };
        let topics = group.topics.as_ref().unwrap_or(&refused);
        let partitions: Vec<Vec<OffsetFetchResponsePartition<'_>>> = topics
            .iter()
            .map(|topic| {
                let partitions = topic.partitions.iter().map(|partition| {
                    let error_code = if per_partition { code } else { 0 };
                    OffsetFetchResponsePartition {
                        partition_index: partition.partition.get(),
                        committed_offset: partition.offset.map_or(-1, |offset| offset.get()),
                        committed_leader_epoch: partition.leader_epoch.get(),
                        metadata: Some(&partition.metadata),
                        error_code,
                    }
                });
                partitions.collect()
            })
            .collect();
        let topics: Vec<OffsetFetchResponseTopic<'_>> = topics
            .iter()
            .zip(&partitions)
            .map(|(topic, partitions)| OffsetFetchResponseTopic {
                name: &topic.name,
                partitions: Array::new(partitions),
            })
            .collect();
        let response = OffsetFetchResponse {
            topics: Array::new(&topics),
            error_code: if per_partition { 0 } else { code },
            ..Default::default()
        };
        ctx.responder.respond(to.correlation_id, to.version, &response, []);
    }

    fn respond_all(&self, ctx: &mut Context<'_>, groups: &[FetchedGroup], to: Caller) {
        let partitions: Vec<Vec<Vec<OffsetFetchResponsePartitions<'_>>>> = groups
            .iter()
            .zip(&self.unknown)
            .map(|(group, unknown)| {
                let known = group.topics.iter().flatten().map(|topic| fetched(&topic.partitions));
                known.chain(unknown.iter().map(unknown_partitions)).collect()
            })
            .collect();
        let topics: Vec<Vec<OffsetFetchResponseTopics<'_>>> = groups
            .iter()
            .zip(&self.unknown)
            .zip(&partitions)
            .map(|((group, unknown), partitions)| {
                let known = group.topics.iter().flatten().map(|topic| (&topic.name, topic.id));
                let names = known.chain(unknown.iter().map(|topic| (&topic.name, topic.id)));
                let topics = names.zip(partitions).map(|((name, topic_id), partitions)| {
                    OffsetFetchResponseTopics { name, topic_id, partitions: Array::new(partitions) }
                });
                topics.collect()
            })
            .collect();
        let groups: Vec<OffsetFetchResponseGroup<'_>> = groups
            .iter()
            .zip(&topics)
            .map(|(group, topics)| {
                let error = group.topics.as_ref().err();
                OffsetFetchResponseGroup {
                    group_id: &group.group,
                    topics: if error.is_some() { Array::EMPTY } else { Array::new(topics) },
                    error_code: error.map_or(0, |error| group_error_code(*error).code()),
                }
            })
            .collect();
        let response = OffsetFetchResponse { groups: Array::new(&groups), ..Default::default() };
        ctx.responder.respond(to.correlation_id, to.version, &response, []);
    }
}

fn fetched(partitions: &[FetchedPartition]) -> Vec<OffsetFetchResponsePartitions<'_>> {
    partitions
        .iter()
        .map(|partition| OffsetFetchResponsePartitions {
            partition_index: partition.partition.get(),
            committed_offset: partition.offset.map_or(-1, |offset| offset.get()),
            committed_leader_epoch: partition.leader_epoch.get(),
            metadata: Some(&partition.metadata),
            error_code: 0,
        })
        .collect()
}

fn unknown_partitions(topic: &FetchTopic) -> Vec<OffsetFetchResponsePartitions<'_>> {
    topic
        .partitions
        .iter()
        .map(|partition| OffsetFetchResponsePartitions {
            partition_index: partition.get(),
            committed_offset: -1,
            committed_leader_epoch: -1,
            metadata: Some(""),
            error_code: ErrorCode::UnknownTopicId.code(),
        })
        .collect()
}

fn without_offsets(topic: &FetchTopic) -> FetchedTopic {
    let partition = |partition: &PartitionIndex| FetchedPartition {
        partition: *partition,
        offset: None,
        leader_epoch: LeaderEpoch::UNKNOWN,
        metadata: String::new(),
    };
    let partitions = topic.partitions.iter().map(partition).collect();
    FetchedTopic { name: topic.name.clone(), id: topic.id, partitions }
}

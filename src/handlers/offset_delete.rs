//! OffsetDelete: forgets offsets of topics that a group does not consume any more (KIP-496).

use super::context::{Context, Frame, Handled};
use super::error::group_error_code;
use super::group_call::{Caller, Respond, only};
use crate::coordinator::group::{DeleteOffsetsRequest, Request, Response};
use crate::protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
};
use crate::protocol::{Array, ErrorCode, Message as _};
use crate::types::PartitionIndex;

/// The request's topics, for the answer.
#[derive(Debug)]
struct OffsetDelete {
    topics: Vec<Topic>,
}

#[derive(Debug)]
struct Topic {
    name: String,
    /// Each partition, and why it is refused if the group is not asked about it.
    partitions: Vec<(i32, Option<ErrorCode>)>,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = OffsetDeleteRequest::decode(frame.body, frame.version) else {
        return Handled::Close("an OffsetDelete request that cannot be decoded");
    };
    let mut outline = Vec::new();
    let mut topics = Vec::new();
    for topic in request.topics {
        let indexes = || topic.partitions.iter().map(|partition| partition.partition_index);
        let exists = |index: i32| ctx.topics.partition(topic.name, index).is_some();
        let refused = |index| (!exists(index)).then_some(ErrorCode::UnknownTopicOrPartition);
        let partitions = indexes().map(|index| (index, refused(index))).collect();
        outline.push(Topic { name: topic.name.to_owned(), partitions });
        let known: Vec<PartitionIndex> =
            indexes().filter(|index| exists(*index)).map(PartitionIndex::new).collect();
        if !known.is_empty() {
            topics.push((topic.name.to_owned(), known));
        }
    }
    let delete = DeleteOffsetsRequest { group: request.group_id.to_owned(), topics };
    let id = ctx.partition_of_group(request.group_id);
    let question = (id, Request::DeleteOffsets(delete));
    ctx.ask_groups(frame, vec![question], OffsetDelete { topics: outline })
}

impl Respond for OffsetDelete {
    fn respond(&self, ctx: &mut Context<'_>, answers: Vec<Response>, to: Caller) {
        let Response::DeleteOffsets(result) = only(answers) else {
            unreachable!("a deletion was asked for")
        };
        let deleted = match result {
            Ok(deleted) => deleted,
            Err(error) => {
                let error_code = group_error_code(error).code();
                let response = OffsetDeleteResponse { error_code, ..Default::default() };
                return ctx.responder.respond(to.correlation_id, to.version, &response, []);
            }
        };
        let mut results = deleted.iter().flat_map(|topic| &topic.partitions);
        let mut partition = |(partition_index, refused): (i32, Option<ErrorCode>)| {
            let error_code = refused.map(ErrorCode::code).unwrap_or_else(|| {
                let (_, result) = results.next().expect("each partition is answered");
                result.err().map_or(0, |error| group_error_code(error).code())
            });
            OffsetDeleteResponsePartition { partition_index, error_code }
        };
        let partitions: Vec<Vec<OffsetDeleteResponsePartition>> = self
            .topics
            .iter()
            .map(|topic| topic.partitions.iter().copied().map(&mut partition).collect())
            .collect();
        let topics: Vec<OffsetDeleteResponseTopic<'_>> = self
            .topics
            .iter()
            .zip(&partitions)
            .map(|(topic, partitions)| OffsetDeleteResponseTopic {
                name: &topic.name,
                partitions: Array::new(partitions),
            })
            .collect();
        let response = OffsetDeleteResponse { topics: Array::new(&topics), ..Default::default() };
        ctx.responder.respond(to.correlation_id, to.version, &response, []);
    }
}

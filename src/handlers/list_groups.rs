//! ListGroups: every partition of `__consumer_offsets` is asked for its groups.

use super::context::{Context, Frame, Handled};
use super::error::group_error_code;
use super::group_call::{Caller, Respond};
use super::offsets_topic::OFFSETS_TOPIC;
use crate::coordinator::group::{ListRequest, ListedGroup, Request, Response};
use crate::protocol::messages::list_groups::{
    ListGroupsRequest, ListGroupsResponse, ListedGroup as Listed,
};
use crate::protocol::{Array, Message as _};
use crate::types::{PartitionIndex, TopicPartition};

#[derive(Debug)]
struct ListGroups;

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = ListGroupsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a ListGroups request that cannot be decoded");
    };
    let list = ListRequest {
        states: request.states_filter.iter().map(str::to_owned).collect(),
        types: request.types_filter.iter().map(str::to_owned).collect(),
    };
    let ids: Vec<TopicPartition> = ctx.topics.by_name(OFFSETS_TOPIC).map_or(Vec::new(), |entry| {
        let (topic, count) = (entry.topic.id, entry.topic.partitions.len() as i32);
        let id = |index| TopicPartition { topic, partition: PartitionIndex::new(index) };
        (0..count).map(id).collect()
    });
    let questions = ids.into_iter().map(|id| (Some(id), Request::List(list.clone()))).collect();
    ctx.ask_groups(frame, questions, ListGroups)
}

impl Respond for ListGroups {
    fn respond(&self, ctx: &mut Context<'_>, answers: Vec<Response>, to: Caller) {
        let mut error_code = 0;
        let mut groups = Vec::new();
        for answer in answers {
            let Response::List(result) = answer else { unreachable!("a list was asked for") };
            match result {
                Ok(listed) => groups.extend(listed),
                // What is known is told nevertheless, as by Kafka.
                Err(error) => error_code = group_error_code(error).code(),
            }
        }
        let listed: Vec<Listed<'_>> = groups
            .iter()
            .map(|group| Listed {
                group_id: &group.group,
                protocol_type: &group.protocol_type,
                group_state: group.state.name(),
                group_type: ListedGroup::TYPE,
            })
            .collect();
        let groups = Array::new(&listed);
        let response = ListGroupsResponse { error_code, groups, ..Default::default() };
        ctx.responder.respond(to.correlation_id, to.version, &response, []);
    }
}

//! DescribeGroups: state, members and assignments.

use super::context::{Context, Frame, Handled};
use super::error::group_error_code;
use super::group_call::{Caller, Respond, in_order};
use crate::coordinator::group::{DescribedGroup, GroupError, Request, Response};
use crate::protocol::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup as Described,
    DescribedGroupMember,
};
use crate::protocol::{Array, Message as _};

/// The first version in which a group that does not exist is an error (KIP-1043).
const NOT_FOUND_FROM: i16 = 6;
/// The bits of every operation on a group: read, delete, describe, and its settings.
const GROUP_OPERATIONS: i32 = 0b1101_0100_1000;
/// Not asked for.
const NO_OPERATIONS: i32 = i32::MIN;

#[derive(Debug)]
struct DescribeGroups {
    places: Vec<usize>,
    operations: i32,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = DescribeGroupsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a DescribeGroups request that cannot be decoded");
    };
    let asked = request.include_authorized_operations;
    let operations = if asked { GROUP_OPERATIONS } else { NO_OPERATIONS };
    let (shares, places) = ctx.shares(request.groups.iter().map(str::to_owned), |group| group);
    let questions =
        shares.into_iter().map(|(id, groups)| (id, Request::Describe { groups })).collect();
    ctx.ask_groups(frame, questions, DescribeGroups { places, operations })
}

impl Respond for DescribeGroups {
    fn respond(&self, ctx: &mut Context<'_>, answers: Vec<Response>, to: Caller) {
        let described = answers.into_iter().flat_map(|answer| match answer {
            Response::Describe(groups) => groups,
            other => unreachable!("a description was answered by {other:?}"),
        });
        let groups = in_order(&self.places, described);
        let members: Vec<Vec<DescribedGroupMember<'_>>> = groups.iter().map(members_of).collect();
        let groups: Vec<Described<'_>> = groups
            .iter()
            .zip(&members)
            .map(|(group, members)| Described {
                error_code: error_code(group, to.version),
                error_message: group.message.as_deref(),
                group_id: &group.group,
                group_state: group.state.name(),
                protocol_type: &group.protocol_type,
                protocol_data: &group.protocol,
                members: Array::new(members),
                authorized_operations: self.operations,
            })
            .collect();
        let response = DescribeGroupsResponse { groups: Array::new(&groups), ..Default::default() };
        ctx.responder.respond(to.correlation_id, to.version, &response, []);
    }
}

fn error_code(group: &DescribedGroup, version: i16) -> i16 {
    let known =
        |error: &GroupError| version >= NOT_FOUND_FROM || *error != GroupError::GroupIdNotFound;
    group.error.filter(known).map_or(0, |error| group_error_code(error).code())
}

fn members_of(group: &DescribedGroup) -> Vec<DescribedGroupMember<'_>> {
    group
        .members
        .iter()
        .map(|member| DescribedGroupMember {
            member_id: &member.member_id,
            group_instance_id: member.instance_id.as_deref(),
            client_id: &member.client_id,
            client_host: &member.client_host,
            member_metadata: &member.metadata,
            member_assignment: &member.assignment,
        })
        .collect()
}

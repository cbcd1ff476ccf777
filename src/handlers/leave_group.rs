//! LeaveGroup: members leave their group, or are sent away.

use super::context::{Context, Frame, Handled};
use super::error::group_error_code;
use super::group_call::{Caller, Respond, only};
use crate::coordinator::group::{GroupError, LeaveRequest, LeavingMember, Request, Response};
use crate::protocol::messages::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberResponse,
};
use crate::protocol::{Array, Message as _};

/// The first version that names many members.
const BATCHED_FROM: i16 = 3;

#[derive(Debug)]
struct LeaveGroup;

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = LeaveGroupRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a LeaveGroup request that cannot be decoded");
    };
    let members = if frame.version < BATCHED_FROM {
        let member_id = request.member_id.to_owned();
        vec![LeavingMember { member_id, instance_id: None, reason: None }]
    } else {
        let members = request.members.iter().map(|member| LeavingMember {
            member_id: member.member_id.to_owned(),
            instance_id: member.group_instance_id.map(str::to_owned),
            reason: member.reason.map(str::to_owned),
        });
        members.collect()
    };
    let leave = LeaveRequest { group: request.group_id.to_owned(), members };
    let id = ctx.partition_of_group(request.group_id);
    ctx.ask_groups(frame, vec![(id, Request::Leave(leave))], LeaveGroup)
}

impl Respond for LeaveGroup {
    fn respond(&self, ctx: &mut Context<'_>, answers: Vec<Response>, to: Caller) {
        let Response::Leave(result) = only(answers) else { unreachable!("a leave was asked for") };
        let code = |result: Result<(), GroupError>| {
            result.err().map_or(0, |error| group_error_code(error).code())
        };
        let (left, mut error_code) = match result {
            Ok(left) => (left, 0),
            Err(error) => (Vec::new(), group_error_code(error).code()),
        };
        if let ([only], ..BATCHED_FROM) = (&left[..], to.version) {
            error_code = code(only.result);
        }
        let members: Vec<MemberResponse<'_>> = left
            .iter()
            .map(|left| MemberResponse {
                member_id: &left.member_id,
                group_instance_id: left.instance_id.as_deref(),
                error_code: code(left.result),
            })
            .collect();
        let members = if to.version < BATCHED_FROM { &[][..] } else { &members };
        let members = Array::new(members);
        let response = LeaveGroupResponse { error_code, members, ..Default::default() };
        ctx.responder.respond(to.correlation_id, to.version, &response, []);
    }
}

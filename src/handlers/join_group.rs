//! JoinGroup: a member joins its group or the next generation of it. The answer comes when all
//! have joined or the rebalance timed out.

use core::time::Duration;

use super::context::{Context, Frame, Handled};
use super::error::group_error_code;
use super::group_call::{Caller, Respond, only};
use crate::coordinator::group::{JoinRefused, JoinRequest, Joined, Request, Response};
use crate::protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember,
};
use crate::protocol::{Array, Message as _};

/// The first version whose clients take a member id before they join (KIP-394).
const MEMBER_ID_FROM: i16 = 4;
/// The first version in which a response may be without a protocol.
const NO_PROTOCOL_FROM: i16 = 7;
/// The first version whose leaders may be told to keep the assignment (KIP-814).
const SKIP_ASSIGNMENT_FROM: i16 = 9;

#[derive(Debug)]
struct JoinGroup;

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = JoinGroupRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a JoinGroup request that cannot be decoded");
    };
    let protocols = request
        .protocols
        .iter()
        .map(|protocol| (protocol.name.to_owned(), protocol.metadata.into()));
    let session_timeout = millis(request.session_timeout_ms);
    let join = JoinRequest {
        group: request.group_id.to_owned(),
        member_id: request.member_id.to_owned(),
        instance_id: request.group_instance_id.map(str::to_owned),
        client_id: frame.client_id.unwrap_or_default().to_owned(),
        client_host: format!("/{}", frame.peer),
        session_timeout,
        rebalance_timeout: match frame.version {
            0 => session_timeout,
            _ => millis(request.rebalance_timeout_ms),
        },
        protocol_type: request.protocol_type.to_owned(),
        protocols: protocols.collect(),
        reason: request.reason.map(str::to_owned),
        takes_member_id: frame.version >= MEMBER_ID_FROM,
        can_skip_assignment: frame.version >= SKIP_ASSIGNMENT_FROM,
    };
    let id = ctx.partition_of_group(request.group_id);
    ctx.ask_groups(frame, vec![(id, Request::Join(join))], JoinGroup)
}

fn millis(millis: i32) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

impl Respond for JoinGroup {
    fn respond(&self, ctx: &mut Context<'_>, answers: Vec<Response>, to: Caller) {
        let Response::Join(result) = only(answers) else { unreachable!("a join was asked for") };
        match result {
            Ok(joined) => respond_joined(ctx, &joined, to),
            Err(JoinRefused { error, member_id }) => {
                let response = JoinGroupResponse {
                    error_code: group_error_code(error).code(),
                    generation_id: -1,
                    protocol_name: (to.version < NO_PROTOCOL_FROM).then_some(""),
                    member_id: &member_id,
                    ..Default::default()
                };
                ctx.responder.respond(to.correlation_id, to.version, &response, []);
            }
        }
    }
}

fn respond_joined(ctx: &mut Context<'_>, joined: &Joined, to: Caller) {
    let members: Vec<JoinGroupResponseMember<'_>> = joined
        .members
        .iter()
        .map(|member| JoinGroupResponseMember {
            member_id: &member.member_id,
            group_instance_id: member.instance_id.as_deref(),
            metadata: &member.metadata,
        })
        .collect();
    let no_protocol = (to.version < NO_PROTOCOL_FROM).then_some("");
    let response = JoinGroupResponse {
        generation_id: joined.generation,
        protocol_type: joined.protocol_type.as_deref(),
        protocol_name: joined.protocol.as_deref().or(no_protocol),
        leader: &joined.leader,
        skip_assignment: joined.skip_assignment,
        member_id: &joined.member_id,
        members: Array::new(&members),
        ..Default::default()
    };
    ctx.responder.respond(to.correlation_id, to.version, &response, []);
}

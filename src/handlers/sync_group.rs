//! SyncGroup: the leader brings the assignment, everybody gets theirs.

use super::context::{Context, Frame, Handled};
use super::error::group_error_code;
use super::group_call::{Caller, Respond, only};
use crate::coordinator::group::{Request, Response, SyncRequest};
use crate::protocol::Message as _;
use crate::protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

#[derive(Debug)]
struct SyncGroup;

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = SyncGroupRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a SyncGroup request that cannot be decoded");
    };
    let assignments = request
        .assignments
        .iter()
        .map(|assigned| (assigned.member_id.to_owned(), assigned.assignment.into()));
    let sync = SyncRequest {
        group: request.group_id.to_owned(),
        generation: request.generation_id,
        member_id: request.member_id.to_owned(),
        instance_id: request.group_instance_id.map(str::to_owned),
        protocol_type: request.protocol_type.map(str::to_owned),
        protocol: request.protocol_name.map(str::to_owned),
        assignments: assignments.collect(),
    };
    let id = ctx.partition_of_group(request.group_id);
    ctx.ask_groups(frame, vec![(id, Request::Sync(sync))], SyncGroup)
}

impl Respond for SyncGroup {
    fn respond(&self, ctx: &mut Context<'_>, answers: Vec<Response>, to: Caller) {
        let Response::Sync(result) = only(answers) else { unreachable!("a sync was asked for") };
        let response = match &result {
            Ok(synced) => SyncGroupResponse {
                protocol_type: synced.protocol_type.as_deref(),
                protocol_name: synced.protocol.as_deref(),
                assignment: &synced.assignment,
                ..Default::default()
            },
            Err(error) => SyncGroupResponse {
                error_code: group_error_code(*error).code(),
                ..Default::default()
            },
        };
        ctx.responder.respond(to.correlation_id, to.version, &response, []);
    }
}

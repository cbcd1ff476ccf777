//! Heartbeat: keeps a member in its group, and tells it of a rebalance.

use super::context::{Context, Frame, Handled};
use super::error::group_error_code;
use super::group_call::{Caller, Respond, only};
use crate::coordinator::group::{HeartbeatRequest as Beat, Request, Response};
use crate::protocol::Message as _;
use crate::protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};

#[derive(Debug)]
struct Heartbeat;

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = HeartbeatRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a Heartbeat request that cannot be decoded");
    };
    let beat = Beat {
        group: request.group_id.to_owned(),
        generation: request.generation_id,
        member_id: request.member_id.to_owned(),
        instance_id: request.group_instance_id.map(str::to_owned),
    };
    let id = ctx.partition_of_group(request.group_id);
    ctx.ask_groups(frame, vec![(id, Request::Heartbeat(beat))], Heartbeat)
}

impl Respond for Heartbeat {
    fn respond(&self, ctx: &mut Context<'_>, answers: Vec<Response>, to: Caller) {
        let Response::Heartbeat(result) = only(answers) else {
            unreachable!("a heartbeat was asked for")
        };
        let error_code = result.err().map_or(0, |error| group_error_code(error).code());
        let response = HeartbeatResponse { error_code, ..Default::default() };
        ctx.responder.respond(to.correlation_id, to.version, &response, []);
    }
}

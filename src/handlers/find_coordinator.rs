//! FindCoordinator: there is no coordinator yet, for groups as for transactions, and the answer says
//! so. Clients try again and report it.

use super::context::{Context, Frame, Handled};
use crate::protocol::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
use crate::protocol::{Array, ErrorCode, Message as _};

/// The first version that asks for many keys.
const BATCHED_FROM: i16 = 4;
const KEY_TYPE_MAX: i8 = 2;
const MESSAGE: &str = "this broker does not coordinate groups or transactions yet";

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = FindCoordinatorRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a FindCoordinator request that cannot be decoded");
    };
    let known = (0..=KEY_TYPE_MAX).contains(&request.key_type);
    let error = if known { ErrorCode::CoordinatorNotAvailable } else { ErrorCode::InvalidRequest };
    let error_code = error.code();
    if frame.version < BATCHED_FROM {
        let response = FindCoordinatorResponse {
            error_code,
            error_message: Some(MESSAGE),
            node_id: -1,
            port: -1,
            ..Default::default()
        };
        return ctx.respond(frame, &response);
    }
    let coordinators: Vec<Coordinator<'_>> = request
        .coordinator_keys
        .iter()
        .map(|key| Coordinator {
            key,
            node_id: -1,
            port: -1,
            error_code,
            error_message: Some(MESSAGE),
            ..Default::default()
        })
        .collect();
    let coordinators = Array::new(&coordinators);
    ctx.respond(frame, &FindCoordinatorResponse { coordinators, ..Default::default() })
}

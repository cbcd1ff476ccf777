//! UnregisterBroker: takes a broker that is gone out of the cluster. The one that answers is not gone:
//! unlike Kafka, it does not take itself out while it serves.

use super::context::{Context, Frame, Handled};
use crate::protocol::messages::unregister_broker::{
    UnregisterBrokerRequest, UnregisterBrokerResponse,
};
use crate::protocol::{ErrorCode, Message as _};

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = UnregisterBrokerRequest::decode(frame.body, frame.version) else {
        return Handled::Close("an UnregisterBroker request that cannot be decoded");
    };
    let (code, reason) = if request.broker_id == ctx.identity.node.get() {
        (ErrorCode::InvalidRequest, "the broker is running: stop it first")
    } else {
        (ErrorCode::BrokerIdNotRegistered, "no broker has registered under this id")
    };
    let response = UnregisterBrokerResponse {
        error_code: code.code(),
        error_message: Some(reason),
        ..Default::default()
    };
    ctx.respond(frame, &response)
}

//! InitProducerId: hands an idempotent producer its id. Ids come in blocks from the controller,
//! each durable before its first id is used.

use super::context::{Context, Frame, Handled, Responder};
use super::operation::Kind;
use crate::controller::{Answer, Command};
use crate::protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::protocol::{ErrorCode, Message as _};
use crate::types::ProducerId;

/// A request under way.
#[derive(Debug)]
pub struct InitProducerId {
    version: i16,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = InitProducerIdRequest::decode(frame.body, frame.version) else {
        return Handled::Close("an InitProducerId request that cannot be decoded");
    };
    if let Some(error) = refused(&request) {
        let response = InitProducerIdResponse {
            error_code: error.code(),
            producer_epoch: -1,
            ..Default::default()
        };
        return ctx.respond(frame, &response);
    }
    match ctx.producer_ids.take() {
        Some(id) => ctx.respond(frame, &granted(id)),
        None => {
            ctx.command(Command::AllocateProducerIds);
            Handled::Pending(Kind::InitProducerId(InitProducerId { version: frame.version }))
        }
    }
}

/// A producer without transactional id always gets a new id; the id and epoch that it may name are
/// of no use then (KIP-360), but must be both there or not.
fn refused(request: &InitProducerIdRequest<'_>) -> Option<ErrorCode> {
    match request.transactional_id {
        Some("") => Some(ErrorCode::InvalidRequest),
        // There is no coordinator for transactions yet; FindCoordinator has said so.
        Some(_) => Some(ErrorCode::UnsupportedVersion),
        None if (request.producer_id < 0) != (request.producer_epoch < 0) => {
            Some(ErrorCode::InvalidRequest)
        }
        None => None,
    }
}

fn granted(id: ProducerId) -> InitProducerIdResponse {
    InitProducerIdResponse { producer_id: id.get(), producer_epoch: 0, ..Default::default() }
}

impl InitProducerId {
    /// The controller has handed out a block.
    pub(super) fn commanded(&self, ctx: &mut Context<'_>, answer: Answer, correlation_id: i32) {
        let Answer::ProducerIds(first) = answer else {
            unreachable!("producer ids were answered by {answer:?}")
        };
        let id = ctx.producer_ids.take().unwrap_or_else(|| {
            ctx.producer_ids.refill(first);
            ctx.producer_ids.take().expect("a block has ids")
        });
        write(ctx.responder, correlation_id, self.version, id);
    }
}

fn write(responder: &mut Responder, correlation_id: i32, version: i16, id: ProducerId) {
    responder.respond(correlation_id, version, &granted(id), []);
}

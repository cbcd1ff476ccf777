//! AlterClientQuotas: the quotas of users, clients and addresses (KIP-546).

use super::context::{Context, Frame, Handled};
use super::operation::Kind;
use crate::controller::{Answer, Command, QuotaAlteration};
use crate::metadata::{QuotaEntity, QuotaValue};
use crate::protocol::messages::alter_client_quotas::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, AlteredEntry, EntityData,
};
use crate::protocol::{Array, ErrorCode, Message as _};

/// A request under way.
#[derive(Debug)]
pub struct AlterClientQuotas {
    version: i16,
    entities: Vec<QuotaEntity>,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = AlterClientQuotasRequest::decode(frame.body, frame.version) else {
        return Handled::Close("an AlterClientQuotas request that cannot be decoded");
    };
    let alterations = request.entries.iter().map(|entry| {
        let parts = entry.entity.iter();
        let quotas = entry
            .ops
            .iter()
            .map(|op| (op.key.to_owned(), (!op.remove).then(|| QuotaValue::new(op.value))));
        QuotaAlteration {
            entity: parts
                .map(|part| (part.entity_type.to_owned(), part.entity_name.map(str::to_owned)))
                .collect(),
            quotas: quotas.collect(),
        }
    });
    let alterations: Vec<QuotaAlteration> = alterations.collect();
    let entities = alterations.iter().map(|alteration| alteration.entity.clone()).collect();
    ctx.command(Command::AlterQuotas { alterations, validate_only: request.validate_only });
    let operation = AlterClientQuotas { version: frame.version, entities };
    Handled::Pending(Kind::AlterClientQuotas(Box::new(operation)))
}

impl AlterClientQuotas {
    /// The controller has answered.
    pub(super) fn commanded(&self, ctx: &mut Context<'_>, answer: Answer, correlation_id: i32) {
        let Answer::QuotasAltered(results) = answer else {
            unreachable!("an alteration of quotas was answered by {answer:?}")
        };
        let entities: Vec<Vec<EntityData<'_>>> = self
            .entities
            .iter()
            .map(|entity| {
                let parts = entity.iter();
                parts
                    .map(|(entity_type, entity_name)| EntityData {
                        entity_type,
                        entity_name: entity_name.as_deref(),
                    })
                    .collect()
            })
            .collect();
        let entries: Vec<AlteredEntry<'_>> = results
            .iter()
            .zip(&entities)
            .map(|(result, entity)| AlteredEntry {
                error_code: match result {
                    Ok(()) => ErrorCode::None.code(),
                    Err(_) => ErrorCode::InvalidRequest.code(),
                },
                error_message: result.as_ref().err().map(String::as_str),
                entity: Array::new(entity),
            })
            .collect();
        let entries = Array::new(&entries);
        let response = AlterClientQuotasResponse { entries, ..Default::default() };
        ctx.responder.respond(correlation_id, self.version, &response, []);
    }
}

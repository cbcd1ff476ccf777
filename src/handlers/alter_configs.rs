//! AlterConfigs and IncrementalAlterConfigs: the settings of topics, brokers, groups and subscriptions
//! to clients' metrics (KIP-339).
//!
//! Behaviour: AlterConfigs replaces everything that a resource has of its own; both answer each
//! resource by itself, once every shard lives by the new settings.

use super::context::{Context, Frame, Handled};
use super::error::alter_settings_error_code;
use super::operation::Kind;
use crate::config::Operation;
use crate::controller::{Alteration, Answer, Command, SettingChange};
use crate::protocol::messages::alter_configs::{self, AlterConfigsRequest, AlterConfigsResponse};
use crate::protocol::messages::incremental_alter_configs::{
    self, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use crate::protocol::{Array, ErrorCode, Message as _};

/// A request of either API under way.
#[derive(Debug)]
pub struct AlterConfigs {
    version: i16,
    incremental: bool,
    /// Types and names, in the order of the request.
    resources: Vec<(i8, String)>,
}

/// Handles a request that replaces settings.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = AlterConfigsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("an AlterConfigs request that cannot be decoded");
    };
    let alterations = request.resources.iter().map(|resource| {
        let changes = resource.configs.iter().map(|config| SettingChange {
            name: config.name.to_owned(),
            operation: Some(Operation::Set),
            value: config.value.map(str::to_owned),
        });
        Alteration {
            resource_type: resource.resource_type,
            resource: resource.resource_name.to_owned(),
            changes: changes.collect(),
            replaces: true,
        }
    });
    begin(ctx, frame, false, alterations.collect(), request.validate_only)
}

/// Handles a request that changes settings one by one.
pub(super) fn handle_incremental(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = IncrementalAlterConfigsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("an IncrementalAlterConfigs request that cannot be decoded");
    };
    let alterations = request.resources.iter().map(|resource| {
        let changes = resource.configs.iter().map(|config| SettingChange {
            name: config.name.to_owned(),
            operation: operation(config.config_operation),
            value: config.value.map(str::to_owned),
        });
        Alteration {
            resource_type: resource.resource_type,
            resource: resource.resource_name.to_owned(),
            changes: changes.collect(),
            replaces: false,
        }
    });
    begin(ctx, frame, true, alterations.collect(), request.validate_only)
}

/// Kafka's numbers (`AlterConfigOp.OpType`).
fn operation(number: i8) -> Option<Operation> {
    match number {
        0 => Some(Operation::Set),
        1 => Some(Operation::Delete),
        2 => Some(Operation::Append),
        3 => Some(Operation::Subtract),
        _ => None,
    }
}

fn begin(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    incremental: bool,
    alterations: Vec<Alteration>,
    validate_only: bool,
) -> Handled {
    let resources = alterations
        .iter()
        .map(|alteration| (alteration.resource_type, alteration.resource.clone()));
    let operation =
        AlterConfigs { version: frame.version, incremental, resources: resources.collect() };
    ctx.command(Command::AlterSettings { alterations, validate_only });
    Handled::Pending(Kind::AlterConfigs(Box::new(operation)))
}

impl AlterConfigs {
    /// The controller has answered.
    pub(super) fn commanded(&self, ctx: &mut Context<'_>, answer: Answer, correlation_id: i32) {
        let Answer::Altered(results) = answer else {
            unreachable!("an alteration was answered by {answer:?}")
        };
        let rows: Vec<(i16, Option<String>)> = results
            .iter()
            .map(|result| match result {
                Ok(()) => (ErrorCode::None.code(), None),
                Err(error) => (alter_settings_error_code(error).code(), Some(error.to_string())),
            })
            .collect();
        let rows = rows.iter().zip(&self.resources);
        if self.incremental {
            let responses: Vec<_> = rows
                .map(|((error_code, message), (resource_type, resource_name))| {
                    incremental_alter_configs::AlterConfigsResourceResponse {
                        error_code: *error_code,
                        error_message: message.as_deref(),
                        resource_type: *resource_type,
                        resource_name,
                    }
                })
                .collect();
            let responses = Array::new(&responses);
            let response = IncrementalAlterConfigsResponse { responses, ..Default::default() };
            return ctx.responder.respond(correlation_id, self.version, &response, []);
        }
        let responses: Vec<_> = rows
            .map(|((error_code, message), (resource_type, resource_name))| {
                alter_configs::AlterConfigsResourceResponse {
                    error_code: *error_code,
                    error_message: message.as_deref(),
                    resource_type: *resource_type,
                    resource_name,
                }
            })
            .collect();
        let response =
            AlterConfigsResponse { responses: Array::new(&responses), ..Default::default() };
        ctx.responder.respond(correlation_id, self.version, &response, []);
    }
}

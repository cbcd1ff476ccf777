//! UpdateFeatures: moves features of the cluster to other levels (KIP-584): all, or none.

use super::context::{Context, Frame, Handled};
use super::error::feature_update_error_code;
use super::operation::Kind;
use crate::controller::{Answer, Command, FeatureUpdate};
use crate::protocol::messages::update_features::{
    UpdatableFeatureResult, UpdateFeaturesRequest, UpdateFeaturesResponse,
};
use crate::protocol::{Array, ErrorCode, Message as _};

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

/// A request under way.
#[derive(Debug)]
pub struct UpdateFeatures {
    version: i16,
    names: Vec<String>,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = UpdateFeaturesRequest::decode(frame.body, frame.version) else {
        return Handled::Close("an UpdateFeatures request that cannot be decoded");
    };
    let updates = request.feature_updates.iter().map(|update| FeatureUpdate {
        name: update.feature.to_owned(),
        level: update.max_version_level,
        downgrade: match frame.version {
            0 => Some(update.allow_downgrade),
            _ => match update.upgrade_type {
                UPGRADE => Some(false),
                SAFE_DOWNGRADE | UNSAFE_DOWNGRADE => Some(true),
                _ => None,
            },
        },
    });
    let updates: Vec<FeatureUpdate> = updates.collect();
    let names = updates.iter().map(|update| update.name.clone()).collect();
    ctx.command(Command::UpdateFeatures { updates, validate_only: request.validate_only });
    let operation = UpdateFeatures { version: frame.version, names };
    Handled::Pending(Kind::UpdateFeatures(Box::new(operation)))
}

impl UpdateFeatures {
    /// The controller has answered. The first error stands for all: there are results of single
    /// features only where there is none, and before version 2.
    pub(super) fn commanded(&self, ctx: &mut Context<'_>, answer: Answer, correlation_id: i32) {
        let Answer::FeaturesUpdated(results) = answer else {
            unreachable!("an update of features was answered by {answer:?}")
        };
        let rows: Vec<(i16, Option<String>)> = results
            .iter()
            .map(|result| match result {
                Ok(()) => (ErrorCode::None.code(), None),
                Err(error) => (feature_update_error_code(error).code(), Some(error.to_string())),
            })
            .collect();
        let first = rows.iter().find(|(code, _)| *code != 0);
        let results: Vec<UpdatableFeatureResult<'_>> = rows
            .iter()
            .zip(&self.names)
            .map(|((error_code, message), feature)| UpdatableFeatureResult {
                feature,
                error_code: *error_code,
                error_message: message.as_deref(),
            })
            .collect();
        let response = UpdateFeaturesResponse {
            error_code: first.map_or(0, |(code, _)| *code),
            error_message: first.and_then(|(_, message)| message.as_deref()),
            results: if first.is_none() { Array::new(&results) } else { Array::EMPTY },
            ..Default::default()
        };
        ctx.responder.respond(correlation_id, self.version, &response, []);
    }
}

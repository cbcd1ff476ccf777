//! ApiVersions: what this broker serves. The first request of every connection.
//!
//! Behaviour: a version that is not known is answered in version 0 with UNSUPPORTED_VERSION and the
//! ranges (KIP-511). Produce is advertised from version 0 although 0 to 2 are refused, because
//! librdkafka looks for them before it compresses (KAFKA-18659).

use super::context::{Context, Frame, Handled};
use super::table;
use crate::controller::FEATURES;
use crate::protocol::messages::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use crate::protocol::{ApiKey, Array, ErrorCode, Message as _};

/// Handles a request in a version that is served.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = ApiVersionsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("an ApiVersions request that cannot be decoded");
    };
    let valid = |name: &str| {
        let inside = |letter: char| letter.is_ascii_alphanumeric();
        name.starts_with(inside)
            && name.ends_with(inside)
            && name.chars().all(|letter| inside(letter) || "-.".contains(letter))
    };
    let named = frame.version >= 3;
    if named && !(valid(request.client_software_name) && valid(request.client_software_version)) {
        let error_code = ErrorCode::InvalidRequest.code();
        return ctx.respond(frame, &ApiVersionsResponse { error_code, ..Default::default() });
    }
    let cluster_id = ctx.image.cluster_id.to_string();
    let other_cluster = request.cluster_id.is_some_and(|expected| expected != cluster_id);
    let other_node = request.node_id >= 0 && request.node_id != ctx.identity.node.get();
    let error_code = if frame.version >= 5 && (other_cluster || other_node) {
        ErrorCode::RebootstrapRequired.code()
    } else {
        0
    };
    respond(ctx, frame, error_code)
}

/// Answers a request in a version that is not served.
pub(super) fn unsupported(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let frame = Frame { version: 0, ..*frame };
    respond(ctx, &frame, ErrorCode::UnsupportedVersion.code())
}

fn respond(ctx: &mut Context<'_>, frame: &Frame<'_>, error_code: i16) -> Handled {
    let keys: Vec<ApiVersion> = table::served()
        .map(|(api, versions)| ApiVersion {
            api_key: api.key(),
            min_version: if api == ApiKey::Produce { 0 } else { *versions.start() },
            max_version: *versions.end(),
        })
        .collect();
    let image = std::sync::Arc::clone(ctx.image);
    let supported = FEATURES.map(|feature| SupportedFeatureKey {
        name: feature.name,
        min_version: feature.level_min,
        max_version: feature.level_max,
    });
    let finalized: Vec<FinalizedFeatureKey<'_>> = image
        .features
        .iter()
        .map(|(name, level)| FinalizedFeatureKey {
            name,
            max_version_level: *level,
            min_version_level: *level,
        })
        .collect();
    let response = ApiVersionsResponse {
        error_code,
        api_keys: Array::new(&keys),
        supported_features: Array::new(&supported),
        finalized_features_epoch: image.at.index as i64,
        finalized_features: Array::new(&finalized),
        ..Default::default()
    };
    ctx.respond(frame, &response)
}

//! ListConfigResources: which resources there are that have settings (KIP-1142).
//!
//! Behaviour: version 0 knows subscriptions to clients' metrics only; groups and subscriptions are
//! listed when they have settings of their own; no type at all means every type.

use super::context::{Context, Frame, Handled};
use crate::metadata::{Image, resource_type};
use crate::protocol::messages::list_config_resources::{
    ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use crate::protocol::{Array, ErrorCode, Message as _};

const TYPES: [i8; 5] = [
    resource_type::TOPIC,
    resource_type::BROKER,
    resource_type::BROKER_LOGGER,
    resource_type::CLIENT_METRICS,
    resource_type::GROUP,
];

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = ListConfigResourcesRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a ListConfigResources request that cannot be decoded");
    };
    let wanted: Vec<i8> = request.resource_types.iter().collect();
    if wanted.iter().any(|wanted| !TYPES.contains(wanted)) {
        let error_code = ErrorCode::UnsupportedVersion.code();
        return ctx
            .respond(frame, &ListConfigResourcesResponse { error_code, ..Default::default() });
    }
    let is_wanted = |kind: &i8| match frame.version {
        0 => *kind == resource_type::CLIENT_METRICS,
        _ => wanted.is_empty() || wanted.contains(kind),
    };
    let image = std::sync::Arc::clone(ctx.image);
    let named: Vec<(i8, String)> = TYPES
        .into_iter()
        .filter(is_wanted)
        .flat_map(|kind| names(&image, kind).into_iter().map(move |name| (kind, name)))
        .collect();
    let resources: Vec<ConfigResource<'_>> = named
        .iter()
        .map(|(resource_type, resource_name)| ConfigResource {
            resource_name,
            resource_type: *resource_type,
        })
        .collect();
    let config_resources = Array::new(&resources);
    ctx.respond(frame, &ListConfigResourcesResponse { config_resources, ..Default::default() })
}

fn names(image: &Image, kind: i8) -> Vec<String> {
    match kind {
        resource_type::TOPIC => image.topics().map(|topic| topic.name.to_string()).collect(),
        resource_type::BROKER | resource_type::BROKER_LOGGER => {
            image.brokers.keys().map(ToString::to_string).collect()
        }
        _ => image.resources(kind).map(str::to_owned).collect(),
    }
}

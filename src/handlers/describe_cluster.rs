//! DescribeCluster: the brokers of the cluster (KIP-700).

use super::context::{Context, Frame, Handled};
use crate::protocol::messages::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};
use crate::protocol::{Array, ErrorCode, Message as _};

const BROKERS: i8 = 1;

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = DescribeClusterRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a DescribeCluster request that cannot be decoded");
    };
    let image = ctx.image;
    let cluster_id = image.cluster_id.to_string();
    if request.endpoint_type != BROKERS {
        let response = DescribeClusterResponse {
            error_code: ErrorCode::MismatchedEndpointType.code(),
            error_message: Some("this is a broker: ask it for brokers, not for controllers"),
            cluster_id: "",
            ..Default::default()
        };
        return ctx.respond(frame, &response);
    }
    let brokers: Vec<DescribeClusterBroker<'_>> = image
        .brokers
        .values()
        .map(|broker| DescribeClusterBroker {
            broker_id: broker.id.get(),
            host: &broker.host,
            port: i32::from(broker.port),
            rack: broker.rack.as_deref(),
            is_fenced: false,
        })
        .collect();
    let response = DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: &cluster_id,
        controller_id: ctx.identity.node.get(),
        brokers: Array::new(&brokers),
        cluster_authorized_operations: super::metadata::cluster_operations(
            request.include_cluster_authorized_operations,
        ),
        ..Default::default()
    };
    ctx.respond(frame, &response)
}

//! AlterPartitionReassignments: moves partitions between brokers (KIP-455). There is one broker: a
//! partition that is to be where it is already stays there, and everything else is refused.

use super::context::{Context, Frame, Handled};
use crate::controller::check_assignment;
use crate::metadata::Image;
use crate::protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition,
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use crate::protocol::{Array, ErrorCode, Message as _};
use crate::types::NodeId;

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = AlterPartitionReassignmentsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("an AlterPartitionReassignments request that cannot be decoded");
    };
    let may_grow = request.allow_replication_factor_change;
    let results: Vec<Vec<(i32, ErrorCode, String)>> = request
        .topics
        .iter()
        .map(|topic| {
            let judge = |partition: ReassignablePartition<'_>| {
                let judged = reassign(ctx.image, topic.name, &partition, may_grow);
                let (code, reason) = judged.err().unwrap_or((ErrorCode::None, String::new()));
                (partition.partition_index, code, reason)
            };
            topic.partitions.iter().map(judge).collect()
        })
        .collect();
    let partitions: Vec<Vec<ReassignablePartitionResponse<'_>>> =
        results.iter().map(|results| results.iter().map(response).collect()).collect();
    let responses: Vec<ReassignableTopicResponse<'_>> = request
        .topics
        .iter()
        .zip(&partitions)
        .map(|(topic, partitions)| ReassignableTopicResponse {
            name: topic.name,
            partitions: Array::new(partitions),
        })
        .collect();
    let response = AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: may_grow,
        responses: Array::new(&responses),
        ..Default::default()
    };
    ctx.respond(frame, &response)
}

fn response(result: &(i32, ErrorCode, String)) -> ReassignablePartitionResponse<'_> {
    let (partition_index, code, reason) = result;
    ReassignablePartitionResponse {
        partition_index: *partition_index,
        error_code: code.code(),
        error_message: code.is_error().then_some(reason.as_str()),
    }
}

fn reassign(
    image: &Image,
    topic: &str,
    wanted: &ReassignablePartition<'_>,
    may_grow: bool,
) -> Result<(), (ErrorCode, String)> {
    let index = usize::try_from(wanted.partition_index).ok();
    let topic = image.topic_named(topic);
    let Some(state) = topic.zip(index).and_then(|(topic, index)| topic.partitions.get(index))
    else {
        let reason = "there is no such partition".to_owned();
        return Err((ErrorCode::UnknownTopicOrPartition, reason));
    };
    let Some(replicas) = wanted.replicas else {
        let reason = "the partition is not being moved".to_owned();
        return Err((ErrorCode::NoReassignmentInProgress, reason));
    };
    let replicas: Vec<NodeId> = replicas.iter().map(NodeId::new).collect();
    check_assignment(image, &replicas, None)
        .map_err(|error| (ErrorCode::InvalidReplicaAssignment, error.to_string()))?;
    if !may_grow && replicas.len() != state.replicas.len() {
        let reason = format!("the partition has {} replicas", state.replicas.len());
        return Err((ErrorCode::InvalidReplicationFactor, reason));
    }
    if replicas == state.replicas {
        return Ok(());
    }
    let reason = "brokers do not replicate to each other yet".to_owned();
    Err((ErrorCode::InvalidReplicaAssignment, reason))
}

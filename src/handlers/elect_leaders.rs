//! ElectLeaders: the preferred leader of a partition takes over (KIP-183, KIP-460). With one replica
//! each, it always leads already, and there is nothing to elect.
//!
//! Behaviour: asked for all partitions, only those are named for which something was done.

use super::context::{Context, Frame, Handled};
use crate::metadata::Image;
use crate::protocol::messages::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
};
use crate::protocol::{Array, ErrorCode, Message as _};

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = ElectLeadersRequest::decode(frame.body, frame.version) else {
        return Handled::Close("an ElectLeaders request that cannot be decoded");
    };
    let is_known = [PREFERRED, UNCLEAN].contains(&request.election_type);
    let topics = request.topic_partitions.unwrap_or(Array::EMPTY);
    let results: Vec<Vec<PartitionResult<'_>>> = topics
        .iter()
        .map(|topic| {
            let partitions = topic.partitions.iter();
            let result = |partition| result(ctx.image, is_known, topic.topic, partition);
            partitions.map(result).collect()
        })
        .collect();
    let results: Vec<ReplicaElectionResult<'_>> = topics
        .iter()
        .zip(&results)
        .map(|(topic, results)| ReplicaElectionResult {
            topic: topic.topic,
            partition_result: Array::new(results),
        })
        .collect();
    let replica_election_results = Array::new(&results);
    let error = if is_known { ErrorCode::None } else { ErrorCode::InvalidRequest };
    let response = ElectLeadersResponse {
        error_code: error.code(),
        replica_election_results,
        ..Default::default()
    };
    ctx.respond(frame, &response)
}

fn result(
    image: &Image,
    is_known: bool,
    topic: &str,
    partition_id: i32,
) -> PartitionResult<'static> {
    let state = image.topic_named(topic).and_then(|topic| {
        let index = usize::try_from(partition_id).ok()?;
        topic.partitions.get(index)
    });
    let (code, reason) = match state {
        _ if !is_known => (ErrorCode::InvalidRequest, "there is no such kind of election"),
        Some(_) => (ErrorCode::ElectionNotNeeded, "the only replica leads already"),
        None => (ErrorCode::UnknownTopicOrPartition, "there is no such partition"),
    };
    PartitionResult { partition_id, error_code: code.code(), error_message: Some(reason) }
}

//! AlterReplicaLogDirs: moves replicas between directories (KIP-113). There is one: whatever exists is
//! in it already, and there is no other.

use std::collections::BTreeMap;

use super::context::{Context, Frame, Handled};
use crate::protocol::messages::alter_replica_log_dirs::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
};
use crate::protocol::{Array, ErrorCode, Message as _};

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = AlterReplicaLogDirsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("an AlterReplicaLogDirs request that cannot be decoded");
    };
    let own = ctx.store.log_directory().0.to_string();
    let mut results = BTreeMap::<&str, Vec<AlterReplicaLogDirPartitionResult>>::new();
    for directory in request.dirs {
        for topic in directory.topics {
            let result = |partition_index| {
                let error = if directory.path != own {
                    ErrorCode::LogDirNotFound
                } else if ctx.topics.partition(topic.name, partition_index).is_none() {
                    ErrorCode::UnknownTopicOrPartition
                } else {
                    ErrorCode::None
                };
                AlterReplicaLogDirPartitionResult { partition_index, error_code: error.code() }
            };
            results.entry(topic.name).or_default().extend(topic.partitions.iter().map(result));
        }
    }
    let results: Vec<AlterReplicaLogDirTopicResult<'_>> = results
        .iter()
        .map(|(topic_name, partitions)| AlterReplicaLogDirTopicResult {
            topic_name,
            partitions: Array::new(partitions),
        })
        .collect();
    let results = Array::new(&results);
    ctx.respond(frame, &AlterReplicaLogDirsResponse { results, ..Default::default() })
}

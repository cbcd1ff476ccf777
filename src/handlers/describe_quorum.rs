//! DescribeQuorum: who votes on the metadata log, and how far everyone is (KIP-595, KIP-836). This
//! broker is the only voter.

use super::context::{Context, Frame, Handled};
use crate::protocol::messages::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, Listener, Node, PartitionQuorum, ReplicaState,
    TopicQuorum,
};
use crate::protocol::{Array, ErrorCode, Message as _};

/// What Kafka calls its metadata log.
const TOPIC: &str = "__cluster_metadata";
/// What tools expect the listener of a controller to be called; it is that for clients.
const LISTENER: &str = "CONTROLLER";

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = DescribeQuorumRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a DescribeQuorum request that cannot be decoded");
    };
    let (node, at, now) = (ctx.identity.node.get(), ctx.image.at, ctx.now.timestamp.get());
    // Offsets count from 0, entries from 1.
    let end = at.index as i64;
    let voters = [ReplicaState {
        replica_id: node,
        replica_directory_id: ctx.store.log_directory().1,
        log_end_offset: end,
        last_fetch_timestamp: now,
        last_caught_up_timestamp: now,
    }];
    let quorum = |topic: &str, partition_index| {
        if topic != TOPIC || partition_index != 0 {
            return PartitionQuorum {
                partition_index,
                error_code: ErrorCode::UnknownTopicOrPartition.code(),
                error_message: Some("only the metadata log has a quorum"),
                ..Default::default()
            };
        }
        PartitionQuorum {
            partition_index,
            leader_id: node,
            leader_epoch: i32::try_from(at.term).unwrap_or(i32::MAX),
            high_watermark: end,
            current_voters: Array::new(&voters),
            ..Default::default()
        }
    };
    let partitions: Vec<Vec<PartitionQuorum<'_>>> = request
        .topics
        .iter()
        .map(|topic| {
            let partitions = topic.partitions.iter();
            partitions.map(|wanted| quorum(topic.topic_name, wanted.partition_index)).collect()
        })
        .collect();
    let topics: Vec<TopicQuorum<'_>> = request
        .topics
        .iter()
        .zip(&partitions)
        .map(|(topic, partitions)| TopicQuorum {
            topic_name: topic.topic_name,
            partitions: Array::new(partitions),
        })
        .collect();
    let identity = ctx.identity;
    let listeners = [Listener { name: LISTENER, host: &identity.host, port: identity.port }];
    let nodes = [Node { node_id: node, listeners: Array::new(&listeners) }];
    let (topics, nodes) = (Array::new(&topics), Array::new(&nodes));
    ctx.respond(frame, &DescribeQuorumResponse { topics, nodes, ..Default::default() })
}

//! Where a partition begins and ends, and where a time lies in it (ListOffsets).

use std::collections::BTreeMap;

use super::{ClientError, Cluster, Patience, TopicInfo};
use crate::protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use crate::protocol::{ApiKey, Array};
use crate::types::{Offset, Timestamp};

/// Which offset is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OffsetAt {
    /// The log start offset.
    Start,
    /// The high watermark: behind the last record that may be seen.
    End,
    /// The first record of this time or later; the end when there is none.
    Time(Timestamp),
}

impl OffsetAt {
    fn wire(self) -> i64 {
        match self {
            Self::Start => -2,
            Self::End => -1,
            Self::Time(timestamp) => timestamp.get(),
        }
    }
}

/// The offsets of partitions of a topic, each asked at its leader. `topic` is brought up to date
/// when leaders have moved.
///
/// # Errors
/// A partition does not exist, or no leader answers in time.
pub fn offsets(
    cluster: &mut Cluster,
    topic: &mut TopicInfo,
    partitions: &[i32],
    at: OffsetAt,
    mut patience: Patience,
) -> Result<BTreeMap<i32, Offset>, ClientError> {
    let mut found = BTreeMap::new();
    loop {
        let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for partition in partitions.iter().filter(|partition| !found.contains_key(*partition)) {
            by_leader.entry(topic.leader(*partition)).or_default().push(*partition);
        }
        let mut failure = None;
        for (leader, partitions) in by_leader {
            let asked = ask(cluster, leader, &topic.name, &partitions, at, &mut found);
            if let Err(error) = asked {
                if matches!(error, ClientError::Disconnected { .. }) {
                    cluster.disconnect(leader);
                }
                failure = Some(error);
            }
        }
        let Some(error) = failure else { break };
        patience.after(error)?;
        if let Ok(newer) = cluster.topic(&topic.name, false) {
            *topic = newer;
        }
    }
    let unknown: Vec<i32> =
        found.iter().filter(|(_, offset)| offset.get() < 0).map(|(it, _)| *it).collect();
    if at != OffsetAt::End && !unknown.is_empty() {
        found.extend(offsets(cluster, topic, &unknown, OffsetAt::End, patience)?);
    }
    Ok(found)
}

fn ask(
    cluster: &mut Cluster,
    leader: i32,
    topic: &str,
    partitions: &[i32],
    at: OffsetAt,
    found: &mut BTreeMap<i32, Offset>,
) -> Result<(), ClientError> {
    let partitions: Vec<ListOffsetsPartition> = partitions
        .iter()
        .map(|partition| ListOffsetsPartition {
            partition_index: *partition,
            current_leader_epoch: -1,
            timestamp: at.wire(),
        })
        .collect();
    let topics = [ListOffsetsTopic { name: topic, partitions: Array::new(&partitions) }];
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: Array::new(&topics),
        timeout_ms: 30_000,
        ..Default::default()
    };
    let connection = cluster.node(leader)?;
    let version = connection.version(ApiKey::ListOffsets, i16::MAX)?;
    let pending = connection.send(version, &request)?;
    let answer = connection.receive(pending)?;
    let response: ListOffsetsResponse<'_> = answer.decode()?;
    let mut failure = None;
    for partition in response.topics.iter().flat_map(|topic| topic.partitions) {
        let index = partition.partition_index;
        if partition.error_code == 0 {
            found.insert(index, Offset::new(partition.offset));
        } else {
            let what = format!("offsets of {topic} partition {index}");
            failure = Some(ClientError::refused(what, partition.error_code, None));
        }
    }
    failure.map_or(Ok(()), Err)
}

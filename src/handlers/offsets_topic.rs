//! The topic that holds groups and committed offsets, one partition for each coordinator.

use super::context::Context;
use super::topics::Topics;
use crate::config::BrokerSettings;
use crate::controller::NewTopic;
use crate::coordinator::group;
use crate::metadata::Image;
use crate::types::TopicPartition;

/// The topic's name.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Replicas where the setting does not say: as many as there are brokers, up to this.
const REPLICAS_MAX: usize = 3;

/// The topic as it is to be created.
pub(super) fn offsets_topic(settings: &BrokerSettings, image: &Image) -> NewTopic {
    let offsets = &settings.offsets;
    let up_to = image.brokers.len().min(REPLICAS_MAX) as i16;
    let setting = |name: &str, value: String| (name.to_owned(), Some(value));
    NewTopic {
        name: OFFSETS_TOPIC.to_owned(),
        partitions: offsets.partitions,
        replication_factor: offsets.replication_factor.unwrap_or(up_to),
        assignments: Vec::new(),
        settings: vec![
            setting("cleanup.policy", "compact".to_owned()),
            setting("compression.type", "producer".to_owned()),
            setting("segment.bytes", offsets.segment_bytes_max.to_string()),
        ],
    }
}

/// The partition of the topic that holds a group; none while there is no topic.
pub(super) fn partition_of(topics: &Topics, group: &str) -> Option<TopicPartition> {
    let topic = &topics.by_name(OFFSETS_TOPIC)?.topic;
    let partition = group::partition_of(group, topic.partitions.len() as i32);
    Some(TopicPartition { topic: topic.id, partition })
}

impl Context<'_> {
    /// As [`partition_of`].
    pub(super) fn partition_of_group(&self, group: &str) -> Option<TopicPartition> {
        partition_of(self.topics, group)
    }
}

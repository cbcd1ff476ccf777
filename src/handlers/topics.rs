//! The topics of the image with their settings resolved, as this broker sees them.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{BrokerSettings, TopicSettings};
use crate::log::LogSettings;
use crate::metadata::{Image, Topic};
use crate::partition::{Durability, PartitionSettings};
use crate::record::{Compression, Rules, TimestampRule, Validation};
use crate::types::{Map, PartitionIndex, Timestamp, TopicPartition, Uuid};

/// Whether clients may not write to a topic of this name.
pub(super) fn is_internal(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

/// A topic.
#[derive(Clone, Debug)]
pub struct TopicEntry {
    /// What the image says.
    pub topic: Arc<Topic>,
    /// Its settings, resolved.
    pub settings: Arc<TopicSettings>,
}

impl TopicEntry {
    /// Whether clients may not write to it.
    pub fn is_internal(&self) -> bool {
        is_internal(&self.topic.name)
    }

    /// What a client's batch has to keep to.
    pub fn rules(&self, _broker: &BrokerSettings, now: Timestamp, zstd_allowed: bool) -> Rules {
        Rules {
            bytes_max: self.settings.message_bytes_max,
            section_bytes_max: 1 << 30,
            zstd_allowed,
            transactional_allowed: false,
            keys_required: false,
            timestamps: if self.settings.log_append_time {
                TimestampRule::LogAppendTime
            } else {
                TimestampRule::CreateTime { before_max_ms: i64::MAX, after_max_ms: 3_600_000 }
            },
            validation: Validation::HeaderOnly,
            now,
        }
    }

    /// The time that all records get, in topics that want that.
    pub fn log_append_time(&self, now: Timestamp) -> Option<Timestamp> {
        self.settings.log_append_time.then_some(now)
    }

    /// The codec that every batch is brought into, unless the producer's is kept.
    pub fn compression(&self) -> Option<Compression> {
        None
    }

    /// What one of its partitions needs.
    pub fn partition_settings(&self) -> PartitionSettings {
        PartitionSettings {
            log: LogSettings {
                segment_bytes: self.settings.segment_bytes,
                segment_age_max: Duration::from_secs(7 * 86400),
                index_interval_bytes: 4096,
                index_bytes_max: 10 << 20,
            },
            durability: if self.settings.memory { Durability::Memory } else { Durability::Disk },
        }
    }
}

/// All topics.
#[derive(Debug, Default)]
pub struct Topics {
    by_id: Map<Uuid, TopicEntry>,
    by_name: Map<Arc<str>, Uuid>,
}

impl Topics {
    /// The topic of that id.
    pub fn by_id(&self, id: Uuid) -> Option<&TopicEntry> {
        self.by_id.get(&id)
    }

    /// The topic of that name.
    pub fn by_name(&self, name: &str) -> Option<&TopicEntry> {
        self.by_id.get(self.by_name.get(name)?)
    }

    /// A partition that exists.
    pub fn partition(&self, name: &str, partition: i32) -> Option<TopicPartition> {
        let topic = &self.by_name(name)?.topic;
        let index = usize::try_from(partition).ok()?;
        (index < topic.partitions.len())
            .then(|| TopicPartition { topic: topic.id, partition: PartitionIndex::new(partition) })
    }

    /// Takes over what an image says of some topics.
    pub fn update(&mut self, image: &Image, changed: &[Uuid], broker: &BrokerSettings) {
        for id in changed {
            let Some(topic) = image.topic(*id) else {
                if let Some(gone) = self.by_id.remove(id) {
                    self.by_name.remove(&gone.topic.name);
                }
                continue;
            };
            // The controller has checked the settings before it decided them.
            let settings = TopicSettings::resolve(&topic.settings, broker)
                .expect("settings that were accepted");
            let entry = TopicEntry { topic: Arc::clone(topic), settings: Arc::new(settings) };
            self.by_id.insert(*id, entry);
            self.by_name.insert(Arc::clone(&topic.name), *id);
        }
    }

    /// The rows of a topic's settings.
    pub fn describe(
        &self,
        _broker: &BrokerSettings,
        _overrides: &BTreeMap<String, String>,
    ) -> Vec<()> {
        Vec::new()
    }
}

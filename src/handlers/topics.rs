//! The topics of the image with their settings resolved, as this broker sees them.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::offsets_topic::OFFSETS_TOPIC;
use crate::config::{self, BrokerSettings, Described, Timestamps, TopicSettings, describe_topic};
use crate::log::LogSettings;
use crate::metadata::{Image, Topic};
use crate::partition::{Durability, PartitionSettings};
use crate::prng::Prng;
use crate::record::{Codec, Compression, Rules, SECTION_BYTES_MAX, TimestampRule, Validation};
use crate::types::{Map, PartitionIndex, Timestamp, TopicPartition, Uuid};

/// Whether clients may not write to a topic of this name.
pub(super) fn is_internal(name: &str) -> bool {
    matches!(name, OFFSETS_TOPIC | "__transaction_state" | "__share_group_state")
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
    pub fn rules(&self, broker: &BrokerSettings, now: Timestamp, zstd_allowed: bool) -> Rules {
        Rules {
            bytes_max: self.settings.message_bytes_max,
            section_bytes_max: SECTION_BYTES_MAX,
            zstd_allowed,
            transactional_allowed: false,
            keys_required: self.settings.cleanup.compact,
            timestamps: match self.settings.timestamps {
                Timestamps::LogAppendTime => TimestampRule::LogAppendTime,
                Timestamps::CreateTime { before_max_ms, after_max_ms } => {
                    TimestampRule::CreateTime { before_max_ms, after_max_ms }
                }
            },
            validation: match broker.storage.validation {
                config::Validation::Header => Validation::HeaderOnly,
                config::Validation::Full => Validation::Full,
            },
            now,
        }
    }

    /// The time that all records get, in topics that want that.
    pub fn log_append_time(&self, now: Timestamp) -> Option<Timestamp> {
        (self.settings.timestamps == Timestamps::LogAppendTime).then_some(now)
    }

    /// The codec that every batch is brought into, unless the producer's is kept.
    pub fn compression(&self) -> Option<Compression> {
        let with_level =
            |codec, level| Compression::with_level(codec, level).unwrap_or(Compression::new(codec));
        Some(match self.settings.compression {
            config::Compression::Producer => return None,
            config::Compression::Uncompressed => Compression::new(Codec::None),
            config::Compression::Gzip(None) => Compression::new(Codec::Gzip),
            config::Compression::Gzip(Some(level)) => with_level(Codec::Gzip, level.into()),
            config::Compression::Snappy => Compression::new(Codec::Snappy),
            config::Compression::Lz4(level) => with_level(Codec::Lz4, level.into()),
            config::Compression::Zstd(level) => with_level(Codec::Zstd, level),
        })
    }

    /// What one of its partitions needs.
    pub fn partition_settings(&self, partition: PartitionIndex) -> PartitionSettings {
        let segments = &self.settings.segments;
        // What brokers keep for themselves is never acknowledged before it is on disk.
        let cleanup = self.settings.cleanup;
        // The active segment is not compacted, so it must not become older than records may wait.
        let age_max = match cleanup.compact {
            true => segments.age_max.min(cleanup.compaction_lag_max),
            false => segments.age_max,
        };
        let memory = self.settings.durability == config::Durability::Memory && !self.is_internal();
        PartitionSettings {
            log: LogSettings {
                segment_bytes: segments.bytes_max,
                segment_age_max: age_max.saturating_sub(self.jitter(partition)),
                index_interval_bytes: segments.index_interval_bytes,
                index_bytes_max: segments.index_bytes_max,
            },
            durability: if memory { Durability::Memory } else { Durability::Disk },
            cleanup,
        }
    }

    /// The partition's share of the jitter, the same after every start.
    fn jitter(&self, partition: PartitionIndex) -> Duration {
        let segments = &self.settings.segments;
        let max = segments.jitter_max.min(segments.age_max).as_millis();
        let Some(bound) = u64::try_from(max).ok().filter(|bound| *bound > 0) else {
            return Duration::ZERO;
        };
        let (high, low) = self.topic.id.halves();
        let mut dice = Prng::new(high ^ low.rotate_left(32) ^ partition.get() as u64);
        Duration::from_millis(dice.below(bound))
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
            let settings = TopicSettings::resolve_fitting(&topic.settings, broker);
            let entry = TopicEntry { topic: Arc::clone(topic), settings: Arc::new(settings) };
            self.by_id.insert(*id, entry);
            self.by_name.insert(Arc::clone(&topic.name), *id);
        }
    }

    /// A topic's settings as clients are told of them, sorted by name.
    pub fn describe(
        &self,
        broker: &BrokerSettings,
        overrides: &BTreeMap<String, String>,
        wanted: impl Fn(&str) -> bool,
    ) -> Vec<Described> {
        let mut rows = describe_topic(broker, overrides, wanted);
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Machine, Sources};

    fn broker(overrides: &[&str]) -> BrokerSettings {
        let machine = Machine { memory_bytes: 1 << 30, cores: 2 };
        let sources = Sources { file: None, overrides, machine, strict: true };
        BrokerSettings::resolve(&sources).unwrap().settings
    }

    fn entry(name: &str, id: u64, overrides: &[(&str, &str)]) -> TopicEntry {
        let settings: BTreeMap<String, String> = overrides
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        TopicEntry {
            settings: Arc::new(TopicSettings::resolve(&settings, &broker(&[])).unwrap()),
            topic: Arc::new(Topic {
                id: Uuid::from_halves(id, id),
                name: name.into(),
                partitions: Vec::new(),
                settings: Arc::new(settings),
            }),
        }
    }

    #[test]
    fn rules_follow_the_topic_and_the_broker() {
        let now = Timestamp::new(5);
        let plain = entry("a", 1, &[]).rules(&broker(&[]), now, true);
        assert_eq!(plain.bytes_max, 1_048_588);
        assert!(!plain.keys_required && plain.validation == Validation::HeaderOnly);
        let defaults =
            TimestampRule::CreateTime { before_max_ms: i64::MAX, after_max_ms: 3_600_000 };
        assert_eq!(plain.timestamps, defaults);
        let strict = entry(
            "a",
            1,
            &[
                ("cleanup.policy", "delete,compact"),
                ("max.message.bytes", "100"),
                ("message.timestamp.before.max.ms", "7"),
                ("message.timestamp.after.max.ms", "8"),
            ],
        );
        let rules = strict.rules(&broker(&["produce.validation=full"]), now, false);
        assert_eq!(rules.bytes_max, 100);
        assert!(rules.keys_required && rules.validation == Validation::Full);
        let range = TimestampRule::CreateTime { before_max_ms: 7, after_max_ms: 8 };
        assert_eq!(rules.timestamps, range);
        assert_eq!(strict.log_append_time(now), None);
        let stamped = entry("a", 1, &[("message.timestamp.type", "LogAppendTime")]);
        assert_eq!(stamped.log_append_time(now), Some(now));
        let rules = stamped.rules(&broker(&[]), now, true);
        assert_eq!(rules.timestamps, TimestampRule::LogAppendTime);
    }

    #[test]
    fn compression_has_its_level() {
        let of = |overrides: &[(&str, &str)]| entry("a", 1, overrides).compression();
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("compression.type", "uncompressed")]), Some(Compression::default()));
        let name = "compression.type";
        for (codec, level, number) in [
            (Codec::Gzip, "compression.gzip.level", 1),
            (Codec::Lz4, "compression.lz4.level", 17),
            (Codec::Zstd, "compression.zstd.level", -5),
        ] {
            let plain = of(&[(name, codec.name())]);
            assert_eq!(plain, Some(Compression::new(codec)));
            let with_level = of(&[(name, codec.name()), (level, &number.to_string())]);
            assert_eq!(with_level, Compression::with_level(codec, number));
            assert_ne!(with_level, plain);
        }
        assert_eq!(of(&[(name, "snappy")]), Some(Compression::new(Codec::Snappy)));
    }

    #[test]
    fn partitions_roll_apart_and_the_same_way_after_every_start() {
        let age = 1_000_000;
        let jittered =
            |id| entry("a", id, &[("segment.ms", "1000000"), ("segment.jitter.ms", "500000")]);
        let ages = |id: u64| -> Vec<u128> {
            let entry = jittered(id);
            (0..20)
                .map(|index| entry.partition_settings(PartitionIndex::new(index)))
                .map(|settings| settings.log.segment_age_max.as_millis())
                .collect()
        };
        assert_eq!(ages(1), ages(1));
        assert_ne!(ages(1), ages(2));
        assert!(ages(1).iter().all(|one| (age - 500_000..=age).contains(one)));
        let mut distinct = ages(1);
        distinct.sort_unstable();
        distinct.dedup();
        assert!(distinct.len() > 15);
        let plain = entry("a", 1, &[("segment.ms", "7"), ("index.interval.bytes", "9")]);
        let log = plain.partition_settings(PartitionIndex::new(0)).log;
        assert_eq!(log.segment_age_max, Duration::from_millis(7));
        assert_eq!((log.segment_bytes, log.index_interval_bytes), (1 << 30, 9));
    }

    #[test]
    fn internal_topics_are_always_on_disk() {
        let durability = |name, overrides: &[(&str, &str)]| {
            entry(name, 1, overrides).partition_settings(PartitionIndex::new(0)).durability
        };
        let memory = ("ack.durability", "memory");
        assert_eq!(durability("a", &[]), Durability::Disk);
        assert_eq!(durability("a", &[memory]), Durability::Memory);
        assert_eq!(durability("a", &[memory, ("flush.messages", "1")]), Durability::Memory);
        assert_eq!(durability("__consumer_offsets", &[memory]), Durability::Disk);
    }

    #[test]
    fn settings_that_the_broker_contradicts_by_now_give_way() {
        let mut topics = Topics::default();
        let id = Uuid::from_halves(1, 1);
        let setting = |name: &str, value: &str| crate::metadata::MetadataRecord::Setting {
            resource_type: crate::metadata::resource_type::TOPIC,
            resource: "a".to_owned(),
            name: name.to_owned(),
            value: Some(value.to_owned()),
        };
        let topic = crate::metadata::MetadataRecord::Topic { id, name: "a".to_owned() };
        let entry = crate::metadata::MetadataEntry {
            at: crate::metadata::LogIndex { term: 1, index: 1 },
            records: vec![
                topic,
                setting("min.compaction.lag.ms", "5000"),
                setting("cleanup.policy", "compact"),
                setting("retention.ms", "-1"),
            ],
        };
        let image = Image::new(Uuid::ZERO).apply(&entry).unwrap();
        topics.update(&image, &[id], &broker(&["log.cleaner.max.compaction.lag.ms=1000"]));
        let cleanup = topics.by_name("a").unwrap().settings.cleanup;
        assert_eq!(cleanup.compaction_lag_min, Duration::ZERO);
        assert!(cleanup.compact && !cleanup.delete && cleanup.retention.is_none(), "kept");
    }
}

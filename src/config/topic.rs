//! A topic's settings: its own over the broker's.

use core::time::Duration;
use std::collections::BTreeMap;

use super::alteration::fitting;
use super::broker::BrokerSettings;
use super::definition::{Definition, Inherited};
use super::definitions;
use super::error::{self, Place, SettingError};
use super::layers::Layers;
use super::reader::{self, Found, Reader};

/// When an append is acknowledged: `ack.durability`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// When it is on disk on every replica that counts.
    Disk,
    /// When it is in memory; a killed process may lose the last milliseconds.
    Memory,
}

impl Durability {
    pub(super) fn from_name(name: &str) -> Self {
        if name == "memory" { Self::Memory } else { Self::Disk }
    }
}

/// How batches are stored: `compression.type` and the levels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    /// As the producer sent them.
    Producer,
    /// Without compression.
    Uncompressed,
    /// By gzip with this level, from 1 to 9; none for the codec's own choice.
    Gzip(Option<u8>),
    /// By snappy.
    Snappy,
    /// By lz4 with this level, from 1 to 17.
    Lz4(u8),
    /// By zstd with this level, from -131,072 to 22.
    Zstd(i32),
}

/// Whose timestamps records have: `message.timestamp.*`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timestamps {
    /// Their producers', in a range around the time of the append.
    CreateTime {
        /// How far back they may lie, in milliseconds.
        before_max_ms: i64,
        /// How far ahead they may lie, in milliseconds.
        after_max_ms: i64,
    },
    /// The time of the append.
    LogAppendTime,
}

/// When segments are closed, and how they are indexed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentSettings {
    /// The size at which a segment is closed.
    pub bytes_max: u64,
    /// The age at which a segment is closed.
    pub age_max: Duration,
    /// How much earlier than that chance may close it.
    pub jitter_max: Duration,
    /// The size at which a full index closes its segment.
    pub index_bytes_max: u64,
    /// How many bytes lie between two entries of an index.
    pub index_interval_bytes: u64,
    /// Whether Kafka would take the full size at once.
    pub preallocate: bool,
}

/// What is removed: `cleanup.policy`, retention, compaction.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CleanupSettings {
    /// Whether old segments are deleted.
    pub delete: bool,
    /// Whether only the newest record of each key is kept.
    pub compact: bool,
    /// How long records are kept; none for ever.
    pub retention: Option<Duration>,
    /// How many bytes of a partition are kept; none without a bound.
    pub retention_bytes: Option<u64>,
    /// How long the files of a removed segment stay on disk.
    pub file_delete_delay: Duration,
    /// The part of a log that has to be uncompacted before it is compacted.
    pub dirty_ratio_min: f64,
    /// How long a compacted log keeps the marks of deleted keys.
    pub delete_retention: Duration,
    /// How long a record is safe from compaction.
    pub compaction_lag_min: Duration,
    /// How long a record may wait for compaction.
    pub compaction_lag_max: Duration,
}

/// Everything a topic's settings amount to.
#[derive(Clone, PartialEq, Debug)]
pub struct TopicSettings {
    /// When an append is acknowledged.
    pub durability: Durability,
    /// The largest record batch, its header included.
    pub message_bytes_max: usize,
    /// How batches are stored.
    pub compression: Compression,
    /// Whose timestamps records have.
    pub timestamps: Timestamps,
    /// Replicas that have to hold a record before acks=all is answered.
    pub in_sync_replicas_min: u32,
    /// Whether a replica that lacks records may lead when no other is left.
    pub unclean_leader_election: bool,
    /// When segments are closed.
    pub segments: SegmentSettings,
    /// What is removed.
    pub cleanup: CleanupSettings,
    /// Records after which Kafka would flush; see [`TopicSettings::durability`].
    pub flush_messages: u64,
    /// Time after which Kafka would flush.
    pub flush_interval: Duration,
    /// Replicas whose leaders are throttled, as `partition:broker` or `*`.
    pub leader_throttled_replicas: Vec<String>,
    /// Replicas whose followers are throttled, as `partition:broker` or `*`.
    pub follower_throttled_replicas: Vec<String>,
}

impl TopicSettings {
    /// Resolves a topic's own settings over those of the broker, as Kafka does when they are
    /// written. Names have to be known.
    ///
    /// # Errors
    /// The first setting that cannot be; Kafka's code for it is INVALID_CONFIG.
    pub fn resolve(
        overrides: &BTreeMap<String, String>,
        broker: &BrokerSettings,
    ) -> Result<Self, SettingError> {
        Self::over(broker.layers(), overrides)
    }

    /// Resolves settings that were checked when they were given, over a broker that may have others
    /// by now: of those that do not go together, the topic gives way with as few as can be. Without
    /// its retention it would lose records.
    pub fn resolve_fitting(overrides: &BTreeMap<String, String>, broker: &BrokerSettings) -> Self {
        Self::resolve(overrides, broker).unwrap_or_else(|_| {
            let kept = fitting(overrides, |kept| Self::resolve(kept, broker).is_ok());
            Self::resolve(&kept, broker).unwrap_or_else(|_| broker.topic_defaults.clone())
        })
    }

    pub(super) fn over(
        layers: &Layers,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Self, SettingError> {
        check_each(overrides)?;
        let value = |definition: &'static Definition| value_of(layers, overrides, definition);
        let reader = Reader::new(definitions::topic_setting, &value);
        let settings = Self {
            durability: durability(&reader, overrides)?,
            message_bytes_max: reader.whole("max.message.bytes")?,
            compression: compression(&reader)?,
            timestamps: timestamps(&reader)?,
            in_sync_replicas_min: reader.whole("min.insync.replicas")?,
            unclean_leader_election: reader.boolean("unclean.leader.election.enable")?,
            segments: segments(&reader)?,
            cleanup: cleanup(&reader)?,
            flush_messages: reader.whole("flush.messages")?,
            flush_interval: reader.millis("flush.ms")?,
            leader_throttled_replicas: reader.list("leader.replication.throttled.replicas")?,
            follower_throttled_replicas: reader.list("follower.replication.throttled.replicas")?,
        };
        check_remote(&reader)?;
        Ok(settings)
    }
}

/// The value of a topic's setting: its own, the broker's, or the default.
pub(super) fn value_of(
    layers: &Layers,
    overrides: &BTreeMap<String, String>,
    definition: &'static Definition,
) -> Option<Found> {
    if let Some(text) = overrides.get(definition.name) {
        let (name, text, place) = (definition.name, text.clone(), Place::Request);
        return Some(Found { name, text, place });
    }
    let mut found = inherited(layers, definition)?;
    // A broker's retention may be any negative number, a topic's only -1.
    let number = found.text.trim().parse::<i64>();
    if definition.name == "retention.ms" && number.is_ok_and(|number| number < 0) {
        found.text = "-1".to_owned();
    }
    Some(found)
}

/// The first broker setting that a definition names and that is not null, in its unit, or else its
/// default.
pub(super) fn inherited(layers: &Layers, definition: &Definition) -> Option<Found> {
    for Inherited { name, factor } in definition.inherited {
        let broker =
            definitions::broker_setting(name).expect("a broker setting that others default to");
        let Some(text) = layers.text(broker) else { continue };
        let number = text.trim().parse().ok().and_then(|number: i64| number.checked_mul(*factor));
        let text = match number {
            Some(number) if *factor != 1 => number.to_string(),
            _ => text.to_owned(),
        };
        let place = layers.given(name).map_or(Place::Default, |given| given.place.clone());
        return Some(Found { name, text, place });
    }
    let text = layers.default_of(definition)?.to_owned();
    Some(Found { name: definition.name, text, place: Place::Default })
}

fn check_each(overrides: &BTreeMap<String, String>) -> Result<(), SettingError> {
    for (name, text) in overrides {
        let Some(definition) = definitions::topic_setting(name) else {
            let problem = error::unknown(definitions::nearest_topic_setting(name));
            return Err(SettingError::new(Place::Request, name, None, problem));
        };
        reader::parse(definition, name, text, &Place::Request)?;
    }
    Ok(())
}

fn durability(
    reader: &Reader<'_>,
    overrides: &BTreeMap<String, String>,
) -> Result<Durability, SettingError> {
    let flushes_each =
        overrides.contains_key("flush.messages") && reader.whole::<u64>("flush.messages")? == 1;
    if flushes_each && !overrides.contains_key("ack.durability") {
        return Ok(Durability::Disk);
    }
    Ok(Durability::from_name(&reader.text("ack.durability")?))
}

fn compression(reader: &Reader<'_>) -> Result<Compression, SettingError> {
    Ok(match reader.text("compression.type")?.as_str() {
        "uncompressed" => Compression::Uncompressed,
        "gzip" => Compression::Gzip(reader.whole_or_none("compression.gzip.level")?),
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4(reader.whole("compression.lz4.level")?),
        "zstd" => Compression::Zstd(reader.whole("compression.zstd.level")?),
        _ => Compression::Producer,
    })
}

fn timestamps(reader: &Reader<'_>) -> Result<Timestamps, SettingError> {
    if reader.text("message.timestamp.type")? == "LogAppendTime" {
        return Ok(Timestamps::LogAppendTime);
    }
    Ok(Timestamps::CreateTime {
        before_max_ms: reader.whole("message.timestamp.before.max.ms")?,
        after_max_ms: reader.whole("message.timestamp.after.max.ms")?,
    })
}

fn segments(reader: &Reader<'_>) -> Result<SegmentSettings, SettingError> {
    let bytes_max = match reader.is_null("internal.segment.bytes") {
        true => reader.whole("segment.bytes")?,
        false => reader.whole("internal.segment.bytes")?,
    };
    Ok(SegmentSettings {
        bytes_max,
        age_max: reader.millis("segment.ms")?,
        jitter_max: reader.millis("segment.jitter.ms")?,
        index_bytes_max: reader.whole("segment.index.bytes")?,
        index_interval_bytes: reader.whole("index.interval.bytes")?,
        preallocate: reader.boolean("preallocate")?,
    })
}

fn cleanup(reader: &Reader<'_>) -> Result<CleanupSettings, SettingError> {
    let policies = reader.list("cleanup.policy")?;
    let has = |name: &str| policies.iter().any(|policy| policy == name);
    let settings = CleanupSettings {
        delete: has("delete"),
        compact: has("compact"),
        retention: reader.millis_or_none("retention.ms")?,
        retention_bytes: reader.whole_or_none("retention.bytes")?,
        file_delete_delay: reader.millis("file.delete.delay.ms")?,
        dirty_ratio_min: reader.number("min.cleanable.dirty.ratio")?,
        delete_retention: reader.millis("delete.retention.ms")?,
        compaction_lag_min: reader.millis("min.compaction.lag.ms")?,
        compaction_lag_max: reader.millis("max.compaction.lag.ms")?,
    };
    if settings.compaction_lag_min > settings.compaction_lag_max {
        let most = settings.compaction_lag_max.as_millis();
        let problem = format!("expected at most max.compaction.lag.ms, which is {most}");
        return Err(reader.refuse_pair("min.compaction.lag.ms", "max.compaction.lag.ms", problem));
    }
    Ok(settings)
}

/// Kafka refuses topics in tiered storage on brokers without it.
fn check_remote(reader: &Reader<'_>) -> Result<(), SettingError> {
    if reader.boolean("remote.storage.enable")? {
        let problem = "expected false: there is no tiered storage yet".to_owned();
        return Err(reader.refuse("remote.storage.enable", problem));
    }
    Ok(())
}

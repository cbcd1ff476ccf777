//! Committed offsets and groups.

use core::time::Duration;

use crate::config::error::SettingError;
use crate::config::reader::Reader;

/// Committed offsets and the topic that holds them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetSettings {
    /// Partitions of the topic.
    pub partitions: i32,
    /// Replicas of the topic; none for up to three, as there are brokers when it is created.
    pub replication_factor: Option<i16>,
    /// The segment size of the topic.
    pub segment_bytes_max: u64,
    /// How long the offsets of an empty group are kept.
    pub retention: Duration,
    /// How often offsets to forget are looked for.
    pub retention_check_interval: Duration,
    /// How long a commit may take.
    pub commit_timeout: Duration,
    /// The longest note stored with an offset.
    pub metadata_bytes_max: usize,
}

/// What groups of the classic protocol may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClassicGroups {
    /// The shortest session timeout of a member.
    pub session_timeout_min: Duration,
    /// The longest session timeout of a member.
    pub session_timeout_max: Duration,
    /// How long a new group waits for more members.
    pub initial_rebalance_delay: Duration,
    /// Members of a group.
    pub members_max: usize,
}

/// What groups of the consumer protocol may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsumerGroups {
    /// Members of a group.
    pub members_max: usize,
    /// The ways in which partitions are assigned; the first is the default.
    pub assignors: Vec<String>,
    /// Whether a classic group may become one of these.
    pub upgrade: bool,
    /// Whether a group of these may become a classic one.
    pub downgrade: bool,
}

pub(super) fn offsets(reader: &Reader<'_>) -> Result<OffsetSettings, SettingError> {
    let replication_factor = match reader.is_default("offsets.topic.replication.factor") {
        true => None,
        false => Some(reader.whole("offsets.topic.replication.factor")?),
    };
    let minutes: u64 = reader.whole("offsets.retention.minutes")?;
    Ok(OffsetSettings {
        partitions: reader.whole("offsets.topic.num.partitions")?,
        replication_factor,
        segment_bytes_max: reader.whole("offsets.topic.segment.bytes")?,
        retention: Duration::from_secs(minutes * 60),
        retention_check_interval: reader.millis("offsets.retention.check.interval.ms")?,
        commit_timeout: reader.millis("offsets.commit.timeout.ms")?,
        metadata_bytes_max: reader.whole("offset.metadata.max.bytes")?,
    })
}

/// Kafka has codecs 0 to 4.
pub(super) fn offsets_codec(reader: &Reader<'_>) -> Result<u8, SettingError> {
    const NAME: &str = "offsets.topic.compression.codec";
    let codec: u8 = reader.whole(NAME)?;
    if codec > 4 {
        return Err(reader.refuse(NAME, "expected a number from 0 to 4".to_owned()));
    }
    Ok(codec)
}

pub(super) fn classic_groups(reader: &Reader<'_>) -> Result<ClassicGroups, SettingError> {
    let settings = ClassicGroups {
        session_timeout_min: reader.millis("group.min.session.timeout.ms")?,
        session_timeout_max: reader.millis("group.max.session.timeout.ms")?,
        initial_rebalance_delay: reader.millis("group.initial.rebalance.delay.ms")?,
        members_max: reader.whole("group.max.size")?,
    };
    if settings.session_timeout_min > settings.session_timeout_max {
        let most = settings.session_timeout_max.as_millis();
        let (name, other) = ("group.min.session.timeout.ms", "group.max.session.timeout.ms");
        let problem = format!("expected at most {other}, which is {most}");
        return Err(reader.refuse_pair(name, other, problem));
    }
    Ok(settings)
}

pub(super) fn consumer_groups(reader: &Reader<'_>) -> Result<ConsumerGroups, SettingError> {
    let policy = reader.text("group.consumer.migration.policy")?.to_ascii_uppercase();
    Ok(ConsumerGroups {
        members_max: reader.whole("group.consumer.max.size")?,
        assignors: reader.list("group.consumer.assignors")?,
        upgrade: matches!(policy.as_str(), "UPGRADE" | "BIDIRECTIONAL"),
        downgrade: matches!(policy.as_str(), "DOWNGRADE" | "BIDIRECTIONAL"),
    })
}

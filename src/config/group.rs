//! A group's settings: its own over the broker's.

use core::time::Duration;
use std::collections::BTreeMap;

use super::broker::BrokerSettings;
use super::definition::Definition;
use super::definitions;
use super::error::{self, Place, SettingError};
use super::iso_duration;
use super::layers::Layers;
use super::reader::{self, Found, Reader};
use super::topic::inherited;

/// Settings that a broker keeps in a range: `kind.setting` lies between its `group.kind.min.setting`
/// and `group.kind.max.setting`.
const RANGED: &[&str] = &[
    "consumer.session.timeout.ms",
    "consumer.heartbeat.interval.ms",
    "consumer.assignment.interval.ms",
    "share.session.timeout.ms",
    "share.heartbeat.interval.ms",
    "share.assignment.interval.ms",
    "share.record.lock.duration.ms",
    "share.delivery.count.limit",
    "share.partition.max.record.locks",
    "streams.session.timeout.ms",
    "streams.heartbeat.interval.ms",
    "streams.assignment.interval.ms",
];

/// The kinds of groups whose session has to outlast the heartbeats.
const WITH_SESSIONS: &[&str] = &["consumer", "share", "streams"];

/// What all kinds of groups have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemberSettings {
    /// How long the group waits for a silent member.
    pub session_timeout: Duration,
    /// How often members send heartbeats.
    pub heartbeat_interval: Duration,
    /// The shortest time between two assignments.
    pub assignment_interval: Duration,
}

/// Where a share group begins in a partition it has no state of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OffsetReset {
    /// At the first record.
    Earliest,
    /// Behind the last record.
    Latest,
    /// At the first record that is not older than this.
    ByDuration(Duration),
}

/// A share group's settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShareGroupSettings {
    /// Sessions, heartbeats, assignments.
    pub members: MemberSettings,
    /// How long a delivered record is reserved for its consumer.
    pub record_lock: Duration,
    /// How often a record is delivered at most.
    pub deliveries_max: u32,
    /// Records of a partition that may be reserved at a time.
    pub record_locks_max: u32,
    /// Where the group begins in a partition it has no state of.
    pub offset_reset: OffsetReset,
    /// Whether records of transactions that have not ended are held back.
    pub read_committed: bool,
    /// Whether a consumer may prolong its reservation of a record.
    pub renewable: bool,
}

/// A streams group's settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamsGroupSettings {
    /// Sessions, heartbeats, assignments.
    pub members: MemberSettings,
    /// How long a new group waits for more members.
    pub initial_rebalance_delay: Duration,
    /// Standby copies of each task.
    pub standby_replicas: u32,
}

/// Everything a group's settings amount to, whichever kind of group it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupSettings {
    /// Of a consumer group.
    pub consumer: MemberSettings,
    /// Of a share group.
    pub share: ShareGroupSettings,
    /// Of a streams group.
    pub streams: StreamsGroupSettings,
}

impl GroupSettings {
    /// Resolves a group's own settings over those of the broker, as Kafka does when they are
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

    pub(super) fn over(
        layers: &Layers,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Self, SettingError> {
        check_each(overrides)?;
        let value = |definition: &'static Definition| value_of(layers, overrides, definition);
        let reader = Reader::new(definitions::group_setting, &value);
        check_ranges(&reader, layers)?;
        check_sessions(&reader)?;
        let standby_replicas = reader.whole("streams.num.standby.replicas")?;
        Ok(Self {
            consumer: members(&reader, "consumer")?,
            share: share(&reader)?,
            streams: StreamsGroupSettings {
                members: members(&reader, "streams")?,
                initial_rebalance_delay: reader.millis("streams.initial.rebalance.delay.ms")?,
                standby_replicas,
            },
        })
    }
}

/// The value of a group's setting: its own, the broker's, or the default.
pub(super) fn value_of(
    layers: &Layers,
    overrides: &BTreeMap<String, String>,
    definition: &'static Definition,
) -> Option<Found> {
    let own = overrides.get(definition.name).map(|text| Found {
        name: definition.name,
        text: text.clone(),
        place: Place::Request,
    });
    own.or_else(|| inherited(layers, definition))
}

fn check_each(overrides: &BTreeMap<String, String>) -> Result<(), SettingError> {
    for (name, text) in overrides {
        let Some(definition) = definitions::group_setting(name) else {
            let problem = error::unknown(definitions::nearest_group_setting(name));
            return Err(SettingError::new(Place::Request, name, None, problem));
        };
        reader::parse(definition, name, text, &Place::Request)?;
    }
    Ok(())
}

fn check_ranges(reader: &Reader<'_>, layers: &Layers) -> Result<(), SettingError> {
    let broker_value = |definition: &'static Definition| layers.found(definition);
    let broker = Reader::new(definitions::broker_setting, &broker_value);
    for name in RANGED {
        let (kind, setting) = name.split_once('.').expect("the kind of group before the setting");
        let least = format!("group.{kind}.min.{setting}");
        let from: i64 = broker.whole(&least)?;
        if reader.whole::<i64>(name)? < from {
            let problem = format!("expected at least {least}, which is {from}");
            return Err(reader.refuse_against(name, (&broker, &least), problem));
        }
        check_most(reader, name, &broker, &format!("group.{kind}.max.{setting}"))?;
    }
    let most = "group.streams.max.standby.replicas";
    check_most(reader, "streams.num.standby.replicas", &broker, most)
}

fn check_most(
    reader: &Reader<'_>,
    name: &str,
    broker: &Reader<'_>,
    most: &str,
) -> Result<(), SettingError> {
    let to: i64 = broker.whole(most)?;
    if reader.whole::<i64>(name)? <= to {
        return Ok(());
    }
    let problem = format!("expected at most {most}, which is {to}");
    Err(reader.refuse_against(name, (broker, most), problem))
}

fn check_sessions(reader: &Reader<'_>) -> Result<(), SettingError> {
    for kind in WITH_SESSIONS {
        let (session, heartbeat) = (session_name(kind), heartbeat_name(kind));
        let interval: i64 = reader.whole(&heartbeat)?;
        if reader.whole::<i64>(&session)? <= interval {
            let problem = format!("expected more than {heartbeat}, which is {interval}");
            return Err(reader.refuse_pair(&session, &heartbeat, problem));
        }
    }
    Ok(())
}

fn session_name(kind: &str) -> String {
    format!("{kind}.session.timeout.ms")
}

fn heartbeat_name(kind: &str) -> String {
    format!("{kind}.heartbeat.interval.ms")
}

fn members(reader: &Reader<'_>, kind: &str) -> Result<MemberSettings, SettingError> {
    Ok(MemberSettings {
        session_timeout: reader.millis(&session_name(kind))?,
        heartbeat_interval: reader.millis(&heartbeat_name(kind))?,
        assignment_interval: reader.millis(&format!("{kind}.assignment.interval.ms"))?,
    })
}

fn share(reader: &Reader<'_>) -> Result<ShareGroupSettings, SettingError> {
    let reset = reader.text("share.auto.offset.reset")?;
    let duration = reset.strip_prefix("by_duration:").and_then(iso_duration::parse);
    Ok(ShareGroupSettings {
        members: members(reader, "share")?,
        record_lock: reader.millis("share.record.lock.duration.ms")?,
        deliveries_max: reader.whole("share.delivery.count.limit")?,
        record_locks_max: reader.whole("share.partition.max.record.locks")?,
        offset_reset: match duration {
            Some(duration) => OffsetReset::ByDuration(duration),
            None if reset == "earliest" => OffsetReset::Earliest,
            None => OffsetReset::Latest,
        },
        read_committed: reader.text("share.isolation.level")? == "read_committed",
        renewable: reader.boolean("share.renew.acknowledge.enable")?,
    })
}

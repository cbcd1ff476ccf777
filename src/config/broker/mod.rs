//! A broker's settings: defaults, under its file, under its command line, under what was altered
//! while it ran.

mod coordination;
mod network;
mod operation;
mod quotas;
mod sources;
mod storage;

use std::collections::BTreeMap;

pub use self::coordination::{ClassicGroups, ConsumerGroups, OffsetSettings};
pub use self::network::NetworkSettings;
pub use self::operation::{LogFormat, OperationSettings};
pub use self::quotas::QuotaSettings;
pub use self::sources::{Machine, Sources};
pub use self::storage::{CompactionSettings, StorageSettings, Validation};
use super::alteration::fitting;
use super::definition::Definition;
use super::definitions;
use super::error::{Notice, SettingError, SettingErrors};
use super::group::GroupSettings;
use super::layers::Layers;
use super::listener::{self, Listener};
use super::reader::{self, Reader};
use super::topic::TopicSettings;
use crate::types::NodeId;

/// What a topic gets that is created without saying so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TopicCreation {
    /// Its partitions.
    pub partitions: i32,
    /// Its replicas.
    pub replication_factor: i16,
    /// Whether it is created when a client asks for it.
    pub automatic: bool,
    /// Whether topics can be deleted.
    pub deletion: bool,
}

/// Everything a broker's settings amount to, and what was given.
#[derive(Clone, PartialEq, Debug)]
pub struct BrokerSettings {
    /// Its number in the cluster.
    pub node_id: NodeId,
    /// Where it stands.
    pub rack: Option<String>,
    /// Cores to use; 0 for all.
    pub cores: u32,
    /// The listeners for clients.
    pub listeners: Vec<Listener>,
    /// Connections and sizes of requests.
    pub network: NetworkSettings,
    /// The directories with the data, at least one.
    pub log_directories: Vec<String>,
    /// How the broker is watched.
    pub operation: OperationSettings,
    /// Memory, write-ahead log, background work.
    pub storage: StorageSettings,
    /// What new topics get.
    pub topic_creation: TopicCreation,
    /// The settings of a topic that has none of its own.
    pub topic_defaults: TopicSettings,
    /// Committed offsets.
    pub offsets: OffsetSettings,
    /// The codec for committed offsets, by its number.
    pub offsets_codec: u8,
    /// Groups of the classic protocol.
    pub classic_groups: ClassicGroups,
    /// Groups of the consumer protocol.
    pub consumer_groups: ConsumerGroups,
    /// How what clients use is measured.
    pub quotas: QuotaSettings,
    /// The settings of a group that has none of its own.
    pub group_defaults: GroupSettings,
    layers: Layers,
}

/// Settings, and what to tell the person who started the broker.
#[derive(Clone, PartialEq, Debug)]
pub struct Resolved {
    /// The settings.
    pub settings: BrokerSettings,
    /// What to tell, in the order of the file and then of the command line.
    pub notices: Vec<Notice>,
}

impl BrokerSettings {
    /// Resolves what a broker is started with.
    ///
    /// # Errors
    /// Everything that is wrong with it: values, names when they are to be strict, and, if there is
    /// none of that, the first contradiction between settings.
    pub fn resolve(sources: &Sources<'_>) -> Result<Resolved, SettingErrors> {
        let (layers, mut notices) = sources.layers()?;
        let settings = Self::of(layers, &mut notices)?;
        notices.sort_by(|one, other| one.place().cmp(other.place()));
        Ok(Resolved { settings, notices })
    }

    /// The same broker after alterations: of the defaults for all brokers, and of its own.
    ///
    /// # Errors
    /// As [`BrokerSettings::resolve`].
    pub fn altered(
        &self,
        for_all: &BTreeMap<String, String>,
        for_this: &BTreeMap<String, String>,
    ) -> Result<Self, SettingErrors> {
        let layers = self.layers.altered(for_all, for_this);
        let mut errors = Vec::new();
        for (name, given) in layers.effective() {
            if let Some(definition) = definitions::broker_setting(name) {
                errors.extend(reader::parse(definition, name, &given.text, &given.place).err());
            }
        }
        if !errors.is_empty() {
            return Err(SettingErrors(errors));
        }
        Ok(Self::of(layers, &mut Vec::new())?)
    }

    /// The same broker after alterations that were checked when they were made, for another file
    /// perhaps: those that do not go with this one are left out.
    #[must_use]
    pub fn altered_fitting(
        &self,
        for_all: &BTreeMap<String, String>,
        for_this: &BTreeMap<String, String>,
    ) -> Self {
        let none = BTreeMap::new();
        let for_all = fitting(for_all, |for_all| self.altered(for_all, &none).is_ok());
        let for_this = fitting(for_this, |for_this| self.altered(&for_all, for_this).is_ok());
        self.altered(&for_all, &for_this).unwrap_or_else(|_| self.clone())
    }

    /// The same broker with segments of a size that no user may choose, so that a simulation fills
    /// many of them.
    #[cfg(feature = "simulation")]
    #[must_use]
    pub fn with_segment_bytes(&self, bytes: u64) -> Self {
        let layers = self.layers.with_default("internal.segment.bytes", bytes.to_string());
        Self::of(layers, &mut Vec::new()).expect("only a default has changed")
    }

    fn of(layers: Layers, notices: &mut Vec<Notice>) -> Result<Self, SettingError> {
        let value = |definition: &'static Definition| layers.found(definition);
        let reader = Reader::new(definitions::broker_setting, &value);
        check_roles(&reader)?;
        let network = network::read(&reader)?;
        Ok(Self {
            node_id: node_id(&reader)?,
            rack: Some(reader.text("broker.rack")?).filter(|rack| !rack.is_empty()),
            cores: reader.whole("cores")?,
            listeners: listener::listeners(&reader, notices)?,
            storage: storage::read(&reader, network.request_bytes_max)?,
            network,
            operation: operation::read(&reader)?,
            log_directories: log_directories(&reader)?,
            topic_creation: topic_creation(&reader)?,
            topic_defaults: topic_defaults(&reader, &layers)?,
            offsets: coordination::offsets(&reader)?,
            offsets_codec: coordination::offsets_codec(&reader)?,
            classic_groups: coordination::classic_groups(&reader)?,
            consumer_groups: coordination::consumer_groups(&reader)?,
            quotas: quotas::read(&reader)?,
            group_defaults: GroupSettings::over(&layers, &BTreeMap::new())?,
            layers,
        })
    }

    pub(super) fn layers(&self) -> &Layers {
        &self.layers
    }
}

/// A file for a node that serves no clients must not start one that does.
fn check_roles(reader: &Reader<'_>) -> Result<(), SettingError> {
    if reader.list("process.roles")?.iter().any(|role| role == "broker") {
        return Ok(());
    }
    let problem = "expected broker among the roles: no node is a controller alone".to_owned();
    Err(reader.refuse("process.roles", problem))
}

/// `broker.id` is an older name of `node.id`; given both, they have to agree.
fn node_id(reader: &Reader<'_>) -> Result<NodeId, SettingError> {
    let node_id: i32 = reader.whole("node.id")?;
    let broker_id: i32 = reader.whole("broker.id")?;
    if !reader.is_default("broker.id") && broker_id != node_id {
        let problem = format!("expected the same as node.id, which is {node_id}");
        return Err(reader.refuse_pair("broker.id", "node.id", problem));
    }
    Ok(NodeId::new(node_id))
}

fn log_directories(reader: &Reader<'_>) -> Result<Vec<String>, SettingError> {
    let directories = reader.list("log.dirs")?;
    if directories.is_empty() { reader.list("log.dir") } else { Ok(directories) }
}

fn topic_creation(reader: &Reader<'_>) -> Result<TopicCreation, SettingError> {
    let replication_factor = reader.whole("default.replication.factor")?;
    if replication_factor < 1 {
        let problem = "expected a whole number from 1".to_owned();
        return Err(reader.refuse("default.replication.factor", problem));
    }
    Ok(TopicCreation {
        partitions: reader.whole("num.partitions")?,
        replication_factor,
        automatic: reader.boolean("auto.create.topics.enable")?,
        deletion: reader.boolean("delete.topic.enable")?,
    })
}

fn topic_defaults(reader: &Reader<'_>, layers: &Layers) -> Result<TopicSettings, SettingError> {
    let settings = TopicSettings::over(layers, &BTreeMap::new())?;
    let no_time = settings.cleanup.retention.is_some_and(|retention| retention.is_zero());
    let names = ["log.retention.ms", "log.retention.minutes", "log.retention.hours"];
    if no_time && let Some(name) = names.into_iter().find(|name| !reader.is_null(name)) {
        let problem = "expected a whole number from 1, or -1 for ever".to_owned();
        return Err(reader.refuse(name, problem));
    }
    Ok(settings)
}

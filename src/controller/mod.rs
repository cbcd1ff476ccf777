//! Decides changes of the cluster: a command and the image give records and an answer. Nothing is
//! changed here; the records become true once they are decided and applied.

mod alter_quotas;
mod alter_settings;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod features;
mod placement;
mod start;
#[cfg(test)]
mod tests;

use crate::config::BrokerSettings;
use crate::metadata::{Image, MetadataRecord};
use crate::prng::Prng;
use crate::types::{NodeId, ProducerId, Uuid};

pub use self::alter_quotas::{QUOTA_ENTITY_TYPES, QuotaAlteration};
pub use self::alter_settings::{AlterSettingsError, Alteration, SettingChange, without_effect};
pub use self::create_partitions::{CreatePartitionsError, NewPartitions};
pub use self::create_topics::{CreateTopicError, CreatedTopic, NewTopic};
pub use self::delete_topics::{DeleteTopicError, TopicReference};
pub use self::features::{FEATURES, Feature, FeatureUpdate, FeatureUpdateError};
pub use self::placement::{InvalidAssignment, check_assignment};

/// Producer ids handed to a shard at a time, as Kafka hands them to brokers.
pub const PRODUCER_IDS_PER_BLOCK: i64 = 1000;

/// What may be asked of the controller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Create topics.
    CreateTopics {
        /// The topics.
        topics: Vec<NewTopic>,
        /// Only say what would happen.
        validate_only: bool,
    },
    /// Delete topics.
    DeleteTopics {
        /// The topics.
        topics: Vec<TopicReference>,
    },
    /// Add partitions to topics.
    CreatePartitions {
        /// The topics.
        topics: Vec<NewPartitions>,
        /// Only say what would happen.
        validate_only: bool,
    },
    /// Alter settings.
    AlterSettings {
        /// Resource by resource.
        alterations: Vec<Alteration>,
        /// Only say what would happen.
        validate_only: bool,
    },
    /// Alter quotas.
    AlterQuotas {
        /// Entity by entity.
        alterations: Vec<QuotaAlteration>,
        /// Only say what would happen.
        validate_only: bool,
    },
    /// Move features to other levels: all of them or none.
    UpdateFeatures {
        /// The features.
        updates: Vec<FeatureUpdate>,
        /// Only say what would happen.
        validate_only: bool,
    },
    /// Hand out a block of producer ids.
    AllocateProducerIds,
    /// A broker has started.
    StartBroker {
        /// The broker, with an epoch of zero.
        broker: crate::metadata::Broker,
        /// It did not stop cleanly: what it leads may have lost a tail.
        unclean: bool,
    },
}

/// The answer to a command, topic by topic in the order of the command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// To [`Command::CreateTopics`].
    Created(Vec<Result<CreatedTopic, CreateTopicError>>),
    /// To [`Command::DeleteTopics`]: name and id of each.
    Deleted(Vec<Result<(String, Uuid), DeleteTopicError>>),
    /// To [`Command::CreatePartitions`].
    PartitionsCreated(Vec<Result<(), CreatePartitionsError>>),
    /// To [`Command::AlterSettings`].
    Altered(Vec<Result<(), AlterSettingsError>>),
    /// To [`Command::AlterQuotas`]: what is wrong with the request, if anything.
    QuotasAltered(Vec<Result<(), String>>),
    /// To [`Command::UpdateFeatures`]. One that could be done was not if another could not.
    FeaturesUpdated(Vec<Result<(), FeatureUpdateError>>),
    /// To [`Command::AllocateProducerIds`]: the first of a block.
    ProducerIds(ProducerId),
    /// To [`Command::StartBroker`].
    Started,
}

/// What was decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// What becomes true; nothing if empty.
    pub records: Vec<MetadataRecord>,
    /// The answer, to be given once the records are applied everywhere.
    pub answer: Answer,
}

/// What the controller has to know beside the image.
pub struct Policy<'a> {
    /// The settings of the broker, under which all others are.
    pub settings: &'a BrokerSettings,
    /// The broker that gets the partitions, and its log directory.
    pub broker: NodeId,
    /// The log directory that new partitions go to.
    pub log_directory: Uuid,
}

/// Records of one command. They become one entry of the metadata log; however large it is, the
/// write-ahead log makes files that hold it, and never smaller ones again.
#[derive(Debug)]
struct Batch {
    records: Vec<MetadataRecord>,
    bytes_left: usize,
}

/// As in Kafka, a batch of its metadata log: 10,000 topics with a partition each take half of it.
const ENTRY_BYTES_MAX: usize = 8 << 20;
/// What a client is told whose request does not fit.
const TOO_LARGE: &str = "the request changes more than one entry of the metadata log can hold: use \
                         several requests";

impl Batch {
    fn new() -> Self {
        Self { records: Vec::new(), bytes_left: ENTRY_BYTES_MAX }
    }

    /// Adds records that belong together, or none of them; `false` when they do not fit.
    fn add(&mut self, records: Vec<MetadataRecord>) -> bool {
        let bytes = records.iter().map(MetadataRecord::bytes_max).sum();
        let Some(left) = self.bytes_left.checked_sub(bytes) else { return false };
        self.bytes_left = left;
        self.records.extend(records);
        true
    }
}

/// Decides a command.
pub fn decide(image: &Image, policy: &Policy<'_>, prng: &mut Prng, command: &Command) -> Decision {
    match command {
        Command::CreateTopics { topics, validate_only } => {
            create_topics::decide(image, policy, prng, topics, *validate_only)
        }
        Command::DeleteTopics { topics } => delete_topics::decide(image, policy, topics),
        Command::CreatePartitions { topics, validate_only } => {
            create_partitions::decide(image, policy, topics, *validate_only)
        }
        Command::AlterSettings { alterations, validate_only } => {
            alter_settings::decide(image, policy, alterations, *validate_only)
        }
        Command::AlterQuotas { alterations, validate_only } => {
            alter_quotas::decide(image, alterations, *validate_only)
        }
        Command::UpdateFeatures { updates, validate_only } => {
            features::decide(image, updates, *validate_only)
        }
        Command::AllocateProducerIds => {
            let first = image.next_producer_id;
            let next = ProducerId::new(first.get() + PRODUCER_IDS_PER_BLOCK);
            let records = vec![MetadataRecord::ProducerIds { next }];
            Decision { records, answer: Answer::ProducerIds(first) }
        }
        Command::StartBroker { broker, unclean } => start::decide(image, broker, *unclean),
    }
}

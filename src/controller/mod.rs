//! Decides changes of the cluster: a command and the image give records and an answer. Nothing is
//! changed here; the records become true once they are decided and applied.

mod create_topics;
mod delete_topics;
mod start;

use std::collections::BTreeMap;

use crate::metadata::{Image, MetadataRecord};
use crate::prng::Prng;
use crate::types::{NodeId, ProducerId, Uuid};

pub use self::create_topics::{CreateTopicError, CreatedTopic, NewTopic};
pub use self::delete_topics::{DeleteTopicError, TopicReference};

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

/// Checks a topic's settings; the text says what is wrong.
pub type SettingsCheck<'a> = dyn Fn(&BTreeMap<String, String>) -> Result<(), String> + 'a;

/// What the controller has to know beside the image.
pub struct Policy<'a> {
    /// `num.partitions`.
    pub default_partitions: i32,
    /// `default.replication.factor`.
    pub default_replication_factor: i16,
    /// `delete.topic.enable`.
    pub deletion_allowed: bool,
    /// The broker that gets the partitions, and its log directory.
    pub broker: NodeId,
    /// The log directory that new partitions go to.
    pub log_directory: Uuid,
    /// Checks a topic's settings.
    pub check_settings: &'a SettingsCheck<'a>,
}

/// Decides a command.
pub fn decide(image: &Image, policy: &Policy<'_>, prng: &mut Prng, command: &Command) -> Decision {
    match command {
        Command::CreateTopics { topics, validate_only } => {
            create_topics::decide(image, policy, prng, topics, *validate_only)
        }
        Command::DeleteTopics { topics } => delete_topics::decide(image, policy, topics),
        Command::AllocateProducerIds => {
            let first = image.next_producer_id;
            let next = ProducerId::new(first.get() + PRODUCER_IDS_PER_BLOCK);
            let records = vec![MetadataRecord::ProducerIds { next }];
            Decision { records, answer: Answer::ProducerIds(first) }
        }
        Command::StartBroker { broker, unclean } => start::decide(image, broker, *unclean),
    }
}

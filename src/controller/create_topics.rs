//! Creating topics: by counts or by assignments, with settings.

use core::fmt;
use std::collections::BTreeMap;

use super::placement::{self, InvalidAssignment, PARTITIONS_MAX};
use super::{Answer, Batch, Decision, Policy, TOO_LARGE};
use crate::config::TopicSettings;
use crate::metadata::{
    Image, InvalidTopicName, MetadataRecord, name_in_metrics, resource_type, validate_topic_name,
};
use crate::prng::Prng;
use crate::types::{NodeId, PartitionIndex, Uuid};

/// A topic to be created.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; -1 for the default, or when they are assigned.
    pub partitions: i32,
    /// How many replicas; -1 likewise.
    pub replication_factor: i16,
    /// The replicas of each partition; empty to let the controller choose.
    pub assignments: Vec<(i32, Vec<NodeId>)>,
    /// Its settings. One without a value is an error.
    pub settings: Vec<(String, Option<String>)>,
}

/// A topic that was created, or would be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreatedTopic {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: i32,
    /// How many replicas each has.
    pub replication_factor: i16,
    /// Its own settings.
    pub settings: BTreeMap<String, String>,
}

/// Why a topic is not created.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CreateTopicError {
    /// There is one of that name.
    Exists(String),
    /// The name is illegal.
    Name(InvalidTopicName),
    /// The name differs from another only in `.` and `_`.
    Collides {
        /// The name asked for.
        name: String,
        /// The one that is there.
        other: String,
    },
    /// The request names it twice.
    Duplicate(String),
    /// The number of partitions cannot be.
    Partitions(i32),
    /// More replicas than brokers, or none.
    ReplicationFactor {
        /// How many were asked for.
        wanted: i16,
        /// How many brokers there are.
        brokers: usize,
    },
    /// A partition's assignment is not one.
    Assignment(InvalidAssignment),
    /// The assigned partitions are not 0, 1, 2 and so on, each once.
    Numbering,
    /// A setting is wrong.
    Setting(String),
    /// The request makes more partitions than one command may.
    TooMany,
    /// The request has more settings than one command may.
    TooLarge,
    /// Counts and assignments were given.
    Request(&'static str),
}

impl fmt::Display for CreateTopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(name) => write!(f, "Topic '{name}' already exists."),
            Self::Name(error) => write!(f, "{error}"),
            Self::Collides { name, other } => write!(
                f,
                "Topic '{name}' collides with existing topic '{other}': '.' and '_' are one in \
                 the names of metrics"
            ),
            Self::Duplicate(name) => write!(f, "the request names the topic '{name}' twice"),
            Self::Partitions(count) => write!(
                f,
                "{count} partitions are not possible: ask for 1 to {PARTITIONS_MAX}, or -1 for the \
                 default"
            ),
            Self::ReplicationFactor { wanted, brokers } => {
                write!(f, "{wanted} replicas are not possible: {brokers} broker(s) are registered")
            }
            Self::TooMany => write!(
                f,
                "one request may create {PARTITIONS_MAX} partitions in all: create the topics in \
                 several requests"
            ),
            Self::TooLarge => f.write_str(TOO_LARGE),
            Self::Assignment(error) => write!(f, "{error}"),
            Self::Numbering => {
                f.write_str("the assigned partitions are not numbered 0, 1, 2 and so on, each once")
            }
            Self::Request(reason) => f.write_str(reason),
            Self::Setting(reason) => f.write_str(reason),
        }
    }
}

pub(super) fn decide(
    image: &Image,
    policy: &Policy<'_>,
    prng: &mut Prng,
    topics: &[NewTopic],
    validate_only: bool,
) -> Decision {
    let mut names = BTreeMap::<&str, usize>::new();
    for topic in topics {
        *names.entry(&topic.name).or_default() += 1;
    }
    let mut batch = Batch::new();
    let mut in_metrics = BTreeMap::<String, &str>::new();
    if topics.iter().any(|topic| collides(&topic.name)) {
        let known = image.topics().map(|topic| &*topic.name).filter(|name| collides(name));
        in_metrics.extend(known.map(|name| (name_in_metrics(name), name)));
    }
    let mut results = Vec::new();
    let mut partitions_left = PARTITIONS_MAX as usize;
    for topic in topics {
        let result = if names[topic.name.as_str()] > 1 {
            Err(CreateTopicError::Duplicate(topic.name.clone()))
        } else {
            check_name(image, &in_metrics, &topic.name)
                .and_then(|()| plan(image, policy, topic))
                .and_then(|plan| within(&mut partitions_left, plan))
                .and_then(|plan| create(policy, prng, topic, &plan, &mut batch))
        };
        if result.is_ok() && collides(&topic.name) {
            in_metrics.insert(name_in_metrics(&topic.name), &topic.name);
        }
        results.push(result);
    }
    let mut records = batch.records;
    if validate_only {
        records.clear();
        results.iter_mut().flatten().for_each(|created| created.id = Uuid::ZERO);
    }
    Decision { records, answer: Answer::Created(results) }
}

/// Whether another name could be the same in metrics.
fn collides(name: &str) -> bool {
    name.contains(['.', '_'])
}

fn check_name(
    image: &Image,
    in_metrics: &BTreeMap<String, &str>,
    name: &str,
) -> Result<(), CreateTopicError> {
    if image.topic_named(name).is_some() {
        return Err(CreateTopicError::Exists(name.to_owned()));
    }
    validate_topic_name(name).map_err(CreateTopicError::Name)?;
    match in_metrics.get(&name_in_metrics(name)) {
        Some(other) => {
            Err(CreateTopicError::Collides { name: name.to_owned(), other: (*other).to_owned() })
        }
        None => Ok(()),
    }
}

/// Lets a plan pass that keeps to what one command may create (as Kafka's limit for a batch).
fn within(partitions_left: &mut usize, plan: Plan) -> Result<Plan, CreateTopicError> {
    let left = partitions_left.checked_sub(plan.replicas.len());
    *partitions_left = left.ok_or(CreateTopicError::TooMany)?;
    Ok(plan)
}

/// The replicas of each partition, and the settings.
struct Plan {
    replicas: Vec<Vec<NodeId>>,
    settings: BTreeMap<String, String>,
}

fn plan(image: &Image, policy: &Policy<'_>, topic: &NewTopic) -> Result<Plan, CreateTopicError> {
    let replicas = if topic.assignments.is_empty() {
        spread(image, policy, topic)?
    } else {
        assigned(image, topic)?
    };
    let mut settings = BTreeMap::new();
    for (name, value) in &topic.settings {
        let Some(value) = value else {
            let reason = format!("the setting {name} has no value");
            return Err(CreateTopicError::Setting(reason));
        };
        settings.insert(name.clone(), value.clone());
    }
    TopicSettings::resolve(&settings, policy.settings)
        .map_err(|error| CreateTopicError::Setting(error.to_string()))?;
    Ok(Plan { replicas, settings })
}

fn spread(
    image: &Image,
    policy: &Policy<'_>,
    topic: &NewTopic,
) -> Result<Vec<Vec<NodeId>>, CreateTopicError> {
    let defaults = &policy.settings.topic_creation;
    let count = if topic.partitions == -1 { defaults.partitions } else { topic.partitions };
    if !(1..=PARTITIONS_MAX).contains(&count) {
        return Err(CreateTopicError::Partitions(topic.partitions));
    }
    let wanted = match topic.replication_factor {
        -1 => defaults.replication_factor,
        other => other,
    };
    let brokers = image.brokers.len();
    let factor = usize::try_from(wanted).ok().filter(|factor| (1..=brokers).contains(factor));
    let factor = factor.ok_or(CreateTopicError::ReplicationFactor { wanted, brokers })?;
    Ok(placement::spread(image, policy, 0, count as usize, factor))
}

fn assigned(image: &Image, topic: &NewTopic) -> Result<Vec<Vec<NodeId>>, CreateTopicError> {
    if topic.partitions != -1 || topic.replication_factor != -1 {
        return Err(CreateTopicError::Request(
            "partitions are assigned by hand: leave the number of partitions and the replication \
             factor at -1",
        ));
    }
    let mut by_index = BTreeMap::new();
    for (index, replicas) in &topic.assignments {
        if by_index.insert(*index, replicas.clone()).is_some() {
            return Err(CreateTopicError::Numbering);
        }
    }
    let consecutive = by_index.keys().copied().eq(0..topic.assignments.len() as i32);
    if !consecutive {
        return Err(CreateTopicError::Numbering);
    }
    let mut factor = None;
    for replicas in by_index.values() {
        placement::check_assignment(image, replicas, factor)
            .map_err(CreateTopicError::Assignment)?;
        factor = Some(replicas.len());
    }
    Ok(by_index.into_values().collect())
}

fn create(
    policy: &Policy<'_>,
    prng: &mut Prng,
    topic: &NewTopic,
    plan: &Plan,
    batch: &mut Batch,
) -> Result<CreatedTopic, CreateTopicError> {
    let id = Uuid::from_random(|| prng.next_u64());
    let name = topic.name.clone();
    let mut records = vec![MetadataRecord::Topic { id, name: name.clone() }];
    for (partition, replicas) in (0..).map(PartitionIndex::new).zip(&plan.replicas) {
        let state = placement::new_partition(policy, replicas);
        records.push(MetadataRecord::Partition { topic: id, partition, state });
    }
    for (setting, value) in &plan.settings {
        records.push(MetadataRecord::Setting {
            resource_type: resource_type::TOPIC,
            resource: name.clone(),
            name: setting.clone(),
            value: Some(value.clone()),
        });
    }
    if !batch.add(records) {
        return Err(CreateTopicError::TooLarge);
    }
    Ok(CreatedTopic {
        id,
        name,
        partitions: plan.replicas.len() as i32,
        replication_factor: plan.replicas.first().map_or(0, Vec::len) as i16,
        settings: plan.settings.clone(),
    })
}

//! Adding partitions to topics.

use core::fmt;
use std::collections::BTreeMap;

use super::placement::{self, InvalidAssignment, PARTITIONS_MAX};
use super::{Answer, Decision, Policy};
use crate::metadata::{Image, MetadataRecord, Topic};
use crate::types::{NodeId, PartitionIndex};

/// A topic that gets more partitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewPartitions {
    /// The topic's name.
    pub topic: String,
    /// How many partitions it is to have.
    pub count: i32,
    /// The replicas of each new one; none to let the controller choose.
    pub assignments: Option<Vec<Vec<NodeId>>>,
}

/// Why a topic gets no partitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CreatePartitionsError {
    /// The request names it twice.
    Duplicate,
    /// There is none of that name.
    UnknownTopic,
    /// It has as many, or more.
    NoGrowth {
        /// How many there are.
        present: usize,
        /// How many were asked for.
        wanted: i32,
    },
    /// There are more or fewer assignments than new partitions.
    Assignments {
        /// How many partitions are new.
        wanted: usize,
        /// How many are assigned.
        given: usize,
    },
    /// An assignment is not one.
    Assignment(InvalidAssignment),
    /// The request makes more partitions than one command may.
    TooMany,
}

impl fmt::Display for CreatePartitionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate => f.write_str("the request names the topic twice"),
            Self::UnknownTopic => f.write_str("there is no topic of this name"),
            Self::NoGrowth { present, wanted } => write!(
                f,
                "the topic has {present} partitions, {wanted} would not be more: partitions can \
                 only be added"
            ),
            Self::Assignments { wanted, given } => {
                write!(f, "{wanted} partitions are new, but {given} are assigned to brokers")
            }
            Self::Assignment(error) => write!(f, "{error}"),
            Self::TooMany => write!(
                f,
                "one request may create {PARTITIONS_MAX} partitions in all: use several requests"
            ),
        }
    }
}

pub(super) fn decide(
    image: &Image,
    policy: &Policy<'_>,
    topics: &[NewPartitions],
    validate_only: bool,
) -> Decision {
    let mut named = BTreeMap::<&str, usize>::new();
    for topic in topics {
        *named.entry(&topic.topic).or_default() += 1;
    }
    let mut records = Vec::new();
    let mut left = PARTITIONS_MAX as usize;
    let results = topics.iter().map(|wanted| {
        if named[wanted.topic.as_str()] > 1 {
            return Err(CreatePartitionsError::Duplicate);
        }
        let topic = image.topic_named(&wanted.topic);
        let topic = topic.ok_or(CreatePartitionsError::UnknownTopic)?;
        let replicas = plan(image, policy, topic, wanted, left)?;
        left -= replicas.len();
        let first = topic.partitions.len() as i32;
        for (partition, replicas) in (first..).map(PartitionIndex::new).zip(&replicas) {
            let state = placement::new_partition(policy, replicas);
            records.push(MetadataRecord::Partition { topic: topic.id, partition, state });
        }
        Ok(())
    });
    let results = results.collect();
    if validate_only {
        records.clear();
    }
    Decision { records, answer: Answer::PartitionsCreated(results) }
}

/// The replicas of each new partition, at most `left` of them.
fn plan(
    image: &Image,
    policy: &Policy<'_>,
    topic: &Topic,
    wanted: &NewPartitions,
    left: usize,
) -> Result<Vec<Vec<NodeId>>, CreatePartitionsError> {
    let present = topic.partitions.len();
    let no_growth = CreatePartitionsError::NoGrowth { present, wanted: wanted.count };
    let new = usize::try_from(wanted.count).ok().and_then(|count| count.checked_sub(present));
    let new = new.filter(|new| *new > 0).ok_or(no_growth)?;
    if new > left {
        return Err(CreatePartitionsError::TooMany);
    }
    let factor = topic.partitions.first().map_or(1, |state| state.replicas.len());
    let Some(assignments) = &wanted.assignments else {
        return Ok(placement::spread(image, policy, present, new, factor));
    };
    if assignments.len() != new {
        let given = assignments.len();
        return Err(CreatePartitionsError::Assignments { wanted: new, given });
    }
    for replicas in assignments {
        placement::check_assignment(image, replicas, Some(factor))
            .map_err(CreatePartitionsError::Assignment)?;
    }
    Ok(assignments.clone())
}

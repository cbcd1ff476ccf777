//! Which brokers new partitions go to.

use core::fmt;
use std::collections::BTreeSet;

use super::Policy;
use crate::metadata::{Image, PartitionState};
use crate::types::{LeaderEpoch, NodeId};

/// More partitions in one request are refused, as by Kafka.
pub(super) const PARTITIONS_MAX: i32 = 10_000;

/// Why a partition cannot have these replicas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InvalidAssignment {
    /// There are none.
    Empty,
    /// One broker twice.
    Twice(NodeId),
    /// No such broker.
    UnknownBroker(NodeId),
    /// Other partitions have another number of replicas.
    Factor {
        /// Of the others.
        expected: usize,
        /// Of this one.
        given: usize,
    },
}

impl fmt::Display for InvalidAssignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a partition is assigned to no broker"),
            Self::Twice(broker) => {
                write!(f, "a partition is assigned to the broker {broker} twice")
            }
            Self::UnknownBroker(broker) => {
                write!(f, "a partition is assigned to the broker {broker}, which is not registered")
            }
            Self::Factor { expected, given } => write!(
                f,
                "a partition is assigned to {given} brokers, but the topic has {expected} replicas"
            ),
        }
    }
}

/// Checks what a client wants the replicas of a partition to be; `factor` is their number, where it
/// is known.
///
/// # Errors
/// Why they cannot be.
pub fn check_assignment(
    image: &Image,
    replicas: &[NodeId],
    factor: Option<usize>,
) -> Result<(), InvalidAssignment> {
    if replicas.is_empty() {
        return Err(InvalidAssignment::Empty);
    }
    let mut seen = BTreeSet::new();
    for broker in replicas {
        if !seen.insert(broker) {
            return Err(InvalidAssignment::Twice(*broker));
        }
        if !image.brokers.contains_key(broker) {
            return Err(InvalidAssignment::UnknownBroker(*broker));
        }
    }
    match factor {
        Some(expected) if expected != replicas.len() => {
            Err(InvalidAssignment::Factor { expected, given: replicas.len() })
        }
        _ => Ok(()),
    }
}

/// Replicas for `count` partitions from the index `first` on: each next one begins with the next
/// broker.
pub(super) fn spread(
    image: &Image,
    policy: &Policy<'_>,
    first: usize,
    count: usize,
    factor: usize,
) -> Vec<Vec<NodeId>> {
    let brokers: Vec<NodeId> = image.brokers.keys().copied().collect();
    let start = brokers.iter().position(|broker| *broker == policy.broker).unwrap_or(0);
    let replicas = |partition: usize| {
        let replicas = 0..factor.min(brokers.len());
        replicas.map(|replica| brokers[(start + partition + replica) % brokers.len()]).collect()
    };
    (first..first + count).map(replicas).collect()
}

/// A partition's state at its creation.
pub(super) fn new_partition(policy: &Policy<'_>, replicas: &[NodeId]) -> PartitionState {
    PartitionState {
        replicas: replicas.to_vec(),
        in_sync_replicas: replicas.to_vec(),
        leader: replicas[0],
        leader_epoch: LeaderEpoch::new(0),
        partition_epoch: 0,
        log_directory: policy.log_directory,
    }
}

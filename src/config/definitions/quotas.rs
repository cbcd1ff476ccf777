//! Quotas of brokers, users, clients and addresses, and subscriptions to clients' metrics.

use super::reasons::{MUTATIONS, ONE_DIRECTORY, REPLICATION, TELEMETRY};
use crate::config::definition::{
    Allowed::{Any, ItemsOrNone},
    Definition,
    Effect::Effective,
    INT_MAX,
    Kind::{Double, Int, List, Long},
    LONG_MAX,
    Update::ClusterWide,
    from, inheriting, row,
};

/// Throttles of one broker.
#[rustfmt::skip]
pub(super) static BROKER_ROWS: &[Definition] = &[
    row("leader.replication.throttled.rate", Long, LONG_MAX, from(0), ClusterWide, REPLICATION,
        "Bytes in a second that this broker sends to throttled replicas."),
    row("follower.replication.throttled.rate", Long, LONG_MAX, from(0), ClusterWide, REPLICATION,
        "Bytes in a second that this broker fetches for throttled replicas."),
    row("replica.alter.log.dirs.io.max.bytes.per.second", Long, LONG_MAX, from(0), ClusterWide,
        ONE_DIRECTORY,
        "Bytes in a second that are moved between directories."),
];

/// Quotas of users and clients.
#[rustfmt::skip]
pub(super) static CLIENT_ROWS: &[Definition] = &[
    inheriting("producer_byte_rate", Long, LONG_MAX, Any, &[], Effective,
        "Bytes that a client may produce in a second."),
    inheriting("consumer_byte_rate", Long, LONG_MAX, Any, &[], Effective,
        "Bytes that a client may fetch in a second."),
    inheriting("request_percentage", Double, Some("2.147483647E9"), Any, &[], Effective,
        "The part of a thread's time that a client may take, in percent."),
    inheriting("controller_mutation_rate", Double, Some("2.147483647E9"), Any, &[], MUTATIONS,
        "Partitions that a client may create or delete in a second."),
];

/// Quotas of addresses.
#[rustfmt::skip]
pub(super) static ADDRESS_ROWS: &[Definition] = &[
    inheriting("connection_creation_rate", Int, INT_MAX, from(0), &[], Effective,
        "Connections that an address may open in a second."),
];

/// Subscriptions to clients' metrics.
#[rustfmt::skip]
pub(super) static CLIENT_METRICS_ROWS: &[Definition] = &[
    inheriting("interval.ms", Int, Some("300000"), Any, &[], TELEMETRY,
        "How often a client sends its metrics."),
    inheriting("match", List, Some(""), ItemsOrNone, &[], TELEMETRY,
        "Which clients a subscription is for, as attribute=pattern."),
    inheriting("metrics", List, Some(""), ItemsOrNone, &[], TELEMETRY,
        "The metrics that a client sends, by the beginnings of their names."),
];

//! Followers, in-sync replicas, leaders.

use super::reasons::{JAVA, ONE_DIRECTORY, REPLICATION, TIERED};
use crate::config::definition::{
    Allowed::Any,
    Definition,
    Kind::{Boolean, Int, Long, Text},
    Update::{ClusterWide, ReadOnly},
    from, row,
};

/// The settings.
#[rustfmt::skip]
pub(super) static ROWS: &[Definition] = &[
    row("replica.lag.time.max.ms", Long, Some("30000"), Any, ReadOnly, REPLICATION,
        "How long a follower may lag before it leaves the in-sync replicas."),
    row("replica.socket.timeout.ms", Int, Some("30000"), Any, ReadOnly, REPLICATION,
        "How long a follower waits for its leader's socket."),
    row("replica.socket.receive.buffer.bytes", Int, Some("65536"), Any, ReadOnly, REPLICATION,
        "The receive buffer of a follower's socket."),
    row("replica.fetch.max.bytes", Int, Some("1048576"), from(0), ReadOnly, REPLICATION,
        "Bytes of one partition that a follower asks for."),
    row("replica.fetch.wait.max.ms", Int, Some("500"), Any, ReadOnly, REPLICATION,
        "How long a leader holds a follower's fetch back."),
    row("replica.fetch.min.bytes", Int, Some("1"), Any, ReadOnly, REPLICATION,
        "Bytes that a follower's fetch waits for."),
    row("replica.fetch.response.max.bytes", Int, Some("10485760"), from(0), ReadOnly, REPLICATION,
        "Bytes that a follower asks for in one fetch."),
    row("replica.fetch.backoff.ms", Int, Some("1000"), from(0), ReadOnly, REPLICATION,
        "The pause of a follower after a failed fetch."),
    row("replica.selector.class", Text, None, Any, ReadOnly, JAVA,
        "A class that chooses the replica a consumer reads from."),
    row("num.replica.fetchers", Int, Some("1"), from(1), ClusterWide, REPLICATION,
        "Threads that fetch from each leader."),
    row("num.replica.alter.log.dirs.threads", Int, None, Any, ReadOnly, ONE_DIRECTORY,
        "Threads that move replicas between directories."),
    row("auto.leader.rebalance.enable", Boolean, Some("true"), Any, ReadOnly, REPLICATION,
        "Whether leadership goes back to the preferred replicas by itself."),
    row("leader.imbalance.check.interval.seconds", Long, Some("300"), from(1), ReadOnly,
        REPLICATION,
        "How often the balance of leaders is looked at."),
    row("follower.fetch.last.tiered.offset.enable", Boolean, Some("false"), Any, ClusterWide,
        TIERED,
        "Whether an empty follower starts behind what is in tiered storage."),
];

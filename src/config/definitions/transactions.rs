//! Transactions.

use super::reasons::TRANSACTIONS;
use crate::config::definition::{
    Allowed::Any,
    Definition,
    Kind::{Boolean, Int, Short},
    Update::{ClusterWide, ReadOnly},
    from, row,
};

/// The settings.
#[rustfmt::skip]
pub(super) static ROWS: &[Definition] = &[
    row("transaction.max.timeout.ms", Int, Some("900000"), from(1), ReadOnly, TRANSACTIONS,
        "The longest transaction timeout that a producer may choose."),
    row("transactional.id.expiration.ms", Int, Some("604800000"), from(1), ReadOnly, TRANSACTIONS,
        "How long an unused transactional id is remembered."),
    row("transaction.state.log.num.partitions", Int, Some("50"), from(1), ReadOnly, TRANSACTIONS,
        "Partitions of the topic that holds the state of transactions."),
    row("transaction.state.log.replication.factor", Short, Some("3"), from(1), ReadOnly,
        TRANSACTIONS,
        "Replicas of the topic that holds the state of transactions."),
    row("transaction.state.log.min.isr", Int, Some("2"), from(1), ReadOnly, TRANSACTIONS,
        "Replicas that have to hold the state of transactions."),
    row("transaction.state.log.segment.bytes", Int, Some("104857600"), from(1), ReadOnly,
        TRANSACTIONS,
        "The segment size of the topic that holds the state of transactions."),
    row("transaction.state.log.load.buffer.size", Int, Some("5242880"), from(1), ReadOnly,
        TRANSACTIONS,
        "Bytes read at once when the state of transactions is loaded."),
    row("transaction.abort.timed.out.transaction.cleanup.interval.ms", Int, Some("10000"), from(1),
        ReadOnly, TRANSACTIONS,
        "How often transactions that took too long are looked for."),
    row("transaction.remove.expired.transaction.cleanup.interval.ms", Int, Some("3600000"), from(1),
        ReadOnly, TRANSACTIONS,
        "How often transactional ids to forget are looked for."),
    row("transaction.partition.verification.enable", Boolean, Some("true"), Any, ClusterWide,
        TRANSACTIONS,
        "Whether a batch of a transaction is checked against its coordinator."),
    row("transaction.two.phase.commit.enable", Boolean, Some("false"), Any, ReadOnly, TRANSACTIONS,
        "Whether a producer may prepare a transaction and end it after a restart."),
    row("add.partitions.to.txn.retry.backoff.ms", Int, Some("20"), from(1), ReadOnly, TRANSACTIONS,
        "The pause before a partition is added to a transaction again."),
    row("add.partitions.to.txn.retry.backoff.max.ms", Int, Some("100"), from(0), ReadOnly,
        TRANSACTIONS,
        "How long adding a partition to a transaction is tried in all."),
];

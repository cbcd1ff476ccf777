//! Clean-up policy and compaction.

use super::reasons::COMPACTION;
use crate::config::definition::{
    Allowed::{Any, Number},
    CLEANUP_POLICIES, Definition,
    Effect::Effective,
    Kind::{Boolean, Double, Int, List, Long},
    LONG_MAX,
    Update::{ClusterWide, ReadOnly},
    from, row,
};

/// The settings.
#[rustfmt::skip]
pub(super) static ROWS: &[Definition] = &[
    row("log.cleanup.policy", List, Some("delete"), CLEANUP_POLICIES, ClusterWide, Effective,
        "Whether old records are deleted, compacted to the newest of each key, or both."),
    row("log.cleaner.enable", Boolean, Some("true"), Any, ReadOnly, Effective,
        "Whether compaction runs at all."),
    row("log.cleaner.threads", Int, Some("1"), from(0), ClusterWide, COMPACTION,
        "Threads that compact."),
    row("log.cleaner.dedupe.buffer.size", Long, Some("134217728"), Any, ClusterWide, Effective,
        "Memory for the keys seen during compaction, at most an eighth of that for appends."),
    row("log.cleaner.io.buffer.size", Int, Some("524288"), from(0), ClusterWide, COMPACTION,
        "Memory for reading and writing during compaction."),
    row("log.cleaner.io.buffer.load.factor", Double, Some("0.9"), Any, ClusterWide, COMPACTION,
        "How full the memory for keys may become."),
    row("log.cleaner.io.max.bytes.per.second", Double, Some("1.7976931348623157E308"), Any,
        ClusterWide, Effective,
        "The most bytes that compaction reads and writes in a second."),
    row("log.cleaner.backoff.ms", Long, Some("15000"), from(0), ClusterWide, Effective,
        "The pause when there is nothing to compact."),
    row("log.cleaner.min.cleanable.ratio", Double, Some("0.5"), Number { from: 0.0, to: 1.0 },
        ClusterWide, Effective,
        "The part of a log that has to be uncompacted before it is compacted."),
    row("log.cleaner.delete.retention.ms", Long, Some("86400000"), from(0), ClusterWide, Effective,
        "How long a compacted log keeps the marks of deleted keys."),
    row("log.cleaner.min.compaction.lag.ms", Long, Some("0"), from(0), ClusterWide, Effective,
        "How long a record is safe from compaction."),
    row("log.cleaner.max.compaction.lag.ms", Long, LONG_MAX, from(1), ClusterWide, Effective,
        "How long a record may wait for compaction."),
];

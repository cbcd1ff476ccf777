//! Defaults and safety of topics; sizes, codecs and timestamps of messages.

use super::reasons::{JAVA, REPLICATION};
use crate::config::definition::{
    Allowed::Any,
    CODECS, Definition,
    Effect::Effective,
    GZIP_LEVELS,
    Kind::{Boolean, Class, Int, Long, Text},
    LONG_MAX, TIMESTAMP_TYPES,
    Update::{ClusterWide, ReadOnly},
    between, from, row,
};

/// The settings.
#[rustfmt::skip]
pub(super) static ROWS: &[Definition] = &[
    row("num.partitions", Int, Some("1"), from(1), ReadOnly, Effective,
        "Partitions of a topic that is created without a number of its own."),
    row("default.replication.factor", Int, Some("1"), Any, ReadOnly, Effective,
        "Replicas of a topic that is created without a number of its own."),
    row("min.insync.replicas", Int, Some("1"), from(1), ClusterWide, Effective,
        "Replicas that have to hold a record before acks=all is answered."),
    row("auto.create.topics.enable", Boolean, Some("true"), Any, ReadOnly, Effective,
        "Whether a topic is created when a client asks for one that does not exist."),
    row("delete.topic.enable", Boolean, Some("true"), Any, ReadOnly, Effective,
        "Whether topics can be deleted."),
    row("unclean.leader.election.enable", Boolean, Some("false"), Any, ClusterWide, REPLICATION,
        "Whether a replica that lacks records may lead when no other is left."),
    row("unclean.leader.election.interval.ms", Long, Some("300000"), from(1), ReadOnly, REPLICATION,
        "How often partitions without a leader are looked for.").internal(),
    row("create.topic.policy.class.name", Class, None, Any, ReadOnly, JAVA,
        "A class that may refuse new topics."),
    row("alter.config.policy.class.name", Class, None, Any, ReadOnly, JAVA,
        "A class that may refuse changes of settings."),
    row("message.max.bytes", Int, Some("1048588"), from(0), ClusterWide, Effective,
        "The largest record batch that is taken, its header included."),
    row("compression.type", Text, Some("producer"), CODECS, ClusterWide, Effective,
        "The codec in which batches are stored; producer keeps what was sent."),
    row("compression.gzip.level", Int, Some("-1"), GZIP_LEVELS, ClusterWide, Effective,
        "How hard gzip tries, from fast to small; -1 is the codec's own choice."),
    row("compression.lz4.level", Int, Some("9"), between(1, 17), ClusterWide, Effective,
        "How hard lz4 tries, from fast to small."),
    row("compression.zstd.level", Int, Some("3"), between(-131_072, 22), ClusterWide, Effective,
        "How hard zstd tries, from fast to small."),
    row("log.message.timestamp.type", Text, Some("CreateTime"), TIMESTAMP_TYPES, ClusterWide,
        Effective,
        "Whether a record's timestamp is its producer's or the time of the append."),
    row("log.message.timestamp.before.max.ms", Long, LONG_MAX, from(0), ClusterWide, Effective,
        "How far a producer's timestamp may lie in the past."),
    row("log.message.timestamp.after.max.ms", Long, Some("3600000"), from(0), ClusterWide,
        Effective,
        "How far a producer's timestamp may lie in the future."),
];

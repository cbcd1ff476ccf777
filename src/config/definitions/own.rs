//! Millstream's own settings, which Kafka does not know.

use crate::config::definition::{
    Allowed::{Any, OneOf},
    DURABILITIES, Definition,
    Effect::Effective,
    Kind::{Int, Long, Text},
    Update::{ClusterWide, ReadOnly},
    between, from, inheriting, row, same,
};

/// Settings of brokers.
#[rustfmt::skip]
pub(super) static BROKER_ROWS: &[Definition] = &[
    row("ack.durability", Text, Some("disk"), DURABILITIES, ClusterWide, Effective,
        "When an append is acknowledged: on disk, or in memory milliseconds before that."),
    row("produce.validation", Text, Some("header"), OneOf(&["header", "full"]), ReadOnly, Effective,
        "Whether compressed batches are believed by their headers or read record by record."),
    row("admin.listen", Text, Some("127.0.0.1:9644"), Any, ReadOnly, Effective,
        "Where metrics and health are served over HTTP, as ADDRESS:PORT; nothing for nowhere."),
    row("log.format", Text, Some("text"), OneOf(&["text", "json"]), ReadOnly, Effective,
        "How the broker's own log is written to standard error, one line for each event."),
    row("log.level", Text, Some("info"), OneOf(&["error", "warn", "info", "debug", "trace"]),
        ReadOnly, Effective,
        "The least that is logged; the environment's RUST_LOG wins."),
    row("cores", Int, Some("0"), between(0, 1024), ReadOnly, Effective,
        "Cores to use, one thread on each; 0 means all."),
    row("memory.bytes", Long, None, from(64 << 20), ReadOnly, Effective,
        "Memory for recent data; unset means a quarter of the machine's, at least 256 MiB and at \
         most 1 GiB for each core."),
    row("wal.bytes.max", Long, Some("1073741824"), from(16 << 20), ReadOnly, Effective,
        "Disk space for the write-ahead logs of all cores together."),
    row("wal.file.bytes", Long, Some("134217728"), from(4 << 20), ReadOnly, Effective,
        "The largest file of a write-ahead log; above the largest request."),
    row("wal.commit.bytes.max", Int, Some("1048576"), between(4096, 64 << 20), ReadOnly, Effective,
        "The most bytes written to a write-ahead log at once; a multiple of 4096."),
    row("checkpoint.bytes", Long, Some("67108864"), from(1 << 20), ReadOnly, Effective,
        "Bytes logged since the last checkpoint after which the next begins."),
    row("checkpoint.interval.ms", Long, Some("5000"), from(10), ReadOnly, Effective,
        "The longest time between two checkpoints."),
    row("disk.reserve.bytes", Long, Some("67108864"), from(0), ReadOnly, Effective,
        "Disk space that produce leaves alone, so that deleting and committing go on."),
];

/// Settings of topics.
#[rustfmt::skip]
pub(super) static TOPIC_ROWS: &[Definition] = &[
    inheriting("ack.durability", Text, Some("disk"), DURABILITIES, &[same("ack.durability")],
        Effective,
        "When an append is acknowledged: on disk, or in memory milliseconds before that."),
];

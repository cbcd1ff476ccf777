//! Metrics, and the windows in which quotas are measured.

use super::reasons::{JAVA, JMX, MUTATIONS, ONE_DIRECTORY, REPLICATION};
use crate::config::definition::{
    Allowed::{Any, ItemsOrNone},
    Definition,
    Effect::Effective,
    Kind::{Class, Int, List, Long, Text},
    Update::{ClusterWide, ReadOnly},
    from, row,
};

/// The settings.
#[rustfmt::skip]
pub(super) static ROWS: &[Definition] = &[
    row("metric.reporters", List, Some("org.apache.kafka.common.metrics.JmxReporter"), ItemsOrNone,
        ClusterWide, JAVA,
        "Classes that report metrics."),
    row("kafka.metrics.reporters", List, Some(""), ItemsOrNone, ReadOnly, JAVA,
        "Classes that report the older metrics."),
    row("kafka.metrics.polling.interval.secs", Int, Some("10"), from(1), ReadOnly, JMX,
        "How often those classes are asked to report."),
    row("metrics.num.samples", Int, Some("2"), from(1), ReadOnly, JMX,
        "Samples of which a metric is computed."),
    row("metrics.sample.window.ms", Long, Some("30000"), from(1), ReadOnly, JMX,
        "How long each of those samples is."),
    row("metrics.recording.level", Text, Some("INFO"), Any, ReadOnly, JMX,
        "How detailed metrics are."),
    row("telemetry.max.bytes", Int, Some("1048576"), from(1), ReadOnly, Effective,
        "The most bytes of metrics that a client may send."),
    row("client.quota.callback.class", Class, None, Any, ReadOnly, JAVA,
        "A class that decides which quota a client has."),
    row("quota.window.num", Int, Some("11"), from(1), ReadOnly, Effective,
        "Samples kept to measure clients."),
    row("quota.window.size.seconds", Int, Some("1"), from(1), ReadOnly, Effective,
        "How long each of those samples is."),
    row("replication.quota.window.num", Int, Some("11"), from(1), ReadOnly, REPLICATION,
        "Samples kept to measure replication."),
    row("replication.quota.window.size.seconds", Int, Some("1"), from(1), ReadOnly, REPLICATION,
        "How long each of those samples is."),
    row("alter.log.dirs.replication.quota.window.num", Int, Some("11"), from(1), ReadOnly,
        ONE_DIRECTORY,
        "Samples kept to measure moves between directories."),
    row("alter.log.dirs.replication.quota.window.size.seconds", Int, Some("1"), from(1), ReadOnly,
        ONE_DIRECTORY,
        "How long each of those samples is."),
    row("controller.quota.window.num", Int, Some("11"), from(1), ReadOnly, MUTATIONS,
        "Samples kept to measure changes of topics."),
    row("controller.quota.window.size.seconds", Int, Some("1"), from(1), ReadOnly, MUTATIONS,
        "How long each of those samples is."),
];

//! What topics and groups get from their own settings and from their broker's.

use core::time::Duration;

use millstream::config::{
    Compression, Durability, GroupSettings, OffsetReset, Timestamps, TopicSettings,
};

use crate::facts::{given, map};

fn topic(broker: &[&str], overrides: &[(&str, &str)]) -> TopicSettings {
    TopicSettings::resolve(&map(overrides), &given(broker).unwrap()).unwrap()
}

fn refusal(overrides: &[(&str, &str)]) -> String {
    TopicSettings::resolve(&map(overrides), &given(&[]).unwrap()).unwrap_err().to_string()
}

#[test]
fn durability_follows_its_precedence() {
    for (broker, overrides, expected) in [
        ("disk", &[][..], Durability::Disk),
        ("memory", &[], Durability::Memory),
        ("disk", &[("ack.durability", "memory")], Durability::Memory),
        ("memory", &[("flush.messages", "1")], Durability::Disk),
        ("memory", &[("flush.messages", "2")], Durability::Memory),
        ("disk", &[("flush.messages", "1"), ("ack.durability", "memory")], Durability::Memory),
        ("memory", &[("flush.messages", "7"), ("ack.durability", "disk")], Durability::Disk),
    ] {
        let broker = format!("ack.durability={broker}");
        assert_eq!(topic(&[&broker], overrides).durability, expected, "{broker} {overrides:?}");
    }
    let flushing = topic(&["ack.durability=memory", "log.flush.interval.messages=1"], &[]);
    assert_eq!(flushing.durability, Durability::Memory);
}

#[test]
fn retention_is_the_first_that_is_set() {
    for (broker, expected) in [
        (&[][..], Some(Duration::from_secs(7 * 24 * 3600))),
        (&["log.retention.hours=2"], Some(Duration::from_secs(7200))),
        (&["log.retention.hours=2", "log.retention.minutes=3"], Some(Duration::from_secs(180))),
        (&["log.retention.minutes=3", "log.retention.ms=4"], Some(Duration::from_millis(4))),
        (&["log.retention.ms=-5"], None),
        (&["log.retention.hours=-1"], None),
    ] {
        assert_eq!(topic(broker, &[]).cleanup.retention, expected, "{broker:?}");
        let own = topic(broker, &[("retention.ms", "0"), ("retention.bytes", "9")]);
        assert_eq!(own.cleanup.retention, Some(Duration::ZERO));
        assert_eq!(own.cleanup.retention_bytes, Some(9));
    }
}

#[test]
fn settings_are_what_they_say() {
    let plain = topic(&[], &[]);
    assert_eq!(plain.compression, Compression::Producer);
    assert_eq!(plain.message_bytes_max, 1_048_588);
    assert!(plain.cleanup.delete && !plain.cleanup.compact);
    assert_eq!(plain.segments.age_max, Duration::from_secs(7 * 24 * 3600));
    assert_eq!(
        plain.timestamps,
        Timestamps::CreateTime { before_max_ms: i64::MAX, after_max_ms: 3_600_000 }
    );
    let broker = ["log.roll.jitter.hours=1", "log.flush.scheduler.interval.ms=7"];
    let own = [
        ("cleanup.policy", "compact"),
        ("compression.type", "zstd"),
        ("compression.zstd.level", "-5"),
        ("message.timestamp.type", "LogAppendTime"),
        ("internal.segment.bytes", "1000"),
        ("leader.replication.throttled.replicas", "0:1, 1:1"),
    ];
    let own = topic(&broker, &own);
    assert_eq!(own.compression, Compression::Zstd(-5));
    assert_eq!(own.timestamps, Timestamps::LogAppendTime);
    assert!(own.cleanup.compact && !own.cleanup.delete);
    assert_eq!(own.segments.bytes_max, 1000);
    assert_eq!(own.segments.jitter_max, Duration::from_secs(3600));
    assert_eq!(own.flush_interval, Duration::from_millis(7));
    assert_eq!(own.leader_throttled_replicas, ["0:1", "1:1"]);
    assert_eq!(topic(&[], &[("compression.type", "gzip")]).compression, Compression::Gzip(None));
}

#[test]
fn refusals_say_what_would_do() {
    for (overrides, expected) in [
        (&[("retention.ms", "soon")][..], "retention.ms=soon: expected a whole number from -1"),
        (
            &[("segment.bytes", "100")],
            "segment.bytes=100: expected a whole number from 1048576 to 2147483647",
        ),
        (
            &[("cleanup.policy", "delete,shrink")],
            "cleanup.policy=delete,shrink: expected any of compact, delete",
        ),
        (&[("ack.durability", "none")], "ack.durability=none: expected disk or memory"),
        (
            &[("min.compaction.lag.ms", "10"), ("max.compaction.lag.ms", "5")],
            "min.compaction.lag.ms=10: expected at most max.compaction.lag.ms, which is 5",
        ),
        (
            &[("remote.storage.enable", "true")],
            "remote.storage.enable=true: expected false: there is no tiered storage yet",
        ),
        (&[("retention", "1")], "retention: unknown setting"),
        (&[("retntion.ms", "1")], "retntion.ms: unknown setting; did you mean retention.ms?"),
        (
            &[("log.retention.hours", "1")],
            "log.retention.hours: unknown setting; did you mean retention.ms?",
        ),
    ] {
        assert_eq!(refusal(overrides), expected);
    }
}

#[test]
fn groups_stay_in_the_ranges_of_their_broker() {
    let broker = given(&["group.consumer.max.session.timeout.ms=50000"]).unwrap();
    let group = |overrides: &[(&str, &str)]| GroupSettings::resolve(&map(overrides), &broker);
    let settings = group(&[
        ("consumer.session.timeout.ms", "46000"),
        ("share.auto.offset.reset", "by_duration:PT2H"),
    ])
    .unwrap();
    assert_eq!(settings.consumer.session_timeout, Duration::from_secs(46));
    assert_eq!(settings.consumer.heartbeat_interval, Duration::from_secs(5));
    assert_eq!(settings.share.offset_reset, OffsetReset::ByDuration(Duration::from_secs(7200)));
    assert_eq!(settings.share.members.session_timeout, Duration::from_secs(45));
    assert_eq!(settings.streams.standby_replicas, 0);
    for (name, value, expected) in [
        (
            "consumer.session.timeout.ms",
            "50001",
            "expected at most group.consumer.max.session.timeout.ms, which is 50000",
        ),
        (
            "streams.num.standby.replicas",
            "3",
            "expected at most group.streams.max.standby.replicas, which is 2",
        ),
        ("consumer.session.timeout.ms", "x", "expected a whole number from 1"),
    ] {
        let error = group(&[(name, value)]).unwrap_err();
        assert_eq!(error.to_string(), format!("{name}={value}: {expected}"));
    }
    let error = group(&[("consumer.session.timeout", "5")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "consumer.session.timeout: unknown setting; did you mean consumer.session.timeout.ms?"
    );
    let broker = given(&[
        "group.consumer.max.heartbeat.interval.ms=60000",
        "group.consumer.max.session.timeout.ms=60000",
    ])
    .unwrap();
    let error =
        GroupSettings::resolve(&map(&[("consumer.heartbeat.interval.ms", "45000")]), &broker);
    assert_eq!(
        error.unwrap_err().to_string(),
        "consumer.heartbeat.interval.ms=45000: \
         does not go with group.consumer.session.timeout.ms=45000: \
         expected more than consumer.heartbeat.interval.ms, which is 45000"
    );
}

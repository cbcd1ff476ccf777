//! Settings that are said to be effective change what a broker or topic amounts to.

use millstream::config::{
    Allowed, Definition, Effect, Kind, TopicSettings, broker_settings, topic_settings,
};

use crate::facts::{given, map};

/// Values for settings of which not just any other value shows, with what they need beside them.
const SAMPLES: &[(&str, &str, &[&str])] = &[
    ("admin.listen", "127.0.0.1:1", &[]),
    ("advertised.listeners", "PLAINTEXT://h:1", &[]),
    ("broker.id", "5", &[]),
    ("controller.listener.names", "PLAINTEXT", &[]),
    ("listener.security.protocol.map", "PLAINTEXT:SSL", &[]),
    ("listeners", "PLAINTEXT://:9093", &[]),
    ("max.connections.per.ip.overrides", "127.0.0.1:5", &[]),
    ("compression.gzip.level", "9", &["compression.type=gzip"]),
    ("compression.lz4.level", "1", &["compression.type=lz4"]),
    ("compression.zstd.level", "1", &["compression.type=zstd"]),
    ("group.consumer.max.session.timeout.ms", "44999", &[]),
    ("group.consumer.max.heartbeat.interval.ms", "4999", &[]),
    ("group.consumer.max.assignment.interval.ms", "999", &[]),
    ("group.consumer.min.assignment.interval.ms", "1001", &[]),
    ("group.consumer.heartbeat.interval.ms", "6000", &[]),
    ("group.consumer.session.timeout.ms", "50000", &[]),
    ("memory.bytes", "100000000", &[]),
    ("wal.commit.bytes.max", "4096", &[]),
    ("internal.segment.bytes", "100", &[]),
];

/// Another value than the default.
fn sample(definition: &Definition) -> String {
    let default = definition.default.unwrap_or_default();
    let other = |texts: &[&str]| texts.iter().find(|text| **text != default).unwrap().to_string();
    match (definition.allowed, definition.kind) {
        (Allowed::OneOf(texts) | Allowed::OneOfAnyCase(texts), _)
        | (Allowed::SomeOf(texts) | Allowed::SomeOfOrNone(texts), _) => other(texts),
        (_, Kind::Boolean) => other(&["true", "false"]),
        (_, Kind::Double) => "0.25".to_owned(),
        (_, Kind::Int | Kind::Short | Kind::Long) => {
            let number: i64 = default.parse().unwrap_or(5);
            let is_most = number == i64::MAX || number == i64::from(i32::MAX);
            if is_most { (number - 1).to_string() } else { (number + 1).to_string() }
        }
        _ => "other".to_owned(),
    }
}

fn sampled(definition: &Definition) -> (String, &'static [&'static str]) {
    let known = SAMPLES.iter().find(|(name, ..)| *name == definition.name);
    known.map_or_else(
        || (sample(definition), &[][..]),
        |(_, value, beside)| ((*value).to_owned(), *beside),
    )
}

/// What a broker's settings amount to, without the list of those that were given.
fn amount(overrides: &[&str]) -> String {
    match given(overrides) {
        Ok(settings) => format!("{settings:?}").split(" layers: ").next().unwrap().to_owned(),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn effective_broker_settings_change_brokers() {
    for definition in broker_settings().filter(|row| row.effect == Effect::Effective) {
        let (value, beside) = sampled(definition);
        let setting = format!("{}={value}", definition.name);
        let mut overrides = beside.to_vec();
        overrides.push(&setting);
        assert_ne!(amount(&overrides), amount(beside), "{setting}");
        let refused = given(&overrides).is_err();
        let is_bound = definition.name.starts_with("group.consumer.m");
        let by_listeners =
            ["broker.id", "listener.security.protocol.map", "controller.listener.names"];
        assert!(!refused || is_bound || by_listeners.contains(&definition.name), "{setting}");
    }
}

#[test]
fn effective_topic_settings_change_topics() {
    let broker = given(&[]).unwrap();
    for definition in topic_settings().filter(|row| row.effect == Effect::Effective) {
        let (value, beside) = sampled(definition);
        let mut overrides: Vec<_> =
            beside.iter().map(|setting| setting.split_once('=').unwrap()).collect();
        let without = TopicSettings::resolve(&map(&overrides), &broker).unwrap();
        overrides.push((definition.name, &value));
        let with = TopicSettings::resolve(&map(&overrides), &broker).unwrap();
        assert_ne!(with, without, "{}={value}", definition.name);
    }
}

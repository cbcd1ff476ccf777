//! What Kafka accepts and refuses, we accept and refuse.

use std::collections::BTreeMap;

use millstream::config::{
    BrokerSettings, GroupSettings, TopicSettings, describe_broker, describe_group, describe_topic,
};

use crate::facts::{given, map, rows};

const VERDICTS: &str = include_str!("kafka-4.3.1/verdicts.tsv");

/// What every broker has, in the words of its own files.
const BROKER: &[(&str, &str)] = &[
    ("controller.quorum.bootstrap.servers", "localhost:9093"),
    ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL"),
    ("listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"),
    ("node.id", "1"),
];

/// Where we judge otherwise, and why.
const OTHERWISE: &[(&str, &str)] = &[
    // Stricter: what Kafka accepts cannot work, or does not work here.
    ("listeners=PLAINTEXT://:9092,SSL://:9094,CONTROLLER://:9093", "there is no TLS yet"),
    ("listeners=PLAINTEXT://:65536,CONTROLLER://:9093", "Kafka fails later"),
    ("listeners=PLAINTEXT://:-1,CONTROLLER://:9093", "Kafka fails later"),
    ("advertised.listeners=PLAINTEXT://[::]:9092", "no more an address than 0.0.0.0"),
    ("group.min.session.timeout.ms=10\tgroup.max.session.timeout.ms=5", "no member could join"),
    (
        "log.cleaner.min.compaction.lag.ms=10\tlog.cleaner.max.compaction.lag.ms=5",
        "Kafka starts, and then refuses every topic",
    ),
    ("default.replication.factor=0", "no topic could be created"),
    ("offset.metadata.max.bytes=-1", "no length is below it"),
    ("group.initial.rebalance.delay.ms=-1", "no delay is below zero"),
    ("retention.ms=\u{ff11}\u{ff12}", "digits are those of ASCII"),
    // More lenient: what Kafka refuses works here, or has no effect here.
    (
        "listeners=PLAINTEXT://0.0.0.0:9092,CONTROLLER://:9093",
        "clients are told the machine's name",
    ),
    (
        "listeners=INTERNAL://:9092,CONTROLLER://:9093\t\
         listener.security.protocol.map=INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "brokers need no listener among themselves",
    ),
    ("inter.broker.listener.name=NOPE", "brokers need no listener among themselves"),
    ("process.roles=broker", "every broker is a controller"),
    ("controller.quorum.voters=1@localhost", "no effect"),
    ("queued.max.request.bytes=5", "no effect"),
    ("replica.fetch.wait.max.ms=40000", "no effect"),
    ("log.cleaner.dedupe.buffer.size=100", "no effect"),
    ("cordoned.log.dirs=/x", "no effect"),
    ("create.topic.policy.class.name=no.such.Class", "no effect"),
    ("min.cleanable.dirty.ratio=NaN", "no comparison with NaN ever holds"),
    ("min.cleanable.dirty.ratio=0x1p-1", "nobody writes hexadecimal fractions"),
    ("remote.storage.enable=true", "Kafka judges by another setting, which has no effect here"),
];

fn broker(settings: &BTreeMap<String, String>) -> Result<BrokerSettings, String> {
    let mut all = map(BROKER);
    all.extend(settings.clone());
    all.retain(|_, value| value != "(unset)");
    let overrides: Vec<String> =
        all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let overrides: Vec<&str> = overrides.iter().map(String::as_str).collect();
    given(&overrides).map_err(|errors| errors.to_string())
}

/// Our verdict, with the value of the first setting.
fn verdict(resource: &str, first: &str, settings: &BTreeMap<String, String>) -> String {
    let wanted = |name: &str| name == first;
    let described = match resource {
        "broker" => broker(settings).map(|broker| describe_broker(&broker, wanted)),
        _ => {
            let broker = broker(&BTreeMap::new()).unwrap();
            if resource == "topic" {
                TopicSettings::resolve(settings, &broker)
                    .map(|_| describe_topic(&broker, settings, wanted))
                    .map_err(|error| error.to_string())
            } else {
                GroupSettings::resolve(settings, &broker)
                    .map(|_| describe_group(&broker, settings, wanted))
                    .map_err(|error| error.to_string())
            }
        }
    };
    match described {
        Err(_) => "refused".to_owned(),
        Ok(rows) => match rows.first() {
            Some(row) if row.kind.is_some() => {
                format!("ok {}", row.value.as_deref().unwrap_or("null"))
            }
            _ => "ok".to_owned(),
        },
    }
}

#[test]
fn values_are_judged_as_kafka_judges_them() {
    let mut wrong = Vec::new();
    for row in rows(VERDICTS) {
        let (expected, resource) = (row[0], row[1]);
        let settings: Vec<_> = row[2..].iter().map(|text| text.split_once('=').unwrap()).collect();
        let ours = verdict(resource, settings[0].0, &map(&settings));
        let line = row[2..].join("\t");
        let otherwise = OTHERWISE.iter().any(|(known, _)| *known == line);
        if (ours == expected) == otherwise {
            wrong.push(format!("{resource} {line}: {ours}, Kafka: {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} verdicts:\n{}", wrong.len(), wrong.join("\n"));
}

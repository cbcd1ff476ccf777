//! The tables have every setting of Kafka, as Kafka has it.

use std::collections::BTreeSet;

use millstream::config::{
    Allowed, Definition, Update, address_quotas, broker_settings, broker_throttles,
    client_metrics_settings, client_quotas, group_settings, topic_settings,
};

use crate::facts::{kind_name, rows};

const SETTINGS: &str = include_str!("kafka-4.3.1/settings.tsv");

/// Settings that Kafka does not have.
const OWN: &[&str] = &[
    "ack.durability",
    "admin.listen",
    "checkpoint.bytes",
    "checkpoint.interval.ms",
    "cores",
    "disk.reserve.bytes",
    "log.format",
    "log.level",
    "memory.bytes",
    "produce.validation",
    "wal.bytes.max",
    "wal.commit.bytes.max",
    "wal.file.bytes",
];

/// Where our default is another: a broker starts without a file.
const OWN_DEFAULTS: &[(&str, &str)] = &[
    ("controller.listener.names", "CONTROLLER"),
    ("log.dir", "millstream-data"),
    ("node.id", "1"),
    ("process.roles", "broker,controller"),
];

fn table(resource: &str) -> Vec<&'static Definition> {
    match resource {
        "broker" => broker_settings().collect(),
        "broker-quota" => broker_throttles().iter().collect(),
        "topic" => topic_settings().collect(),
        "group" => group_settings().iter().collect(),
        "client-metrics" => client_metrics_settings().iter().collect(),
        "user-quota" => client_quotas().iter().collect(),
        "ip-quota" => address_quotas().iter().collect(),
        other => panic!("{other}"),
    }
}

#[test]
fn every_setting_of_kafka_is_there_as_kafka_has_it() {
    let mut known = BTreeSet::new();
    for row in rows(SETTINGS) {
        let [resource, name, kind, default, allowed, update, visibility, synonyms] = row[..] else {
            panic!("{row:?}")
        };
        known.insert((resource, name));
        let found = table(resource).into_iter().find(|definition| definition.name == name);
        let ours = found.unwrap_or_else(|| panic!("{resource} {name} is missing"));
        assert_eq!(kind_name(ours.kind), kind, "{name}");
        assert_eq!(default_text(ours), expected_default(name, default), "{name}");
        assert_eq!(allowed_text(ours), allowed, "{name}");
        assert_eq!(ours.internal, visibility == "internal", "{name}");
        if resource == "broker" {
            assert_eq!(update_name(ours.update), update, "{name}");
        } else {
            let inherited: Vec<&str> = ours.inherited.iter().map(|from| from.name).collect();
            assert_eq!(inherited.join(","), synonyms, "{name}");
        }
    }
    for resource in ["broker", "broker-quota", "topic", "group", "client-metrics", "ip-quota"] {
        for definition in table(resource) {
            let is_kafkas = known.contains(&(resource, definition.name));
            assert_ne!(is_kafkas, OWN.contains(&definition.name), "{}", definition.name);
        }
    }
}

#[test]
fn names_are_there_once_and_documented() {
    for resource in ["broker", "topic", "group"] {
        let mut names = BTreeSet::new();
        for Definition { name, documentation, .. } in table(resource) {
            assert!(names.insert(*name), "{name} twice");
            assert!(documentation.ends_with('.') && documentation.len() > 10, "{name}");
            assert!(!documentation.trim_end_matches('.').contains(". "), "{name}: one sentence");
        }
    }
}

#[test]
fn what_is_inherited_exists_and_defaults_alike() {
    for definition in topic_settings().chain(group_settings()) {
        let Some(last) = definition.inherited.last() else { continue };
        let broker = broker_settings().find(|broker| broker.name == last.name).unwrap();
        let default = broker.default.unwrap();
        let inherited = match default.parse::<i64>() {
            Ok(number) => (number * last.factor).to_string(),
            Err(_) => default.to_owned(),
        };
        assert_eq!(Some(inherited.as_str()), definition.default, "{}", definition.name);
    }
}

fn update_name(update: Update) -> &'static str {
    match update {
        Update::ReadOnly => "read-only",
        Update::PerBroker => "per-broker",
        Update::ClusterWide => "cluster-wide",
        Update::Dynamic => "dynamic",
    }
}

fn default_text(definition: &Definition) -> String {
    definition.default.map_or_else(|| "null".to_owned(), |text| format!("={text}"))
}

fn expected_default(name: &str, default: &str) -> String {
    let own = OWN_DEFAULTS.iter().find(|(known, _)| *known == name);
    own.map_or_else(|| default.to_owned(), |(_, text)| format!("={text}"))
}

/// What is allowed, as Kafka writes it; it has no words for items that must not be empty.
fn allowed_text(definition: &Definition) -> String {
    let range = |from: i64, to: i64| match to {
        i64::MAX => format!("[{from},...]"),
        _ => format!("[{from},...,{to}]"),
    };
    match definition.allowed {
        Allowed::Any => match definition.name {
            "authorizer.class.name" => "non-null string".to_owned(),
            "controller.quorum.bootstrap.servers" | "controller.quorum.voters" => {
                "non-empty list".to_owned()
            }
            _ => String::new(),
        },
        Allowed::Whole { from, to } => range(from, to),
        Allowed::WholeOr { from, to, or } => format!("{} or {or}", range(from, to)),
        Allowed::Number { from, to } => format!("[{from},...,{to}]"),
        Allowed::OneOf(texts) | Allowed::SomeOf(texts) | Allowed::SomeOfOrNone(texts) => {
            format!("[{}]", texts.join(", "))
        }
        Allowed::OneOfAnyCase(texts) => format!("(case insensitive) [{}]", texts.join(", ")),
        Allowed::Items | Allowed::ItemsOrNone => String::new(),
        Allowed::NotEmpty => "non-empty string".to_owned(),
        Allowed::ThrottledReplicas => {
            "[partitionId]:[brokerId],[partitionId]:[brokerId],...".to_owned()
        }
        Allowed::OffsetReset => "[latest, earliest, by_duration:PnDTnHnMn.nS]".to_owned(),
    }
}

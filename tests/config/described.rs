//! Brokers, topics, groups and subscriptions are described as Kafka describes them.

use std::collections::BTreeMap;

use millstream::config::{
    Described, Properties, Source, describe_broker, describe_broker_defaults,
    describe_client_metrics, describe_group, describe_topic,
};

use crate::facts::{given, kind_name, map, rows, start};

const PROPERTIES: &str = include_str!("kafka-4.3.1/described.properties");
const ALTERATIONS: &str = include_str!("kafka-4.3.1/alterations.txt");
const DESCRIBED: &str = include_str!("kafka-4.3.1/described.tsv");

/// Settings with another default than Kafka's, which shows among the synonyms.
const OWN_DEFAULTS: &[&str] = &["controller.listener.names", "node.id", "process.roles"];

/// The alterations of each resource, such as `topic:altered`.
fn alterations() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut all = BTreeMap::<String, BTreeMap<String, String>>::new();
    for line in ALTERATIONS.lines() {
        let mut parts = line.splitn(3, ':');
        let resource = format!("{}:{}", parts.next().unwrap(), parts.next().unwrap());
        let settings = all.entry(resource).or_default();
        if let Some((name, value)) = parts.next().unwrap().split_once('=') {
            settings.insert(name.to_owned(), value.to_owned());
        }
    }
    all
}

/// All that is described, by resource and name.
fn described() -> BTreeMap<(String, String), Described> {
    let alterations = alterations();
    let started = start(PROPERTIES).unwrap().settings;
    let broker = started.altered(&alterations["broker:"], &alterations["broker:1"]).unwrap();
    let all = |_: &str| true;
    let mut described = BTreeMap::new();
    for resource in alterations.keys() {
        let settings = &alterations[resource];
        let rows = match resource.split_once(':').unwrap() {
            ("broker", "") => describe_broker_defaults(&broker, all),
            ("broker", _) => describe_broker(&broker, all),
            ("topic", _) => describe_topic(&broker, settings, all),
            ("group", _) => describe_group(&broker, settings, all),
            _ => describe_client_metrics(settings, all),
        };
        for row in rows {
            described.insert((resource.clone(), row.name.clone()), row);
        }
    }
    described
}

#[test]
fn everything_is_described_as_by_kafka() {
    let mut ours = described();
    let mut wrong = Vec::new();
    for row in rows(DESCRIBED) {
        let key = (row[0].to_owned(), row[1].to_owned());
        let Some(found) = ours.remove(&key) else {
            wrong.push(format!("{key:?} is missing"));
            continue;
        };
        let columns = columns(&found);
        let compared = if OWN_DEFAULTS.contains(&row[1]) { 5 } else { 6 };
        let expected = if row[1] == "log.dir" { &row[2..2] } else { &row[2..2 + compared] };
        if columns[..expected.len()] != *expected {
            wrong.push(format!("{key:?}:\n  {columns:?}\n  {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let rest: Vec<_> = ours.keys().map(|(_, name)| name.as_str()).collect();
    assert_eq!(rest.len(), 15, "only our own settings are left: {rest:?}");
}

/// The columns of the file of facts: value, source, read-only, sensitive, type, synonyms.
fn columns(row: &Described) -> [String; 6] {
    let value = |value: &Option<String>| value.as_ref().map_or(String::new(), |v| format!("={v}"));
    let synonyms: Vec<String> = row
        .synonyms
        .iter()
        .map(|synonym| {
            let source = source_name(synonym.source);
            format!("{source} {}{}", synonym.name, value(&synonym.value))
        })
        .collect();
    [
        value(&row.value),
        source_name(row.source).to_owned(),
        if row.read_only { "read-only" } else { "" }.to_owned(),
        if row.sensitive { "sensitive" } else { "" }.to_owned(),
        row.kind.map_or("UNKNOWN", kind_name).to_owned(),
        synonyms.join("; "),
    ]
}

fn source_name(source: Source) -> &'static str {
    match source {
        Source::Topic => "DYNAMIC_TOPIC_CONFIG",
        Source::Group => "DYNAMIC_GROUP_CONFIG",
        Source::ClientMetrics => "DYNAMIC_CLIENT_METRICS_CONFIG",
        Source::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
        Source::DynamicDefault => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        Source::Static => "STATIC_BROKER_CONFIG",
        Source::Default => "DEFAULT_CONFIG",
    }
}

#[test]
fn durability_is_described_with_what_it_follows_from() {
    let broker = given(&["ack.durability=memory"]).unwrap();
    let describe = |overrides: &[(&str, &str)]| {
        let rows = describe_topic(&broker, &map(overrides), |name| name == "ack.durability");
        let [value, source, _, _, _, synonyms] = columns(&rows[0]);
        format!("{value} {source}: {synonyms}")
    };
    let from_broker =
        "STATIC_BROKER_CONFIG ack.durability=memory; DEFAULT_CONFIG ack.durability=disk";
    assert_eq!(describe(&[]), format!("=memory STATIC_BROKER_CONFIG: {from_broker}"));
    assert_eq!(
        describe(&[("flush.messages", "1")]),
        format!("=disk DYNAMIC_TOPIC_CONFIG: DYNAMIC_TOPIC_CONFIG flush.messages=1; {from_broker}")
    );
    assert_eq!(
        describe(&[("flush.messages", "1"), ("ack.durability", "memory")]),
        format!(
            "=memory DYNAMIC_TOPIC_CONFIG: DYNAMIC_TOPIC_CONFIG ack.durability=memory; \
             DYNAMIC_TOPIC_CONFIG flush.messages=1; {from_broker}"
        )
    );
}

#[test]
fn secrets_are_nowhere() {
    let file = Properties::parse("file", PROPERTIES).unwrap();
    let text = format!("{file:?} {:?} {:?}", start(PROPERTIES).unwrap(), described());
    for secret in ["hidden", "\"secret\"", "=secret", "User:a"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

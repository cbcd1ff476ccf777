//! Commands as clients send them, each after the one before, on a cluster of one broker.

use super::*;
use crate::config::{self, Machine, Operation, Sources};
use crate::metadata::{Broker, LogIndex, MetadataEntry, QuotaValue, Quotas, Topic, resource_type};
use crate::types::BrokerEpoch;

const FREE: &str = "not refused";

/// The controller with the log that its decisions make.
struct Cluster {
    image: Image,
    settings: BrokerSettings,
    prng: Prng,
}

impl Cluster {
    fn new(overrides: &[&str]) -> Self {
        let machine = Machine { memory_bytes: 1 << 30, cores: 2 };
        let sources = Sources { file: None, overrides, machine, strict: true };
        let settings = BrokerSettings::resolve(&sources).unwrap().settings;
        let image = Image::new(Uuid::from_halves(1, 2));
        let mut cluster = Self { image, settings, prng: Prng::new(1) };
        let broker = Broker {
            id: NodeId::new(1),
            incarnation: Uuid::from_halves(3, 4),
            epoch: BrokerEpoch::new(0),
            host: "here".to_owned(),
            port: 9092,
            rack: None,
        };
        cluster.command(&Command::StartBroker { broker, unclean: false });
        cluster
    }

    /// Decides, and applies what was decided as it is read back from the log.
    fn command(&mut self, command: &Command) -> (Answer, usize) {
        let policy = Policy {
            settings: &self.settings,
            broker: NodeId::new(1),
            log_directory: Uuid::from_halves(5, 6),
        };
        let Decision { records, answer } = decide(&self.image, &policy, &mut self.prng, command);
        let count = records.len();
        if count > 0 {
            let at = LogIndex { term: 1, index: self.image.at.index + 1 };
            let entry = MetadataEntry { at, records };
            let bytes = entry.encode();
            assert_eq!(MetadataEntry::decode(&bytes).as_ref(), Some(&entry));
            let most = entry.records.iter().map(MetadataRecord::bytes_max).sum::<usize>();
            assert!(bytes.len() <= most && most <= ENTRY_BYTES_MAX, "{} of {most}", bytes.len());
            self.image = self.image.apply(&entry).unwrap();
            let snapshot = Image::decode_snapshot(&self.image.encode_snapshot());
            assert_eq!(snapshot.as_ref(), Some(&self.image));
        }
        (answer, count)
    }

    fn create(&mut self, topic: NewTopic) -> Result<CreatedTopic, String> {
        let command = Command::CreateTopics { topics: vec![topic], validate_only: false };
        let (Answer::Created(results), _) = self.command(&command) else { panic!("created") };
        results.into_iter().next().unwrap().map_err(|error| error.to_string())
    }

    fn topic(&self, name: &str) -> &Topic {
        self.image.topic_named(name).unwrap()
    }

    /// Changes settings one by one, such as `+cleanup.policy=compact`; answers what is wrong.
    fn alter(&mut self, resource_type: i8, resource: &str, changes: &[&str]) -> String {
        self.alter_by(resource_type, resource, changes, (false, false)).0
    }

    fn alter_by(
        &mut self,
        resource_type: i8,
        resource: &str,
        changes: &[&str],
        (replaces, validate_only): (bool, bool),
    ) -> (String, usize) {
        let alteration = Alteration {
            resource_type,
            resource: resource.to_owned(),
            changes: changes.iter().map(|change| change_of(change)).collect(),
            replaces,
        };
        let alterations = vec![alteration];
        let command = Command::AlterSettings { alterations, validate_only };
        let (Answer::Altered(results), records) = self.command(&command) else { panic!("altered") };
        let [result] = &results[..] else { panic!("{results:?}") };
        let told = result.as_ref().err().map_or(FREE.to_owned(), |error| match error {
            AlterSettingsError::Request(reason) => format!("request: {reason}"),
            AlterSettingsError::Setting(reason) => format!("setting: {reason}"),
            other => format!("other: {other}"),
        });
        (told, records)
    }

    fn grow(&mut self, count: i32, assignments: Option<&[&[i32]]>) -> Result<(), String> {
        let replicas = |nodes: &&[i32]| nodes.iter().copied().map(NodeId::new).collect();
        let topics = vec![NewPartitions {
            topic: "t".to_owned(),
            count,
            assignments: assignments.map(|all| all.iter().map(replicas).collect()),
        }];
        let command = Command::CreatePartitions { topics, validate_only: false };
        let (Answer::PartitionsCreated(results), _) = self.command(&command) else {
            panic!("grown")
        };
        results.into_iter().next().unwrap().map_err(|error| error.to_string())
    }

    fn quota(
        &mut self,
        entity: &[(&str, Option<&str>)],
        name: &str,
        value: Option<f64>,
    ) -> Result<(), String> {
        let entity = entity.iter();
        let alterations = vec![QuotaAlteration {
            entity: entity
                .map(|(kind, name)| ((*kind).to_owned(), name.map(str::to_owned)))
                .collect(),
            quotas: vec![(name.to_owned(), value.map(QuotaValue::new))],
        }];
        let command = Command::AlterQuotas { alterations, validate_only: false };
        let (Answer::QuotasAltered(results), _) = self.command(&command) else { panic!("quotas") };
        results.into_iter().next().unwrap()
    }

    fn feature(&mut self, name: &str, level: i16, downgrade: bool) -> Result<(), String> {
        let downgrade = Some(downgrade);
        let updates = vec![FeatureUpdate { name: name.to_owned(), level, downgrade }];
        let command = Command::UpdateFeatures { updates, validate_only: false };
        let (Answer::FeaturesUpdated(results), _) = self.command(&command) else {
            panic!("levels")
        };
        results.into_iter().next().unwrap().map_err(|error| error.to_string())
    }
}

/// `name=value` sets, `+` appends, `-` subtracts, `name` alone deletes, `name?` sets nothing.
fn change_of(text: &str) -> SettingChange {
    let (operation, text) = match text.split_at(1) {
        ("+", rest) => (Operation::Append, rest),
        ("-", rest) => (Operation::Subtract, rest),
        _ if text.contains(['=', '?']) => (Operation::Set, text),
        _ => (Operation::Delete, text),
    };
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text.trim_end_matches('?'), None),
    };
    SettingChange { name: name.to_owned(), operation: Some(operation), value }
}

fn topic(name: &str, partitions: i32) -> NewTopic {
    NewTopic { name: name.to_owned(), partitions, replication_factor: -1, ..NewTopic::default() }
}

fn with_topic() -> Cluster {
    let mut cluster = Cluster::new(&["log.segment.bytes=2000000"]);
    cluster.create(topic("t", 2)).unwrap();
    cluster
}

#[test]
fn settings_of_a_topic_are_set_added_to_and_taken_away() {
    let mut cluster = with_topic();
    let mut alter = |changes: &[&str]| {
        let told = cluster.alter(resource_type::TOPIC, "t", changes);
        let settings = &cluster.topic("t").settings;
        let all: Vec<String> =
            settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (told, all.join(" "))
    };
    let free = |settings: &str| (FREE.to_owned(), settings.to_owned());
    assert_eq!(alter(&["retention.ms=5"]), free("retention.ms=5"));
    let both = free("cleanup.policy=delete,compact retention.ms=5");
    assert_eq!(alter(&["+cleanup.policy=compact"]), both);
    assert_eq!(alter(&["+cleanup.policy=delete"]), both);
    let compact = free("cleanup.policy=compact retention.ms=5");
    assert_eq!(alter(&["-cleanup.policy=delete"]), compact);
    assert_eq!(alter(&["retention.ms", "nothing.of.it"]), free("cleanup.policy=compact"));
    for (changes, words) in [
        (&["retention.ms=x"][..], "setting: retention.ms=x: expected a whole number"),
        (&["retention.sm=5"], "did you mean retention.ms?"),
        (&["+retention.ms=5"], "setting: retention.ms: only lists"),
        (&["retention.ms?"], "request: retention.ms: the value is missing"),
        (&["retention.ms=1", "retention.ms=2"], "request: the request alters retention.ms twice"),
        (&["segment.ms=6", "min.compaction.lag.ms=9", "max.compaction.lag.ms=8"], "at most"),
    ] {
        let (told, settings) = alter(changes);
        assert!(told.contains(words), "{changes:?}: {told}");
        assert_eq!(settings, "cleanup.policy=compact", "{changes:?}");
    }
}

#[test]
fn replacing_settings_forgets_the_others_and_validating_changes_nothing() {
    let mut cluster = with_topic();
    let kind = resource_type::TOPIC;
    cluster.alter(kind, "t", &["retention.ms=5", "segment.ms=6"]);
    let by = cluster.alter_by(kind, "t", &["segment.ms=6", "flush.ms=7"], (true, true));
    assert_eq!(by, (FREE.to_owned(), 0));
    let by = cluster.alter_by(kind, "t", &["segment.ms=6", "flush.ms=7"], (true, false));
    assert_eq!(by, (FREE.to_owned(), 2), "what stays is not written again");
    let names: Vec<&String> = cluster.topic("t").settings.keys().collect();
    assert_eq!(names, ["flush.ms", "segment.ms"]);
}

#[test]
fn resources_that_are_not_there_are_refused() {
    let mut cluster = with_topic();
    for (kind, name, words) in [
        (resource_type::TOPIC, "none", "other: the topic none does not exist"),
        (resource_type::TOPIC, "bad name", "other: the topic name is illegal"),
        (resource_type::TOPIC, "", "request: only brokers have settings for all"),
        (resource_type::GROUP, "", "request: only brokers"),
        (resource_type::CLIENT_METRICS, "", "request: only brokers"),
        (resource_type::BROKER, "2", "request: this is broker 1"),
        (resource_type::BROKER, "x", "request: a broker's id is a whole number"),
        (resource_type::BROKER_LOGGER, "", "request: a broker's id is a whole number"),
        (resource_type::BROKER_LOGGER, "1", "setting: there is no logger a"),
        (3, "q", "request: resources of type 3"),
    ] {
        let told = cluster.alter(kind, name, &["a=b"]);
        assert!(told.starts_with(words), "{kind} {name:?}: {told}");
    }
    let alteration = |name: &str| Alteration {
        resource_type: resource_type::GROUP,
        resource: name.to_owned(),
        changes: Vec::new(),
        replaces: false,
    };
    let alterations = vec![alteration("one"), alteration("two"), alteration("one")];
    let command = Command::AlterSettings { alterations, validate_only: false };
    let (Answer::Altered(results), _) = cluster.command(&command) else { panic!("altered") };
    let refused: Vec<bool> = results.iter().map(Result::is_err).collect();
    assert_eq!(refused, [true, false, true]);
    let alterations = (0..10_001).map(|group| alteration(&group.to_string())).collect();
    let command = Command::AlterSettings { alterations, validate_only: false };
    let (Answer::Altered(results), _) = cluster.command(&command) else { panic!("altered") };
    assert!(results[9_999].is_ok() && results[10_000].is_err());
}

#[test]
fn brokers_are_altered_one_or_all() {
    let mut cluster = with_topic();
    let kind = resource_type::BROKER;
    assert_eq!(cluster.alter(kind, "", &["log.retention.ms=70000"]), FREE);
    assert_eq!(cluster.alter(kind, "1", &["log.retention.ms=80000", "unheard.of=x"]), FREE);
    let own = cluster.image.settings(kind, "1").unwrap();
    assert_eq!(own.keys().collect::<Vec<_>>(), ["log.retention.ms", "unheard.of"]);
    for (name, changes, words) in [
        ("1", &["num.partitions=5"][..], "restart it"),
        ("", &["num.partitions=5"], "restart it"),
        ("", &["listener.name.plaintext.max.connections=5"], "name the id of a broker"),
        ("1", &["ssl.keystore.location=x"], "listener.name.NAME.ssl"),
        ("1", &["log.retention.ms=x"], "expected a whole number"),
        ("", &["log.retention.ms=0"], "or -1 for ever"),
        (
            "1",
            &["log.cleaner.min.compaction.lag.ms=9", "log.cleaner.max.compaction.lag.ms=8"],
            "at",
        ),
    ] {
        let told = cluster.alter(kind, name, changes);
        assert!(told.starts_with("request: ") && told.contains(words), "{changes:?}: {told}");
    }
    let gone = ["log.retention.ms", "unheard.of"];
    assert_eq!(cluster.alter(kind, "1", &gone), FREE);
    assert_eq!(cluster.image.resources(kind).collect::<Vec<_>>(), [""]);
}

#[test]
fn groups_and_subscriptions_have_settings_before_they_are_seen() {
    let mut cluster = with_topic();
    let group = resource_type::GROUP;
    assert_eq!(cluster.alter(group, "g", &["consumer.session.timeout.ms=50000"]), FREE);
    let told = cluster.alter(group, "g", &["consumer.session.timeout.ms=5"]);
    assert!(told.starts_with("setting: ") && told.contains("group.consumer.min"), "{told}");
    let metrics = resource_type::CLIENT_METRICS;
    assert_eq!(cluster.alter(metrics, "m", &["metrics=a,b", "match=client_id=x.*"]), FREE);
    let told = cluster.alter(metrics, "m", &["+metrics=c"]);
    assert!(told.contains("only lists"), "as in Kafka: {told}");
    assert!(cluster.alter(metrics, "m", &["match=colour=red"]).starts_with("setting: match="));
    assert!(cluster.alter(metrics, "m", &["interval.ms=5"]).starts_with("request: interval.ms=5"));
    assert!(cluster.alter(metrics, "m", &["nope=5"]).starts_with("request: nope"));
    assert_eq!(cluster.image.resources(metrics).collect::<Vec<_>>(), ["m"]);
    assert_eq!(cluster.image.resources(group).collect::<Vec<_>>(), ["g"]);
}

#[test]
fn topics_grow_and_never_shrink() {
    let mut cluster = with_topic();
    assert_eq!(cluster.grow(3, None), Ok(()));
    assert_eq!(cluster.grow(5, Some(&[&[1], &[1]])), Ok(()));
    let partitions = &cluster.topic("t").partitions;
    assert_eq!(partitions.len(), 5);
    assert!(partitions.iter().all(|state| state.replicas == [NodeId::new(1)]));
    for (count, assignments, words) in [
        (5, None, "the topic has 5 partitions, 5 would not be more"),
        (4, None, "4 would not be more"),
        (-1, None, "-1 would not be more"),
        (7, Some(&[&[1][..]][..]), "2 partitions are new, but 1 are assigned"),
        (6, Some(&[&[2][..]][..]), "the broker 2, which is not registered"),
        (6, Some(&[&[1, 1][..]][..]), "the broker 1 twice"),
        (6, Some(&[&[][..]][..]), "to no broker"),
        (10_006, None, "one request may create 10000 partitions"),
    ] {
        let told = cluster.grow(count, assignments).unwrap_err();
        assert!(told.contains(words), "{count}: {told}");
    }
    assert_eq!(cluster.topic("t").partitions.len(), 5);
    let twice =
        |topic: &str| NewPartitions { topic: topic.to_owned(), count: 9, assignments: None };
    let topics = vec![twice("t"), twice("none"), twice("t")];
    let command = Command::CreatePartitions { topics, validate_only: false };
    let (Answer::PartitionsCreated(results), _) = cluster.command(&command) else {
        panic!("grown")
    };
    let duplicate = Err(CreatePartitionsError::Duplicate);
    let unknown = Err(CreatePartitionsError::UnknownTopic);
    assert_eq!(results, [duplicate.clone(), unknown, duplicate]);
}

#[test]
fn topics_are_created_as_they_are_assigned() {
    let mut cluster = Cluster::new(&["num.partitions=4"]);
    assert_eq!(cluster.create(topic("default", -1)).unwrap().partitions, 4);
    let assigned = |name: &str, assignments: &[(i32, &[i32])]| NewTopic {
        assignments: assignments
            .iter()
            .map(|(index, nodes)| (*index, nodes.iter().copied().map(NodeId::new).collect()))
            .collect(),
        ..topic(name, -1)
    };
    let created = cluster.create(assigned("assigned", &[(1, &[1]), (0, &[1])])).unwrap();
    assert_eq!((created.partitions, created.replication_factor), (2, 1));
    for (assignments, words) in [
        (&[(0, &[1][..]), (2, &[1])][..], "not numbered 0, 1, 2"),
        (&[(0, &[1]), (0, &[1])], "not numbered"),
        (&[(0, &[2])], "the broker 2, which is not registered"),
        (&[(0, &[])], "to no broker"),
        (&[(0, &[1, 1])], "the broker 1 twice"),
    ] {
        let told = cluster.create(assigned("x", assignments)).unwrap_err();
        assert!(told.contains(words), "{assignments:?}: {told}");
    }
    let told = cluster.create(NewTopic { partitions: 1, ..assigned("x", &[(0, &[1])]) });
    assert!(told.unwrap_err().contains("leave the number of partitions"));
    let told = cluster.create(NewTopic { replication_factor: 2, ..topic("x", 1) }).unwrap_err();
    assert!(told.contains("2 replicas are not possible: 1 broker(s)"), "{told}");
    for (name, words) in [
        ("", "empty"),
        ("..", "'.' or '..'"),
        (&"x".repeat(250), "longer than 249"),
        ("bad/name", "illegal"),
    ] {
        let told = cluster.create(topic(name, 1)).unwrap_err();
        assert!(told.contains(words), "{name}: {told}");
    }
    cluster.create(topic("a.b", 1)).unwrap();
    assert!(cluster.create(topic("a_b", 1)).unwrap_err().contains("collides"));
    assert!(cluster.create(topic("a.b", 1)).unwrap_err().contains("already exists"));
}

#[test]
fn a_name_comes_back_under_another_id_and_without_settings() {
    let mut cluster = with_topic();
    cluster.alter(resource_type::TOPIC, "t", &["retention.ms=5"]);
    let before = cluster.topic("t").id;
    let mut delete = |topics: &[TopicReference]| {
        let command = Command::DeleteTopics { topics: topics.to_vec() };
        let (Answer::Deleted(results), _) = cluster.command(&command) else { panic!("deleted") };
        results.into_iter().map(|result| result.map(|(name, _)| name)).collect::<Vec<_>>()
    };
    let (name, id) = (TopicReference::Name("t".to_owned()), TopicReference::Id(before));
    let duplicate = Err(DeleteTopicError::Duplicate);
    assert_eq!(delete(&[name, id.clone()]), [duplicate.clone(), duplicate]);
    assert_eq!(delete(&[TopicReference::Unclear]), [Err(DeleteTopicError::Unclear)]);
    assert_eq!(delete(std::slice::from_ref(&id)), [Ok("t".to_owned())]);
    assert_eq!(delete(&[id]), [Err(DeleteTopicError::UnknownId)]);
    let again = cluster.create(topic("t", 1)).unwrap();
    assert_ne!(again.id, before);
    assert!(cluster.topic("t").settings.is_empty());
}

#[test]
fn quotas_are_kept_for_whom_they_are() {
    let mut cluster = Cluster::new(&[]);
    let (user, all_users) = ([("user", Some("u"))], [("user", None)]);
    let both = [("user", Some("u")), ("client-id", Some("c"))];
    let address = [("ip", Some("::1"))];
    for entity in [&user[..], &all_users, &both] {
        assert_eq!(cluster.quota(entity, "producer_byte_rate", Some(1000.0)), Ok(()));
    }
    assert_eq!(cluster.quota(&user, "request_percentage", Some(0.5)), Ok(()));
    assert_eq!(cluster.quota(&address, "connection_creation_rate", Some(5.0)), Ok(()));
    assert_eq!(cluster.quota(&user, "never.set", None), Ok(()));
    let of_user: &Quotas =
        &cluster.image.quotas[&[("user".to_owned(), Some("u".to_owned()))].into()];
    assert_eq!(of_user["request_percentage"].get(), 0.5);
    assert_eq!((cluster.image.quotas.len(), of_user.len()), (4, 2));
    for (entity, name, value, words) in [
        (&user[..], "nope", 1.0, "no quota nope"),
        (&user, "connection_creation_rate", 1.0, "no quota connection_creation_rate"),
        (&user, "producer_byte_rate", 1.5, "expected a whole number"),
        (&user, "producer_byte_rate", -1.0, "expected a number above 0"),
        (&[], "producer_byte_rate", 1.0, "the entity is empty"),
        (&[("user", Some(""))], "producer_byte_rate", 1.0, "the name of the user is empty"),
        (&[("tribe", Some("x"))], "producer_byte_rate", 1.0, "expected user, client-id or ip"),
        (&[("ip", Some("x"))], "connection_creation_rate", 1.0, "x is no IP address"),
        (&[("ip", Some("::1")), user[0]], "connection_creation_rate", 1.0, "or else for users"),
    ] {
        let told = cluster.quota(entity, name, Some(value)).unwrap_err();
        assert!(told.contains(words), "{entity:?} {name}={value}: {told}");
    }
    assert_eq!(cluster.quota(&address, "connection_creation_rate", None), Ok(()));
    assert_eq!(cluster.image.quotas.len(), 3);
}

#[test]
fn what_does_not_fit_into_an_entry_is_refused() {
    let mut cluster = Cluster::new(&[]);
    let name = |number: usize| format!("{number}{}", "x".repeat(30_000));
    let changes = ["consumer.session.timeout.ms=50000", "consumer.heartbeat.interval.ms=6000"];
    let alterations = (0..200).map(|group| Alteration {
        resource_type: resource_type::GROUP,
        resource: name(group),
        changes: changes.iter().map(|change| change_of(change)).collect(),
        replaces: false,
    });
    let alterations = alterations.collect();
    let (answer, records) =
        cluster.command(&Command::AlterSettings { alterations, validate_only: false });
    let Answer::Altered(results) = answer else { panic!("altered") };
    let fitting = results.iter().filter(|result| result.is_ok()).count();
    assert!((130..145).contains(&fitting), "{fitting} of 200");
    assert_eq!(records, 2 * fitting);
    assert_eq!(results.last(), Some(&Err(AlterSettingsError::TooLarge)));

    let alterations = (0..300).map(|user| QuotaAlteration {
        entity: [("user".to_owned(), Some(name(user)))].into(),
        quotas: vec![("producer_byte_rate".to_owned(), Some(QuotaValue::new(5.0)))],
    });
    let alterations = alterations.collect();
    let (answer, _) = cluster.command(&Command::AlterQuotas { alterations, validate_only: false });
    let Answer::QuotasAltered(results) = answer else { panic!("quotas") };
    assert_eq!(results.last(), Some(&Err(TOO_LARGE.to_owned())));

    let settings = config::topic_settings().filter(|row| row.name.contains(".ms"));
    let settings: Vec<_> =
        settings.map(|row| (row.name.to_owned(), Some("9000".to_owned()))).collect();
    let topics = (0..5000).map(|topic| NewTopic {
        name: format!("{topic}{}", "x".repeat(200)),
        settings: settings.clone(),
        ..self::topic("", 1)
    });
    let topics = topics.collect();
    let (answer, _) = cluster.command(&Command::CreateTopics { topics, validate_only: false });
    let Answer::Created(results) = answer else { panic!("created") };
    assert!(results[0].is_ok());
    assert_eq!(results.last(), Some(&Err(CreateTopicError::TooLarge)));
    assert_eq!(cluster.image.topic_count(), results.iter().filter(|it| it.is_ok()).count());
}

#[test]
fn features_have_levels_from_the_first_start_on() {
    let mut cluster = Cluster::new(&[]);
    let [Feature { name, level_min, level_max }] = FEATURES;
    assert_eq!(cluster.image.features[name], level_max);
    let told = cluster.feature(name, level_min, false).unwrap_err();
    assert!(told.contains("a lower one needs a request for a downgrade"), "{told}");
    assert_eq!(cluster.feature(name, level_min, true), Ok(()));
    assert_eq!(cluster.image.features[name], level_min);
    assert_eq!(cluster.feature(name, level_max, false), Ok(()));
    for (name, level, words) in [
        (name, level_max + 1, "has no level"),
        (name, 0, "no cluster is without"),
        ("group.version", 1, "no feature of this version"),
    ] {
        let told = cluster.feature(name, level, true).unwrap_err();
        assert!(told.contains(words), "{name} {level}: {told}");
    }
    assert_eq!(cluster.image.features[name], level_max);
}

//! Changes of a running broker: every shard lives by them at once, and so does the next start.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};

use millstream::metadata::Image;
use millstream::protocol::messages::alter_client_quotas::{
    self, AlterClientQuotasRequest, AlterClientQuotasResponse,
};
use millstream::protocol::messages::alter_configs::{
    self, AlterConfigsRequest, AlterConfigsResponse,
};
use millstream::protocol::messages::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsResponse,
    CreatePartitionsTopic,
};
use millstream::protocol::messages::delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
use millstream::protocol::messages::describe_client_quotas::{
    ComponentData, DescribeClientQuotasRequest, DescribeClientQuotasResponse,
};
use millstream::protocol::messages::describe_log_dirs::{
    DescribeLogDirsRequest, DescribeLogDirsResponse,
};
use millstream::protocol::messages::find_coordinator::{
    FindCoordinatorRequest, FindCoordinatorResponse,
};
use millstream::protocol::messages::incremental_alter_configs::{
    self, AlterableConfig, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use millstream::protocol::messages::metadata::MetadataRequest;
use millstream::protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use millstream::protocol::{Array, ErrorCode, Records};
use millstream::record::{BatchBuilder, BatchOptions, NewRecord, Producer};
use millstream::types::{ProducerEpoch, ProducerId, Timestamp};

use crate::process::{Folder, started};
use crate::wire::{ask, connect, create_topic, decode, metadata, receive, send, setting};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const GROUP: i8 = 32;
const TWO_CORES: [&str; 2] = ["--cores", "2"];

/// Changes settings one by one: operation, name, value. Answers the code and the message.
fn alter(
    address: SocketAddr,
    resource: (i8, &str),
    changes: &[(i8, &str, Option<&str>)],
) -> (i16, String) {
    let configs: Vec<_> = changes
        .iter()
        .map(|(config_operation, name, value)| AlterableConfig {
            name,
            config_operation: *config_operation,
            value: *value,
        })
        .collect();
    let resources = [incremental_alter_configs::AlterConfigsResource {
        resource_type: resource.0,
        resource_name: resource.1,
        configs: Array::new(&configs),
    }];
    let resources = Array::new(&resources);
    let request = IncrementalAlterConfigsRequest { resources, ..Default::default() };
    let frame = ask(address, 1, &request);
    let response: IncrementalAlterConfigsResponse<'_> = decode(&frame, 1);
    let result = response.responses.iter().next().unwrap();
    assert_eq!((result.resource_type, result.resource_name), resource);
    (result.error_code, result.error_message.unwrap_or_default().to_owned())
}

pub fn set(address: SocketAddr, resource: (i8, &str), name: &str, value: &str) {
    let done = alter(address, resource, &[(0, name, Some(value))]);
    assert_eq!(done, (0, String::new()), "{resource:?} {name}={value}");
}

/// Produces one record of so many bytes to each partition; answers the codes.
pub fn produce(address: SocketAddr, topic: &str, partitions: i32, bytes: usize) -> Vec<i16> {
    (0..partitions).map(|index| produce_to(address, topic, index, bytes, None)).collect()
}

pub fn produce_to(
    address: SocketAddr,
    name: &str,
    index: i32,
    bytes: usize,
    producer: Option<(ProducerId, ProducerEpoch)>,
) -> i16 {
    produce_over(&mut connect(address), name, index, bytes, producer).0
}

/// Produces over an open connection. Answers the code, and the time to wait in milliseconds.
pub fn produce_over(
    stream: &mut TcpStream,
    name: &str,
    index: i32,
    bytes: usize,
    producer: Option<(ProducerId, ProducerEpoch)>,
) -> (i16, i32) {
    let producer =
        producer.map_or(Producer::NONE, |(id, epoch)| Producer { id, epoch, base_sequence: 0 });
    produce_record(stream, (name, index), (None, bytes), producer)
}

/// Produces one record to a partition: its key, and the bytes of its value. Answers the code, and the
/// time to wait in milliseconds.
fn produce_record(
    stream: &mut TcpStream,
    (name, index): (&str, i32),
    (key, bytes): (Option<&[u8]>, usize),
    producer: Producer,
) -> (i16, i32) {
    let mut builder = BatchBuilder::new(BatchOptions { producer, ..BatchOptions::default() });
    let value = vec![7; bytes];
    let timestamp = Timestamp::new(1_700_000_000_000);
    let record = NewRecord { timestamp, key, value: Some(&value), headers: &[] };
    builder.append(&record).unwrap();
    let mut batch = Vec::new();
    builder.finish(&mut batch).unwrap();
    let partitions = [PartitionProduceData { index, records: Some(Records::Bytes(&batch)) }];
    let partition_data = Array::new(&partitions);
    let topics = [TopicProduceData { name, partition_data, ..Default::default() }];
    let topic_data = Array::new(&topics);
    let request = ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data, ..Default::default() };
    send(stream, 9, &request);
    let frame = receive(stream);
    let response: ProduceResponse<'_> = decode(&frame, 9);
    let topic = response.responses.iter().next().unwrap();
    let code = topic.partition_responses.iter().next().unwrap().error_code;
    (code, response.throttle_time_ms)
}

#[test]
fn settings_of_a_topic_change_on_every_shard_and_stay() {
    let folder = Folder::new("alter-topic");
    let broker = started(&folder, &TWO_CORES);
    let address = broker.address();
    create_topic(address, "t", 4, &[]).unwrap();
    assert_eq!(produce(address, "t", 4, 1000), [0; 4]);
    let topic = (TOPIC, "t");
    set(address, topic, "max.message.bytes", "500");
    let too_large = ErrorCode::MessageTooLarge.code();
    assert_eq!(produce(address, "t", 4, 1000), [too_large; 4]);
    assert_eq!(setting(address, TOPIC, "t", "max.message.bytes"), ("500".to_owned(), 1));
    set(address, topic, "segment.bytes", "1048576");
    for millis in ["5", "6"] {
        set(address, topic, "flush.ms", millis);
    }
    let (code, message) = alter(address, topic, &[(2, "cleanup.policy", Some("compact"))]);
    assert_eq!((code, message.as_str()), (0, ""));
    let policy = setting(address, TOPIC, "t", "cleanup.policy");
    assert_eq!(policy, ("delete,compact".to_owned(), 1));
    let (code, message) = alter(address, topic, &[(0, "segment.bytes", Some("5"))]);
    assert_eq!(code, ErrorCode::InvalidConfig.code());
    assert!(message.contains("segment.bytes=5: expected a whole number from 1048576"), "{message}");
    assert_eq!(alter(address, (TOPIC, "none"), &[(0, "segment.bytes", Some("5"))]).0, 3);
    let told = broker.stop_cleanly();
    assert_eq!(told.matches("flush.ms: accepted, no effect: ").count(), 1, "{told}");

    let broker = started(&folder, &TWO_CORES);
    let address = broker.address();
    assert_eq!(produce(address, "t", 4, 1000), [too_large; 4]);
    assert_eq!(setting(address, TOPIC, "t", "segment.bytes"), ("1048576".to_owned(), 1));
    // What is left out goes back to its default.
    let configs = [alter_configs::AlterableConfig { name: "retention.ms", value: Some("70000") }];
    let configs = Array::new(&configs);
    let resources =
        [alter_configs::AlterConfigsResource { resource_type: TOPIC, resource_name: "t", configs }];
    for validate_only in [true, false] {
        let resources = Array::new(&resources);
        let frame = ask(address, 2, &AlterConfigsRequest { resources, validate_only });
        let response: AlterConfigsResponse<'_> = decode(&frame, 2);
        assert_eq!(response.responses.iter().next().unwrap().error_code, 0);
        let code = if validate_only { too_large } else { 0 };
        assert_eq!(produce_to(address, "t", 0, 1000, None), code);
    }
    assert_eq!(setting(address, TOPIC, "t", "retention.ms"), ("70000".to_owned(), 1));
    assert_eq!(setting(address, TOPIC, "t", "segment.bytes").1, 5);
    broker.stop_cleanly();
}

#[test]
fn settings_of_brokers_change_what_topics_inherit() {
    let folder = Folder::new("alter-broker");
    let file = ["--cores", "2", "--set", "log.roll.hours=9"];
    let broker = started(&folder, &file);
    let address = broker.address();
    create_topic(address, "t", 4, &[]).unwrap();
    set(address, (BROKER, ""), "message.max.bytes", "500");
    let too_large = ErrorCode::MessageTooLarge.code();
    assert_eq!(produce(address, "t", 4, 1000), [too_large; 4]);
    assert_eq!(setting(address, TOPIC, "t", "max.message.bytes"), ("500".to_owned(), 3));
    set(address, (BROKER, "1"), "message.max.bytes", "5000");
    assert_eq!(produce(address, "t", 4, 1000), [0; 4]);
    assert_eq!(setting(address, BROKER, "1", "message.max.bytes"), ("5000".to_owned(), 2));
    assert_eq!(setting(address, BROKER, "", "message.max.bytes"), ("500".to_owned(), 3));
    assert_eq!(setting(address, TOPIC, "t", "max.message.bytes"), ("5000".to_owned(), 2));
    set(address, (BROKER, "1"), "log.roll.ms", "7000");
    assert_eq!(setting(address, TOPIC, "t", "segment.ms"), ("7000".to_owned(), 2));
    let (code, message) = alter(address, (BROKER, "1"), &[(0, "num.partitions", Some("3"))]);
    assert_eq!(code, ErrorCode::InvalidRequest.code());
    assert!(
        message.contains("num.partitions cannot be altered while the broker runs"),
        "{message}"
    );
    broker.stop_cleanly();

    let broker = started(&folder, &file);
    let address = broker.address();
    assert_eq!(setting(address, TOPIC, "t", "segment.ms"), ("7000".to_owned(), 2));
    assert_eq!(alter(address, (BROKER, "1"), &[(1, "message.max.bytes", None)]).0, 0);
    assert_eq!(produce(address, "t", 4, 1001), [too_large; 4]);
    assert_eq!(alter(address, (BROKER, ""), &[(1, "message.max.bytes", None)]).0, 0);
    assert_eq!(setting(address, TOPIC, "t", "max.message.bytes").1, 5);
    // A file that an alteration does not go with: the file counts, the broker starts, and the other
    // alterations stay.
    set(address, (BROKER, ""), "log.cleaner.min.compaction.lag.ms", "5000");
    set(address, (BROKER, ""), "log.retention.ms", "-1");
    broker.stop_cleanly();
    let contradiction = ["--set", "log.cleaner.max.compaction.lag.ms=1000"];
    let broker = started(&folder, &contradiction);
    let address = broker.address();
    assert_eq!(setting(address, TOPIC, "t", "min.compaction.lag.ms"), ("0".to_owned(), 5));
    assert_eq!(setting(address, TOPIC, "t", "max.compaction.lag.ms"), ("1000".to_owned(), 4));
    assert_eq!(setting(address, TOPIC, "t", "retention.ms"), ("-1".to_owned(), 3));
    broker.stop_cleanly();
}

/// The bytes of all partitions.
fn stored_bytes(address: SocketAddr) -> i64 {
    let frame = ask(address, 4, &DescribeLogDirsRequest { topics: None });
    let response: DescribeLogDirsResponse<'_> = decode(&frame, 4);
    let topics = response.results.iter().flat_map(|directory| directory.topics.iter());
    topics.flat_map(|topic| topic.partitions.iter()).map(|one| one.partition_size).sum()
}

#[test]
fn the_cleaner_s_settings_take_effect_while_it_waits() {
    let folder = Folder::new("alter-cleaner");
    let file = ["--cores", "1", "--set", "log.cleaner.backoff.ms=86400000"];
    let broker = started(&folder, &file);
    let address = broker.address();
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1048576"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    create_topic(address, "t", 1, &settings).unwrap();
    for _ in 0..30 {
        let record = (Some(&b"key"[..]), 100_000);
        let stream = &mut connect(address);
        assert_eq!(produce_record(stream, ("t", 0), record, Producer::NONE).0, 0);
    }
    assert!(stored_bytes(address) > 3_000_000);
    set(address, (BROKER, ""), "log.cleaner.backoff.ms", "100");
    let begun = std::time::Instant::now();
    while stored_bytes(address) > 1_500_000 {
        assert!(begun.elapsed().as_secs() < 60, "{} bytes", stored_bytes(address));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    broker.stop_cleanly();
}

/// The topics in the newest snapshot of the metadata that were removed.
fn removed_topics(folder: &Folder) -> usize {
    let directory = folder.path().join("millstream-data/metadata");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let newest = files.max().unwrap();
    Image::decode_snapshot(&std::fs::read(newest).unwrap()).unwrap().removed.len()
}

#[test]
fn topics_that_nothing_is_left_of_are_forgotten() {
    let folder = Folder::new("forgotten");
    let broker = started(&folder, &TWO_CORES);
    let address = broker.address();
    for name in ["a", "b", "c"] {
        create_topic(address, name, 2, &[]).unwrap();
        assert_eq!(produce(address, name, 2, 100), [0; 2]);
    }
    let topic_names = Array::new(&["a", "b"]);
    let delete = DeleteTopicsRequest { topic_names, timeout_ms: 30_000, ..Default::default() };
    let frame = ask(address, 5, &delete);
    let response: DeleteTopicsResponse<'_> = decode(&frame, 5);
    assert!(response.responses.iter().all(|deleted| deleted.error_code == 0));
    broker.stop_cleanly();
    assert_eq!(removed_topics(&folder), 2);
    // The first start may find something of them in the write-ahead logs, the second does not.
    (0..2).for_each(|_| drop(started(&folder, &TWO_CORES).stop_cleanly()));
    assert_eq!(removed_topics(&folder), 0);
    let broker = started(&folder, &TWO_CORES);
    assert_eq!(produce(broker.address(), "c", 2, 100), [0; 2]);
    broker.stop_cleanly();
}

#[test]
fn a_client_learns_at_once_that_there_are_no_transactions() {
    let folder = Folder::new("no-transactions");
    let broker = started(&folder, &["--cores", "1"]);
    let request = FindCoordinatorRequest { key: "t", key_type: 1, ..Default::default() };
    let frame = ask(broker.address(), 3, &request);
    let response: FindCoordinatorResponse<'_> = decode(&frame, 3);
    assert_eq!(response.error_code, ErrorCode::UnsupportedVersion.code());
    assert!(response.error_message.unwrap().contains("does not coordinate transactions"));
    broker.stop_cleanly();
}

#[test]
fn groups_have_settings_of_their_own() {
    let folder = Folder::new("alter-group");
    let broker = started(&folder, &[]);
    let (address, name) = (broker.address(), "consumer.session.timeout.ms");
    set(address, (GROUP, "g"), name, "50000");
    assert_eq!(setting(address, GROUP, "g", name), ("50000".to_owned(), 8));
    let (code, message) = alter(address, (GROUP, "g"), &[(0, name, Some("5"))]);
    assert_eq!(code, ErrorCode::InvalidConfig.code());
    assert!(message.contains("group.consumer.min.session.timeout.ms"), "{message}");
    broker.stop_cleanly();
}

#[test]
fn new_partitions_take_records_at_once() {
    let folder = Folder::new("partitions");
    let broker = started(&folder, &TWO_CORES);
    let address = broker.address();
    create_topic(address, "t", 1, &[]).unwrap();
    let grow = |address, count, brokers: Option<&[i32]>, validate_only| {
        let brokers =
            brokers.map(|brokers| [CreatePartitionsAssignment { broker_ids: Array::new(brokers) }]);
        let assignments = brokers.as_ref().map(|brokers| Array::new(&brokers[..]));
        let topics = [CreatePartitionsTopic { name: "t", count, assignments }];
        let topics = Array::new(&topics);
        let request = CreatePartitionsRequest { topics, timeout_ms: 30_000, validate_only };
        let frame = ask(address, 3, &request);
        let response: CreatePartitionsResponse<'_> = decode(&frame, 3);
        let result = response.results.iter().next().unwrap();
        (result.error_code, result.error_message.unwrap_or_default().to_owned())
    };
    let count = |address| metadata(address).topics["t"].1;
    assert_eq!(grow(address, 4, None, true), (0, String::new()));
    assert_eq!(count(address), 1);
    assert_eq!(grow(address, 4, None, false), (0, String::new()));
    assert_eq!(count(address), 4);
    assert_eq!(produce(address, "t", 4, 100), [0; 4]);
    assert_eq!(grow(address, 5, Some(&[1]), false), (0, String::new()));
    let (code, message) = grow(address, 5, None, false);
    assert_eq!(code, ErrorCode::InvalidPartitions.code());
    assert!(message.contains("has 5 partitions"), "{message}");
    let (code, _) = grow(address, 6, Some(&[9]), false);
    assert_eq!(code, ErrorCode::InvalidReplicaAssignment.code());
    broker.stop_cleanly();
    let broker = started(&folder, &["--cores", "1"]);
    assert_eq!(count(broker.address()), 5);
    assert_eq!(produce_to(broker.address(), "t", 4, 100, None), 0);
    broker.stop_cleanly();
}

/// The names and values of the quotas that a filter finds: type, kind of match, name.
fn quotas<'a>(
    address: SocketAddr,
    strict: bool,
    filter: &[(&'a str, i8, Option<&'a str>)],
) -> Vec<String> {
    let component = |(entity_type, match_type, name): &(&'a str, i8, Option<&'a str>)| {
        ComponentData { entity_type, match_type: *match_type, r#match: *name }
    };
    let components: Vec<ComponentData<'_>> = filter.iter().map(component).collect();
    let components = Array::new(&components);
    let frame = ask(address, 1, &DescribeClientQuotasRequest { components, strict });
    let response: DescribeClientQuotasResponse<'_> = decode(&frame, 1);
    if response.error_code != 0 {
        return vec![format!("error {}", response.error_code)];
    }
    let entries = response.entries.unwrap();
    let found = entries.iter().map(|entry| {
        let parts = entry.entity.iter();
        let parts: Vec<String> = parts
            .map(|part| format!("{}={}", part.entity_type, part.entity_name.unwrap_or("*")))
            .collect();
        let values = entry.values.iter();
        let values: Vec<String> =
            values.map(|value| format!("{}={}", value.key, value.value)).collect();
        format!("{}: {}", parts.join(","), values.join(","))
    });
    found.collect()
}

/// Gives an entity a quota, or takes it away with 0; answers the code.
fn alter_quota(address: SocketAddr, parts: &[(&str, Option<&str>)], key: &str, value: f64) -> i16 {
    let entity: Vec<_> = parts
        .iter()
        .map(|(entity_type, entity_name)| alter_client_quotas::EntityData {
            entity_type,
            entity_name: *entity_name,
        })
        .collect();
    let ops = [alter_client_quotas::OpData { key, value, remove: value == 0.0 }];
    let entity = Array::new(&entity);
    let entries = [alter_client_quotas::EntryData { entity, ops: Array::new(&ops) }];
    let entries = Array::new(&entries);
    let request = AlterClientQuotasRequest { entries, validate_only: false };
    let frame = ask(address, 1, &request);
    let response: AlterClientQuotasResponse<'_> = decode(&frame, 1);
    response.entries.iter().next().unwrap().error_code
}

/// KIP-219: it has its answer, with the time to wait, while what it asks next is not read; others
/// are served meanwhile.
#[test]
fn a_client_above_its_quota_is_answered_and_then_not_read_from() {
    let folder = Folder::new("throttled");
    let broker = started(&folder, &TWO_CORES);
    let address = broker.address();
    assert_eq!(create_topic(address, "limited", 1, &[]), Ok(1));
    let everyone = [("client-id", None)];
    assert_eq!(alter_quota(address, &everyone, "producer_byte_rate", 1000.0), 0);
    let mut stream = connect(address);
    // Twice what ten seconds may bring: it has to wait for ten more.
    let (code, throttle_ms) = produce_over(&mut stream, "limited", 0, 20_000, None);
    assert!(code == 0 && throttle_ms > 0, "{code}, {throttle_ms}");
    send(&mut stream, 12, &MetadataRequest::default());
    (0..3).for_each(|_| assert_eq!(metadata(address).brokers.len(), 1));
    stream.set_nonblocking(true).unwrap();
    let early = stream.peek(&mut [0]).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::WouldBlock, "it was read from");
    stream.set_nonblocking(false).unwrap();
    receive(&mut stream);
    broker.stop_cleanly();
}

#[test]
fn quotas_are_kept_and_found_by_filters() {
    let folder = Folder::new("quotas");
    let broker = started(&folder, &TWO_CORES);
    let alter = |address, parts: &[(&str, Option<&str>)], value: f64| {
        alter_quota(address, parts, "producer_byte_rate", value)
    };
    let address = broker.address();
    assert_eq!(alter(address, &[("user", Some("u"))], 1000.0), 0);
    assert_eq!(alter(address, &[("user", None)], 500.0), 0);
    assert_eq!(alter(address, &[("user", Some("u")), ("client-id", Some("c"))], 7.0), 0);
    assert_eq!(alter(address, &[("user", Some("u"))], 0.5), ErrorCode::InvalidRequest.code());
    broker.stop_cleanly();
    let broker = started(&folder, &TWO_CORES);
    let address = broker.address();
    let of_user = "user=u: producer_byte_rate=1000".to_owned();
    let of_all = "user=*: producer_byte_rate=500".to_owned();
    let of_both = "client-id=c,user=u: producer_byte_rate=7".to_owned();
    let everything = vec![of_both.clone(), of_all.clone(), of_user.clone()];
    assert_eq!(quotas(address, false, &[]), everything);
    assert_eq!(quotas(address, true, &[]), [""; 0]);
    assert_eq!(
        quotas(address, false, &[("user", 0, Some("u"))]),
        [of_both.clone(), of_user.clone()]
    );
    assert_eq!(quotas(address, true, &[("user", 0, Some("u"))]), *std::slice::from_ref(&of_user));
    assert_eq!(quotas(address, false, &[("user", 1, None)]), *std::slice::from_ref(&of_all));
    assert_eq!(quotas(address, true, &[("user", 2, None)]), [of_all.clone(), of_user]);
    for filter in [
        [("user", 0, None)],
        [("user", 1, Some("u"))],
        [("user", 2, Some("u"))],
        [("user", 5, None)],
        [("", 0, Some("u"))],
    ] {
        assert_eq!(quotas(address, false, &filter), ["error 42"], "{filter:?}");
    }
    assert_eq!(quotas(address, false, &[("tribe", 0, Some("u"))]), ["error 35"]);
    assert_eq!(quotas(address, false, &[("ip", 2, None), ("user", 2, None)]), ["error 42"]);
    assert_eq!(alter(address, &[("user", Some("u"))], 0.0), 0);
    assert_eq!(quotas(address, false, &[]), [of_both, of_all]);
    broker.stop_cleanly();
}

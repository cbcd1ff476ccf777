//! Produce requests with batches that break a rule: each is refused with Kafka's code, nothing of it
//! is appended, and the connection goes on.

use std::collections::BTreeMap;

use millstream::protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use millstream::protocol::{Array, ErrorCode, Records};

use crate::batches::{
    ATTRIBUTES, BASE_SEQUENCE, LAST_OFFSET_DELTA, LENGTH, MAGIC, MAX_TIMESTAMP, PRODUCER_EPOCH,
    PRODUCER_ID, Plain, RECORD_COUNT, record, varint,
};
use crate::broker::Broker;
use crate::client::{Client, Heard, Produced, request, with_fetch, with_produce};

/// The default of `max.message.bytes`.
const MESSAGE_BYTES_MAX: usize = 1_048_588;

fn good() -> Plain {
    Plain::of(&[b"one", b"two", b"three"])
}

/// Produces each and compares the codes; then the partition must hold one good batch only.
fn refused(topic: &str, cases: &[(&str, Vec<u8>, ErrorCode)]) {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.create_topic(topic, 1, &[]);
    let answers: Vec<(&str, i16, i16)> = cases
        .iter()
        .map(|(name, bytes, code)| {
            let produced = client.produce(topic, Some(bytes));
            (*name, produced.code, code.code())
        })
        .collect();
    let wrong: Vec<_> = answers.iter().filter(|(_, code, expected)| code != expected).collect();
    assert!(wrong.is_empty(), "name, answered, expected: {wrong:?}");
    let produced = client.produce(topic, Some(&good().bytes()));
    assert_eq!((produced.code, produced.base_offset), (0, 0), "nothing was appended before");
    broker.is_well();
}

#[test]
fn headers_that_do_not_fit_their_records() {
    let count = |count: i32| good().with(RECORD_COUNT, &count.to_be_bytes()).bytes();
    let last = |delta: i32| good().with(LAST_OFFSET_DELTA, &delta.to_be_bytes()).bytes();
    let both = |count: i32| {
        let batch = good().with(RECORD_COUNT, &count.to_be_bytes());
        batch.with(LAST_OFFSET_DELTA, &(count - 1).to_be_bytes()).bytes()
    };
    let invalid = ErrorCode::InvalidRecord;
    refused(
        "counts",
        &[
            ("count 0", count(0), invalid),
            ("count -1", count(-1), invalid),
            ("count less", count(2), invalid),
            ("count more", count(4), invalid),
            ("count most", count(i32::MAX), invalid),
            ("last delta less", last(1), invalid),
            ("last delta more", last(3), invalid),
            ("last delta negative", last(-1), invalid),
            ("last delta most", last(i32::MAX), invalid),
            ("both less", both(2), invalid),
            ("both more", both(4), invalid),
            ("both most", both(i32::MAX), invalid),
            ("base offset", good().with(0, &7i64.to_be_bytes()).bytes(), invalid),
        ],
    );
}

#[test]
fn checksums_lengths_and_formats() {
    let (corrupt, invalid) = (ErrorCode::CorruptMessage, ErrorCode::InvalidRecord);
    let length = |length: i32| good().with(LENGTH, &length.to_be_bytes()).bytes();
    let two = [good().bytes(), good().bytes()].concat();
    refused(
        "forms",
        &[
            ("checksum", good().corrupt_bytes(), corrupt),
            ("magic 0", good().with(MAGIC, &[0]).bytes(), invalid),
            ("magic 1", good().with(MAGIC, &[1]).bytes(), invalid),
            ("magic 3", good().with(MAGIC, &[3]).bytes(), corrupt),
            ("magic -1", good().with(MAGIC, &[0xff]).bytes(), corrupt),
            ("length 0", length(0), corrupt),
            ("length -1", length(-1), corrupt),
            ("two batches", two, invalid),
            ("no bytes", Vec::new(), invalid),
            ("a part of a header", good().bytes()[..30].to_vec(), invalid),
            ("a part of the records", good().bytes()[..70].to_vec(), invalid),
        ],
    );
}

#[test]
fn records_that_are_none() {
    let invalid = ErrorCode::InvalidRecord;
    let around = |count, records: &[u8]| Plain::around(count, records).bytes();
    let one = record(0, b"one");
    let with_byte = |at: usize, byte: u8| {
        let mut changed = one.clone();
        changed[at] = byte;
        around(1, &changed)
    };
    let key_of = |length: i64| {
        let body = [&[0, 0, 0][..], &varint(length), &[1, 2, 3, 0]].concat();
        around(1, &[varint(body.len() as i64), body].concat())
    };
    refused(
        "records",
        &[
            ("length 0", with_byte(0, 0), invalid),
            ("length -1", with_byte(0, 1), invalid),
            ("length too large", with_byte(0, 0x7e), invalid),
            ("value too long", with_byte(5, 0x7e), invalid),
            ("headers most", with_byte(9, 0x7e), invalid),
            ("headers -1", with_byte(9, 1), invalid),
            ("key beyond the end", key_of(1000), invalid),
            ("key most", key_of(i64::from(i32::MAX)), invalid),
            ("deltas equal", around(2, &[record(0, b"a"), record(0, b"b")].concat()), invalid),
            ("deltas with a gap", around(2, &[record(0, b"a"), record(2, b"b")].concat()), invalid),
            ("delta negative", around(1, &record(-1, b"a")), invalid),
            ("bytes behind the last", around(1, &[&one[..], &[0; 9]].concat()), invalid),
            ("a length without end", around(1, &[0xff; 20]), invalid),
        ],
    );
}

#[test]
fn attributes_without_right() {
    let attributes = |bits: u16| good().with(ATTRIBUTES, &bits.to_be_bytes());
    let producer = |batch: Plain, id: i64, epoch: i16, sequence: i32| {
        batch
            .with(PRODUCER_ID, &id.to_be_bytes())
            .with(PRODUCER_EPOCH, &epoch.to_be_bytes())
            .with(BASE_SEQUENCE, &sequence.to_be_bytes())
            .bytes()
    };
    let far = i64::MAX.to_be_bytes();
    refused(
        "attributes",
        &[
            ("control", attributes(0x20).bytes(), ErrorCode::InvalidRecord),
            (
                "control of a transaction",
                producer(attributes(0x30), 7, 0, 0),
                ErrorCode::TransactionalIdAuthorizationFailed,
            ),
            (
                "transactional",
                producer(attributes(0x10), 7, 0, 0),
                ErrorCode::TransactionalIdAuthorizationFailed,
            ),
            ("codec 5", attributes(5).bytes(), ErrorCode::UnsupportedCompressionType),
            ("codec 7", attributes(7).bytes(), ErrorCode::UnsupportedCompressionType),
            ("no sequence", producer(good(), 7, 0, -1), ErrorCode::InvalidRecord),
            (
                "a far future in the compressed header",
                attributes(4).with(MAX_TIMESTAMP, &far).bytes(),
                ErrorCode::InvalidTimestamp,
            ),
        ],
    );
}

#[test]
fn records_of_null_or_too_large() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.create_topic("sizes", 1, &[]);
    let produced = client.produce("sizes", None);
    assert_ne!(produced.code, 0, "null instead of records");
    let large = vec![b'x'; MESSAGE_BYTES_MAX];
    let batch = Plain::of(&[&large]).bytes();
    assert_eq!(client.produce("sizes", Some(&batch)).code, ErrorCode::MessageTooLarge.code());
    // The largest that may be; two lengths are a byte shorter than in the batch above.
    let rest = batch.len() - MESSAGE_BYTES_MAX - 2;
    let batch = Plain::of(&[&large[rest..]]).bytes();
    assert_eq!(batch.len(), MESSAGE_BYTES_MAX);
    let produced = client.produce("sizes", Some(&batch));
    assert_eq!((produced.code, produced.base_offset), (0, 0));
    broker.is_well();
}

#[test]
fn a_request_as_large_as_may_be_is_answered() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.create_topic("large", 1, &[]);
    let before = broker.resident_bytes();
    let large = vec![b'x'; 99 << 20];
    let batch = Plain::of(&[&large]).bytes();
    assert_eq!(client.produce("large", Some(&batch)).code, ErrorCode::MessageTooLarge.code());
    broker.is_well();
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < 256 << 20, "{grown} bytes");
}

#[test]
fn an_error_without_response_closes() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.create_topic("silent", 1, &[]);
    let batch = good().corrupt_bytes();
    let frame = with_produce("silent", Some(&batch), |produce| {
        let mut silent = *produce;
        silent.acks = 0;
        request(1, 9, &silent)
    });
    client.send(&frame);
    assert_eq!(client.hear(), Heard::Closed);
    broker.is_well();
}

#[test]
fn acks_that_do_not_exist_are_refused() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.create_topic("acks", 1, &[]);
    let batch = good().bytes();
    for acks in [2i16, -2, i16::MAX, i16::MIN] {
        let code = with_produce("acks", Some(&batch), |produce| {
            let mut other = *produce;
            other.acks = acks;
            client.ask(9, &other, |answer| {
                let topic = answer.responses.iter().next().unwrap();
                topic.partition_responses.iter().next().unwrap().error_code
            })
        });
        assert_eq!(code, ErrorCode::InvalidRequiredAcks.code(), "acks {acks}");
    }
    broker.is_well();
}

#[test]
fn one_bad_partition_does_not_hurt_another() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.create_topic("several", 3, &[]);
    let (good, bad) = (good().bytes(), good().corrupt_bytes());
    let data = |index, bytes| PartitionProduceData { index, records: Some(Records::Bytes(bytes)) };
    let partitions = [data(0, &good[..]), data(1, &bad), data(2, &good), data(3, &good)];
    let partition_data = Array::new(&partitions);
    let topics = [TopicProduceData { name: "several", partition_data, ..Default::default() }];
    let topic_data = Array::new(&topics);
    let produce = ProduceRequest { acks: -1, timeout_ms: 9000, topic_data, ..Default::default() };
    let codes = client.ask(9, &produce, |answer| {
        let topic = answer.responses.iter().next().unwrap();
        let code = |one: PartitionProduceResponse<'_>| (one.index, one.error_code);
        // Kafka answers them in an order of its own.
        topic.partition_responses.iter().map(code).collect::<BTreeMap<i32, i16>>()
    });
    let (corrupt, unknown) = (ErrorCode::CorruptMessage, ErrorCode::UnknownTopicOrPartition);
    assert_eq!(codes, BTreeMap::from([(0, 0), (1, corrupt.code()), (2, 0), (3, unknown.code())]));
    broker.is_well();
}

/// A batch is answered however it compares with the memory for recent data: 48 MiB here.
#[test]
fn a_batch_larger_than_the_memory_is_appended_and_one_larger_than_a_segment_refused() {
    let settings = ["memory.bytes=67108864", "socket.request.max.bytes=104857600"];
    let broker = Broker::start_with(&settings);
    let mut client = Client::connect(&broker);
    client.create_topic("huge", 1, &[("max.message.bytes", "100000000")]);
    let batch = Plain::of(&[&vec![b'x'; 64 << 20]]).bytes();
    for offset in 0..3 {
        let produced = client.produce("huge", Some(&batch));
        assert_eq!((produced.code, produced.base_offset), (0, offset));
    }
    broker.is_well();
    let sizes = [("max.message.bytes", "4000000"), ("segment.bytes", "1048576")];
    client.create_topic("short", 1, &sizes);
    let batch = Plain::of(&[&vec![b'x'; 2 << 20]]).bytes();
    let produced = client.produce("short", Some(&batch));
    assert_eq!(produced.code, ErrorCode::RecordListTooLarge.code());
    let batch = Plain::of(&[&vec![b'x'; 1 << 19]]).bytes();
    assert_eq!(client.produce("short", Some(&batch)), Produced { code: 0, base_offset: 0 });
    broker.is_well();
}

/// Kafka goes by the topic's setting, and refuses even what is not compressed.
#[test]
fn zstd_is_not_given_to_clients_that_do_not_know_it() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.create_topic("zstd", 1, &[("compression.type", "zstd")]);
    client.create_topic("plain", 1, &[]);
    for (topic, version, expected) in [
        ("zstd", 9, ErrorCode::UnsupportedCompressionType.code()),
        ("zstd", 10, 0),
        ("plain", 9, 0),
    ] {
        assert_eq!(client.produce(topic, Some(&good().bytes())).code, 0);
        let (code, bytes) = with_fetch(topic, 0, 0, |fetch| {
            client.ask(version, fetch, |answer| {
                let topic = answer.responses.iter().next().unwrap();
                let partition = topic.partitions.iter().next().unwrap();
                (partition.error_code, partition.records.map_or(0, |records| records.len()))
            })
        });
        assert_eq!((code, bytes > 0), (expected, expected == 0), "{topic} {version}");
    }
}

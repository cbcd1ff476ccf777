use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use millstream::protocol::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, FetchableTopicResponse, PartitionData,
};
use millstream::protocol::messages::metadata::{
    MetadataResponse, MetadataResponsePartition, MetadataResponseTopic,
};
use millstream::protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, TopicProduceData,
};
use millstream::protocol::{Array, Message, Records, RequestHeader, Writer, write_request};
use millstream::types::Uuid;

criterion_group!(benches, produce, fetch, metadata);

const PARTITIONS: [usize; 3] = [1, 10, 1_000];

/// Batches of 200 bytes, so that lengths take two bytes in flexible versions.
const BATCH: [u8; 130] = [0; 130];

fn encoded<'a>(message: &impl Message<'a>, version: i16) -> Vec<u8> {
    let mut writer = Writer::new();
    message.encode(version, &mut writer).unwrap();
    writer.into_bytes()
}

fn produce_request(topics: usize, partitions: usize, version: i16) -> Vec<u8> {
    let partitions: Vec<_> = (0..partitions)
        .map(|index| PartitionProduceData {
            index: index as i32,
            records: Some(Records::Bytes(&BATCH)),
        })
        .collect();
    let topic = TopicProduceData {
        name: "orders-of-today",
        topic_id: Uuid::from_bytes([7; 16]),
        partition_data: Array::new(&partitions),
    };
    let topics = vec![topic; topics];
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: Array::new(&topics),
        ..ProduceRequest::default()
    };
    encoded(&request, version)
}

/// What a handler does first: decode and look at every partition.
fn walk_produce(bytes: &[u8], version: i16) -> usize {
    let request = ProduceRequest::decode(bytes, version).unwrap();
    let mut records = 0;
    for topic in request.topic_data {
        for partition in topic.partition_data {
            records += partition.records.map_or(0, |records| records.len());
        }
    }
    records
}

fn produce(c: &mut Criterion) {
    let mut group = c.benchmark_group("protocol/produce_decode_and_walk");
    for version in [7, 9, 13] {
        for partitions in PARTITIONS {
            let bytes = produce_request(1, partitions, version);
            group.throughput(Throughput::Elements(partitions as u64));
            let id = BenchmarkId::new(format!("v{version}"), partitions);
            group.bench_function(id, |b| b.iter(|| walk_produce(black_box(&bytes), version)));
        }
        let bytes = produce_request(1_000, 1, version);
        let id = BenchmarkId::new(format!("v{version}"), "1000 topics");
        group.bench_function(id, |b| b.iter(|| walk_produce(black_box(&bytes), version)));
    }
    group.finish();

    let mut writer = Writer::new();
    let partition = [PartitionProduceData { index: 3, records: Some(Records::Bytes(&BATCH)) }];
    let topic = [TopicProduceData {
        name: "orders",
        partition_data: (&partition).into(),
        ..<_>::default()
    }];
    let request =
        ProduceRequest { acks: -1, topic_data: (&topic).into(), ..ProduceRequest::default() };
    write_request(&mut writer, 17, Some("producer-1"), 12, &request).unwrap();
    let frame = writer.bytes()[4..].to_vec();
    c.bench_function("protocol/request_header_decode", |b| {
        b.iter(|| RequestHeader::split_frame(black_box(&frame)).unwrap());
    });
    c.bench_function("protocol/produce_frame_encode", |b| {
        b.iter(|| {
            writer.clear();
            write_request(&mut writer, 17, Some("producer-1"), 12, black_box(&request)).unwrap();
        });
    });
}

fn fetch(c: &mut Criterion) {
    let mut group = c.benchmark_group("protocol/fetch_response_encode");
    for version in [11, 12, 18] {
        for count in PARTITIONS {
            let partitions: Vec<_> = (0..count).map(fetched_partition).collect();
            let topics = [FetchableTopicResponse {
                topic: "orders-of-today",
                topic_id: Uuid::from_bytes([7; 16]),
                partitions: Array::new(&partitions),
            }];
            let response = FetchResponse { responses: (&topics).into(), ..<_>::default() };
            let mut writer = Writer::new();
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(BenchmarkId::new(format!("v{version}"), count), |b| {
                b.iter(|| {
                    writer.clear();
                    black_box(&response).encode(version, &mut writer).unwrap();
                });
            });
        }
    }
    group.finish();

    let mut group = c.benchmark_group("protocol/fetch_request_decode_and_walk");
    for version in [11, 18] {
        let partitions: Vec<_> = (0..1_000)
            .map(|partition| FetchPartition { partition, ..FetchPartition::default() })
            .collect();
        let topics = [FetchTopic {
            topic: "orders-of-today",
            topic_id: Uuid::from_bytes([7; 16]),
            partitions: Array::new(&partitions),
        }];
        let request = FetchRequest { topics: (&topics).into(), ..FetchRequest::default() };
        let bytes = encoded(&request, version);
        group.throughput(Throughput::Elements(1_000));
        group.bench_function(BenchmarkId::new(format!("v{version}"), 1_000), |b| {
            b.iter(|| {
                let request = FetchRequest::decode(black_box(&bytes), version).unwrap();
                let partitions = request.topics.iter().flat_map(|topic| topic.partitions);
                partitions.map(|partition| partition.fetch_offset).sum::<i64>()
            });
        });
    }
    group.finish();
}

fn fetched_partition(index: usize) -> PartitionData<'static> {
    PartitionData {
        partition_index: index as i32,
        high_watermark: 1_000_000,
        last_stable_offset: 1_000_000,
        log_start_offset: 0,
        records: Some(Records::Cut { bytes: 65_536 }),
        ..PartitionData::default()
    }
}

fn metadata(c: &mut Criterion) {
    let replicas = [1, 2, 3];
    let partitions: Vec<_> = (0..1_000)
        .map(|partition_index| MetadataResponsePartition {
            partition_index,
            leader_id: 1,
            leader_epoch: 4,
            replica_nodes: (&replicas).into(),
            isr_nodes: (&replicas).into(),
            ..MetadataResponsePartition::default()
        })
        .collect();
    let topics = [MetadataResponseTopic {
        name: Some("orders"),
        partitions: Array::new(&partitions),
        ..<_>::default()
    }];
    let response = MetadataResponse { topics: (&topics).into(), ..MetadataResponse::default() };
    let mut writer = Writer::new();
    c.bench_function("protocol/metadata_response_encode/1000", |b| {
        b.iter(|| {
            writer.clear();
            black_box(&response).encode(12, &mut writer).unwrap();
        });
    });
}

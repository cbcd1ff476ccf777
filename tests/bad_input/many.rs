//! Requests about very much: what they cost is in proportion to them.

use millstream::protocol::Array;
use millstream::protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource,
};
use millstream::protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use millstream::protocol::messages::get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest;
use millstream::protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use millstream::protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use millstream::protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};

use crate::broker::Broker;
use crate::client::{Client, Heard, request};

const MIB: u64 = 1 << 20;
const TOPIC: &str = "one";

/// Sends a request, and asserts that the answer takes little processor time, is no more than `times` the request, and
/// that the broker grew by no more than 32 times the request. Gives the answer.
fn costs(broker: &Broker, frame: &[u8], times: usize) -> Vec<u8> {
    broker.is_well();
    let before = broker.resident_bytes();
    let mut client = Client::connect(broker);
    let begun = broker.processor_ticks();
    client.send(frame);
    let answer = client.frame();
    let ticks = broker.processor_ticks() - begun;
    assert!(ticks < 200, "{ticks} ticks of 10 ms for {} bytes", frame.len());
    assert!(answer.len() <= times * frame.len(), "{} bytes", answer.len());
    let grown = broker.resident_bytes_max().saturating_sub(before);
    assert!(grown < 32 * frame.len() as u64 + 16 * MIB, "{grown} for {}", frame.len());
    println!("{} bytes: {ticks} ticks, answer {}, memory {grown}", frame.len(), answer.len());
    answer
}

fn fetch(partitions: &[FetchPartition]) -> Vec<u8> {
    let topics =
        [FetchTopic { topic: TOPIC, partitions: Array::new(partitions), ..Default::default() }];
    let topics = Array::new(&topics);
    let fetch = FetchRequest { max_bytes: 1 << 20, topics, ..Default::default() };
    request(1, 11, &fetch)
}

fn numbered(partition: i32) -> FetchPartition {
    FetchPartition { partition, partition_max_bytes: 1000, ..Default::default() }
}

#[test]
fn a_partition_fetched_again_and_again() {
    let broker = Broker::start();
    Client::connect(&broker).create_topic(TOPIC, 1, &[]);
    let answer = costs(&broker, &fetch(&vec![numbered(0); 200_000]), 1);
    assert!(answer.len() < 1000, "it is answered once");
    // Also where a session remembers them, and where there are none.
    let all: Vec<_> = (0..200_000).map(numbered).collect();
    costs(&broker, &fetch(&all), 3);
}

#[test]
fn a_partition_listed_again_and_again() {
    let broker = Broker::start();
    Client::connect(&broker).create_topic(TOPIC, 1, &[]);
    let partition = ListOffsetsPartition { timestamp: -1, ..Default::default() };
    let list = |partitions: &[ListOffsetsPartition]| {
        let topics = [ListOffsetsTopic { name: TOPIC, partitions: Array::new(partitions) }];
        let topics = Array::new(&topics);
        request(1, 5, &ListOffsetsRequest { replica_id: -1, topics, ..Default::default() })
    };
    costs(&broker, &list(&vec![partition; 500_000]), 3);
    // What would be a hundred megabytes is not looked at.
    let mut client = Client::connect(&broker);
    client.send(&list(&vec![partition; 1_000_000]));
    assert_eq!(client.hear(), Heard::Closed);
    broker.is_well();
}

#[test]
fn a_topic_described_again_and_again() {
    let broker = Broker::start();
    Client::connect(&broker).create_topic(TOPIC, 1000, &[]);
    let topics = vec![MetadataRequestTopic { name: Some(TOPIC), ..Default::default() }; 100_000];
    let topics = Some(Array::new(&topics));
    costs(&broker, &request(1, 9, &MetadataRequest { topics, ..Default::default() }), 1);
    let resource =
        DescribeConfigsResource { resource_type: 2, resource_name: TOPIC, ..Default::default() };
    let resources = vec![resource; 100_000];
    let resources = Array::new(&resources);
    let (include_synonyms, include_documentation) = (true, true);
    let describe = DescribeConfigsRequest { resources, include_synonyms, include_documentation };
    costs(&broker, &request(1, 4, &describe), 1);
}

#[test]
fn patterns_of_subscriptions_are_made_once() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    let value = Some("client_id=[a-z]{40}[0-9]{40}x");
    let configs = [AlterableConfig { name: "match", config_operation: 0, value }];
    let names: Vec<String> = (0..3000).map(|number| format!("s{number}")).collect();
    let resources: Vec<_> = names
        .iter()
        .map(|name| AlterConfigsResource {
            resource_type: 16,
            resource_name: name,
            configs: Array::new(&configs),
        })
        .collect();
    let resources = Array::new(&resources);
    let alter = IncrementalAlterConfigsRequest { resources, validate_only: false };
    client.ask(1, &alter, |answer| {
        assert!(answer.responses.iter().all(|altered| altered.error_code == 0));
    });
    let mut ticks = |requests: usize| {
        let before = broker.processor_ticks();
        for _ in 0..requests {
            client.ask(0, &GetTelemetrySubscriptionsRequest::default(), |answer| {
                assert_eq!(answer.push_interval_ms, 300_000);
            });
        }
        broker.processor_ticks() - before
    };
    let (first, later) = (ticks(1), ticks(10));
    assert!(later <= first, "{later} ticks for ten requests after one of {first}");
}

//! Requests that are not what they say: unknown, cut short, with lengths and text that cannot be.

use millstream::protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use millstream::protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use millstream::protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use millstream::protocol::messages::describe_cluster::DescribeClusterRequest;
use millstream::protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource,
};
use millstream::protocol::messages::find_coordinator::FindCoordinatorRequest;
use millstream::protocol::messages::init_producer_id::InitProducerIdRequest;
use millstream::protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use millstream::protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use millstream::protocol::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use millstream::protocol::{ApiKey, Array, ErrorCode, Message as _};

use crate::batches::Plain;
use crate::broker::Broker;
use crate::client::{Client, Heard, request, with_fetch, with_produce};
use crate::{administration, groups};

const NAME: &str = "a-topic-with-a-name";

/// The APIs and versions that a broker says it serves.
fn served(broker: &Broker) -> Vec<(ApiKey, i16)> {
    let versions = ApiVersionsRequest::default();
    let rows = Client::connect(broker).ask(0, &versions, |answer| {
        let row = |row: millstream::protocol::messages::api_versions::ApiVersion| {
            (row.api_key, row.min_version, row.max_version)
        };
        answer.api_keys.iter().map(row).collect::<Vec<_>>()
    });
    let known = |(key, min, max)| ApiKey::from_key(key).map(|api| (api, min, max));
    rows.into_iter()
        .filter_map(known)
        .flat_map(|(api, min, max)| (min..=max).map(move |version| (api, version)))
        // Kafka says it serves Produce from version 0, for the sake of an old client library.
        .filter(|(api, version)| api.versions().contains(version))
        .collect()
}

/// A good request of an API with one element in each array that matters; `None` for APIs of which
/// no request stands here yet.
fn good(api: ApiKey, version: i16) -> Option<Vec<u8>> {
    let batch = Plain::of(&[b"value"]).bytes();
    Some(match api {
        ApiKey::Produce => with_produce(NAME, Some(&batch), |produce| request(1, version, produce)),
        ApiKey::Fetch => with_fetch(NAME, 0, 0, |fetch| request(1, version, fetch)),
        ApiKey::ListOffsets => {
            let partitions = [ListOffsetsPartition { timestamp: -1, ..Default::default() }];
            let topics = [ListOffsetsTopic { name: NAME, partitions: Array::new(&partitions) }];
            let topics = Array::new(&topics);
            request(1, version, &ListOffsetsRequest { topics, ..Default::default() })
        }
        ApiKey::Metadata => {
            let topics = [MetadataRequestTopic { name: Some(NAME), ..Default::default() }];
            let topics = Some(Array::new(&topics));
            request(1, version, &MetadataRequest { topics, ..Default::default() })
        }
        ApiKey::FindCoordinator => request(1, version, &FindCoordinatorRequest::default()),
        ApiKey::ApiVersions => request(1, version, &ApiVersionsRequest::default()),
        ApiKey::CreateTopics => {
            let topics = [CreatableTopic { name: NAME, num_partitions: 1, ..Default::default() }];
            let topics = Array::new(&topics);
            let create = CreateTopicsRequest { topics, validate_only: true, ..Default::default() };
            request(1, version, &create)
        }
        ApiKey::DeleteTopics => {
            let topics = [DeleteTopicState { name: Some(NAME), ..Default::default() }];
            let topics = Array::new(&topics);
            request(1, version, &DeleteTopicsRequest { topics, ..Default::default() })
        }
        ApiKey::InitProducerId => request(1, version, &InitProducerIdRequest::default()),
        ApiKey::OffsetForLeaderEpoch => {
            let partitions = [OffsetForLeaderPartition::default()];
            let topics =
                [OffsetForLeaderTopic { topic: NAME, partitions: Array::new(&partitions) }];
            let topics = Array::new(&topics);
            request(1, version, &OffsetForLeaderEpochRequest { topics, ..Default::default() })
        }
        ApiKey::DescribeConfigs => {
            let (resource_type, resource_name) = (2, NAME);
            let resource =
                DescribeConfigsResource { resource_type, resource_name, ..Default::default() };
            let resources = [resource];
            let resources = Array::new(&resources);
            request(1, version, &DescribeConfigsRequest { resources, ..Default::default() })
        }
        ApiKey::DescribeCluster => request(1, version, &DescribeClusterRequest::default()),
        _ => {
            return administration::good(api, version, NAME)
                .or_else(|| groups::good(api, version, NAME));
        }
    })
}

/// Sends each frame on a connection of its own, a hundred at a time, and waits until the broker has
/// answered or closed each.
fn all_end(broker: &Broker, frames: &[Vec<u8>]) {
    for some in frames.chunks(100) {
        let mut clients: Vec<Client> = some.iter().map(|_| Client::connect(broker)).collect();
        for (client, frame) in clients.iter_mut().zip(some) {
            client.send(frame);
            // Some have become good requests that wait for long.
            client.end_sending();
        }
        for (client, frame) in clients.iter_mut().zip(some) {
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                while client.hear() != Heard::Closed {}
            }));
            assert!(ended.is_ok(), "{frame:02x?}");
        }
    }
    broker.is_well();
}

/// The frame around a changed request.
fn framed(request: &[u8]) -> Vec<u8> {
    [&i32::try_from(request.len()).unwrap().to_be_bytes()[..], request].concat()
}

#[test]
fn every_api_served_has_a_good_request_here() {
    let broker = Broker::start();
    if std::env::var("BAD_INPUT_AGAINST").is_ok() {
        return;
    }
    for (api, version) in served(&broker) {
        let good = good(api, version);
        let good = good.unwrap_or_else(|| panic!("{}: add one to good()", api.name()));
        let mut client = Client::connect(&broker);
        client.send(&good);
        assert_eq!(client.frame()[..4], 1i32.to_be_bytes(), "{} v{version}", api.name());
    }
    broker.is_well();
}

#[test]
fn requests_cut_short_anywhere() {
    let broker = Broker::start();
    let mut frames = Vec::new();
    for (api, version) in served(&broker) {
        let Some(good) = good(api, version) else { continue };
        // The length says what is there: what is missing is missing in the request.
        frames.extend((1..good.len() - 4).map(|bytes| framed(&good[4..4 + bytes])));
    }
    all_end(&broker, &frames);
}

#[test]
fn requests_with_enormous_lengths_anywhere() {
    let broker = Broker::start();
    // The largest length in four bytes, in a variable integer, and what is read as more.
    let lengths: [&[u8]; 4] = [
        &[0x7f, 0xff, 0xff, 0xff],
        &[0x80, 0, 0, 0],
        &[0xff, 0xff, 0xff, 0xff, 0x07],
        &[0xff, 0xff, 0xff, 0xff, 0xff],
    ];
    let before = broker.resident_bytes_max();
    for (api, version) in served(&broker) {
        let Some(good) = good(api, version) else { continue };
        let good = &good[4..];
        let mut frames = Vec::new();
        // Behind key, version and correlation id.
        for position in 8..good.len() {
            for length in lengths {
                let rest = good.get(position + length.len()..).unwrap_or(&[]);
                frames.push(framed(&[&good[..position], length, rest].concat()));
            }
        }
        all_end(&broker, &frames);
    }
    let grown = broker.resident_bytes_max() - before;
    assert!(grown < 128 << 20, "{grown} bytes");
}

#[test]
fn text_that_is_none_closes_or_is_refused() {
    let broker = Broker::start();
    let mut frames = Vec::new();
    for (api, version) in served(&broker) {
        let Some(good) = good(api, version) else { continue };
        let mut changed = good[4..].to_vec();
        let name = changed.windows(NAME.len()).position(|window| window == NAME.as_bytes());
        // Without a name of a topic, the client's.
        let at = name.unwrap_or(10);
        changed[at..at + 3].copy_from_slice(&[0xff, 0xfe, 0xc0]);
        frames.push(framed(&changed));
    }
    all_end(&broker, &frames);
}

#[test]
fn unknown_apis_close() {
    let broker = Broker::start();
    for key in [-1i16, 4, 95, 999, i16::MAX, i16::MIN] {
        let header = [&key.to_be_bytes()[..], &[0, 0, 0, 0, 0, 1, 0xff, 0xff]].concat();
        let mut client = Client::connect(&broker);
        client.send(&framed(&header));
        assert_eq!(client.hear(), Heard::Closed, "key {key}");
    }
    broker.is_well();
}

#[test]
fn unknown_versions_close() {
    let broker = Broker::start();
    let served = served(&broker);
    for api in ApiKey::all().filter(|api| *api != ApiKey::ApiVersions) {
        let newest = served.iter().filter(|row| row.0 == api).map(|row| row.1).max();
        for version in [-1, newest.map_or(0, |newest| newest + 1), i16::MAX, i16::MIN] {
            let mut frame = api.key().to_be_bytes().to_vec();
            frame.extend(version.to_be_bytes());
            frame.extend([0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0]);
            let mut client = Client::connect(&broker);
            client.send(&framed(&frame));
            assert_eq!(client.hear(), Heard::Closed, "{} v{version}", api.name());
        }
    }
    broker.is_well();
}

#[test]
fn an_unknown_version_of_api_versions_is_told_which_there_are() {
    let broker = Broker::start();
    for version in [6i16, 99, i16::MAX] {
        let mut client = Client::connect(&broker);
        let mut frame = vec![0, 18];
        frame.extend(version.to_be_bytes());
        frame.extend([0, 0, 0, 9, 0xff, 0xff, 0, 2, 0x61, 2, 0x61, 0]);
        client.send(&framed(&frame));
        let answer = client.frame();
        assert_eq!(answer[..4], 9i32.to_be_bytes());
        let answer = ApiVersionsResponse::decode_exact(&answer[4..], 0).unwrap();
        assert_eq!(answer.error_code, ErrorCode::UnsupportedVersion.code());
        let own = answer.api_keys.iter().find(|row| row.api_key == 18).unwrap();
        assert!(own.max_version >= 4);
        // The same connection goes on with a version that there is.
        let versions = ApiVersionsRequest::default();
        assert_eq!(client.ask(0, &versions, |answer| answer.error_code), 0);
    }
    broker.is_well();
}

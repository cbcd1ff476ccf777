//! What a broker says of itself, of its partitions, and of what it does not have.

use std::net::SocketAddr;

use millstream::protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition,
    ReassignableTopic,
};
use millstream::protocol::messages::alter_replica_log_dirs::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
};
use millstream::protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use millstream::protocol::messages::create_acls::{
    AclCreation, CreateAclsRequest, CreateAclsResponse,
};
use millstream::protocol::messages::describe_acls::{DescribeAclsRequest, DescribeAclsResponse};
use millstream::protocol::messages::describe_delegation_token::{
    DescribeDelegationTokenRequest, DescribeDelegationTokenResponse,
};
use millstream::protocol::messages::describe_log_dirs::{
    DescribeLogDirsRequest, DescribeLogDirsResponse,
};
use millstream::protocol::messages::describe_producers::{
    self, DescribeProducersRequest, DescribeProducersResponse,
};
use millstream::protocol::messages::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, PartitionData, TopicData,
};
use millstream::protocol::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicRequest,
};
use millstream::protocol::messages::describe_transactions::{
    DescribeTransactionsRequest, DescribeTransactionsResponse,
};
use millstream::protocol::messages::describe_user_scram_credentials::{
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse, UserName,
};
use millstream::protocol::messages::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, TopicPartitions,
};
use millstream::protocol::messages::get_telemetry_subscriptions::{
    GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse,
};
use millstream::protocol::messages::list_config_resources::{
    ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use millstream::protocol::messages::list_transactions::{
    ListTransactionsRequest, ListTransactionsResponse,
};
use millstream::protocol::messages::push_telemetry::{PushTelemetryRequest, PushTelemetryResponse};
use millstream::protocol::messages::unregister_broker::{
    UnregisterBrokerRequest, UnregisterBrokerResponse,
};
use millstream::protocol::messages::update_features::{
    FeatureUpdateKey, UpdateFeaturesRequest, UpdateFeaturesResponse,
};
use millstream::protocol::{Array, ErrorCode};
use millstream::types::{ProducerEpoch, ProducerId, Uuid};

use crate::administration::{produce, produce_to, set};
use crate::process::{Folder, started};
use crate::wire::{ask, create_topic, decode};

const TWO_CORES: [&str; 2] = ["--cores", "2"];

/// A page of partitions, such as `a:0,1`, and where the next one begins.
fn page(
    address: SocketAddr,
    topics: &[&str],
    most: i32,
    cursor: Option<(&str, i32)>,
) -> (Vec<String>, Option<(String, i32)>) {
    let topics: Vec<_> = topics.iter().map(|name| TopicRequest { name }).collect();
    let cursor = cursor.map(|(topic_name, partition_index)| Cursor { topic_name, partition_index });
    let request = DescribeTopicPartitionsRequest {
        topics: Array::new(&topics),
        response_partition_limit: most,
        cursor,
    };
    let frame = ask(address, 0, &request);
    let response: DescribeTopicPartitionsResponse<'_> = decode(&frame, 0);
    let topics = response.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|state| state.partition_index.to_string());
        let partitions: Vec<String> = partitions.collect();
        match topic.error_code {
            0 => format!("{}:{}", topic.name.unwrap(), partitions.join(",")),
            code => format!("{}:error {code}", topic.name.unwrap()),
        }
    });
    let next = response.next_cursor;
    let next = next.map(|next| (next.topic_name.to_owned(), next.partition_index));
    (topics.collect(), next)
}

#[test]
fn topics_are_described_page_by_page() {
    let folder = Folder::new("pages");
    let file = ["--cores", "2", "--set", "max.request.partition.size.limit=3"];
    let broker = started(&folder, &file);
    let address = broker.address();
    for (name, partitions) in [("a", 1), ("b", 5), ("c", 1)] {
        create_topic(address, name, partitions, &[]).unwrap();
    }
    let at = |topic: &str, partition| Some((topic.to_owned(), partition));
    let shown = |rows: &[&str]| rows.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>();
    assert_eq!(page(address, &["b"], 9, Some(("b", -1))), (shown(&["b:error 42"]), None));
    assert_eq!(page(address, &[], 2, None), (shown(&["a:0", "b:0"]), at("b", 1)));
    assert_eq!(page(address, &[], 9, Some(("b", 1))), (shown(&["b:1,2,3"]), at("b", 4)));
    assert_eq!(page(address, &[], 9, Some(("b", 4))), (shown(&["b:4", "c:0"]), None));
    assert_eq!(page(address, &[], 1, Some(("b", 4))), (shown(&["b:4"]), at("c", 0)));
    assert_eq!(page(address, &[], -1, Some(("aa", 3))), (shown(&["b:0"]), at("b", 1)));
    let named = page(address, &["c", "none", "a", "bad name"], 9, None);
    assert_eq!(named, (shown(&["a:0", "bad name:error 17", "c:0", "none:error 3"]), None));
    assert_eq!(page(address, &["c", "a"], 9, Some(("b", 1))), (shown(&["c:0"]), None));
    broker.stop_cleanly();
}

#[test]
fn directories_tell_what_is_in_them() {
    let folder = Folder::new("directories");
    let broker = started(&folder, &TWO_CORES);
    let address = broker.address();
    create_topic(address, "t", 4, &[]).unwrap();
    create_topic(address, "empty", 1, &[]).unwrap();
    assert_eq!(produce(address, "t", 4, 5000), [0; 4]);
    let frame = ask(address, 4, &DescribeLogDirsRequest { topics: None });
    let response: DescribeLogDirsResponse<'_> = decode(&frame, 4);
    let directory = response.results.iter().next().unwrap();
    let path = folder.path().join("millstream-data");
    assert_eq!(directory.log_dir, path.to_str().unwrap());
    assert!(directory.total_bytes >= directory.usable_bytes && directory.usable_bytes > 0);
    let sizes = directory.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter();
        let sizes: Vec<bool> = partitions.map(|one| one.partition_size > 5000).collect();
        (topic.name.to_owned(), sizes)
    });
    let sizes: Vec<_> = sizes.collect();
    assert_eq!(sizes, [("empty".to_owned(), vec![false]), ("t".to_owned(), vec![true; 4])]);
    for (path, codes) in [(directory.log_dir, [0, 3]), ("elsewhere", [57, 57])] {
        let topics = [AlterReplicaLogDirTopic { name: "t", partitions: Array::new(&[1, 9]) }];
        let dirs = [AlterReplicaLogDir { path, topics: Array::new(&topics) }];
        let frame = ask(address, 2, &AlterReplicaLogDirsRequest { dirs: Array::new(&dirs) });
        let response: AlterReplicaLogDirsResponse<'_> = decode(&frame, 2);
        let topic = response.results.iter().next().unwrap();
        let told: Vec<i16> = topic.partitions.iter().map(|one| one.error_code).collect();
        assert_eq!(told, codes);
    }
    broker.stop_cleanly();
}

#[test]
fn producers_of_a_partition_are_named() {
    let folder = Folder::new("producers");
    let broker = started(&folder, &TWO_CORES);
    let address = broker.address();
    create_topic(address, "t", 2, &[]).unwrap();
    let producer = |id| Some((ProducerId::new(id), ProducerEpoch::new(3)));
    for (partition, id) in [(0, 8), (0, 7), (1, 9)] {
        assert_eq!(produce_to(address, "t", partition, 10, producer(id)), 0);
    }
    let topics =
        [describe_producers::TopicRequest { name: "t", partition_indexes: Array::new(&[0, 1, 2]) }];
    let frame = ask(address, 0, &DescribeProducersRequest { topics: Array::new(&topics) });
    let response: DescribeProducersResponse<'_> = decode(&frame, 0);
    let topic = response.topics.iter().next().unwrap();
    let told = topic.partitions.iter().map(|partition| {
        let producers = partition.active_producers.iter();
        let producers: Vec<_> =
            producers.map(|one| (one.producer_id, one.producer_epoch, one.last_sequence)).collect();
        (partition.error_code, producers)
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told[0], (0, vec![(7, 3, 0), (8, 3, 0)]));
    assert_eq!(told[1], (0, vec![(9, 3, 0)]));
    assert_eq!(told[2], (ErrorCode::UnknownTopicOrPartition.code(), Vec::new()));
    broker.stop_cleanly();
}

#[test]
fn one_replica_always_leads_and_never_moves() {
    let folder = Folder::new("replicas");
    let broker = started(&folder, &[]);
    let address = broker.address();
    create_topic(address, "t", 1, &[]).unwrap();
    let topics = [TopicPartitions { topic: "t", partitions: Array::new(&[0, 5]) }];
    for (election_type, named, whole, codes) in [
        (0, Some(&topics[..]), 0, &[84, 3][..]),
        (1, Some(&topics), 0, &[84, 3]),
        (0, None, 0, &[]),
        (7, Some(&topics), 42, &[42, 42]),
        (7, None, 42, &[]),
    ] {
        let topic_partitions = named.map(Array::new);
        let request = ElectLeadersRequest { election_type, topic_partitions, timeout_ms: 1000 };
        let frame = ask(address, 2, &request);
        let response: ElectLeadersResponse<'_> = decode(&frame, 2);
        let results = response.replica_election_results.iter();
        let told: Vec<i16> = results
            .flat_map(|topic| topic.partition_result.iter().map(|one| one.error_code))
            .collect();
        assert_eq!((response.error_code, &told[..]), (whole, codes));
    }
    let moved = |partition_index, replicas: Option<&[i32]>| {
        let replicas = replicas.map(Array::new);
        let partitions = [ReassignablePartition { partition_index, replicas }];
        let topics = [ReassignableTopic { name: "t", partitions: Array::new(&partitions) }];
        let topics = Array::new(&topics);
        let request = AlterPartitionReassignmentsRequest { topics, ..Default::default() };
        let frame = ask(address, 1, &request);
        let response: AlterPartitionReassignmentsResponse<'_> = decode(&frame, 1);
        let topic = response.responses.iter().next().unwrap();
        topic.partitions.iter().next().unwrap().error_code
    };
    assert_eq!(moved(0, Some(&[1])), 0);
    assert_eq!(moved(0, None), ErrorCode::NoReassignmentInProgress.code());
    for replicas in [&[2][..], &[], &[1, 1], &[1, 2]] {
        assert_eq!(moved(0, Some(replicas)), ErrorCode::InvalidReplicaAssignment.code());
    }
    assert_eq!(moved(9, Some(&[1])), ErrorCode::UnknownTopicOrPartition.code());
    broker.stop_cleanly();
}

#[test]
fn one_voter_has_the_metadata_log_and_the_levels_of_features() {
    let folder = Folder::new("quorum");
    let broker = started(&folder, &[]);
    let address = broker.address();
    let partitions = [PartitionData { partition_index: 0 }];
    let topic = |topic_name| TopicData { topic_name, partitions: Array::new(&partitions) };
    let topics = [topic("__cluster_metadata"), topic("t")];
    let frame = ask(address, 2, &DescribeQuorumRequest { topics: Array::new(&topics) });
    let response: DescribeQuorumResponse<'_> = decode(&frame, 2);
    let told = response.topics.iter().map(|topic| topic.partitions.iter().next().unwrap());
    let told: Vec<_> = told.collect();
    assert_eq!((told[0].error_code, told[1].error_code), (0, 3));
    assert!(told[0].leader_id == 1 && told[0].high_watermark > 0);
    let voter = told[0].current_voters.iter().next().unwrap();
    assert!(voter.replica_id == 1 && voter.replica_directory_id != Uuid::ZERO);
    assert_eq!(response.nodes.iter().next().unwrap().node_id, 1);

    let level = || {
        let request = ApiVersionsRequest {
            client_software_name: "serve",
            client_software_version: "1",
            ..Default::default()
        };
        let frame = ask(address, 4, &request);
        let response: ApiVersionsResponse<'_> = decode(&frame, 4);
        let supported = response.supported_features.iter().next().unwrap();
        let finalized = response.finalized_features.iter().next().unwrap();
        assert!(response.finalized_features_epoch > 0);
        assert_eq!((supported.name, finalized.name), ("metadata.version", "metadata.version"));
        (supported.min_version, finalized.max_version_level, supported.max_version)
    };
    let (least, now, most) = level();
    assert_eq!(now, most);
    let update = |max_version_level, upgrade_type| {
        let feature_updates = [FeatureUpdateKey {
            feature: "metadata.version",
            max_version_level,
            upgrade_type,
            ..Default::default()
        }];
        let feature_updates = Array::new(&feature_updates);
        let request = UpdateFeaturesRequest { feature_updates, ..Default::default() };
        let frame = ask(address, 2, &request);
        let response: UpdateFeaturesResponse<'_> = decode(&frame, 2);
        response.error_code
    };
    let invalid = ErrorCode::InvalidUpdateVersion.code();
    assert_eq!((update(least, 1), update(most + 1, 1), level().1), (invalid, invalid, most));
    assert_eq!((update(least, 0), level().1), (invalid, most), "there is no such kind of update");
    assert_eq!((update(least, 2), level().1), (0, least));
    broker.stop_cleanly();
}

#[test]
fn resources_with_settings_are_listed() {
    let folder = Folder::new("resources");
    let broker = started(&folder, &[]);
    let address = broker.address();
    create_topic(address, "t", 1, &[]).unwrap();
    set(address, (32, "g"), "consumer.session.timeout.ms", "50000");
    set(address, (16, "m"), "metrics", "a.,b.");
    let list = |version, types: &[i8]| {
        let resource_types = Array::new(types);
        let frame = ask(address, version, &ListConfigResourcesRequest { resource_types });
        let response: ListConfigResourcesResponse<'_> = decode(&frame, version);
        let resources = response.config_resources.iter();
        let named: Vec<String> =
            resources.map(|one| format!("{}:{}", one.resource_type, one.resource_name)).collect();
        (response.error_code, named.join(" "))
    };
    assert_eq!(list(1, &[]), (0, "2:t 4:1 8:1 16:m 32:g".to_owned()));
    assert_eq!(list(1, &[32, 2]), (0, "2:t 32:g".to_owned()));
    assert_eq!(list(0, &[]), (0, "16:m".to_owned()));
    assert_eq!(list(1, &[3]).0, ErrorCode::UnsupportedVersion.code());
    broker.stop_cleanly();
}

#[test]
fn clients_are_told_which_metrics_are_wanted() {
    let folder = Folder::new("telemetry");
    let broker = started(&folder, &["--cores", "1", "--set", "telemetry.max.bytes=10"]);
    let address = broker.address();
    let wanted = |client_instance_id| {
        let frame = ask(address, 0, &GetTelemetrySubscriptionsRequest { client_instance_id });
        let response: GetTelemetrySubscriptionsResponse<'_> = decode(&frame, 0);
        assert_eq!((response.error_code, response.telemetry_max_bytes), (0, 10));
        let metrics: Vec<&str> = response.requested_metrics.iter().collect();
        let id = response.client_instance_id;
        assert_ne!(id, Uuid::ZERO);
        (id, response.subscription_id, response.push_interval_ms, metrics.join(" "))
    };
    let (client, nothing, interval, metrics) = wanted(Uuid::ZERO);
    assert_eq!((interval, metrics.as_str()), (300_000, ""));
    set(address, (16, "m"), "metrics", "b.,a.");
    set(address, (16, "m"), "interval.ms", "5000");
    set(address, (16, "others"), "match", "client_id=others");
    let (same, subscription, interval, metrics) = wanted(client);
    assert_eq!((same, interval, metrics.as_str()), (client, 5000, "a. b."));
    assert_ne!(subscription, nothing);
    let push = |subscription_id, compression_type, bytes: &[u8]| {
        let request = PushTelemetryRequest {
            client_instance_id: client,
            subscription_id,
            compression_type,
            metrics: bytes,
            ..Default::default()
        };
        let frame = ask(address, 0, &request);
        let response: PushTelemetryResponse = decode(&frame, 0);
        response.error_code
    };
    assert_eq!(push(subscription, 0, b"metrics"), 0);
    assert_eq!(push(nothing, 0, b"metrics"), ErrorCode::UnknownSubscriptionId.code());
    assert_eq!(push(subscription, 9, b""), ErrorCode::UnsupportedCompressionType.code());
    assert_eq!(push(subscription, 4, &[0; 11]), ErrorCode::TelemetryTooLarge.code());
    broker.stop_cleanly();
}

#[test]
fn what_is_not_there_has_kafkas_codes() {
    let folder = Folder::new("absent");
    let broker = started(&folder, &[]);
    let address = broker.address();
    let frame = ask(address, 3, &DescribeAclsRequest::default());
    let response: DescribeAclsResponse<'_> = decode(&frame, 3);
    let disabled = ErrorCode::SecurityDisabled.code();
    assert_eq!(response.error_code, disabled);
    let creations = [AclCreation::default(); 2];
    let frame = ask(address, 3, &CreateAclsRequest { creations: Array::new(&creations) });
    let response: CreateAclsResponse<'_> = decode(&frame, 3);
    let codes: Vec<i16> = response.results.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [disabled; 2]);

    let frame = ask(address, 3, &DescribeDelegationTokenRequest::default());
    let response: DescribeDelegationTokenResponse<'_> = decode(&frame, 3);
    assert_eq!(response.error_code, ErrorCode::DelegationTokenRequestNotAllowed.code());

    let users = ["u", "v", "u"].map(|name| UserName { name });
    let users = Some(Array::new(&users));
    let frame = ask(address, 0, &DescribeUserScramCredentialsRequest { users });
    let response: DescribeUserScramCredentialsResponse<'_> = decode(&frame, 0);
    let told: Vec<_> = response.results.iter().map(|one| (one.user, one.error_code)).collect();
    assert_eq!(told, [("u", 92), ("v", 91)]);

    let state_filters = Array::new(&["Ongoing", "Asleep"]);
    let request = ListTransactionsRequest { state_filters, ..Default::default() };
    let frame = ask(address, 2, &request);
    let response: ListTransactionsResponse<'_> = decode(&frame, 2);
    assert_eq!(response.unknown_state_filters.iter().collect::<Vec<_>>(), ["Asleep"]);
    let transactional_ids = Array::new(&["x", ""]);
    let frame = ask(address, 0, &DescribeTransactionsRequest { transactional_ids });
    let response: DescribeTransactionsResponse<'_> = decode(&frame, 0);
    let codes: Vec<i16> = response.transaction_states.iter().map(|one| one.error_code).collect();
    assert_eq!(codes, [105, 42]);

    for (broker_id, code) in [(1, 42), (9, 102)] {
        let frame = ask(address, 0, &UnregisterBrokerRequest { broker_id });
        let response: UnregisterBrokerResponse<'_> = decode(&frame, 0);
        assert_eq!(response.error_code, code);
    }
    broker.stop_cleanly();
}

//! Names as long as names can be, where answers quote them in what they say.

use millstream::protocol::messages::alter_client_quotas::{
    AlterClientQuotasRequest, EntityData, EntryData, OpData,
};
use millstream::protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use millstream::protocol::messages::describe_client_quotas::{
    ComponentData, DescribeClientQuotasRequest,
};
use millstream::protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource,
};
use millstream::protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use millstream::protocol::messages::update_features::{FeatureUpdateKey, UpdateFeaturesRequest};
use millstream::protocol::{Array, ErrorCode};

use crate::broker::Broker;
use crate::client::Client;

/// The longest string of the protocol.
const STRING_BYTES_MAX: usize = i16::MAX as usize;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

impl Client {
    /// Alters a setting as often as there are operations in one request.
    fn alter(
        &mut self,
        resource: (i8, &str),
        setting: &str,
        value: &str,
        operations: &[i8],
    ) -> i16 {
        let (resource_type, resource_name) = resource;
        let configs: Vec<_> = operations
            .iter()
            .map(|operation| AlterableConfig {
                name: setting,
                config_operation: *operation,
                value: Some(value),
            })
            .collect();
        let configs = Array::new(&configs);
        let resources = [AlterConfigsResource { resource_type, resource_name, configs }];
        let resources = Array::new(&resources);
        let alter = IncrementalAlterConfigsRequest { resources, validate_only: false };
        self.ask(1, &alter, |answer| answer.responses.iter().next().unwrap().error_code)
    }

    fn describe(&mut self, resource_type: i8, resource_name: &str) -> (i16, usize) {
        let configuration_keys = None;
        let resources =
            [DescribeConfigsResource { resource_type, resource_name, configuration_keys }];
        let resources = Array::new(&resources);
        let describe = DescribeConfigsRequest { resources, ..Default::default() };
        self.ask(4, &describe, |answer| {
            let result = answer.results.iter().next().unwrap();
            let longest = result.configs.iter().filter_map(|config| Some(config.value?.len()));
            (result.error_code, longest.max().unwrap_or(0))
        })
    }

    fn alter_quota(&mut self, kind: &str, name: &str, quota: &str) -> i16 {
        let entity = [EntityData { entity_type: kind, entity_name: Some(name) }];
        let ops = [OpData { key: quota, value: 1.0, remove: false }];
        let entries = [EntryData { entity: Array::new(&entity), ops: Array::new(&ops) }];
        let entries = Array::new(&entries);
        let alter = AlterClientQuotasRequest { entries, validate_only: false };
        self.ask(1, &alter, |answer| answer.entries.iter().next().unwrap().error_code)
    }
}

#[test]
fn what_an_error_quotes_fits_into_its_answer() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    let invalid = ErrorCode::InvalidRequest.code();
    let long = "é".repeat(STRING_BYTES_MAX / 2);
    let unprintable = "\u{1}".repeat(STRING_BYTES_MAX);

    assert_eq!(client.alter((BROKER, "1"), &long, "5", &[0, 0]), invalid);
    for name in [&long, &unprintable] {
        assert_eq!(client.alter((BROKER, name), "log.retention.ms", "5", &[0]), invalid);
        assert_eq!(client.describe(BROKER, name).0, invalid);
    }
    let listener = format!("listener.name.{}", &long[..STRING_BYTES_MAX - 101]);
    assert_eq!(client.alter((BROKER, ""), &listener, "5", &[0]), invalid);
    assert_eq!(client.alter_quota("user", "u", &long), invalid);
    assert_eq!(client.alter_quota(&long, "u", "producer_byte_rate"), invalid);
    assert_eq!(client.alter_quota("ip", &long, "connection_creation_rate"), invalid);

    let components = [ComponentData { entity_type: &long, match_type: 0, r#match: Some("u") }];
    let components = Array::new(&components);
    let describe = DescribeClientQuotasRequest { components, strict: false };
    assert_ne!(client.ask(1, &describe, |answer| answer.error_code), 0);

    let settings = [CreatableTopicConfig { name: &long, value: None }];
    let configs = Array::new(&settings);
    let new = CreatableTopic { num_partitions: 1, replication_factor: 1, ..Default::default() };
    let topics = [
        CreatableTopic { name: &long, ..new },
        CreatableTopic { name: &long, ..new },
        CreatableTopic { name: "short", configs, ..new },
    ];
    let create = CreateTopicsRequest { topics: Array::new(&topics), ..Default::default() };
    client.ask(5, &create, |answer| {
        assert!(answer.topics.iter().all(|topic| topic.error_code != 0));
    });

    let update = FeatureUpdateKey { feature: &long, max_version_level: 1, ..Default::default() };
    let updates = [update];
    let feature_updates = Array::new(&updates);
    let update = UpdateFeaturesRequest { feature_updates, ..Default::default() };
    assert_ne!(client.ask(2, &update, |answer| answer.error_code), 0);
    broker.is_well();
}

#[test]
fn a_list_stays_as_short_as_a_value_can_be() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker);
    client.create_topic("listed", 1, &[]);
    let (listed, setting) = ((TOPIC, "listed"), "leader.replication.throttled.replicas");
    let items = |first: usize| {
        let items: Vec<String> = (first..first + 3000).map(|item| format!("{item}:1")).collect();
        items.join(",")
    };
    let codes: Vec<i16> = (0..3)
        .map(|part| client.alter(listed, setting, &items(10_000 + part * 3000), &[2]))
        .collect();
    assert_eq!(codes, [0, ErrorCode::InvalidConfig.code(), ErrorCode::InvalidConfig.code()]);
    let (code, longest) = client.describe(TOPIC, "listed");
    assert!(code == 0 && (20_000..=STRING_BYTES_MAX).contains(&longest), "{code}, {longest}");
    broker.is_well();
}

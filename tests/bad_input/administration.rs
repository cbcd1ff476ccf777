//! Good requests of the APIs by which clusters are administered.

use millstream::protocol::messages::{
    alter_client_quotas, alter_configs, alter_partition_reassignments, alter_replica_log_dirs,
    create_acls, create_delegation_token, create_partitions, delete_acls, describe_acls,
    describe_client_quotas, describe_delegation_token, describe_log_dirs, describe_producers,
    describe_quorum, describe_topic_partitions, describe_transactions,
    describe_user_scram_credentials, elect_leaders, expire_delegation_token,
    get_telemetry_subscriptions, incremental_alter_configs, list_config_resources,
    list_partition_reassignments, list_transactions, push_telemetry, renew_delegation_token,
    unregister_broker, update_features,
};
use millstream::protocol::{ApiKey, Array};

use crate::client::request;

/// With one element in each array that matters, and without effect; `None` for all other APIs.
pub fn good(api: ApiKey, version: i16, name: &str) -> Option<Vec<u8>> {
    macro_rules! by_default {
        ($($api:ident: $module:ident::$message:ident),* $(,)?) => {
            match api {
                $(ApiKey::$api => request(1, version, &$module::$message::default()),)*
                _ => return None,
            }
        };
    }
    Some(match api {
        ApiKey::IncrementalAlterConfigs => altered(version, name),
        ApiKey::CreatePartitions => {
            let topic = create_partitions::CreatePartitionsTopic { name, ..Default::default() };
            let topics = [topic];
            let topics = Array::new(&topics);
            let create =
                create_partitions::CreatePartitionsRequest { topics, ..Default::default() };
            request(1, version, &create)
        }
        ApiKey::DescribeLogDirs => {
            let partitions = Array::new(&[0]);
            let topics = [describe_log_dirs::DescribableLogDirTopic { topic: name, partitions }];
            let topics = Some(Array::new(&topics));
            request(1, version, &describe_log_dirs::DescribeLogDirsRequest { topics })
        }
        _ => by_default!(
            AlterClientQuotas: alter_client_quotas::AlterClientQuotasRequest,
            AlterConfigs: alter_configs::AlterConfigsRequest,
            AlterPartitionReassignments:
                alter_partition_reassignments::AlterPartitionReassignmentsRequest,
            AlterReplicaLogDirs: alter_replica_log_dirs::AlterReplicaLogDirsRequest,
            CreateAcls: create_acls::CreateAclsRequest,
            CreateDelegationToken: create_delegation_token::CreateDelegationTokenRequest,
            DeleteAcls: delete_acls::DeleteAclsRequest,
            DescribeAcls: describe_acls::DescribeAclsRequest,
            DescribeClientQuotas: describe_client_quotas::DescribeClientQuotasRequest,
            DescribeDelegationToken: describe_delegation_token::DescribeDelegationTokenRequest,
            DescribeProducers: describe_producers::DescribeProducersRequest,
            DescribeQuorum: describe_quorum::DescribeQuorumRequest,
            DescribeTopicPartitions: describe_topic_partitions::DescribeTopicPartitionsRequest,
            DescribeTransactions: describe_transactions::DescribeTransactionsRequest,
            DescribeUserScramCredentials:
                describe_user_scram_credentials::DescribeUserScramCredentialsRequest,
            ElectLeaders: elect_leaders::ElectLeadersRequest,
            ExpireDelegationToken: expire_delegation_token::ExpireDelegationTokenRequest,
            GetTelemetrySubscriptions:
                get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest,
            ListConfigResources: list_config_resources::ListConfigResourcesRequest,
            ListPartitionReassignments:
                list_partition_reassignments::ListPartitionReassignmentsRequest,
            ListTransactions: list_transactions::ListTransactionsRequest,
            PushTelemetry: push_telemetry::PushTelemetryRequest,
            RenewDelegationToken: renew_delegation_token::RenewDelegationTokenRequest,
            UnregisterBroker: unregister_broker::UnregisterBrokerRequest,
            UpdateFeatures: update_features::UpdateFeaturesRequest,
        ),
    })
}

fn altered(version: i16, resource_name: &str) -> Vec<u8> {
    let configs = [incremental_alter_configs::AlterableConfig {
        name: "retention.ms",
        config_operation: 0,
        value: Some("70000"),
    }];
    let resources = [incremental_alter_configs::AlterConfigsResource {
        resource_type: 2,
        resource_name,
        configs: Array::new(&configs),
    }];
    let alter = incremental_alter_configs::IncrementalAlterConfigsRequest {
        resources: Array::new(&resources),
        validate_only: true,
    };
    request(1, version, &alter)
}

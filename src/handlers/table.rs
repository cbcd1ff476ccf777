//! Which APIs are served, in which versions, by whom. What is not here is not advertised.

use core::ops::RangeInclusive;

use super::context::{Context, Frame, Handled};
use super::{
    acls, alter_client_quotas, alter_configs, alter_partition_reassignments,
    alter_replica_log_dirs, api_versions, create_partitions, create_topics, delegation_tokens,
    delete_topics, describe_client_quotas, describe_cluster, describe_configs, describe_log_dirs,
    describe_producers, describe_quorum, describe_topic_partitions, describe_transactions,
    describe_user_scram_credentials, elect_leaders, fetch, find_coordinator, init_producer_id,
    list_config_resources, list_offsets, list_partition_reassignments, list_transactions, metadata,
    offset_for_leader_epoch, produce, telemetry, unregister_broker, update_features,
};
use crate::protocol::ApiKey;

/// Handles one API's requests.
pub(super) type Handler = fn(&mut Context<'_>, &Frame<'_>) -> Handled;

struct Row {
    api: ApiKey,
    versions: RangeInclusive<i16>,
    handler: Handler,
}

const fn row(api: ApiKey, versions: RangeInclusive<i16>, handler: Handler) -> Row {
    Row { api, versions, handler }
}

static TABLE: [Row; 40] = [
    row(ApiKey::Produce, 3..=13, produce::handle),
    row(ApiKey::Fetch, 4..=18, fetch::handle),
    row(ApiKey::ListOffsets, 1..=11, list_offsets::handle),
    row(ApiKey::Metadata, 0..=13, metadata::handle),
    row(ApiKey::FindCoordinator, 0..=6, find_coordinator::handle),
    row(ApiKey::ApiVersions, 0..=5, api_versions::handle),
    row(ApiKey::CreateTopics, 2..=7, create_topics::handle),
    row(ApiKey::DeleteTopics, 1..=6, delete_topics::handle),
    row(ApiKey::InitProducerId, 0..=5, init_producer_id::handle),
    row(ApiKey::OffsetForLeaderEpoch, 2..=4, offset_for_leader_epoch::handle),
    row(ApiKey::DescribeAcls, 1..=3, acls::describe),
    row(ApiKey::CreateAcls, 1..=3, acls::create),
    row(ApiKey::DeleteAcls, 1..=3, acls::delete),
    row(ApiKey::DescribeConfigs, 1..=4, describe_configs::handle),
    row(ApiKey::AlterConfigs, 0..=2, alter_configs::handle),
    row(ApiKey::AlterReplicaLogDirs, 1..=2, alter_replica_log_dirs::handle),
    row(ApiKey::DescribeLogDirs, 1..=5, describe_log_dirs::handle),
    row(ApiKey::CreatePartitions, 0..=3, create_partitions::handle),
    row(ApiKey::CreateDelegationToken, 1..=3, delegation_tokens::create),
    row(ApiKey::RenewDelegationToken, 1..=2, delegation_tokens::renew),
    row(ApiKey::ExpireDelegationToken, 1..=2, delegation_tokens::expire),
    row(ApiKey::DescribeDelegationToken, 1..=3, delegation_tokens::describe),
    row(ApiKey::ElectLeaders, 0..=2, elect_leaders::handle),
    row(ApiKey::IncrementalAlterConfigs, 0..=1, alter_configs::handle_incremental),
    row(ApiKey::AlterPartitionReassignments, 0..=1, alter_partition_reassignments::handle),
    row(ApiKey::ListPartitionReassignments, 0..=0, list_partition_reassignments::handle),
    row(ApiKey::DescribeClientQuotas, 0..=1, describe_client_quotas::handle),
    row(ApiKey::AlterClientQuotas, 0..=1, alter_client_quotas::handle),
    row(ApiKey::DescribeUserScramCredentials, 0..=0, describe_user_scram_credentials::handle),
    row(ApiKey::DescribeQuorum, 0..=2, describe_quorum::handle),
    row(ApiKey::UpdateFeatures, 0..=2, update_features::handle),
    row(ApiKey::DescribeCluster, 0..=2, describe_cluster::handle),
    row(ApiKey::DescribeProducers, 0..=0, describe_producers::handle),
    row(ApiKey::UnregisterBroker, 0..=0, unregister_broker::handle),
    row(ApiKey::DescribeTransactions, 0..=0, describe_transactions::handle),
    row(ApiKey::ListTransactions, 0..=2, list_transactions::handle),
    row(ApiKey::GetTelemetrySubscriptions, 0..=0, telemetry::subscriptions),
    row(ApiKey::PushTelemetry, 0..=0, telemetry::push),
    row(ApiKey::ListConfigResources, 0..=1, list_config_resources::handle),
    row(ApiKey::DescribeTopicPartitions, 0..=0, describe_topic_partitions::handle),
];

/// What is served.
pub(super) fn served() -> impl Iterator<Item = (ApiKey, &'static RangeInclusive<i16>)> {
    TABLE.iter().map(|row| (row.api, &row.versions))
}

/// Who handles an API in a version: `Err(true)` when the API is served, but not in this version.
pub(super) fn handler(api: ApiKey, version: i16) -> Result<Handler, bool> {
    let row = TABLE.iter().find(|row| row.api == api).ok_or(false)?;
    if row.versions.contains(&version) { Ok(row.handler) } else { Err(true) }
}

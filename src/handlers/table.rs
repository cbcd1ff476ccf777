//! Which APIs are served, in which versions, by whom. What is not here is not advertised.

use core::ops::RangeInclusive;

use super::context::{Context, Frame, Handled};
use super::{
    api_versions, create_topics, delete_groups, delete_records, delete_topics, describe_cluster,
    describe_configs, describe_groups, fetch, find_coordinator, heartbeat, init_producer_id,
    join_group, leave_group, list_groups, list_offsets, metadata, offset_commit, offset_delete,
    offset_fetch, offset_for_leader_epoch, produce, sync_group,
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

static TABLE: [Row; 23] = [
    row(ApiKey::Produce, 3..=13, produce::handle),
    row(ApiKey::Fetch, 4..=18, fetch::handle),
    row(ApiKey::ListOffsets, 1..=11, list_offsets::handle),
    row(ApiKey::Metadata, 0..=13, metadata::handle),
    row(ApiKey::OffsetCommit, 2..=10, offset_commit::handle),
    row(ApiKey::OffsetFetch, 1..=10, offset_fetch::handle),
    row(ApiKey::FindCoordinator, 0..=6, find_coordinator::handle),
    row(ApiKey::JoinGroup, 0..=9, join_group::handle),
    row(ApiKey::Heartbeat, 0..=4, heartbeat::handle),
    row(ApiKey::LeaveGroup, 0..=5, leave_group::handle),
    row(ApiKey::SyncGroup, 0..=5, sync_group::handle),
    row(ApiKey::DescribeGroups, 0..=6, describe_groups::handle),
    row(ApiKey::ListGroups, 0..=5, list_groups::handle),
    row(ApiKey::ApiVersions, 0..=5, api_versions::handle),
    row(ApiKey::CreateTopics, 2..=7, create_topics::handle),
    row(ApiKey::DeleteTopics, 1..=6, delete_topics::handle),
    row(ApiKey::DeleteRecords, 0..=2, delete_records::handle),
    row(ApiKey::InitProducerId, 0..=5, init_producer_id::handle),
    row(ApiKey::OffsetForLeaderEpoch, 2..=4, offset_for_leader_epoch::handle),
    row(ApiKey::DescribeConfigs, 1..=4, describe_configs::handle),
    row(ApiKey::DeleteGroups, 0..=3, delete_groups::handle),
    row(ApiKey::OffsetDelete, 0..=0, offset_delete::handle),
    row(ApiKey::DescribeCluster, 0..=2, describe_cluster::handle),
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

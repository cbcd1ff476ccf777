//! Which APIs are served, in which versions, by whom. What is not here is not advertised.

use core::ops::RangeInclusive;

use super::context::{Context, Frame, Handled};
use super::{
    api_versions, create_topics, delete_records, delete_topics, describe_cluster, describe_configs,
    fetch, find_coordinator, init_producer_id, list_offsets, metadata, offset_for_leader_epoch,
    produce,
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

static TABLE: [Row; 13] = [
    row(ApiKey::Produce, 3..=13, produce::handle),
    row(ApiKey::Fetch, 4..=18, fetch::handle),
    row(ApiKey::ListOffsets, 1..=11, list_offsets::handle),
    row(ApiKey::Metadata, 0..=13, metadata::handle),
    row(ApiKey::FindCoordinator, 0..=6, find_coordinator::handle),
    row(ApiKey::ApiVersions, 0..=5, api_versions::handle),
    row(ApiKey::CreateTopics, 2..=7, create_topics::handle),
    row(ApiKey::DeleteTopics, 1..=6, delete_topics::handle),
    row(ApiKey::DeleteRecords, 0..=2, delete_records::handle),
    row(ApiKey::InitProducerId, 0..=5, init_producer_id::handle),
    row(ApiKey::OffsetForLeaderEpoch, 2..=4, offset_for_leader_epoch::handle),
    row(ApiKey::DescribeConfigs, 1..=4, describe_configs::handle),
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

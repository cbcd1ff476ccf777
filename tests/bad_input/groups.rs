//! Good requests of the APIs of groups, and of the one that deletes records.

use millstream::protocol::messages::{
    delete_groups, delete_records, describe_groups, heartbeat, join_group, leave_group,
    list_groups, offset_commit, offset_delete, offset_fetch, sync_group,
};
use millstream::protocol::{ApiKey, Array};

use crate::client::request;

/// Without effect; `None` for all other APIs.
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
        ApiKey::DescribeGroups => {
            let groups = [name];
            let groups = Array::new(&groups);
            let describe = describe_groups::DescribeGroupsRequest { groups, ..Default::default() };
            request(1, version, &describe)
        }
        _ => by_default!(
            DeleteGroups: delete_groups::DeleteGroupsRequest,
            DeleteRecords: delete_records::DeleteRecordsRequest,
            Heartbeat: heartbeat::HeartbeatRequest,
            JoinGroup: join_group::JoinGroupRequest,
            LeaveGroup: leave_group::LeaveGroupRequest,
            ListGroups: list_groups::ListGroupsRequest,
            OffsetCommit: offset_commit::OffsetCommitRequest,
            OffsetDelete: offset_delete::OffsetDeleteRequest,
            OffsetFetch: offset_fetch::OffsetFetchRequest,
            SyncGroup: sync_group::SyncGroupRequest,
        ),
    })
}

use core::time::Duration;
use std::sync::Arc;

use crate::types::{LeaderEpoch, Offset, PartitionIndex, Uuid};

/// What may be asked about the groups of one partition of `__consumer_offsets`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// JoinGroup.
    Join(JoinRequest),
    /// SyncGroup.
    Sync(SyncRequest),
    /// Heartbeat.
    Heartbeat(HeartbeatRequest),
    /// LeaveGroup.
    Leave(LeaveRequest),
    /// OffsetCommit.
    Commit(CommitRequest),
    /// OffsetFetch, for those of its groups that live here.
    Fetch(FetchRequest),
    /// OffsetDelete.
    DeleteOffsets(DeleteOffsetsRequest),
    /// DescribeGroups, for those groups that live here.
    Describe {
        /// The groups, answered in this order.
        groups: Vec<String>,
    },
    /// ListGroups.
    List(ListRequest),
    /// DeleteGroups, for those groups that live here.
    Delete {
        /// The groups, answered in this order.
        groups: Vec<String>,
    },
}

/// Joins a group, or its next generation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinRequest {
    /// The group.
    pub group: String,
    /// The member; empty for one that has no id yet.
    pub member_id: String,
    /// The lasting name of a static member (KIP-345).
    pub instance_id: Option<String>,
    /// The header's client id.
    pub client_id: String,
    /// The client's address as Kafka shows it: a slash and the IP address.
    pub client_host: String,
    /// How long the member may be silent.
    pub session_timeout: Duration,
    /// How long a rebalance waits for the member: that of the request, in version 0 the session's.
    pub rebalance_timeout: Duration,
    /// What kind of group: `consumer`, `connect`.
    pub protocol_type: String,
    /// Name and metadata of each protocol that the member knows, the preferred one first.
    pub protocols: Vec<(String, Arc<[u8]>)>,
    /// Why it joins, for the logs (version 8).
    pub reason: Option<String>,
    /// Whether the client takes a member id first and joins with it (version 4, KIP-394).
    pub takes_member_id: bool,
    /// Whether the client knows to keep the assignment (version 9, KIP-814).
    pub can_skip_assignment: bool,
}

/// Asks for the assignment; the leader's request brings it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncRequest {
    /// The group.
    pub group: String,
    /// The generation that the member joined.
    pub generation: i32,
    /// The member.
    pub member_id: String,
    /// Its lasting name, if it has one.
    pub instance_id: Option<String>,
    /// What the member believes the group's protocol type to be; none before version 5.
    pub protocol_type: Option<String>,
    /// What it believes the chosen protocol to be; none before version 5.
    pub protocol: Option<String>,
    /// Member and assignment, from the leader.
    pub assignments: Vec<(String, Arc<[u8]>)>,
}

/// Keeps a member in its group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeartbeatRequest {
    /// The group.
    pub group: String,
    /// The generation that the member is in.
    pub generation: i32,
    /// The member.
    pub member_id: String,
    /// Its lasting name, if it has one.
    pub instance_id: Option<String>,
}

/// Takes members out of a group. Before version 3 of the API there is one, without a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaveRequest {
    /// The group.
    pub group: String,
    /// Who leaves, answered in this order.
    pub members: Vec<LeavingMember>,
}

/// A member that leaves or is sent away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeavingMember {
    /// The member; may be empty when it has a lasting name.
    pub member_id: String,
    /// Its lasting name, if it has one.
    pub instance_id: Option<String>,
    /// Why, for the logs (version 5).
    pub reason: Option<String>,
}

/// Commits offsets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitRequest {
    /// The group.
    pub group: String,
    /// The generation that the member is in; -1 from somebody who is no member.
    pub generation: i32,
    /// The member, empty from somebody who is none.
    pub member_id: String,
    /// Its lasting name, if it has one.
    pub instance_id: Option<String>,
    /// How long to keep the offsets (version 2 to 4); none for as long as the broker keeps them.
    pub retention: Option<Duration>,
    /// The offsets by topic, answered in this order.
    pub topics: Vec<CommitTopic>,
}

/// A topic's offsets to commit. Names and ids were looked up and exist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitTopic {
    /// The topic's name.
    pub name: String,
    /// Its id; zero from a client that named the topic (before version 10).
    pub id: Uuid,
    /// The offsets.
    pub partitions: Vec<CommitPartition>,
}

/// A partition's offset to commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitPartition {
    /// The partition.
    pub partition: PartitionIndex,
    /// The next offset to consume.
    pub offset: Offset,
    /// The leader epoch of the last consumed record, or unknown.
    pub leader_epoch: LeaderEpoch,
    /// The client's note.
    pub metadata: Option<String>,
}

/// Reads committed offsets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchRequest {
    /// The groups, answered in this order.
    pub groups: Vec<FetchGroup>,
    /// Whether to refuse offsets that an open transaction may change. There are no transactions
    /// yet, so none is refused.
    pub require_stable: bool,
}

/// A group whose offsets are read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchGroup {
    /// The group.
    pub group: String,
    /// The member that asks (version 9): none or empty from somebody who is no member.
    pub member_id: Option<String>,
    /// The member's epoch (version 9); -1 from somebody who is no member.
    pub member_epoch: i32,
    /// The topics; none for all that have offsets.
    pub topics: Option<Vec<FetchTopic>>,
}

/// A topic whose offsets are read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchTopic {
    /// The topic's name.
    pub name: String,
    /// Its id; zero from a client that named the topic (before version 10). Offsets that were
    /// committed under another id are not shown to one that gave an id.
    pub id: Uuid,
    /// The partitions.
    pub partitions: Vec<PartitionIndex>,
}

/// Forgets offsets of topics to which nobody in the group subscribes (KIP-496).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeleteOffsetsRequest {
    /// The group.
    pub group: String,
    /// Topic and partitions, answered in this order.
    pub topics: Vec<(String, Vec<PartitionIndex>)>,
}

/// Lists groups.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListRequest {
    /// Names of the states wanted, in any case; empty for all.
    pub states: Vec<String>,
    /// Names of the types wanted, in any case; empty for all. Here all groups are `classic`.
    pub types: Vec<String>,
}

use std::sync::Arc;

use super::GroupError;
use crate::types::{LeaderEpoch, Offset, PartitionIndex, Uuid};

/// The answer to a [`super::Request`] of the same name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Response {
    /// To JoinGroup.
    Join(Result<Joined, JoinRefused>),
    /// To SyncGroup.
    Sync(Result<Synced, GroupError>),
    /// To Heartbeat.
    Heartbeat(Result<(), GroupError>),
    /// To LeaveGroup, each member in the order of the request; before version 3 of the API the
    /// only member's error is the response's.
    Leave(Result<Vec<Left>, GroupError>),
    /// To OffsetCommit, topics and partitions in the order of the request.
    Commit(Vec<CommittedTopic>),
    /// To OffsetFetch, groups in the order of the request.
    Fetch(Vec<FetchedGroup>),
    /// To OffsetDelete, topics and partitions in the order of the request.
    DeleteOffsets(Result<Vec<DeletedOffsets>, GroupError>),
    /// To DescribeGroups, in the order of the request.
    Describe(Vec<DescribedGroup>),
    /// To ListGroups, by name.
    List(Result<Vec<ListedGroup>, GroupError>),
    /// To DeleteGroups, in the order of the request.
    Delete(Vec<(String, Result<(), GroupError>)>),
}

/// A member is in a new generation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    /// The generation.
    pub generation: i32,
    /// The group's protocol type.
    pub protocol_type: Option<String>,
    /// The chosen protocol.
    pub protocol: Option<String>,
    /// The leader's member id.
    pub leader: String,
    /// The member.
    pub member_id: String,
    /// For a leader: the assignment stays, it brings none (KIP-814).
    pub skip_assignment: bool,
    /// For a leader: who is to be assigned what.
    pub members: Vec<JoinedMember>,
}

/// What a leader learns of a member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinedMember {
    /// The member.
    pub member_id: String,
    /// Its lasting name, if it has one.
    pub instance_id: Option<String>,
    /// Its metadata for the chosen protocol.
    pub metadata: Arc<[u8]>,
}

/// A member is not in the group, or has to ask again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinRefused {
    /// Why.
    pub error: GroupError,
    /// The id to join with if one was missing, else that of the request. The generation of such a
    /// response is -1, its leader empty.
    pub member_id: String,
}

/// A member's assignment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Synced {
    /// The group's protocol type.
    pub protocol_type: Option<String>,
    /// The chosen protocol.
    pub protocol: Option<String>,
    /// What the leader assigned; empty if it left this member out.
    pub assignment: Arc<[u8]>,
}

/// A member that left, or could not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Left {
    /// The member id of the request.
    pub member_id: String,
    /// The lasting name of the request.
    pub instance_id: Option<String>,
    /// Whether it left.
    pub result: Result<(), GroupError>,
}

/// What became of a topic's commits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommittedTopic {
    /// The name of the request.
    pub name: String,
    /// The id of the request.
    pub id: Uuid,
    /// Each partition: committed, or why not.
    pub partitions: Vec<(PartitionIndex, Result<(), GroupError>)>,
}

/// A group's committed offsets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedGroup {
    /// The group.
    pub group: String,
    /// Its offsets. A group that does not exist has none, which is no error.
    pub topics: Result<Vec<FetchedTopic>, GroupError>,
}

/// A topic's committed offsets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedTopic {
    /// The topic's name.
    pub name: String,
    /// The id of the request, zero if all topics were asked for.
    pub id: Uuid,
    /// In the order of the request, all: by number.
    pub partitions: Vec<FetchedPartition>,
}

/// A partition's committed offset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedPartition {
    /// The partition.
    pub partition: PartitionIndex,
    /// The next offset to consume; none if nothing is committed (-1 on the wire).
    pub offset: Option<Offset>,
    /// The leader epoch of the last consumed record, or unknown.
    pub leader_epoch: LeaderEpoch,
    /// The client's note, empty if there is none.
    pub metadata: String,
}

/// What became of a topic's offsets that were to be forgotten.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeletedOffsets {
    /// The topic's name.
    pub name: String,
    /// Each partition: forgotten (or never committed), or why not.
    pub partitions: Vec<(PartitionIndex, Result<(), GroupError>)>,
}

/// A group, described.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedGroup {
    /// The group.
    pub group: String,
    /// [`GroupError::GroupIdNotFound`] and a dead group when there is none: an error with
    /// `message` from version 6 of the API on, before that a dead group without an error.
    pub error: Option<GroupError>,
    /// What to tell a person about the error (version 6).
    pub message: Option<String>,
    /// Its state.
    pub state: GroupState,
    /// Its protocol type, empty if it never had a member.
    pub protocol_type: String,
    /// The chosen protocol, empty unless the group is stable.
    pub protocol: String,
    /// Its members by member id.
    pub members: Vec<DescribedMember>,
}

/// A member, described.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedMember {
    /// The member.
    pub member_id: String,
    /// Its lasting name, if it has one.
    pub instance_id: Option<String>,
    /// Its client id.
    pub client_id: String,
    /// Its address.
    pub client_host: String,
    /// Its metadata for the chosen protocol; empty unless the group is stable.
    pub metadata: Arc<[u8]>,
    /// Its assignment; empty unless the group is stable.
    pub assignment: Arc<[u8]>,
}

/// A group in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedGroup {
    /// The group.
    pub group: String,
    /// Its protocol type, empty if it never had a member.
    pub protocol_type: String,
    /// Its state.
    pub state: GroupState,
}

impl ListedGroup {
    /// The type of all groups here, as Kafka spells it (KIP-848).
    pub const TYPE: &'static str = "Classic";
}

/// What a group is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupState {
    /// It has no members; it may have offsets.
    Empty,
    /// Members gather for the next generation.
    PreparingRebalance,
    /// All have joined; the leader's assignment is not durable yet.
    CompletingRebalance,
    /// Each member has its assignment.
    Stable,
    /// There is no such group.
    Dead,
}

impl GroupState {
    /// The name as Kafka spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }
}

/// Why a group, or a part of a request to it, is refused. Each is the Kafka code of the same name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum GroupError {
    /// The partition that holds the groups is still being read.
    CoordinatorLoadInProgress,
    /// The records could not be appended; the same request may succeed later.
    CoordinatorNotAvailable,
    /// Another broker coordinates the group.
    NotCoordinator,
    /// The group's name is empty where a group has members.
    InvalidGroupId,
    /// There is no such group.
    GroupIdNotFound,
    /// The group has members.
    NonEmptyGroup,
    /// The group is full (`group.max.size`).
    GroupMaxSizeReached,
    /// Somebody in the group subscribes to the topic.
    GroupSubscribedToTopic,
    /// The group is in another generation.
    IllegalGeneration,
    /// The member shares no protocol, or not the protocol type, with the group.
    InconsistentGroupProtocol,
    /// The session timeout is out of the limits.
    InvalidSessionTimeout,
    /// A member has to join under the id that the response names (KIP-394).
    MemberIdRequired,
    /// The group has no such member.
    UnknownMemberId,
    /// Another member took over the instance id (KIP-345).
    FencedInstanceId,
    /// The group rebalances: join again.
    RebalanceInProgress,
    /// The text beside an offset is longer than `offset.metadata.max.bytes`.
    OffsetMetadataTooLarge,
    /// All the offsets of one commit do not fit a batch.
    InvalidCommitOffsetSize,
    /// The request contradicts itself or what the group can do.
    InvalidRequest,
    /// The records of the group do not fit a batch; nothing that a client can mend.
    UnknownServerError,
}

/// Why records of [`super::Effect::Append`] are not in the log and never will be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendFailure {
    /// There is no room, too few replicas are in sync, or time is up.
    Unavailable,
    /// The partition is led by another broker now.
    NotLeader,
    /// The records do not fit a batch or a segment.
    TooLarge,
}

//! Appends under way: what becomes true when they are durable, and who waits for that.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::offsets::Committed;
use super::{
    AppendFailure, AppendId, CommittedTopic, DeletedOffsets, GroupError, JoinRequest, ReplyId,
};
use crate::types::PartitionIndex;

/// An offset that a record commits or forgets.
#[derive(Debug)]
pub(super) struct OffsetChange {
    pub(super) group: Arc<str>,
    pub(super) topic: String,
    pub(super) partition: PartitionIndex,
    pub(super) value: Option<Committed>,
}

/// A member that takes over the lasting name of another in a stable group (KIP-345).
#[derive(Debug)]
pub(super) struct Replacement {
    pub(super) group: Arc<str>,
    pub(super) generation: i32,
    pub(super) old: Arc<str>,
    pub(super) new: Arc<str>,
    pub(super) request: JoinRequest,
    pub(super) reply: ReplyId,
}

/// What an append is for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// Offsets that nobody waits for.
    Forget,
    /// Groups that nobody waits for.
    ForgetGroups { groups: Vec<Arc<str>> },
    /// A group has no members any more. Without the record the last generation would come back
    /// and its members time out, so a failure is no harm.
    Empty,
    /// OffsetCommit.
    Commit { reply: ReplyId, group: Arc<str>, topics: Vec<CommittedTopic> },
    /// OffsetDelete.
    DeleteOffsets { reply: ReplyId, topics: Vec<DeletedOffsets> },
    /// DeleteGroups.
    DeleteGroups {
        reply: ReplyId,
        groups: Vec<Arc<str>>,
        results: Vec<(String, Result<(), GroupError>)>,
    },
    /// The leader's assignment.
    Assign { group: Arc<str>, generation: i32, assignments: BTreeMap<String, Arc<[u8]>> },
    /// A static member came back under a new id.
    Replace(Box<Replacement>),
}

#[derive(Debug)]
pub(super) struct Append {
    pub(super) changes: Vec<OffsetChange>,
    pub(super) purpose: Purpose,
}

/// The appends under way.
#[derive(Debug, Default)]
pub(super) struct Appends {
    next: u64,
    under_way: BTreeMap<AppendId, Append>,
}

impl Appends {
    pub(super) fn begin(&mut self, append: Append) -> AppendId {
        let id = AppendId(self.next);
        self.next += 1;
        self.under_way.insert(id, append);
        id
    }

    pub(super) fn end(&mut self, id: AppendId, result: Result<(), AppendFailure>) -> Append {
        let first = self.under_way.first_key_value().map(|(first, _)| *first);
        assert!(result.is_err() || first == Some(id), "the log is durable in its order");
        self.under_way.remove(&id).expect("each append ends once")
    }

    pub(super) fn into_purposes(self) -> impl Iterator<Item = Purpose> {
        self.under_way.into_values().map(|append| append.purpose)
    }
}

impl AppendFailure {
    /// What who waits for a commit is told.
    pub(super) fn of_commit(self) -> GroupError {
        match self {
            Self::TooLarge => GroupError::InvalidCommitOffsetSize,
            Self::Unavailable | Self::NotLeader => self.of_group(),
        }
    }

    /// What all others are told.
    pub(super) fn of_group(self) -> GroupError {
        match self {
            Self::Unavailable => GroupError::CoordinatorNotAvailable,
            Self::NotLeader => GroupError::NotCoordinator,
            Self::TooLarge => GroupError::UnknownServerError,
        }
    }
}

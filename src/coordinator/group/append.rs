//! Appends under way: what becomes true when they are durable, and who waits for that.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::offsets::Committed;
use super::{
    AppendFailure, AppendId, CommittedTopic, DeletedOffsets, GroupError, JoinRequest, ReplyId,
    Response, commit,
};
use crate::types::{Instant, PartitionIndex};

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
    /// Offsets, and groups without any left, that nobody waits for.
    Forget { groups: Vec<Arc<str>> },
    /// A group has no members any more. Without the record the last generation would come back
    /// and its members time out, so a failure is no harm.
    Empty,
    /// OffsetCommit. Here and below, no `reply` once the time to answer was up.
    Commit { reply: Option<ReplyId>, topics: Vec<CommittedTopic> },
    /// OffsetDelete.
    DeleteOffsets { reply: Option<ReplyId>, topics: Vec<DeletedOffsets> },
    /// DeleteGroups.
    DeleteGroups {
        reply: Option<ReplyId>,
        groups: Vec<Arc<str>>,
        results: Vec<(String, Result<(), GroupError>)>,
    },
    /// The leader's assignment.
    Assign { group: Arc<str>, generation: i32, assignments: BTreeMap<String, Arc<[u8]>> },
    /// A static member came back under a new id.
    Replace(Box<Replacement>),
}

impl Purpose {
    /// The answer for who waits for the append itself, once; none if nobody does.
    pub(super) fn answer(
        &mut self,
        result: Result<(), AppendFailure>,
    ) -> Option<(ReplyId, Response)> {
        match self {
            Self::Commit { reply, topics } => {
                let (reply, mut topics) = (reply.take()?, core::mem::take(topics));
                if let Err(failure) = result {
                    commit::fail(&mut topics, failure);
                }
                Some((reply, Response::Commit(topics)))
            }
            Self::DeleteOffsets { reply, topics } => {
                let (reply, topics) = (reply.take()?, core::mem::take(topics));
                let answer = result.map(|()| topics).map_err(AppendFailure::of_group);
                Some((reply, Response::DeleteOffsets(answer)))
            }
            Self::DeleteGroups { reply, results, .. } => {
                let (reply, mut results) = (reply.take()?, core::mem::take(results));
                for (_, answer) in &mut results {
                    *answer = answer.and(result.map_err(AppendFailure::of_group));
                }
                Some((reply, Response::Delete(results)))
            }
            Self::Forget { .. } | Self::Empty | Self::Assign { .. } | Self::Replace(_) => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Append {
    pub(super) changes: Vec<OffsetChange>,
    pub(super) purpose: Purpose,
    pub(super) begun: Instant,
}

/// The appends under way.
#[derive(Debug, Default)]
pub(super) struct Appends {
    next: u64,
    under_way: BTreeMap<AppendId, Append>,
    /// Appends before this one have ended, or their time is up.
    late_until: AppendId,
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

    /// When the time of the next append is up.
    pub(super) fn deadline(&self, timeout: Duration) -> Option<Instant> {
        let (_, append) = self.under_way.range(self.late_until..).next()?;
        Some(append.begun.after(timeout))
    }

    /// The next append whose time is up, each once. It stays under way: it may still be durable.
    pub(super) fn take_late(&mut self, now: Instant, timeout: Duration) -> Option<&mut Append> {
        let (id, append) = self.under_way.range_mut(self.late_until..).next()?;
        if append.begun.after(timeout) > now {
            return None;
        }
        self.late_until = AppendId(id.0 + 1);
        Some(append)
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

//! The groups of one partition of `__consumer_offsets`: members, generations, assignments (the
//! classic protocol) and committed offsets. A pure state machine: requests, finished appends and
//! time go in, answers and records to append come out.
//!
//! What was answered is durable, what is shown is durable: commits, assignments and replaced
//! members become visible in [`Groups::appended`], not before. Replaying the records gives the
//! same groups again.

mod error;
mod request;
mod response;

pub use self::error::{AppendFailure, GroupError};
pub use self::request::{
    CommitPartition, CommitRequest, CommitTopic, DeleteOffsetsRequest, FetchGroup, FetchRequest,
    FetchTopic, HeartbeatRequest, JoinRequest, LeaveRequest, LeavingMember, ListRequest, Request,
    SyncRequest,
};
pub use self::response::{
    CommittedTopic, DeletedOffsets, DescribedGroup, DescribedMember, FetchedGroup,
    FetchedPartition, FetchedTopic, GroupState, JoinRefused, Joined, JoinedMember, Left,
    ListedGroup, Response, Synced,
};

use crate::config::{ClassicGroups, OffsetSettings};
use crate::prng::Prng;
use crate::protocol::DecodeError;
use crate::types::{Instant, Now, PartitionIndex};

/// A request that waits for its answer, named by whoever asks: unique until answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReplyId(pub u64);

/// An append under way: ascending, never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AppendId(pub u64);

/// A record for the partition of `__consumer_offsets`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupRecord {
    /// The key, in Kafka's format (`schema/kafka/group_records.txt`).
    pub key: Vec<u8>,
    /// The value; none for a tombstone.
    pub value: Option<Vec<u8>>,
}

/// What a group wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Answer a request. Each is answered once.
    Respond {
        /// The request.
        reply: ReplyId,
        /// The answer.
        response: Response,
    },
    /// Append records as one batch, and report by [`Groups::appended`] when that is durable.
    Append {
        /// Names the append.
        id: AppendId,
        /// The records, at least one.
        records: Vec<GroupRecord>,
    },
}

/// The broker's settings for groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Of groups of the classic protocol.
    pub classic: ClassicGroups,
    /// Of committed offsets.
    pub offsets: OffsetSettings,
}

/// The groups of one partition of `__consumer_offsets`.
///
/// Its life: [`Groups::new`], [`Groups::replay`] for each record of the partition,
/// [`Groups::loaded`]; then requests, appends and ticks; at the end [`Groups::unload`]. Until it is
/// loaded, requests are answered with [`GroupError::CoordinatorLoadInProgress`].
#[derive(Debug)]
pub struct Groups {
    settings: Settings,
    prng: Prng,
}

impl Groups {
    /// No groups yet. Member ids come from `prng`.
    pub fn new(settings: Settings, prng: Prng) -> Self {
        Self { settings, prng }
    }

    /// Takes a record that the partition holds, in the order of the log. Records of kinds that are
    /// not known here are passed over, as a tombstone of what is not there.
    ///
    /// # Errors
    /// When the record is damaged. Nothing has changed then; Kafka's broker logs it and goes on.
    ///
    /// # Panics
    /// When the groups are loaded already.
    pub fn replay(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), DecodeError> {
        todo!("{:?} {key:?} {value:?}", self.settings)
    }

    /// All of the partition has been replayed: requests are served from now on, and the sessions
    /// of all members begin anew.
    pub fn loaded(&mut self, now: Now, out: &mut Vec<Effect>) {
        todo!("{now:?} {out:?}")
    }

    /// Serves a request. It is answered at once, or later by whatever call completes it.
    ///
    /// The caller has checked that the topics of commits exist, and found their names where the
    /// client sent ids.
    pub fn handle(&mut self, now: Now, request: Request, reply: ReplyId, out: &mut Vec<Effect>) {
        todo!("{now:?} {request:?} {reply:?} {out:?} {:?}", self.prng)
    }

    /// An append is durable, or will never be.
    ///
    /// # Panics
    /// When there is no such append, or one before it has neither succeeded nor failed while this
    /// one succeeded: the log is durable in its order. A failure may come early.
    pub fn appended(
        &mut self,
        now: Now,
        id: AppendId,
        result: Result<(), AppendFailure>,
        out: &mut Vec<Effect>,
    ) {
        todo!("{now:?} {id:?} {result:?} {out:?}")
    }

    /// Topics were deleted from the cluster: their offsets are forgotten.
    pub fn topics_deleted(&mut self, names: &[&str], out: &mut Vec<Effect>) {
        todo!("{names:?} {out:?}")
    }

    /// When to call [`Groups::tick`]; none if there is nothing to wait for.
    pub fn deadline(&self) -> Option<Instant> {
        todo!()
    }

    /// Does what is due: sessions end, rebalances complete, offsets expire.
    pub fn tick(&mut self, now: Now, out: &mut Vec<Effect>) {
        todo!("{now:?} {out:?}")
    }

    /// Another broker takes over, or this one stops: answers everybody who waits with
    /// [`GroupError::NotCoordinator`]. Appends under way need no report any more.
    pub fn unload(self, out: &mut Vec<Effect>) {
        todo!("{out:?}")
    }
}

/// The partition of `__consumer_offsets` that holds a group: Java's hash of the name, without its
/// sign, modulo the number of partitions (as `Utils.abs` of Kafka's clients has it).
///
/// # Panics
/// When `partitions` is not positive.
pub fn partition_of(group: &str, partitions: i32) -> PartitionIndex {
    let hash = group
        .encode_utf16()
        .fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    PartitionIndex::new(hash.checked_abs().unwrap_or(0) % partitions)
}

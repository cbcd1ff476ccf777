//! The groups of one partition of `__consumer_offsets`: members, generations, assignments (the
//! classic protocol) and committed offsets. A pure state machine: requests, finished appends and
//! time go in, answers and records to append come out.
//!
//! What was answered is durable, what is shown is durable: commits, assignments and replaced
//! members become visible in [`Groups::appended`], not before. Replaying the records gives the
//! same groups again.

mod append;
mod classic;
mod commit;
mod describe;
mod error;
mod expiration;
mod join;
mod members;
mod offsets;
mod rebalance;
mod records;
mod refusal;
mod request;
mod response;
mod serve;
mod session;
mod sync;
mod timers;

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

use std::collections::BTreeMap;
use std::sync::Arc;

use self::append::{Append, Appends, OffsetChange};
use self::classic::Group;
use self::records::Replayed;
use self::timers::{Timer, Timers};
use crate::config::{ClassicGroups, OffsetSettings};
use crate::prng::Prng;
use crate::protocol::DecodeError;
use crate::types::{Instant, Now, PartitionIndex, Uuid};

/// Timers that fire in one turn before others get theirs.
const TIMERS_PER_TURN: usize = 1000;
/// The records of one append are at most of this size, whatever the topic allows: what is larger
/// could not be read back.
pub const APPEND_BYTES_MAX: usize = 16 << 20;

/// A request that waits for its answer, named by whoever asks: unique until answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReplyId(pub u64);

/// An append under way: ascending, never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
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
/// loaded, requests are answered with [`GroupError::CoordinatorLoadInProgress`], except heartbeats,
/// which are fine: members shall not leave for a moment's reading.
#[derive(Debug)]
pub struct Groups {
    settings: Settings,
    prng: Prng,
    is_loaded: bool,
    groups: BTreeMap<Arc<str>, Group>,
    timers: Timers,
    appends: Appends,
    /// The last group that the running search for expired offsets has looked at.
    expired_until: Option<Arc<str>>,
}

impl Groups {
    /// No groups yet. Member ids come from `prng`.
    pub fn new(settings: Settings, prng: Prng) -> Self {
        Self {
            settings,
            prng,
            is_loaded: false,
            groups: BTreeMap::new(),
            timers: Timers::default(),
            appends: Appends::default(),
            expired_until: None,
        }
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
        assert!(!self.is_loaded, "records are replayed first");
        match records::decode(key, value)? {
            Replayed::Offset { group: id, topic, partition, value } => {
                if value.is_some() || self.groups.contains_key(&id) {
                    let new = || Group::new(id.clone());
                    let group = self.groups.entry(id.clone()).or_insert_with(new);
                    group.offsets.set(&topic, partition, value);
                    self.drop_if_vacant(&id);
                }
            }
            Replayed::Group { group: id, value: Some(value) } => {
                self.groups.entry(id.clone()).or_insert_with(|| Group::new(id)).restore(value);
            }
            Replayed::Group { group: id, value: None } => self.forget_group(&id),
            Replayed::Other => {}
        }
        Ok(())
    }

    /// All of the partition has been replayed: requests are served from now on, and the sessions
    /// of all members begin anew.
    pub fn loaded(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.is_loaded = true;
        let (groups, mut turn) = self.split(now, out);
        for group in groups.values_mut() {
            let ids: Vec<_> = group.members.iter().map(|member| member.id.clone()).collect();
            ids.iter().for_each(|id| group.expect_heartbeat(&mut turn, id));
            // The setting may be another since.
            if group.members.len() > turn.settings.classic.members_max {
                group.prepare_rebalance(&mut turn);
            }
        }
        let interval = turn.settings.offsets.retention_check_interval;
        turn.set_timer(Timer::Expiration, interval);
    }

    /// Serves a request. It is answered at once, or later by whatever call completes it.
    ///
    /// The caller has checked that the topics of commits exist, and found their names where the
    /// client sent ids.
    pub fn handle(&mut self, now: Now, request: Request, reply: ReplyId, out: &mut Vec<Effect>) {
        if self.is_loaded {
            return self.serve(now, request, reply, out);
        }
        let response = match request {
            Request::Heartbeat(_) => Response::Heartbeat(Ok(())),
            request => request.refused(GroupError::CoordinatorLoadInProgress),
        };
        out.push(Effect::Respond { reply, response });
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
        let Append { changes, purpose, .. } = self.appends.end(id, result);
        for OffsetChange { group: id, topic, partition, value } in changes {
            let group = self.groups.get_mut(&id).expect("a group outlives its writes");
            group.offsets.end(&topic, partition, result.is_ok().then_some(value));
            if group.is_vacant() {
                self.groups.remove(&id);
            }
        }
        self.finish(now, purpose, result, out);
    }

    /// Topics were deleted from the cluster: their offsets are forgotten.
    ///
    /// # Panics
    /// When the groups are not loaded.
    pub fn topics_deleted(&mut self, now: Now, names: &[&str], out: &mut Vec<Effect>) {
        assert!(self.is_loaded, "what is not read yet cannot be forgotten");
        let (groups, mut turn) = self.split(now, out);
        expiration::forget(groups, &mut turn, |offsets| {
            names.iter().flat_map(|name| offsets.places_of(name)).collect()
        });
    }

    /// Forgets the offsets of topics that do not exist: a broker may have ended after a topic was
    /// deleted and before its offsets were. `exists` is asked for a name, and the id under which
    /// the offset was committed, zero where it was not known.
    ///
    /// # Panics
    /// When the groups are not loaded.
    pub fn forget_missing_topics(
        &mut self,
        now: Now,
        exists: impl Fn(&str, Uuid) -> bool,
        out: &mut Vec<Effect>,
    ) {
        assert!(self.is_loaded, "what is not read yet cannot be forgotten");
        let (groups, mut turn) = self.split(now, out);
        expiration::forget(groups, &mut turn, |offsets| {
            let all = offsets.durable();
            let missing = all.filter(|(topic, _, offset)| !exists(topic, offset.topic_id));
            missing.map(|(topic, partition, _)| (topic.to_owned(), partition)).collect()
        });
    }

    /// When to call [`Groups::tick`]; none if there is nothing to wait for.
    pub fn deadline(&self) -> Option<Instant> {
        let late = self.appends.deadline(self.settings.offsets.commit_timeout);
        [self.timers.next(), late].into_iter().flatten().min()
    }

    /// Does what is due: sessions end, rebalances complete, offsets expire, and who waits too long
    /// for an append is told so. When much is due, some is left and the deadline has passed
    /// already.
    pub fn tick(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.answer_late(now, out);
        for _ in 0..TIMERS_PER_TURN {
            let Some(timer) = self.timers.take_due(now.instant) else { return };
            self.fire(now, &timer, out);
        }
    }

    /// Another broker takes over, or this one stops: answers everybody who waits with
    /// [`GroupError::NotCoordinator`]. Appends under way need no report any more.
    pub fn unload(self, out: &mut Vec<Effect>) {
        serve::refuse_waiting(self.groups, self.appends, GroupError::NotCoordinator, out);
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

//! One group: its state, and what all its requests do to it alike.

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::append::{Append, Appends, OffsetChange, Purpose};
use super::members::Members;
use super::offsets::Offsets;
use super::records::{self, RecordedGroup};
use super::timers::{Timer, Timers};
use super::{
    AppendFailure, Effect, GroupError, GroupRecord, GroupState, JoinRefused, JoinRequest, Joined,
    JoinedMember, ReplyId, Response, Settings,
};
use crate::prng::Prng;
use crate::types::{Now, Timestamp};

/// The protocol type of consumers, whose metadata the broker can read.
const CONSUMER: &str = "consumer";

/// What a group needs of its surroundings while it is told something.
pub(super) struct Turn<'a> {
    pub(super) now: Now,
    pub(super) settings: &'a Settings,
    pub(super) prng: &'a mut Prng,
    pub(super) timers: &'a mut Timers,
    pub(super) appends: &'a mut Appends,
    pub(super) out: &'a mut Vec<Effect>,
}

impl Turn<'_> {
    pub(super) fn respond(&mut self, reply: ReplyId, response: Response) {
        self.out.push(Effect::Respond { reply, response });
    }

    /// Answers who waits for an append that has ended.
    pub(super) fn answer(&mut self, purpose: &mut Purpose, result: Result<(), AppendFailure>) {
        if let Some((reply, response)) = purpose.answer(result) {
            self.respond(reply, response);
        }
    }

    pub(super) fn set_timer(&mut self, timer: Timer, wait: Duration) {
        self.timers.set(timer, self.now.instant.after(wait));
    }

    /// Asks for an append of a group's record, if there is one, behind those of offsets.
    pub(super) fn append(
        &mut self,
        changes: Vec<OffsetChange>,
        others: Vec<GroupRecord>,
        purpose: Purpose,
    ) {
        let of_offsets = changes.iter().map(|change| {
            let OffsetChange { group, topic, partition, value } = change;
            records::offset_record(group, topic, *partition, value.as_ref())
        });
        let records: Vec<GroupRecord> = of_offsets.chain(others).collect();
        assert!(!records.is_empty(), "an append has records");
        let begun = self.now.instant;
        let id = self.appends.begin(Append { changes, purpose, begun });
        self.out.push(Effect::Append { id, records });
    }
}

/// The first gathering of a group's members, which waits for more to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gathering {
    /// The wait that is running.
    pub(super) delay: Duration,
    /// How long it may still be prolonged.
    pub(super) remaining: Duration,
    /// Somebody came during this wait.
    pub(super) grew: bool,
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: Arc<str>,
    pub(super) state: GroupState,
    /// Only in `PreparingRebalance`, when the group was empty before.
    pub(super) gathering: Option<Gathering>,
    pub(super) state_timestamp: Option<Timestamp>,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) leader: Option<Arc<str>>,
    pub(super) members: Members,
    /// Ids that were given out and have not been joined with (KIP-394).
    pub(super) pending: BTreeSet<Arc<str>>,
    /// Members of this generation who have not asked for their assignment.
    pub(super) unsynced: BTreeSet<Arc<str>>,
    /// The generation whose assignment is on its way into the log. The leader's may come again, but
    /// what members are told is what the log has: the first.
    pub(super) assigning: Option<i32>,
    /// The topics that consumers of this generation subscribe to; none if that cannot be known.
    pub(super) subscribed: Option<BTreeSet<String>>,
    pub(super) offsets: Offsets,
    /// The log has a record of the group, or is to get one.
    pub(super) recorded: bool,
    /// The records that forget the group are under way.
    pub(super) deleting: bool,
    /// While a replacement of a static member is under way: others that wait for its end. Each
    /// record holds all members, so the next one has to know what became of this one.
    pub(super) held: Option<Vec<(JoinRequest, ReplyId)>>,
}

impl Group {
    pub(super) fn new(id: Arc<str>) -> Self {
        Self {
            id,
            state: GroupState::Empty,
            gathering: None,
            state_timestamp: None,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: Members::default(),
            pending: BTreeSet::new(),
            unsynced: BTreeSet::new(),
            assigning: None,
            subscribed: None,
            offsets: Offsets::default(),
            recorded: false,
            deleting: false,
            held: None,
        }
    }

    /// Becomes what the log says; offsets stay.
    pub(super) fn restore(&mut self, recorded: RecordedGroup) {
        let state = match recorded.members.is_empty() {
            true => GroupState::Empty,
            false => GroupState::Stable,
        };
        self.state = state;
        self.state_timestamp = recorded.state_timestamp;
        self.generation = recorded.generation;
        self.protocol_type = recorded.protocol_type;
        self.protocol = recorded.protocol;
        self.leader = recorded.leader;
        self.members = recorded.members;
        self.subscribed = self.subscriptions();
        self.recorded = true;
    }

    pub(super) fn enter(&mut self, turn: &Turn<'_>, state: GroupState) {
        self.state = state;
        self.state_timestamp = Some(turn.now.timestamp);
    }

    /// Whether anybody but its own requests under way may know of the group.
    pub(super) fn is_visible(&self) -> bool {
        self.recorded
            || self.state != GroupState::Empty
            || !self.pending.is_empty()
            || self.offsets.any_durable()
    }

    /// Whether nothing would be lost without the group, and nothing is under way for it.
    pub(super) fn is_vacant(&self) -> bool {
        !self.is_visible() && !self.deleting && self.offsets.is_empty() && self.held.is_none()
    }

    pub(super) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    pub(super) fn of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// Whether a member subscribes to the topic; yes if that cannot be known of consumers.
    pub(super) fn is_subscribed(&self, topic: &str) -> bool {
        self.subscribed.as_ref().map_or(self.of_consumers(), |topics| topics.contains(topic))
    }

    pub(super) fn subscriptions(&self) -> Option<BTreeSet<String>> {
        let mut topics = BTreeSet::new();
        if !self.of_consumers() || (self.protocol.is_none() && !self.members.is_empty()) {
            return None;
        }
        for member in self.members.iter() {
            let metadata = member.metadata(self.protocol.as_deref());
            records::add_subscribed_topics(&metadata, &mut topics).ok()?;
        }
        Some(topics)
    }

    pub(super) fn expect_heartbeat(&self, turn: &mut Turn<'_>, member_id: &str) {
        if let Some(member) = self.members.get(member_id) {
            let timer = Timer::Member(self.id.clone(), member.id.clone());
            turn.set_timer(timer, member.session_timeout);
        }
    }

    /// Takes a member or a pending id out. Whoever waits for an answer is told that the member is
    /// gone, so that a client that still lives joins again.
    pub(super) fn remove(&mut self, turn: &mut Turn<'_>, member_id: &str) {
        self.answer_join(turn, member_id, |_| Err((GroupError::UnknownMemberId, String::new())));
        self.answer_sync(turn, member_id, Err(GroupError::UnknownMemberId));
        let removed = self.members.remove(member_id);
        let pending = self.pending.take(member_id);
        if let Some(id) = removed.map(|member| member.id).or(pending) {
            turn.timers.cancel(&Timer::Member(self.id.clone(), id));
        }
        self.synced(turn, member_id);
        if self.is_leader(member_id) {
            self.leader = self.members.iter().next().map(|member| member.id.clone());
        }
    }

    /// Answers a member's JoinGroup, if one waits: with the generation, or an error and an id.
    pub(super) fn answer_join(
        &mut self,
        turn: &mut Turn<'_>,
        member_id: &str,
        answer: impl FnOnce(&Self) -> Result<Joined, (GroupError, String)>,
    ) {
        if let Some(reply) = self.members.take_join(member_id) {
            let answer = answer(self);
            let refused = |(error, member_id)| JoinRefused { error, member_id };
            turn.respond(reply, Response::Join(answer.map_err(refused)));
        }
    }

    /// What a member is told of the present generation; the leader about all members.
    pub(super) fn joined(&self, member_id: &str, with_members: bool) -> Joined {
        let members = self.members.iter().filter(|_| with_members);
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.as_deref().unwrap_or_default().to_owned(),
            member_id: member_id.to_owned(),
            skip_assignment: false,
            members: members
                .map(|member| JoinedMember {
                    member_id: member.id.as_ref().to_owned(),
                    instance_id: member.instance_id.clone(),
                    metadata: member.metadata(self.protocol.as_deref()),
                })
                .collect(),
        }
    }
}

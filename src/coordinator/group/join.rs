//! JoinGroup.

use core::time::Duration;
use std::sync::Arc;

use super::append::{Purpose, Replacement};
use super::classic::{Group, Turn};
use super::members::{Member, Members};
use super::records;
use super::timers::Timer;
use super::{
    AppendFailure, GroupError, GroupState, JoinRefused, JoinRequest, Joined, ReplyId, Response,
    Settings,
};
use crate::types::Uuid;

/// How long a new member's JoinGroup may wait: it sends no heartbeats yet, so nothing else would
/// tell that its client is gone. Kafka has the same five minutes.
const NEW_MEMBER_TIMEOUT: Duration = Duration::from_secs(300);

/// Characters of a client id or lasting name in a member id. Both can fill a string of the
/// protocol, and the id has to fit one too.
const MEMBER_ID_PREFIX_CHARACTERS: usize = 255;

impl JoinRequest {
    /// Looks at what needs no group.
    pub(super) fn check(&self, settings: &Settings) -> Result<(), GroupError> {
        let limits = settings.classic.session_timeout_min..=settings.classic.session_timeout_max;
        if self.group.is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        if !limits.contains(&self.session_timeout) {
            return Err(GroupError::InvalidSessionTimeout);
        }
        Ok(())
    }

    /// Whether a group can begin with this member.
    pub(super) fn has_protocols(&self) -> bool {
        !self.protocol_type.is_empty() && !self.protocols.is_empty()
    }
}

impl Group {
    pub(super) fn join(&mut self, turn: &mut Turn<'_>, request: JoinRequest, reply: ReplyId) {
        if !self.has_room(turn.settings, &request.member_id) {
            self.remove(turn, &request.member_id);
            refuse(turn, reply, GroupError::GroupMaxSizeReached, "");
            self.try_complete_join(turn);
        } else if !self.can_take(&request) {
            refuse(turn, reply, GroupError::InconsistentGroupProtocol, &request.member_id);
        } else if request.member_id.is_empty() {
            self.join_new(turn, request, reply);
        } else if request.instance_id.is_none() && self.pending.contains(&*request.member_id) {
            self.add_member(turn, request.member_id.as_str().into(), &request, reply);
        } else {
            self.join_again(turn, &request, reply);
        }
    }

    /// Whether the group has room (`group.max.size`). While members gather, those who came first
    /// are kept, so a group that has become too large shrinks at its next rebalance.
    fn has_room(&self, settings: &Settings, member_id: &str) -> bool {
        let most = settings.classic.members_max;
        let member = self.members.get(member_id);
        match self.state {
            GroupState::Empty | GroupState::Dead => true,
            GroupState::PreparingRebalance => {
                member.is_some_and(Member::is_joining) || self.members.joining() < most
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                member.is_some() || self.members.len() < most
            }
        }
    }

    fn can_take(&self, request: &JoinRequest) -> bool {
        match self.state {
            GroupState::Empty => request.has_protocols(),
            _ => {
                self.protocol_type.as_ref() == Some(&request.protocol_type)
                    && self.members.supports(&request.protocols)
            }
        }
    }

    fn join_new(&mut self, turn: &mut Turn<'_>, request: JoinRequest, reply: ReplyId) {
        let prefix = request.instance_id.as_ref().unwrap_or(&request.client_id);
        let prefix: String = prefix.chars().take(MEMBER_ID_PREFIX_CHARACTERS).collect();
        let unique = Uuid::from_random(|| turn.prng.next_u64());
        let id: Arc<str> = format!("{prefix}-{unique}").into();
        let owner = request.instance_id.as_ref().and_then(|name| self.members.with_instance(name));
        if let Some(old) = owner.cloned() {
            self.join_replacing(turn, old, id, request, reply);
        } else if request.takes_member_id && request.instance_id.is_none() {
            self.pending.insert(id.clone());
            let timer = Timer::Member(self.id.clone(), id.clone());
            turn.set_timer(timer, request.session_timeout);
            refuse(turn, reply, GroupError::MemberIdRequired, &id);
        } else {
            self.add_member(turn, id, &request, reply);
        }
    }

    fn add_member(
        &mut self,
        turn: &mut Turn<'_>,
        id: Arc<str>,
        request: &JoinRequest,
        reply: ReplyId,
    ) {
        self.pending.remove(&id);
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type.clone());
            self.leader = Some(id.clone());
        }
        if let Some(gathering) = &mut self.gathering {
            gathering.grew = true;
        }
        self.members.add(Member::joining(id.clone(), request));
        self.members.join(&id, request, reply);
        turn.set_timer(Timer::Member(self.id.clone(), id), NEW_MEMBER_TIMEOUT);
        self.rebalance(turn);
    }

    fn join_again(&mut self, turn: &mut Turn<'_>, request: &JoinRequest, reply: ReplyId) {
        let id = &request.member_id;
        if let Err(error) = self.members.check(id, request.instance_id.as_deref()) {
            return refuse(turn, reply, error, id);
        }
        let leads = self.is_leader(id);
        let known = self.members.get(id).is_some_and(|member| member.matches(request));
        let answer = match self.state {
            // Who says the same again has missed the answer. A leader of a stable group, however,
            // wants a new assignment: topics may have changed.
            GroupState::CompletingRebalance if known => Some(self.joined(id, leads)),
            GroupState::Stable if known && !leads => Some(self.joined(id, false)),
            _ => None,
        };
        match answer {
            Some(joined) => turn.respond(reply, Response::Join(Ok(joined))),
            None => {
                self.await_join(turn, id, request, reply);
                self.rebalance(turn);
            }
        }
    }

    /// Lets a member's JoinGroup wait. One that waited before has been given up by its client.
    fn await_join(&mut self, turn: &mut Turn<'_>, id: &str, request: &JoinRequest, reply: ReplyId) {
        if let Some(before) = self.members.join(id, request, reply) {
            refuse(turn, before, GroupError::RebalanceInProgress, id);
        }
    }

    /// A static member is back under a new id. In a stable group whose protocol stays, all keep
    /// what they are assigned: only the record changes.
    fn join_replacing(
        &mut self,
        turn: &mut Turn<'_>,
        old: Arc<str>,
        new: Arc<str>,
        request: JoinRequest,
        reply: ReplyId,
    ) {
        let mut after = self.members.clone();
        replace(&mut after, &old, &new, &request);
        after.join(&new, &request, reply);
        let stays = self.state == GroupState::Stable && after.voted_protocol() == self.protocol;
        if !stays {
            self.replace_member(turn, &old, &new, &request);
            self.await_join(turn, &new, &request, reply);
            return self.rebalance(turn);
        }
        if let Some(held) = &mut self.held {
            return held.push((request, reply));
        }
        self.held = Some(Vec::new());
        let members: Vec<_> =
            after.iter().map(|member| (member, member.assignment.clone())).collect();
        let leader = if self.is_leader(&old) { Some(&new) } else { self.leader.as_ref() };
        let record = records::group_record(self, leader.map(|id| &**id), &members);
        let (group, generation) = (self.id.clone(), self.generation);
        let replacement = Replacement { group, generation, old, new, request, reply };
        turn.append(Vec::new(), vec![record], Purpose::Replace(Box::new(replacement)));
    }

    /// The record of a replacement is durable, or not. Returns the requests that waited for that,
    /// and this one if the group has moved on meanwhile.
    pub(super) fn replaced(
        &mut self,
        turn: &mut Turn<'_>,
        replacement: Replacement,
        result: Result<(), AppendFailure>,
    ) -> Vec<(JoinRequest, ReplyId)> {
        let mut again = self.held.take().expect("a replacement holds others up");
        let Replacement { generation, old, new, request, reply, .. } = replacement;
        let instance_id = request.instance_id.as_deref().unwrap_or_default();
        let stays = self.state == GroupState::Stable
            && self.generation == generation
            && self.members.with_instance(instance_id) == Some(&old);
        if let Err(failure) = result {
            refuse(turn, reply, failure.of_group(), "");
        } else if stays {
            self.recorded = true;
            let joined = self.take_over(turn, &old, &new, &request);
            turn.respond(reply, Response::Join(Ok(joined)));
        } else {
            self.recorded = true;
            again.insert(0, (request, reply));
        }
        again
    }

    fn take_over(
        &mut self,
        turn: &mut Turn<'_>,
        old: &Arc<str>,
        new: &Arc<str>,
        request: &JoinRequest,
    ) -> Joined {
        let led = self.is_leader(old);
        self.replace_member(turn, old, new, request);
        if request.can_skip_assignment {
            return Joined { skip_assignment: led, ..self.joined(new, led) };
        }
        // An older client that is told it leads brings an assignment. So it is told the old id, and
        // follows (KIP-814).
        let leader = if led { old.as_ref().to_owned() } else { self.joined(new, false).leader };
        Joined { leader, ..self.joined(new, false) }
    }

    /// Puts a new id in the place of an old one, whose client is told that it is fenced.
    fn replace_member(
        &mut self,
        turn: &mut Turn<'_>,
        old: &Arc<str>,
        new: &Arc<str>,
        request: &JoinRequest,
    ) {
        let fenced = GroupError::FencedInstanceId;
        self.answer_join(turn, old, |_| Err((fenced, old.as_ref().to_owned())));
        self.answer_sync(turn, old, Err(fenced));
        turn.timers.cancel(&Timer::Member(self.id.clone(), old.clone()));
        replace(&mut self.members, old, new, request);
        if self.is_leader(old) {
            self.leader = Some(new.clone());
        }
        if self.unsynced.remove(old) {
            self.unsynced.insert(new.clone());
        }
        self.expect_heartbeat(turn, new);
    }
}

fn replace(members: &mut Members, old: &str, new: &Arc<str>, request: &JoinRequest) {
    let before = members.remove(old).expect("the owner of a lasting name is a member");
    let mut after = Member::joining(new.clone(), request);
    after.assignment = before.assignment;
    after.is_new = false;
    members.add(after);
}

pub(super) fn refuse(turn: &mut Turn<'_>, reply: ReplyId, error: GroupError, member_id: &str) {
    let member_id = member_id.to_owned();
    turn.respond(reply, Response::Join(Err(JoinRefused { error, member_id })));
}

//! SyncGroup: the leader brings the assignment, all take theirs when it is durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::append::Purpose;
use super::classic::{Group, Turn};
use super::records;
use super::timers::Timer;
use super::{AppendFailure, GroupError, GroupState, ReplyId, Response, SyncRequest, Synced};

impl Group {
    pub(super) fn sync(&mut self, turn: &mut Turn<'_>, request: SyncRequest, reply: ReplyId) {
        let answer = match (self.check_sync(&request), self.state) {
            (Err(error), _) => Err(error),
            (Ok(()), GroupState::CompletingRebalance) => {
                return self.await_sync(turn, request, reply);
            }
            (Ok(()), GroupState::Stable) => {
                self.synced(turn, &request.member_id);
                self.assignment_of(&request.member_id)
            }
            (Ok(()), _) => Err(GroupError::RebalanceInProgress),
        };
        turn.respond(reply, Response::Sync(answer));
    }

    fn check_sync(&self, request: &SyncRequest) -> Result<(), GroupError> {
        self.members.check(&request.member_id, request.instance_id.as_deref())?;
        let differs = |theirs: &Option<String>, ours: &Option<String>| {
            theirs.is_some() && ours.is_some() && theirs != ours
        };
        if request.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol, &self.protocol)
        {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        Ok(())
    }

    fn await_sync(&mut self, turn: &mut Turn<'_>, request: SyncRequest, reply: ReplyId) {
        // One that waited before has been given up by its client.
        self.answer_sync(turn, &request.member_id, Err(GroupError::RebalanceInProgress));
        let member = self.members.get_mut(&request.member_id).expect("the member was checked");
        member.sync = Some(reply);
        self.synced(turn, &request.member_id);
        let is_assigned = self.assigning == Some(self.generation);
        if is_assigned || !self.is_leader(&request.member_id) {
            return;
        }
        self.assigning = Some(self.generation);
        let assignments: BTreeMap<_, _> = request.assignments.into_iter().collect();
        let assigned = |id: &str| assignments.get(id).cloned().unwrap_or_default();
        let members: Vec<_> =
            self.members.iter().map(|member| (member, assigned(&member.id))).collect();
        let record = records::group_record(self, self.leader.as_deref(), &members);
        let (group, generation) = (self.id.clone(), self.generation);
        turn.append(Vec::new(), vec![record], Purpose::Assign { group, generation, assignments });
    }

    /// The record of an assignment is durable, or not.
    pub(super) fn assigned(
        &mut self,
        turn: &mut Turn<'_>,
        generation: i32,
        assignments: &BTreeMap<String, Arc<[u8]>>,
        result: Result<(), AppendFailure>,
    ) {
        self.recorded |= result.is_ok();
        self.assigning.take_if(|assigning| *assigning == generation);
        // The next rebalance may have begun already.
        if self.state != GroupState::CompletingRebalance || self.generation != generation {
            return;
        }
        match result {
            Ok(()) => {
                for member in self.members.iter_mut() {
                    member.assignment = assignments.get(&*member.id).cloned().unwrap_or_default();
                }
                self.enter(turn, GroupState::Stable);
                self.answer_syncs(turn, Ok(()));
            }
            Err(failure) => {
                self.answer_syncs(turn, Err(failure.of_group()));
                self.prepare_rebalance(turn);
            }
        }
    }

    /// Answers everybody who waits for an assignment. Their sessions begin anew: waiting, they sent
    /// no heartbeats.
    pub(super) fn answer_syncs(&mut self, turn: &mut Turn<'_>, result: Result<(), GroupError>) {
        let waiting = self.members.iter().filter(|member| member.sync.is_some());
        let waiting: Vec<_> = waiting.map(|member| member.id.clone()).collect();
        for id in waiting {
            self.answer_sync(turn, &id, result);
            self.expect_heartbeat(turn, &id);
        }
    }

    /// Answers a member's SyncGroup, if one waits: with its assignment, or an error.
    pub(super) fn answer_sync(
        &mut self,
        turn: &mut Turn<'_>,
        member_id: &str,
        result: Result<(), GroupError>,
    ) {
        let member = self.members.get_mut(member_id);
        if let Some(reply) = member.and_then(|member| member.sync.take()) {
            let answer = result.and_then(|()| self.assignment_of(member_id));
            turn.respond(reply, Response::Sync(answer));
        }
    }

    fn assignment_of(&self, member_id: &str) -> Result<Synced, GroupError> {
        let member = self.members.get(member_id).ok_or(GroupError::UnknownMemberId)?;
        Ok(Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: member.assignment.clone(),
        })
    }

    /// A member has asked for its assignment, or will not.
    pub(super) fn synced(&mut self, turn: &mut Turn<'_>, member_id: &str) {
        if self.unsynced.remove(member_id) && self.unsynced.is_empty() {
            turn.timers.cancel(&Timer::Sync(self.id.clone()));
        }
    }

    /// The time to ask for the assignment is over: who did not is gone.
    pub(super) fn sync_timed_out(&mut self, turn: &mut Turn<'_>) {
        let missing = core::mem::take(&mut self.unsynced);
        assert!(!missing.is_empty(), "the timer runs while somebody is missing");
        missing.iter().for_each(|id| self.remove(turn, id));
        self.prepare_rebalance(turn);
    }
}

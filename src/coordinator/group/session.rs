//! Members stay by heartbeats, leave by LeaveGroup, or are gone when their session ends.

use super::classic::{Group, Turn};
use super::members::Member;
use super::{GroupError, GroupState, HeartbeatRequest, LeavingMember, Left};

impl Group {
    pub(super) fn heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        request: &HeartbeatRequest,
    ) -> Result<(), GroupError> {
        self.members.check(&request.member_id, request.instance_id.as_deref())?;
        if request.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        self.expect_heartbeat(turn, &request.member_id);
        match self.state {
            GroupState::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    pub(super) fn leave(&mut self, turn: &mut Turn<'_>, members: Vec<LeavingMember>) -> Vec<Left> {
        let left: Vec<Left> = members
            .into_iter()
            .map(|LeavingMember { member_id, instance_id, .. }| {
                let result = self.leave_one(turn, &member_id, instance_id.as_deref());
                Left { member_id, instance_id, result }
            })
            .collect();
        if left.iter().any(|member| member.result.is_ok()) {
            self.member_went(turn);
        }
        left
    }

    fn leave_one(
        &mut self,
        turn: &mut Turn<'_>,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), GroupError> {
        // An administrator sends static members away by their lasting names alone.
        let owner = instance_id.and_then(|name| self.members.with_instance(name)).cloned();
        let member_id = match owner {
            Some(owner) if member_id.is_empty() => owner,
            _ if self.pending.contains(member_id) => member_id.into(),
            _ => {
                self.members.check(member_id, instance_id)?;
                member_id.into()
            }
        };
        self.remove(turn, &member_id);
        Ok(())
    }

    fn member_went(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(turn),
            GroupState::PreparingRebalance => self.try_complete_join(turn),
            GroupState::Empty | GroupState::Dead => {}
        }
    }

    /// A member was silent for its session, or did not come back with the id it was given.
    pub(super) fn session_ended(&mut self, turn: &mut Turn<'_>, member_id: &str) {
        let waits = |member: &Member| {
            // Who waits for an answer cannot send heartbeats; the answer begins a session. New
            // members have a time of their own.
            !member.is_new && (member.is_joining() || member.sync.is_some())
        };
        if self.members.get(member_id).is_some_and(waits) {
            return;
        }
        let was_pending = self.pending.contains(member_id);
        self.remove(turn, member_id);
        match self.state {
            // Also out of the first gathering, as Kafka does it.
            GroupState::PreparingRebalance if self.all_joined() => self.complete_join(turn),
            GroupState::PreparingRebalance => {}
            _ if was_pending => {}
            _ => self.member_went(turn),
        }
    }
}

//! From one generation to the next: members gather, a leader and a protocol are chosen.

use super::append::Purpose;
use super::classic::{Gathering, Group, Turn};
use super::records;
use super::timers::Timer;
use super::{GroupError, GroupState};

impl Group {
    /// The members or what they want have changed: begins a rebalance, or goes on with one.
    pub(super) fn rebalance(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            GroupState::PreparingRebalance => self.try_complete_join(turn),
            _ => self.prepare_rebalance(turn),
        }
    }

    pub(super) fn prepare_rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.state == GroupState::CompletingRebalance {
            self.answer_syncs(turn, Err(GroupError::RebalanceInProgress));
        }
        self.unsynced.clear();
        turn.timers.cancel(&Timer::Sync(self.id.clone()));
        let was_empty = self.state == GroupState::Empty;
        self.enter(turn, GroupState::PreparingRebalance);
        if was_empty {
            // More members will come soon: one rebalance for all of them.
            let delay = turn.settings.classic.initial_rebalance_delay;
            let remaining = self.members.rebalance_timeout().saturating_sub(delay);
            self.gathering = Some(Gathering { delay, remaining, grew: false });
            turn.set_timer(Timer::Join(self.id.clone()), delay);
        } else if self.all_joined() {
            self.complete_join(turn);
        } else {
            turn.set_timer(Timer::Join(self.id.clone()), self.members.rebalance_timeout());
        }
    }

    pub(super) fn all_joined(&self) -> bool {
        self.members.joining() == self.members.len() && self.pending.is_empty()
    }

    pub(super) fn try_complete_join(&mut self, turn: &mut Turn<'_>) {
        let gathers = self.state == GroupState::PreparingRebalance && self.gathering.is_none();
        if gathers && self.all_joined() {
            self.complete_join(turn);
        }
    }

    /// The time to join is over, or a wait of the first gathering.
    pub(super) fn join_timed_out(&mut self, turn: &mut Turn<'_>) {
        match &mut self.gathering {
            Some(gathering) if gathering.grew && !gathering.remaining.is_zero() => {
                let waited = gathering.delay;
                gathering.grew = false;
                gathering.delay =
                    turn.settings.classic.initial_rebalance_delay.min(gathering.remaining);
                gathering.remaining = gathering.remaining.saturating_sub(waited);
                turn.set_timer(Timer::Join(self.id.clone()), gathering.delay);
            }
            _ => self.complete_join(turn),
        }
    }

    /// Begins the next generation with those who joined, and with static members who may be back.
    pub(super) fn complete_join(&mut self, turn: &mut Turn<'_>) {
        turn.timers.cancel(&Timer::Join(self.id.clone()));
        let members = self.members.iter();
        let absent = members.filter(|member| !member.is_joining() && member.instance_id.is_none());
        let absent: Vec<_> = absent.map(|member| member.id.clone()).collect();
        absent.iter().for_each(|id| self.remove(turn, id));
        if self.members.is_empty() {
            self.next_generation();
            self.become_empty(turn);
        } else if self.elect_leader() {
            self.next_generation();
            self.enter(turn, GroupState::CompletingRebalance);
            self.announce_generation(turn);
        } else {
            // Static members alone, none of them back: until their sessions end.
            turn.set_timer(Timer::Join(self.id.clone()), self.members.rebalance_timeout());
        }
    }

    /// Keeps a leader who joined, else takes another who did. Whether there is one.
    fn elect_leader(&mut self) -> bool {
        let leader = self.leader.as_deref().and_then(|id| self.members.get(id));
        if leader.is_some_and(|leader| leader.is_joining()) {
            return true;
        }
        let joined = self.members.iter().find(|member| member.is_joining());
        let Some(joined) = joined.map(|member| member.id.clone()) else { return false };
        self.leader = Some(joined);
        true
    }

    fn next_generation(&mut self) {
        self.gathering = None;
        self.generation = self.generation.checked_add(1).unwrap_or_default();
        self.protocol = self.members.voted_protocol();
        self.subscribed = self.subscriptions();
    }

    fn become_empty(&mut self, turn: &mut Turn<'_>) {
        self.enter(turn, GroupState::Empty);
        self.recorded = true;
        let record = records::group_record(self, None, &[]);
        turn.append(Vec::new(), vec![record], Purpose::Empty);
    }

    fn announce_generation(&mut self, turn: &mut Turn<'_>) {
        let ids: Vec<_> = self.members.iter().map(|member| member.id.clone()).collect();
        for id in &ids {
            self.answer_join(turn, id, |group| Ok(group.joined(id, group.is_leader(id))));
            self.expect_heartbeat(turn, id);
        }
        self.members.iter_mut().for_each(|member| member.is_new = false);
        self.unsynced = ids.into_iter().collect();
        turn.set_timer(Timer::Sync(self.id.clone()), self.members.rebalance_timeout());
    }
}

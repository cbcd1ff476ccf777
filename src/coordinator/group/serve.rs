//! From requests, timers and finished appends to groups.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::append::{Appends, Purpose};
use super::classic::{Group, Turn};
use super::expiration::Tombstones;
use super::timers::Timer;
use super::{
    AppendFailure, CommitRequest, DeleteOffsetsRequest, DescribedGroup, Effect, FetchGroup,
    FetchedGroup, GroupError, GroupState, Groups, JoinRequest, LeaveRequest, Left, ReplyId,
    Request, Response, SyncRequest, commit, expiration, join, records,
};
use crate::types::Now;

impl Groups {
    /// The groups, and apart from them all that they may use.
    pub(super) fn split<'a>(
        &'a mut self,
        now: Now,
        out: &'a mut Vec<Effect>,
    ) -> (&'a mut BTreeMap<Arc<str>, Group>, Turn<'a>) {
        let Self { settings, prng, groups, timers, appends, .. } = self;
        (groups, Turn { now, settings, prng, timers, appends, out })
    }

    /// The group if it is there and not about to be forgotten.
    fn find<'a>(
        &'a mut self,
        now: Now,
        id: &str,
        out: &'a mut Vec<Effect>,
        missing: GroupError,
    ) -> (Result<&'a mut Group, GroupError>, Turn<'a>) {
        let (groups, turn) = self.split(now, out);
        let group = match groups.get_mut(id) {
            None => Err(missing),
            Some(group) if group.deleting => Err(GroupError::CoordinatorLoadInProgress),
            Some(group) => Ok(group),
        };
        (group, turn)
    }

    pub(super) fn serve(
        &mut self,
        now: Now,
        request: Request,
        reply: ReplyId,
        out: &mut Vec<Effect>,
    ) {
        let response = match request {
            Request::Join(request) => return self.join(now, request, reply, out),
            Request::Sync(request) => return self.sync(now, request, reply, out),
            Request::Commit(request) => return self.commit(now, request, reply, out),
            Request::DeleteOffsets(request) => {
                return self.delete_offsets(now, request, reply, out);
            }
            Request::Delete { groups } => return self.delete_groups(now, groups, reply, out),
            Request::Heartbeat(request) => {
                let missing = missing_member(&request.group);
                let (group, mut turn) = self.find(now, &request.group, out, missing);
                Response::Heartbeat(group.and_then(|group| group.heartbeat(&mut turn, &request)))
            }
            Request::Leave(request) => {
                let id = request.group.clone();
                let left = self.leave(now, request, out);
                self.drop_if_vacant(&id);
                Response::Leave(left)
            }
            Request::Fetch(request) => {
                Response::Fetch(request.groups.into_iter().map(|group| self.fetch(group)).collect())
            }
            Request::Describe { groups } => {
                Response::Describe(groups.into_iter().map(|group| self.describe(group)).collect())
            }
            Request::List(request) => {
                let wanted = |group: &&Group| group.is_visible() && request.wants(group);
                Response::List(Ok(self.groups.values().filter(wanted).map(Group::listed).collect()))
            }
        };
        out.push(Effect::Respond { reply, response });
    }

    fn join(&mut self, now: Now, request: JoinRequest, reply: ReplyId, out: &mut Vec<Effect>) {
        let (groups, mut turn) = self.split(now, out);
        if let Err(error) = request.check(turn.settings) {
            return join::refuse(&mut turn, reply, error, &request.member_id);
        }
        let id: Arc<str> = request.group.as_str().into();
        let group = match groups.get_mut(&id) {
            Some(group) => group,
            None if !request.member_id.is_empty() => {
                let error = GroupError::UnknownMemberId;
                return join::refuse(&mut turn, reply, error, &request.member_id);
            }
            None if !request.has_protocols() => {
                let error = GroupError::InconsistentGroupProtocol;
                return join::refuse(&mut turn, reply, error, "");
            }
            None => groups.entry(id.clone()).or_insert_with(|| Group::new(id)),
        };
        if group.deleting {
            let error = GroupError::CoordinatorLoadInProgress;
            return join::refuse(&mut turn, reply, error, &request.member_id);
        }
        group.join(&mut turn, request, reply);
    }

    fn sync(&mut self, now: Now, request: SyncRequest, reply: ReplyId, out: &mut Vec<Effect>) {
        let missing = missing_member(&request.group);
        let (group, mut turn) = self.find(now, &request.group, out, missing);
        match group {
            Ok(group) => group.sync(&mut turn, request, reply),
            Err(error) => turn.respond(reply, Response::Sync(Err(error))),
        }
    }

    fn leave(
        &mut self,
        now: Now,
        request: LeaveRequest,
        out: &mut Vec<Effect>,
    ) -> Result<Vec<Left>, GroupError> {
        let missing = missing_member(&request.group);
        let (group, mut turn) = self.find(now, &request.group, out, missing);
        match group {
            Ok(group) => Ok(group.leave(&mut turn, request.members)),
            Err(GroupError::UnknownMemberId) => {
                let unknown = request.members.into_iter().map(|member| Left {
                    member_id: member.member_id,
                    instance_id: member.instance_id,
                    result: Err(GroupError::UnknownMemberId),
                });
                Ok(unknown.collect())
            }
            Err(error) => Err(error),
        }
    }

    fn commit(&mut self, now: Now, request: CommitRequest, reply: ReplyId, out: &mut Vec<Effect>) {
        let (groups, mut turn) = self.split(now, out);
        let id: Arc<str> = request.group.as_str().into();
        let group = match groups.get_mut(&id) {
            Some(group) if !group.deleting => Ok(group),
            Some(_) => Err(GroupError::CoordinatorLoadInProgress),
            None if request.generation < 0 => {
                Ok(groups.entry(id.clone()).or_insert_with(|| Group::new(id.clone())))
            }
            None => Err(GroupError::GroupIdNotFound),
        };
        match group {
            Ok(group) => group.commit(&mut turn, request, reply),
            Err(error) => turn.respond(reply, Response::Commit(request.answered(Err(error)))),
        }
        self.drop_if_vacant(&id);
    }

    fn fetch(&self, request: FetchGroup) -> FetchedGroup {
        let topics = match (self.groups.get(&*request.group), request.topics) {
            (Some(group), Some(topics)) => group.fetch(topics),
            (Some(group), None) => group.fetch_all(),
            (None, topics) => commit::fetch_nothing(topics),
        };
        FetchedGroup { group: request.group, topics: Ok(topics) }
    }

    fn delete_offsets(
        &mut self,
        now: Now,
        request: DeleteOffsetsRequest,
        reply: ReplyId,
        out: &mut Vec<Effect>,
    ) {
        let missing = GroupError::GroupIdNotFound;
        let (group, mut turn) = self.find(now, &request.group, out, missing);
        match group {
            Ok(group) => group.delete_offsets(&mut turn, request, reply),
            Err(error) => turn.respond(reply, Response::DeleteOffsets(Err(error))),
        }
    }

    fn describe(&self, id: String) -> DescribedGroup {
        match self.groups.get(&*id).filter(|group| group.is_visible()) {
            Some(group) => group.described(),
            None => {
                let message = format!("Group {id} not found.");
                DescribedGroup::without_group(id, GroupError::GroupIdNotFound, Some(message))
            }
        }
    }

    fn delete_groups(&mut self, now: Now, ids: Vec<String>, reply: ReplyId, out: &mut Vec<Effect>) {
        let mut offsets = Tombstones::default();
        let (mut results, mut groups) = (Vec::new(), Vec::new());
        for id in ids {
            let (group, mut turn) = self.find(now, &id, out, GroupError::GroupIdNotFound);
            let result = group.and_then(|group| match group.state {
                _ if !group.is_visible() => Err(GroupError::GroupIdNotFound),
                GroupState::Empty => Ok(group),
                _ => Err(GroupError::NonEmptyGroup),
            });
            let result = result.map(|group| {
                group.deleting = true;
                offsets.offsets(&mut turn, group.forget_all());
                groups.push(group.id.clone());
            });
            results.push((id, result));
        }
        let (_, mut turn) = self.split(now, out);
        match groups.is_empty() {
            true => turn.respond(reply, Response::Delete(results)),
            false => {
                let tombstones = groups.iter().map(|id| records::group_tombstone(id)).collect();
                let purpose = Purpose::DeleteGroups { reply: Some(reply), groups, results };
                turn.append(offsets.into_changes(), tombstones, purpose);
            }
        }
    }

    /// Does what an append was for, now that it is durable, or tells who waits that it failed.
    pub(super) fn finish(
        &mut self,
        now: Now,
        purpose: Purpose,
        result: Result<(), AppendFailure>,
        out: &mut Vec<Effect>,
    ) {
        let (groups, mut turn) = self.split(now, out);
        match purpose {
            Purpose::Empty => {}
            Purpose::Forget { groups: ids } => self.end_deletion(&ids, result),
            mut purpose @ (Purpose::Commit { .. } | Purpose::DeleteOffsets { .. }) => {
                turn.answer(&mut purpose, result);
            }
            Purpose::DeleteGroups { reply, groups: ids, mut results } => {
                for (id, answer) in &mut results {
                    // Tombstones that did not fit this append were in one that failed.
                    let holds = groups.get(&**id).is_some_and(|group| !group.offsets.is_empty());
                    if result.is_ok() && answer.is_ok() && holds {
                        *answer = Err(GroupError::CoordinatorNotAvailable);
                    }
                }
                let groups = Vec::new();
                turn.answer(&mut Purpose::DeleteGroups { reply, groups, results }, result);
                self.end_deletion(&ids, result);
            }
            Purpose::Assign { group, generation, assignments } => {
                let group = groups.get_mut(&group).expect("a group outlives its writes");
                group.assigned(&mut turn, generation, &assignments, result);
            }
            Purpose::Replace(replacement) => {
                let group = replacement.group.clone();
                let group = groups.get_mut(&group).expect("a group outlives its writes");
                let again = group.replaced(&mut turn, *replacement, result);
                for (request, reply) in again {
                    self.join(now, request, reply, out);
                }
            }
        }
    }

    /// Tells who has waited too long for an append that it may come to nothing, as Kafka does. What
    /// becomes durable nevertheless is true from then on.
    pub(super) fn answer_late(&mut self, now: Now, out: &mut Vec<Effect>) {
        let timeout = self.settings.offsets.commit_timeout;
        while let Some(append) = self.appends.take_late(now.instant, timeout) {
            let answer = append.purpose.answer(Err(AppendFailure::Unavailable));
            out.extend(answer.map(|(reply, response)| Effect::Respond { reply, response }));
        }
    }

    fn end_deletion(&mut self, ids: &[Arc<str>], result: Result<(), AppendFailure>) {
        for id in ids {
            match result {
                Ok(()) => self.forget_group(id),
                Err(_) => {
                    let group = self.groups.get_mut(id).expect("deleted once at a time");
                    group.deleting = false;
                    self.drop_if_vacant(id);
                }
            }
        }
    }

    /// A tombstone of the group is in the log. Offsets make a group of their own.
    pub(super) fn forget_group(&mut self, id: &Arc<str>) {
        let Some(group) = self.groups.remove(id) else { return };
        for member_id in group.pending {
            self.timers.cancel(&Timer::Member(id.clone(), member_id));
        }
        if !group.offsets.is_empty() {
            let offsets = group.offsets;
            self.groups.insert(id.clone(), Group { offsets, ..Group::new(id.clone()) });
        }
    }

    pub(super) fn drop_if_vacant(&mut self, id: &str) {
        if self.groups.get(id).is_some_and(Group::is_vacant) {
            self.groups.remove(id);
        }
    }

    pub(super) fn fire(&mut self, now: Now, timer: &Timer, out: &mut Vec<Effect>) {
        let (Timer::Join(id) | Timer::Sync(id) | Timer::Member(id, _)) = timer else {
            return self.expire(now, out);
        };
        let (groups, mut turn) = self.split(now, out);
        let group = groups.get_mut(id).expect("timers end with their group");
        match timer {
            Timer::Join(_) => group.join_timed_out(&mut turn),
            Timer::Sync(_) => group.sync_timed_out(&mut turn),
            Timer::Member(_, member_id) => group.session_ended(&mut turn, member_id),
            Timer::Expiration => unreachable!("it has no group"),
        }
        self.drop_if_vacant(id);
    }

    fn expire(&mut self, now: Now, out: &mut Vec<Effect>) {
        let after = self.expired_until.take();
        let (groups, mut turn) = self.split(now, out);
        let next = expiration::expire(groups, &mut turn, after);
        let wait = match &next {
            Some(_) => Duration::ZERO,
            None => turn.settings.offsets.retention_check_interval,
        };
        turn.set_timer(Timer::Expiration, wait);
        self.expired_until = next;
    }
}

/// What is wrong when the group of a member is not there.
fn missing_member(group: &str) -> GroupError {
    match group {
        "" => GroupError::InvalidGroupId,
        _ => GroupError::UnknownMemberId,
    }
}

/// Answers everybody who waits with an error.
pub(super) fn refuse_waiting(
    groups: BTreeMap<Arc<str>, Group>,
    appends: Appends,
    error: GroupError,
    out: &mut Vec<Effect>,
) {
    let mut respond = |reply, response| out.push(Effect::Respond { reply, response });
    for mut group in groups.into_values() {
        let ids: Vec<_> = group.members.iter().map(|member| member.id.clone()).collect();
        for id in ids {
            if let Some(reply) = group.members.take_join(&id) {
                let refused = super::JoinRefused { error, member_id: id.as_ref().to_owned() };
                respond(reply, Response::Join(Err(refused)));
            }
            let member = group.members.get_mut(&id).expect("listed above");
            if let Some(reply) = member.sync.take() {
                respond(reply, Response::Sync(Err(error)));
            }
        }
        for (request, reply) in group.held.into_iter().flatten() {
            respond(reply, Request::Join(request).refused(error));
        }
    }
    for mut purpose in appends.into_purposes() {
        if let Some((reply, response)) = purpose.answer(Err(AppendFailure::NotLeader)) {
            respond(reply, response);
        } else if let Purpose::Replace(replacement) = purpose {
            respond(replacement.reply, Request::Join(replacement.request).refused(error));
        }
    }
}

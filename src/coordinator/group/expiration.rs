//! Offsets are forgotten when nobody can want them any more, then groups without any.

use core::time::Duration;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::append::{OffsetChange, Purpose};
use super::classic::{Group, Turn};
use super::commit::RECORD_BYTES;
use super::offsets::{Committed, Offsets};
use super::{GroupState, records};
use crate::types::{PartitionIndex, Timestamp};

/// Offsets looked at, and groups, before others get their turn.
const ITEMS_PER_TURN: usize = 1000;
/// Tombstones of an append: far below what a batch may have, which would refuse them for ever.
const TOMBSTONE_BYTES: usize = 64 << 10;

/// From when on the retention counts.
enum Since {
    /// The group became empty.
    Empty(Timestamp),
    /// Each commit.
    Commit,
}

impl Group {
    /// From when on offsets count as unused; none while they are used.
    fn unused_since(&self) -> Option<Since> {
        match (self.state, &self.protocol_type) {
            (_, None) => Some(Since::Commit),
            // Records of version 0 and 1 do not say when.
            (GroupState::Empty, _) => {
                Some(self.state_timestamp.map_or(Since::Commit, Since::Empty))
            }
            (GroupState::Stable, _) if self.of_consumers() && self.subscribed.is_some() => {
                Some(Since::Commit)
            }
            _ => None,
        }
    }

    /// The offsets to forget at present, and whether that are all.
    fn expired(
        &self,
        now: Timestamp,
        retention: Duration,
    ) -> (Vec<(String, PartitionIndex)>, bool) {
        let Some(since) = self.unused_since() else { return (Vec::new(), self.offsets.is_empty()) };
        let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let is_over = |committed: &Committed| {
            let start = match since {
                Since::Empty(timestamp) => timestamp,
                Since::Commit => committed.commit_timestamp,
            };
            match committed.expire_timestamp {
                Some(end) => now >= end,
                None => now.get().saturating_sub(start.get()) >= retention,
            }
        };
        let expired: Vec<_> = self
            .offsets
            .durable()
            .filter(|(topic, partition, committed)| {
                !self.is_subscribed(topic)
                    && !self.offsets.is_written(topic, *partition)
                    && is_over(committed)
            })
            .map(|(topic, partition, _)| (topic.to_owned(), partition))
            .collect();
        let all = expired.len() == self.offsets.places().count();
        (expired, all)
    }
}

/// Tombstones to be appended, in as many appends as their size needs.
#[derive(Debug, Default)]
pub(super) struct Tombstones {
    changes: Vec<OffsetChange>,
    groups: Vec<Arc<str>>,
    bytes: usize,
}

impl Tombstones {
    /// Forgets offsets of a group.
    pub(super) fn offsets(&mut self, turn: &mut Turn<'_>, changes: Vec<OffsetChange>) {
        for change in changes {
            self.bytes += change.group.len() + change.topic.len() + RECORD_BYTES;
            self.changes.push(change);
            self.append_if_large(turn);
        }
    }

    /// Forgets a group, of which nothing else is left.
    fn group(&mut self, turn: &mut Turn<'_>, group: &mut Group) {
        group.deleting = true;
        self.bytes += group.id.len() + RECORD_BYTES;
        self.groups.push(group.id.clone());
        self.append_if_large(turn);
    }

    fn append_if_large(&mut self, turn: &mut Turn<'_>) {
        if self.bytes >= TOMBSTONE_BYTES {
            core::mem::take(self).append(turn);
        }
    }

    fn append(self, turn: &mut Turn<'_>) {
        let Self { changes, groups, .. } = self;
        let tombstones = groups.iter().map(|id| records::group_tombstone(id)).collect();
        if !changes.is_empty() || !groups.is_empty() {
            turn.append(changes, tombstones, Purpose::Forget { groups });
        }
    }

    /// What is left to be appended, of offsets alone.
    pub(super) fn into_changes(self) -> Vec<OffsetChange> {
        assert!(self.groups.is_empty(), "only offsets were forgotten");
        self.changes
    }
}

/// Forgets what is over, beginning behind the group `after`. Returns where to go on; none if all
/// groups have been looked at.
pub(super) fn expire(
    groups: &mut BTreeMap<Arc<str>, Group>,
    turn: &mut Turn<'_>,
    after: Option<Arc<str>>,
) -> Option<Arc<str>> {
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    let (mut looked_at, mut tombstones) = (0, Tombstones::default());
    let mut next = None;
    for (id, group) in groups.range_mut::<Arc<str>, _>((start, Bound::Unbounded)) {
        if group.deleting {
            continue;
        }
        looked_at += 1 + group.offsets.places().count();
        let retention = turn.settings.offsets.retention;
        let (expired, all) = group.expired(turn.now.timestamp, retention);
        tombstones.offsets(turn, group.forget(expired));
        if all && group.state == GroupState::Empty && group.pending.is_empty() {
            tombstones.group(turn, group);
        }
        if looked_at >= ITEMS_PER_TURN {
            next = Some(id.clone());
            break;
        }
    }
    tombstones.append(turn);
    next
}

/// Forgets the offsets that `places` names of each group.
pub(super) fn forget(
    groups: &mut BTreeMap<Arc<str>, Group>,
    turn: &mut Turn<'_>,
    places: impl Fn(&Offsets) -> Vec<(String, PartitionIndex)>,
) {
    let mut tombstones = Tombstones::default();
    for group in groups.values_mut().filter(|group| !group.deleting) {
        let places = places(&group.offsets);
        tombstones.offsets(turn, group.forget(places));
    }
    tombstones.append(turn);
}

//! Offsets are forgotten when nobody can want them any more, then groups without any.

use core::time::Duration;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::append::Purpose;
use super::classic::{Group, Turn};
use super::offsets::Committed;
use super::{GroupState, records};
use crate::types::{PartitionIndex, Timestamp};

/// Offsets looked at, and groups, before others get their turn; also the tombstones of an append,
/// unless a single group has more offsets.
const ITEMS_PER_TURN: usize = 1000;

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

/// Forgets what is over, beginning behind the group `after`. Returns where to go on; none if all
/// groups have been looked at.
pub(super) fn expire(
    groups: &mut BTreeMap<Arc<str>, Group>,
    turn: &mut Turn<'_>,
    after: Option<Arc<str>>,
) -> Option<Arc<str>> {
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    let (mut looked_at, mut changes, mut tombstones, mut gone) =
        (0, Vec::new(), Vec::new(), Vec::new());
    let mut next = None;
    for (id, group) in groups.range_mut::<Arc<str>, _>((start, Bound::Unbounded)) {
        if group.deleting {
            continue;
        }
        looked_at += 1 + group.offsets.places().count();
        let retention = turn.settings.offsets.retention;
        let (expired, all) = group.expired(turn.now.timestamp, retention);
        changes.extend(group.forget(expired));
        if all && group.state == GroupState::Empty && group.pending.is_empty() {
            group.deleting = true;
            tombstones.push(records::group_tombstone(id));
            gone.push(id.clone());
        }
        if looked_at >= ITEMS_PER_TURN {
            next = Some(id.clone());
            break;
        }
    }
    if !changes.is_empty() || !tombstones.is_empty() {
        turn.append(changes, tombstones, Purpose::ForgetGroups { groups: gone });
    }
    next
}

/// Forgets the offsets of topics that are no more.
pub(super) fn forget_topics(
    groups: &mut BTreeMap<Arc<str>, Group>,
    turn: &mut Turn<'_>,
    names: &[&str],
) {
    let mut changes = Vec::new();
    for group in groups.values_mut().filter(|group| !group.deleting) {
        let places = group.offsets.places().filter(|(topic, _)| names.contains(topic));
        let places: Vec<_> = places.map(|(topic, index)| (topic.to_owned(), index)).collect();
        changes.extend(group.forget(places));
    }
    while !changes.is_empty() {
        let rest = changes.split_off(changes.len().min(ITEMS_PER_TURN));
        turn.append(changes, Vec::new(), Purpose::Forget);
        changes = rest;
    }
}

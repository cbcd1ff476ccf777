use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::types::Instant;

/// What may become due.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// Offsets and groups to forget are looked for.
    Expiration,
    /// A group's members have had their time to join.
    Join(Arc<str>),
    /// A group's members have had their time to sync.
    Sync(Arc<str>),
    /// A member was silent for its session, or did not come back with the id it was given.
    Member(Arc<str>, Arc<str>),
}

/// Each timer's instant, and all in the order in which they become due.
#[derive(Debug, Default)]
pub(super) struct Timers {
    instants: BTreeMap<Timer, Instant>,
    queue: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        self.cancel(&timer);
        self.instants.insert(timer.clone(), at);
        self.queue.insert((at, timer));
    }

    pub(super) fn cancel(&mut self, timer: &Timer) {
        if let Some((timer, at)) = self.instants.remove_entry(timer) {
            assert!(self.queue.remove(&(at, timer)), "both know a timer");
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        self.next().filter(|at| *at <= now)?;
        let (_, timer) = self.queue.pop_first()?;
        self.instants.remove(&timer);
        Some(timer)
    }
}

//! Lines of the log, from what the shards say has happened.

use std::collections::VecDeque;
use std::time::Duration;

use crate::trace::Event;
use crate::types::{Instant, ShardId};

/// What was said this recently is not said again: some of it happens whenever a client asks.
const REPEAT_AFTER: Duration = Duration::from_secs(60);
/// So many lines are remembered.
const REMEMBERED: usize = 64;

/// The log of one shard.
#[derive(Debug)]
pub(super) struct Log {
    shard: ShardId,
    /// What was said, and when.
    said: VecDeque<(Instant, Event)>,
}

impl Log {
    pub(super) fn new(shard: ShardId) -> Self {
        Self { shard, said: VecDeque::new() }
    }

    /// Writes a line, unless it was just written.
    pub(super) fn write(&mut self, now: Instant, event: Event) {
        if self.is_news(now, &event) {
            line(self.shard, &event);
            self.remember(now, event);
        }
    }

    fn is_news(&self, now: Instant, event: &Event) -> bool {
        let recent = |said: &Instant| now.since(*said) < REPEAT_AFTER;
        !self.said.iter().any(|(at, said)| recent(at) && said == event)
    }

    fn remember(&mut self, now: Instant, event: Event) {
        // Each is of another connection: they would only push out what repeats itself.
        if matches!(event, Event::ConnectionRefused { .. }) {
            return;
        }
        if self.said.len() == REMEMBERED {
            self.said.pop_front();
        }
        self.said.push_back((now, event));
    }
}

fn line(shard: ShardId, event: &Event) {
    let shard = shard.get();
    match event {
        Event::ConnectionRefused { connection, reason } => {
            tracing::debug!(shard, connection = connection.get(), reason, "connection refused");
        }
        Event::LogDamaged { directory, problem } => {
            tracing::error!(shard, directory, problem, "log damaged");
        }
        Event::NotCompacted { directory, problem, again: true } => {
            tracing::warn!(shard, directory, problem, "not compacted now");
        }
        Event::NotCompacted { directory, problem, again: false } => {
            tracing::error!(shard, directory, problem, "not compacted until the next start");
        }
        Event::GroupsLost { partition, problem } => {
            tracing::error!(shard, partition = partition.get(), problem, "groups not loaded");
        }
        Event::GroupRecordsIgnored { partition, problem } => {
            let partition = partition.get();
            tracing::error!(shard, partition, problem, "records of groups ignored");
        }
        Event::NoOffsetsTopic { problem } => {
            tracing::error!(shard, problem, "no groups: __consumer_offsets cannot be created");
        }
        Event::AlterationsUnused { problem } => {
            tracing::warn!(
                shard,
                problem,
                "not all settings altered while the broker ran are used"
            );
        }
        Event::StrayDirectory { from, to } => {
            tracing::warn!(shard, from, to, "directory of no topic kept under another name");
        }
        Event::SettingWithoutEffect { name, reason } => {
            tracing::warn!(shard, "{name}: accepted, no effect: {reason}");
        }
        Event::Recovered { partitions } => tracing::debug!(shard, partitions, "recovered"),
        Event::Serving => tracing::debug!(shard, "serving"),
        Event::Stopping => tracing::debug!(shard, "stopping"),
        Event::DeviceFull { free_bytes } => {
            tracing::warn!(shard, free_bytes, "device full: produce is refused until it has space");
        }
        Event::DeviceHasSpace { free_bytes } => {
            tracing::info!(shard, free_bytes, "device has space again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ConnectionId;

    #[test]
    fn what_a_client_repeats_is_said_once_a_minute() {
        let mut log = Log::new(ShardId::FIRST);
        let event = |problem: &str| Event::NoOffsetsTopic { problem: problem.to_owned() };
        let mut lines = 0;
        for second in 0..180 {
            let now = Instant::new(second * 1_000_000_000);
            for _ in 0..100 {
                lines += u32::from(log.is_news(now, &event("why")));
                log.write(now, event("why"));
                let (connection, reason) = (ConnectionId::new(second), "no frame");
                log.write(now, Event::ConnectionRefused { connection, reason });
            }
        }
        assert_eq!(lines, 3);
        for other in 0..1_000 {
            let event = event(&other.to_string());
            assert!(log.is_news(Instant::new(0), &event), "something else");
            log.write(Instant::new(0), event);
        }
        assert_eq!(log.said.len(), REMEMBERED);
    }
}

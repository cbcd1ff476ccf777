//! Lines of the log, from what the shards say has happened.

use crate::trace::Event;
use crate::types::ShardId;

pub(super) fn write(shard: ShardId, event: &Event) {
    let shard = shard.get();
    match event {
        Event::ConnectionRefused { connection, reason } => {
            tracing::debug!(shard, connection = connection.get(), reason, "connection refused");
        }
        Event::LogDamaged { directory, problem } => {
            tracing::error!(shard, directory, problem, "log damaged");
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

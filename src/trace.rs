//! What is worth a line in a log. The core says it as data; whoever drives it writes the line.

use crate::types::{ConnectionId, PartitionIndex};

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// What a client sent made the broker close its connection.
    ConnectionRefused {
        /// The connection.
        connection: ConnectionId,
        /// Why.
        reason: &'static str,
    },
    /// A part of a partition's log cannot be read.
    LogDamaged {
        /// The partition's directory.
        directory: String,
        /// What is wrong.
        problem: String,
    },
    /// A partition's log is not compacted.
    NotCompacted {
        /// The partition's directory.
        directory: String,
        /// Why.
        problem: String,
        /// It is tried again later; else not in this life.
        again: bool,
    },
    /// Groups whose state cannot be read: no client is told anything of them, rather than
    /// something old.
    GroupsLost {
        /// Their partition of `__consumer_offsets`.
        partition: PartitionIndex,
        /// Why.
        problem: String,
    },
    /// Records of groups that say nothing, and are passed over.
    GroupRecordsIgnored {
        /// Their partition of `__consumer_offsets`.
        partition: PartitionIndex,
        /// Which, and what is wrong with them.
        problem: String,
    },
    /// Groups have nowhere to be kept.
    NoOffsetsTopic {
        /// Why it cannot be created.
        problem: String,
    },
    /// Some of what was altered while the broker ran fits its configuration no more, and is not used.
    AlterationsUnused {
        /// Why.
        problem: String,
    },
    /// A directory belongs to no topic that is known; its files are kept under another name.
    StrayDirectory {
        /// Its name.
        from: String,
        /// The new one.
        to: String,
    },
    /// A client gave a setting a value, which does nothing.
    SettingWithoutEffect {
        /// The setting.
        name: &'static str,
        /// Why it does nothing.
        reason: &'static str,
    },
    /// The shard has its partitions back from disk.
    Recovered {
        /// How many it owns.
        partitions: usize,
    },
    /// Connections are accepted.
    Serving,
    /// What was begun is finished, and everything brought to disk.
    Stopping,
    /// The device has no space for what clients send.
    DeviceFull {
        /// What it has left.
        free_bytes: u64,
    },
    /// The device has space again.
    DeviceHasSpace {
        /// How much.
        free_bytes: u64,
    },
}

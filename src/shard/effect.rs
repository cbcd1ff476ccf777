//! What a shard wants of the world.

use crate::handlers::Job;
use crate::io::DiskRequest;
use crate::trace::Event;
use crate::types::{ConnectionId, ShardId};

use super::message::Message;

/// An effect. The driver carries effects out in order; sends it may carry out earlier.
#[derive(Debug)]
pub enum Effect {
    /// Close a connection; nothing more is heard of it.
    Close(ConnectionId),
    /// Read from a connection again.
    Resume(ConnectionId),
    /// Ask the disk.
    Disk(DiskRequest),
    /// Tell another shard.
    Send {
        /// The shard.
        to: ShardId,
        /// What.
        message: Message,
    },
    /// Compute off this core; the result comes back as an input.
    Compute(Job),
    /// Write a line into the log.
    Log(Event),
    /// Accept connections from now on.
    Listen,
    /// Accept no connections any more.
    StopListening,
    /// This shard is done; with a reason, the whole process is.
    Exit(Exit),
}

/// Why a shard ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Exit {
    /// It was asked to, and everything is on disk.
    Stopped,
    /// It cannot go on. The process must end at once, without acknowledging anything more.
    Failed(String),
}

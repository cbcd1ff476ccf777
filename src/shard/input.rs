//! Everything that can happen to a shard.

use std::net::IpAddr;

use crate::handlers::JobResult;
use crate::io::DiskResult;
use crate::store::Reply;
use crate::types::{ConnectionId, ShardId, TopicPartition};

use super::message::Message;

/// An input.
#[derive(Debug)]
pub enum Input {
    /// Begin.
    Start,
    /// A client has connected.
    Opened(ConnectionId),
    /// Where a connection comes from. Follows its opening, where that is known.
    Peer {
        /// The connection.
        connection: ConnectionId,
        /// The other side's address.
        address: IpAddr,
    },
    /// Bytes have been read into [`Shard::space`](super::Shard::space).
    Received {
        /// From whom.
        connection: ConnectionId,
        /// How many.
        bytes: usize,
    },
    /// Bytes of [`Shard::outbox`](super::Shard::outbox) have been sent.
    Sent {
        /// To whom.
        connection: ConnectionId,
        /// How many.
        bytes: u64,
    },
    /// The client sends no more. What it sent before is still to be read, and answers may be heard.
    Ended(ConnectionId),
    /// The client has gone, or the connection broke.
    Closed(ConnectionId),
    /// The disk has answered.
    Disk {
        /// The owner in the request.
        owner: u32,
        /// The token in the request.
        token: u32,
        /// The answer.
        result: DiskResult,
    },
    /// Another shard has something to tell.
    Message {
        /// The shard.
        from: ShardId,
        /// What.
        message: Message,
    },
    /// A job is done.
    Computed {
        /// The partition it was for.
        id: TopicPartition,
        /// Who wanted it.
        reply: Reply,
        /// What it brought.
        result: JobResult,
    },
    /// All inputs at hand have been given: what arrived together is committed together, and what
    /// has become due is done. Comes at the latest at [`Shard::deadline`](super::Shard::deadline).
    TurnEnded,
    /// Finish what has begun, put everything on disk, and end.
    Stop,
}

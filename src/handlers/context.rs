//! What a handler sees of its shard, and where it puts what it wants.

use std::collections::VecDeque;
use std::sync::Arc;

use super::job::Job;
use super::operation::{Kind, OperationId};
use super::peer::{Answer, Ask, owner};
use super::producer_ids::ProducerIds;
use super::session::Sessions;
use super::topics::Topics;
use crate::config::BrokerSettings;
use crate::connection::{Inserted, InsertedParts};
use crate::controller::Command;
use crate::io::{Buffer, MemoryRange};
use crate::log::Part;
use crate::metadata::Image;
use crate::prng::Prng;
use crate::protocol::{Response, Writer, write_response};
use crate::store::{Reply, Store};
use crate::types::{NodeId, Now, ShardId, TopicPartition};

/// Bodies of batches for other shards are copied into buffers of this size, unless larger.
const BODY_BUFFER_BYTES: usize = 1 << 20;
/// Buffers kept for that.
const BODY_BUFFERS_MAX: usize = 16;

/// Who this broker is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Its id.
    pub node: NodeId,
    /// Where clients reach it.
    pub host: String,
    /// The same.
    pub port: u16,
    /// Its rack.
    pub rack: Option<String>,
}

/// A handler's view of its shard.
pub struct Context<'a> {
    /// The clocks.
    pub now: Now,
    /// This shard.
    pub shard: ShardId,
    /// How many there are.
    pub shards: u16,
    /// This broker.
    pub identity: &'a Identity,
    /// The broker's settings.
    pub settings: &'a BrokerSettings,
    /// The cluster.
    pub image: &'a Arc<Image>,
    /// The topics with their settings resolved.
    pub topics: &'a Topics,
    /// The partitions of this shard.
    pub store: &'a mut Store,
    /// What goes elsewhere.
    pub outbound: &'a mut Outbound,
    /// The fetch sessions of this shard.
    pub sessions: &'a mut Sessions,
    /// Producer ids at hand.
    pub producer_ids: &'a mut ProducerIds,
    /// Where the response is written.
    pub responder: &'a mut Responder,
    /// For records without their compression.
    pub scratch: &'a mut Vec<u8>,
    /// For ids.
    pub prng: &'a mut Prng,
    /// The id that the request gets if it has to wait.
    pub operation: OperationId,
}

/// What a handler made of a request.
#[derive(Debug)]
pub enum Handled {
    /// The responder holds the response.
    Responded,
    /// There is no response.
    Silent,
    /// The response follows when others have answered.
    Pending(Kind),
    /// Nothing was done for lack of room: the request has to come again.
    NoRoom,
    /// The client is not one: close the connection.
    Close(&'static str),
}

/// A decoded header, and the bytes of the body.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Given back with the response.
    pub correlation_id: i32,
    /// The version of request and response.
    pub version: i16,
    /// What the client calls itself.
    pub client_id: Option<&'a str>,
    /// The request.
    pub body: &'a [u8],
}

/// A question on its way to another shard.
#[derive(Debug)]
pub struct Question {
    /// The shard that owns the partition.
    pub to: ShardId,
    /// The partition.
    pub id: TopicPartition,
    /// The question.
    pub ask: Ask,
    /// Who wants the answer.
    pub reply: Reply,
}

/// What a turn wants from others.
#[derive(Debug, Default)]
pub struct Outbound {
    /// For other shards.
    pub questions: Vec<Question>,
    /// For the controller.
    pub commands: Vec<(Reply, Command)>,
    /// For whoever computes off this core.
    pub jobs: Vec<Job>,
    bodies: VecDeque<Buffer>,
}

impl Outbound {
    /// A copy of `bytes` that another core may keep.
    pub fn copy(&mut self, bytes: &[u8]) -> MemoryRange {
        let fits = self.bodies.back().is_some_and(|buffer| buffer.remaining() >= bytes.len());
        if !fits {
            let buffer = self.next_buffer(bytes.len());
            self.bodies.push_back(buffer);
        }
        let buffer = self.bodies.back_mut().expect("just made");
        let start = buffer.len();
        buffer.extend(bytes);
        buffer.range(start..start + bytes.len())
    }

    /// The oldest buffer if nobody needs it any more, else a new one.
    fn next_buffer(&mut self, bytes: usize) -> Buffer {
        let oldest = self.bodies.pop_front_if(|buffer| buffer.is_unshared());
        if let Some(mut buffer) = oldest
            && buffer.capacity() >= bytes
        {
            buffer.clear();
            return buffer;
        }
        if self.bodies.len() >= BODY_BUFFERS_MAX {
            // Who holds its ranges keeps its memory alive.
            self.bodies.pop_front();
        }
        Buffer::with_capacity(bytes.max(BODY_BUFFER_BYTES))
    }
}

/// Where responses are written: bytes, and the parts that go in between.
#[derive(Debug, Default)]
pub struct Responder {
    writer: Writer,
    parts: VecDeque<Part>,
}

impl Responder {
    /// Writes a response as a frame, over what was there before. `parts` fill its cuts, in order.
    pub fn respond<'a, M: Response<'a>>(
        &mut self,
        correlation_id: i32,
        version: i16,
        response: &M,
        parts: impl IntoIterator<Item = Part>,
    ) {
        self.writer.clear();
        self.parts.clear();
        self.parts.extend(parts);
        // What is answered comes from names and numbers that were checked when they came in.
        write_response(&mut self.writer, correlation_id, version, response)
            .expect("a response that fits its frame");
    }

    /// The bytes of the frame, without those of the parts.
    pub fn bytes(&self) -> &[u8] {
        self.writer.bytes()
    }

    /// Each part with the number of bytes in front of it.
    ///
    /// # Panics
    /// When the parts are not as long as the response says.
    pub fn take_parts(&mut self) -> InsertedParts {
        let mut inserted = InsertedParts::with_capacity(self.parts.len());
        for cut in self.writer.cuts() {
            let mut left = cut.bytes as u64;
            while left > 0 {
                let part = self.parts.pop_front().expect("the parts fill the cuts");
                left = left.checked_sub(part.len()).expect("no part reaches over a cut");
                inserted.push((
                    cut.position,
                    match part {
                        Part::Memory(range) => Inserted::Memory(range),
                        Part::File { file, position, len } => {
                            Inserted::File { file, position, len }
                        }
                    },
                ));
            }
        }
        assert!(self.parts.is_empty(), "every part has its cut");
        inserted
    }
}

impl Context<'_> {
    /// The address of an answer to item `item` of the request at hand.
    pub fn reply(&self, item: usize) -> Reply {
        let item = u32::try_from(item).expect("fewer items than bytes in a frame");
        Reply { shard: self.shard, operation: self.operation, item }
    }

    /// Asks the shard that owns a partition. This shard answers itself at once, if it can; any
    /// other answer comes to the operation.
    pub fn ask(&mut self, id: TopicPartition, ask: Ask, item: usize) -> Option<Answer> {
        let reply = self.reply(item);
        let to = owner(id, self.shards);
        if to == self.shard {
            return self.serve(id, ask, reply);
        }
        self.outbound.questions.push(Question { to, id, ask, reply });
        None
    }

    /// Asks the controller; the answer comes to the operation.
    pub fn command(&mut self, command: Command) {
        let reply = self.reply(0);
        self.outbound.commands.push((reply, command));
    }

    /// Writes the response to the request at hand.
    pub fn respond<'r, M: Response<'r>>(&mut self, frame: &Frame<'_>, response: &M) -> Handled {
        self.responder.respond(frame.correlation_id, frame.version, response, []);
        Handled::Responded
    }
}

//! What a handler sees of its shard, and where it puts what it wants.

use core::net::IpAddr;
use std::collections::VecDeque;
use std::sync::Arc;

use super::job::Job;
use super::operation::{Kind, OperationId};
use super::peer::{Answer, Ask, owner};
use super::producer_ids::ProducerIds;
use super::session::Sessions;
use super::telemetry::Subscriptions;
use super::topics::Topics;
use crate::config::BrokerSettings;
use crate::connection::{Inserted, InsertedParts};
use crate::controller::Command;
use crate::coordinator::group;
use crate::io::{Buffer, MemoryRange};
use crate::log::Part;
use crate::metadata::Image;
use crate::prng::Prng;
use crate::protocol::{Response, Writer, write_response};
use crate::store::{Reply, Store};
use crate::trace::Event;
use crate::types::{NodeId, Now, ShardId, TopicPartition};

/// Bodies of batches for other shards are copied into buffers of at most this size, unless larger.
const BODY_BUFFER_BYTES: usize = 1 << 20;
/// Buffers kept for that, which together are at most a quarter of what may be lent.
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
    /// The subscriptions to clients' metrics.
    pub subscriptions: &'a mut Subscriptions,
    /// Producer ids at hand.
    pub producer_ids: &'a mut ProducerIds,
    /// Where the response is written.
    pub responder: &'a mut Responder,
    /// For ids.
    pub prng: &'a mut Prng,
    /// The most bytes that a fetch may bring for its client's quota's sake.
    pub fetch_bytes_max: u64,
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
    /// Where the client is.
    pub peer: IpAddr,
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

/// A question about groups on its way to their coordinator.
#[derive(Debug)]
pub struct GroupQuestion {
    /// The shard that owns the partition.
    pub to: ShardId,
    /// The partition of `__consumer_offsets`.
    pub id: TopicPartition,
    /// The question.
    pub request: Box<group::Request>,
    /// Who wants the answer.
    pub reply: Reply,
}

/// What a turn wants from others, and the memory that others hold of this shard's until they have
/// done it: batches for other shards and for jobs, and what jobs make of them.
#[derive(Debug)]
pub struct Outbound {
    /// For other shards.
    pub questions: Vec<Question>,
    /// For the coordinators of this shard and of others.
    pub group_questions: Vec<GroupQuestion>,
    /// For the controller.
    pub commands: Vec<(Reply, Command)>,
    /// For whoever computes off this core.
    pub jobs: Vec<Job>,
    /// For the log.
    pub events: Vec<Event>,
    bodies: VecDeque<Buffer>,
    /// Buffers that took their last bytes while others held some of them.
    lent: Vec<Buffer>,
    /// What jobs have made.
    made: Vec<MemoryRange>,
    /// The most that jobs under way may take beside what they were given.
    working_bytes: usize,
    lent_bytes_max: usize,
    /// A request of this size waits until that much may be lent.
    wanted: Option<usize>,
}

impl Outbound {
    /// Nothing, with `lent_bytes_max` for what others may hold.
    pub fn new(lent_bytes_max: usize) -> Self {
        Self {
            questions: Vec::new(),
            group_questions: Vec::new(),
            commands: Vec::new(),
            jobs: Vec::new(),
            events: Vec::new(),
            bodies: VecDeque::new(),
            lent: Vec::new(),
            made: Vec::new(),
            working_bytes: 0,
            lent_bytes_max,
            wanted: None,
        }
    }

    /// Bytes that others hold, in whole buffers, or will hold when jobs are done.
    pub fn lent_bytes(&mut self) -> usize {
        self.lent.retain(|buffer| !buffer.is_unshared());
        self.made.retain(|range| !range.is_unshared());
        let bodies = self.bodies.iter().filter(|buffer| !buffer.is_unshared());
        let buffers = bodies.chain(&self.lent).map(Buffer::capacity);
        let made = self.made.iter().map(MemoryRange::pinned_bytes);
        buffers.chain(made).sum::<usize>() + self.working_bytes
    }

    /// Whether `bytes` more may be lent. What is larger than all that may be, may alone.
    pub fn may_lend(&mut self, bytes: usize) -> bool {
        let lent = self.lent_bytes();
        let may = lent == 0 || lent + bytes <= self.lent_bytes_max;
        if !may {
            self.wanted = Some(self.wanted.map_or(bytes, |wanted| wanted.min(bytes)));
        }
        may
    }

    /// Whether requests that were refused by [`Outbound::may_lend`] may come again.
    pub fn may_lend_again(&mut self) -> bool {
        let Some(wanted) = self.wanted.take() else { return false };
        self.may_lend(wanted)
    }

    /// Has a batch prepared off this core.
    pub fn prepare(&mut self, job: Job) {
        self.working_bytes += job.working_bytes_max();
        self.jobs.push(job);
    }

    /// A job that might take `working_bytes_max` is done, and has made this.
    pub fn prepared(&mut self, working_bytes_max: usize, made: Option<&MemoryRange>) {
        self.working_bytes -= working_bytes_max;
        self.made.extend(made.filter(|_| working_bytes_max > 0).cloned());
    }

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
            self.lent.extend(self.bodies.pop_front());
        }
        let usual = BODY_BUFFER_BYTES.min(self.lent_bytes_max / (4 * BODY_BUFFERS_MAX));
        Buffer::with_capacity(bytes.max(usual))
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

    /// The bytes of the frame, with those of the parts.
    pub fn len(&self) -> usize {
        self.writer.len()
    }

    /// Whether there is no response.
    pub fn is_empty(&self) -> bool {
        self.writer.is_empty()
    }

    /// Says in the response how long the client is to wait, where its version can say so.
    pub fn set_throttle_time(&mut self, time: core::time::Duration) {
        self.writer.set_throttle_time_ms(i32::try_from(time.as_millis()).unwrap_or(i32::MAX));
    }

    /// The error codes in the response.
    pub fn error_codes(&self) -> &[i16] {
        self.writer.error_codes()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ApiKey, Message as _, ResponseHeader};

    const MIB: usize = 1 << 20;

    #[test]
    fn an_answer_says_how_long_to_wait_and_what_went_wrong() {
        use crate::protocol::messages::produce::{
            PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
        };
        let partitions = [PartitionProduceResponse { error_code: 3, ..Default::default() }];
        let topics = [TopicProduceResponse {
            partition_responses: crate::protocol::Array::new(&partitions),
            ..Default::default()
        }];
        let responses = crate::protocol::Array::new(&topics);
        let response = ProduceResponse { responses, ..Default::default() };
        for version in [3, 8, 9, 12] {
            let mut responder = Responder::default();
            responder.respond(7, version, &response, []);
            responder.set_throttle_time(core::time::Duration::from_millis(1234));
            let (_, body) =
                ResponseHeader::split_frame(&responder.bytes()[4..], ApiKey::Produce, version)
                    .unwrap();
            let decoded = ProduceResponse::decode(body, version).unwrap();
            assert_eq!(decoded.throttle_time_ms, 1234);
            assert_eq!(responder.error_codes(), [3]);
            responder.respond(7, version, &ProduceResponse::default(), []);
            assert_eq!(responder.error_codes(), [0; 0]);
        }
    }

    #[test]
    fn what_others_hold_is_counted_until_they_let_go() {
        let mut outbound = Outbound::new(64 * MIB);
        let body = vec![7; MIB];
        let mut held = VecDeque::new();
        while outbound.may_lend(MIB) {
            held.push_back(outbound.copy(&body));
            assert!(held.len() <= 64, "{} MiB are lent", held.len());
            assert_eq!(outbound.lent_bytes(), held.len() * MIB);
        }
        assert_eq!(held.len(), 64);
        assert!(!outbound.may_lend_again());
        // The first are no longer among the buffers that are used again.
        held.pop_front();
        assert!(outbound.may_lend_again());
        assert!(!outbound.may_lend_again(), "nobody waits any more");
        held.clear();
        assert_eq!(outbound.lent_bytes(), 0);
        assert!(outbound.may_lend(65 * MIB), "alone, whatever its size");
    }

    #[test]
    fn what_jobs_make_is_counted_before_it_is_made() {
        let mut outbound = Outbound::new(8 * MIB);
        let made = MemoryRange::copy_of(&vec![7; MIB]);
        outbound.working_bytes += 3 * MIB;
        outbound.working_bytes += 3 * MIB;
        assert!(!outbound.may_lend(3 * MIB));
        outbound.prepared(3 * MIB, None);
        assert!(outbound.may_lend(3 * MIB));
        outbound.prepared(3 * MIB, Some(&made));
        assert_eq!(outbound.lent_bytes(), MIB);
        drop(made);
        assert_eq!(outbound.lent_bytes(), 0);
    }
}

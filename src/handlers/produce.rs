//! Produce: appends record batches. Each partition's batch is validated here, on the connection's
//! core, and appended by the shard that owns the partition.
//!
//! Behaviour: exactly one batch per partition; acks 1 and -1 are answered when the batch is durable
//! on as many replicas as the topic asks for, here one; acks 0 has no response, and an error closes
//! the connection. A batch that duplicates one under way waits for it. Topics are never created.

use std::borrow::Cow;
use std::sync::Arc;

use smallvec::SmallVec;

use super::context::{Context, Frame, Handled, Responder};
use super::error::{append_error_code, invalid_batch_code};
use super::job::{Job, Prepared, SMALL_BYTES, recompressed};
use super::operation::Kind;
use super::peer::{Answer, Ask, owner};
use super::topics::TopicEntry;
use crate::metadata::Topic;
use crate::protocol::messages::produce::{
    BatchIndexAndErrorMessage, PartitionProduceData, PartitionProduceResponse, ProduceRequest,
    ProduceResponse, TopicProduceData, TopicProduceResponse,
};
use crate::protocol::{Array, ErrorCode, Message as _, Records};
use crate::record::{FaultKind, Invalid, Rules, Validated, record_faults, validate};
use crate::store::{AppendAnswer, Appended, Batch, Outcome};
use crate::types::{PartitionIndex, Timestamp, TopicPartition, Uuid};

/// The first version whose requests and responses name topics by id.
const TOPIC_IDS_FROM: i16 = 13;
/// The first version that may use zstd (KIP-110).
const ZSTD_FROM: i16 = 7;
/// The one client that may write to internal topics, as in Kafka.
const ADMIN_CLIENT_ID: &str = "__admin_client";
/// Records named in an answer; a client needs no more to find its mistake.
const FAULTS_MAX: usize = 100;
/// Partitions in a request: more would be without records, or keep others waiting.
const PARTITIONS_MAX: usize = 100_000;

/// A produce under way.
#[derive(Debug)]
pub struct Produce {
    acks: i16,
    topics: SmallVec<[Target; 1]>,
    items: SmallVec<[Item; 2]>,
    /// Items without an outcome.
    waiting: usize,
}

/// A topic of the request, and where its items begin.
#[derive(Debug)]
struct Target {
    topic: TopicRef,
    items_start: usize,
}

#[derive(Debug)]
enum TopicRef {
    Known(Arc<Topic>),
    Unknown { name: String, id: Uuid },
}

impl TopicRef {
    fn name(&self) -> &str {
        match self {
            Self::Known(topic) => &topic.name,
            Self::Unknown { name, .. } => name,
        }
    }

    fn id(&self) -> Uuid {
        match self {
            Self::Known(topic) => topic.id,
            Self::Unknown { id, .. } => *id,
        }
    }
}

#[derive(Debug)]
struct Item {
    partition: i32,
    outcome: Option<Result<Appended, Refusal>>,
}

/// Why a batch was refused.
#[derive(Debug)]
struct Refusal {
    code: ErrorCode,
    message: Option<Cow<'static, str>>,
    records: Vec<(i32, String)>,
}

impl Refusal {
    fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: Some(message.into()), records: Vec::new() }
    }
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = ProduceRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a Produce request that cannot be decoded");
    };
    let partitions = request.topic_data.iter().map(|data| data.partition_data.len());
    if request.topic_data.len() + partitions.sum::<usize>() > PARTITIONS_MAX {
        return Handled::Close("a Produce request of too many partitions");
    }
    if !ctx.has_room_for(&request) {
        return Handled::NoRoom;
    }
    let mut produce =
        Produce { acks: request.acks, topics: SmallVec::new(), items: SmallVec::new(), waiting: 0 };
    let refused = refuse_all(&request);
    for data in request.topic_data {
        produce.topic(ctx, frame, &data, refused);
    }
    if produce.waiting > 0 {
        return Handled::Pending(Kind::Produce(produce));
    }
    if produce.acks == 0 {
        let failed = produce.has_failed();
        return if failed { Handled::Close("a produce without response") } else { Handled::Silent };
    }
    produce.respond(ctx.responder, frame.correlation_id, frame.version);
    Handled::Responded
}

/// What refuses every batch of a request.
fn refuse_all(request: &ProduceRequest<'_>) -> Option<(ErrorCode, &'static str)> {
    if !(-1..=1).contains(&request.acks) {
        return Some((ErrorCode::InvalidRequiredAcks, "acks must be -1, 0 or 1"));
    }
    if request.transactional_id.is_some() {
        let code = ErrorCode::TransactionalIdAuthorizationFailed;
        return Some((code, "transactions are not supported yet"));
    }
    None
}

impl Context<'_> {
    /// Whether what this shard will append has room, so that the request need not be split.
    fn has_room_for(&mut self, request: &ProduceRequest<'_>) -> bool {
        let sizes = |data: TopicProduceData<'_>| {
            data.partition_data
                .iter()
                .map(|partition| partition.records.map_or(0, |records| records.len()))
                .sum::<usize>()
        };
        let bytes = request.topic_data.iter().map(sizes).sum();
        self.store.has_room(bytes) && self.outbound.may_lend(bytes)
    }
}

impl Produce {
    fn topic(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        data: &TopicProduceData<'_>,
        refused: Option<(ErrorCode, &'static str)>,
    ) {
        let topics = ctx.topics;
        let (entry, unknown) = if frame.version >= TOPIC_IDS_FROM {
            (topics.by_id(data.topic_id), ErrorCode::UnknownTopicId)
        } else {
            (topics.by_name(data.name), ErrorCode::UnknownTopicOrPartition)
        };
        let topic = match entry {
            Some(entry) => TopicRef::Known(Arc::clone(&entry.topic)),
            None => TopicRef::Unknown { name: data.name.to_owned(), id: data.topic_id },
        };
        self.topics.push(Target { topic, items_start: self.items.len() });
        for partition in data.partition_data {
            let item = self.items.len();
            self.items.push(Item { partition: partition.index, outcome: None });
            let outcome = match (refused, entry) {
                (Some((code, why)), _) => Some(Err(Refusal::new(code, why))),
                (None, None) => Some(Err(Refusal::new(unknown, "the topic does not exist"))),
                (None, Some(entry)) => self.partition(ctx, frame, entry, &partition, item),
            };
            self.waiting += usize::from(outcome.is_none());
            self.items[item].outcome = outcome;
        }
    }

    fn partition(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        entry: &TopicEntry,
        data: &PartitionProduceData<'_>,
        item: usize,
    ) -> Option<Result<Appended, Refusal>> {
        let exists =
            usize::try_from(data.index).is_ok_and(|index| index < entry.topic.partitions.len());
        if !exists {
            let code = ErrorCode::UnknownTopicOrPartition;
            return Some(Err(Refusal::new(code, "the partition does not exist")));
        }
        if entry.is_internal() && frame.client_id != Some(ADMIN_CLIENT_ID) {
            let code = ErrorCode::InvalidTopicException;
            return Some(Err(Refusal::new(code, "clients may not write to internal topics")));
        }
        let bytes = data.records.as_ref().map_or(&[][..], Records::bytes);
        let rules = entry.rules(ctx.settings, ctx.now.timestamp, frame.version >= ZSTD_FROM);
        let id =
            TopicPartition { topic: entry.topic.id, partition: PartitionIndex::new(data.index) };
        let log_append_time = entry.log_append_time(ctx.now.timestamp);
        let by_job = |ctx: &mut Context<'_>| {
            let copy = ctx.outbound.copy(bytes);
            let job = Job::prepare(id, ctx.reply(item), copy, rules, entry.compression());
            ctx.outbound.prepare(job);
            None
        };
        if Job::is_needed_for(bytes, &rules, entry.compression()) {
            return by_job(ctx);
        }
        let small = Rules { section_bytes_max: SMALL_BYTES, ..rules };
        let refused = |ctx: &mut Context<'_>, invalid| match invalid {
            // Few bytes that are many without their compression.
            Invalid::SectionTooLarge => by_job(ctx),
            _ => Some(Err(refusal(invalid, bytes, &small))),
        };
        let validated = match validate(bytes, &small) {
            Ok(validated) => validated,
            Err(invalid) => return refused(ctx, invalid),
        };
        if let Some(compression) = entry.compression()
            && validated.header.attributes.codec() != Ok(compression.codec())
        {
            return match recompressed(&validated, &small, compression) {
                Ok(prepared) => self.append_prepared(ctx, id, &prepared, log_append_time, item),
                Err(invalid) => refused(ctx, invalid),
            };
        }
        self.append(ctx, id, &validated, log_append_time, item)
    }

    /// Appends here, or has the owner append.
    fn append(
        &self,
        ctx: &mut Context<'_>,
        id: TopicPartition,
        validated: &Validated<'_>,
        log_append_time: Option<Timestamp>,
        item: usize,
    ) -> Option<Result<Appended, Refusal>> {
        let (header, body) = (validated.header, validated.stored_section);
        if owner(id, ctx.shards) != ctx.shard {
            let body = ctx.outbound.copy(body);
            let ask = Ask::Append { header: Box::new(header), body, log_append_time };
            let answer = ctx.ask(id, ask, item);
            assert!(answer.is_none(), "another shard never answers at once");
            return None;
        }
        let Some(slot) = ctx.store.slot(id) else {
            return Some(self.outcome(Err(crate::store::AppendError::NotHere)));
        };
        let batch = Batch { header: &header, body, log_append_time };
        let reply = (self.acks != 0).then(|| ctx.reply(item));
        match ctx.store.append(slot, &batch, reply, ctx.now) {
            Outcome::Answered(answer) => Some(self.outcome(answer)),
            Outcome::Pending if reply.is_none() => Some(Ok(Appended::default())),
            Outcome::Pending => None,
            Outcome::NoRoom => {
                let body = ctx.outbound.copy(body);
                ctx.store.queue(id, header, body, log_append_time, ctx.reply(item));
                None
            }
        }
    }

    fn append_prepared(
        &self,
        ctx: &mut Context<'_>,
        id: TopicPartition,
        prepared: &Prepared,
        log_append_time: Option<Timestamp>,
        item: usize,
    ) -> Option<Result<Appended, Refusal>> {
        let header = Box::new(prepared.header);
        let ask = Ask::Append { header, body: prepared.body.clone(), log_append_time };
        match ctx.ask(id, ask, item)? {
            Answer::Appended(answer) => Some(self.outcome(answer)),
            other => unreachable!("an append was answered by {other:?}"),
        }
    }

    fn outcome(&self, answer: AppendAnswer) -> Result<Appended, Refusal> {
        answer.map_err(|error| {
            let (code, message) = append_error_code(error);
            Refusal { code, message: Some(message), records: Vec::new() }
        })
    }

    /// Takes an answer; `true` when it was the last.
    pub(super) fn answered(&mut self, item: u32, answer: Answer) -> bool {
        let Answer::Appended(answer) = answer else {
            unreachable!("an append was answered by {answer:?}")
        };
        let outcome = self.outcome(answer);
        self.decide(item, outcome)
    }

    fn decide(&mut self, item: u32, outcome: Result<Appended, Refusal>) -> bool {
        let item = &mut self.items[item as usize];
        assert!(item.outcome.is_none(), "each item is answered once");
        item.outcome = Some(outcome);
        self.waiting -= 1;
        self.waiting == 0
    }

    /// A job has validated or recompressed a batch; `true` when that was the last item.
    pub(super) fn prepared(
        &mut self,
        ctx: &mut Context<'_>,
        id: TopicPartition,
        item: u32,
        prepared: Result<Prepared, Invalid>,
    ) -> bool {
        let outcome = match prepared {
            Ok(prepared) => {
                let entry = ctx.topics.by_id(id.topic);
                let time = entry.and_then(|entry| entry.log_append_time(ctx.now.timestamp));
                self.append_prepared(ctx, id, &prepared, time, item as usize)
            }
            Err(invalid) => {
                let (code, message) = invalid_batch_code(invalid);
                Some(Err(Refusal { code, message: Some(message), records: Vec::new() }))
            }
        };
        outcome.is_some_and(|outcome| self.decide(item, outcome))
    }

    /// About the memory that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.items) + size_of_val(&*self.topics)
    }

    /// Whether there is no response.
    pub(super) fn is_silent(&self) -> bool {
        self.acks == 0
    }

    /// Whether any batch was refused.
    pub(super) fn has_failed(&self) -> bool {
        self.items.iter().any(|item| matches!(item.outcome, Some(Err(_))))
    }

    /// Writes the response.
    pub(super) fn respond(&self, responder: &mut Responder, correlation_id: i32, version: i16) {
        let faults: Vec<Vec<BatchIndexAndErrorMessage<'_>>> =
            if self.has_failed() { self.items.iter().map(faults_of).collect() } else { Vec::new() };
        let partitions: SmallVec<[PartitionProduceResponse<'_>; 4]> = self
            .items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let faults = faults.get(index).map_or(Array::EMPTY, Array::from);
                partition_response(item, faults)
            })
            .collect();
        let ends = self.topics.iter().skip(1).map(|target| target.items_start);
        let ends = ends.chain([self.items.len()]);
        let topics: SmallVec<[TopicProduceResponse<'_>; 2]> = self
            .topics
            .iter()
            .zip(ends)
            .map(|(target, end)| TopicProduceResponse {
                name: target.topic.name(),
                topic_id: target.topic.id(),
                partition_responses: Array::new(&partitions[target.items_start..end]),
            })
            .collect();
        let response = ProduceResponse { responses: Array::new(&topics), ..Default::default() };
        responder.respond(correlation_id, version, &response, []);
    }
}

fn faults_of(item: &Item) -> Vec<BatchIndexAndErrorMessage<'_>> {
    let Some(Err(refusal)) = &item.outcome else { return Vec::new() };
    refusal
        .records
        .iter()
        .map(|(index, message)| BatchIndexAndErrorMessage {
            batch_index: *index,
            batch_index_error_message: Some(message),
        })
        .collect()
}

fn partition_response<'a>(
    item: &'a Item,
    record_errors: Array<'a, BatchIndexAndErrorMessage<'a>>,
) -> PartitionProduceResponse<'a> {
    let response = PartitionProduceResponse { index: item.partition, ..Default::default() };
    match item.outcome.as_ref().expect("every item has its outcome") {
        Ok(appended) => PartitionProduceResponse {
            base_offset: appended.base_offset.get(),
            log_append_time_ms: appended.log_append_time.get(),
            log_start_offset: appended.log_start_offset.get(),
            ..response
        },
        Err(refusal) => PartitionProduceResponse {
            error_code: refusal.code.code(),
            base_offset: -1,
            record_errors,
            error_message: refusal.message.as_deref(),
            ..response
        },
    }
}

/// The answer to a batch that breaks the rules, with the records that do.
fn refusal(invalid: Invalid, bytes: &[u8], rules: &Rules) -> Refusal {
    let (code, message) = invalid_batch_code(invalid);
    let records = match invalid {
        Invalid::Timestamp | Invalid::KeyMissing => record_faults(bytes, rules)
            .take(FAULTS_MAX)
            .map(|fault| {
                let text = match fault.kind {
                    FaultKind::KeyMissing => "the topic is compacted: a key is needed".to_owned(),
                    FaultKind::Timestamp(timestamp) => {
                        format!("the timestamp {timestamp} is too far from the broker's time")
                    }
                };
                (i32::try_from(fault.index).unwrap_or(i32::MAX), text)
            })
            .collect(),
        _ => Vec::new(),
    };
    Refusal { code, message: Some(message), records }
}

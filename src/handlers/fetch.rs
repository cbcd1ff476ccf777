//! Fetch: reads record batches of many partitions, waits for more when there is little, and answers
//! with ranges of memory and files, never with copies.
//!
//! Behaviour: the first batch is returned whole even above the limits; an offset between high
//! watermark and log end gets nothing and waits; below the log start or above the log end it gets
//! OFFSET_OUT_OF_RANGE. Any error, or enough bytes, ends the wait.

use std::sync::Arc;

use smallvec::SmallVec;

use super::context::{Context, Frame, Handled, Responder};
use super::error::{ask_error_code, session_error_code};
use super::operation::Kind;
use super::peer::{Answer, Ask, AskError, ReadResult};
use super::session::{Mode, SessionRequest, TopicKey, Wanted};
use super::topics::Topics;
use crate::log::Part;
use crate::protocol::messages::fetch::{
    FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData,
};
use crate::protocol::{Array, ErrorCode, Message as _, Records};
use crate::record::{Codec, Compression};
use crate::types::{Instant, LeaderEpoch, Map, Offset, PartitionIndex, TopicPartition, Uuid};

/// The first version whose requests and responses name topics by id.
const TOPIC_IDS_FROM: i16 = 13;
/// The first version whose clients know zstd (KIP-110).
const ZSTD_FROM: i16 = 10;
/// The isolation level that hides aborted transactions.
const READ_COMMITTED: i8 = 1;

/// A fetch under way.
#[derive(Debug)]
pub struct Fetch {
    version: i16,
    mode: Mode,
    items: SmallVec<[Item; 1]>,
    bytes_min: u64,
    bytes_max: u64,
    /// Nothing is waited for behind this.
    until: Option<Instant>,
    read_committed: bool,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// This many items have not been answered.
    Reading(usize),
    /// Every item is watched.
    Watching,
}

#[derive(Debug)]
struct Item {
    wanted: Wanted,
    id: Option<TopicPartition>,
    /// What it brought; `None` while it is being read.
    result: Option<Result<ReadResult, ErrorCode>>,
}

impl Item {
    fn bytes(&self) -> u64 {
        match &self.result {
            Some(Ok(read)) => read.parts.iter().map(Part::len).sum(),
            _ => 0,
        }
    }

    fn has_failed(&self) -> bool {
        matches!(self.result, Some(Err(_)))
    }
}

/// Whether the fetch can be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Progress {
    /// It can.
    Done,
    /// It waits for answers, or for more data.
    Waiting,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = FetchRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a Fetch request that cannot be decoded");
    };
    let uses_ids = frame.version >= TOPIC_IDS_FROM;
    let wanted = once(wanted(&request, uses_ids, ctx.topics));
    let forgotten = forgotten(&request, uses_ids, ctx.topics);
    let session = SessionRequest { id: request.session_id, epoch: request.session_epoch, uses_ids };
    let now = ctx.now.instant;
    let mode = match ctx.sessions.request(session, &wanted, &forgotten, now, ctx.prng) {
        Ok(mode) => mode,
        Err(error) => {
            let error_code = session_error_code(error).code();
            return ctx.respond(frame, &FetchResponse { error_code, ..Default::default() });
        }
    };
    let wanted = match mode {
        Mode::Full(_) => wanted,
        Mode::Incremental(id) => {
            let session = ctx.sessions.get_mut(id).expect("it was just asked for");
            session.wanted().cloned().collect()
        }
    };
    let wait = u64::try_from(request.max_wait_ms).unwrap_or(0);
    let limit = ctx.settings.network.fetch_bytes_max.min(ctx.fetch_bytes_max);
    let bytes_max = u64::try_from(request.max_bytes).unwrap_or(0).min(limit);
    let mut fetch = Fetch {
        version: frame.version,
        mode,
        items: wanted.into_iter().map(|wanted| item(ctx, wanted, frame.version)).collect(),
        // Who waits for more than may come waits in vain.
        bytes_min: u64::try_from(request.min_bytes).unwrap_or(0).min(bytes_max.max(1)),
        bytes_max,
        until: (wait > 0).then(|| now.after(core::time::Duration::from_millis(wait))),
        read_committed: request.isolation_level == READ_COMMITTED,
        phase: Phase::Reading(0),
    };
    if fetch.read(ctx) == Progress::Waiting {
        return Handled::Pending(Kind::Fetch(Box::new(fetch)));
    }
    fetch.respond(ctx, frame.correlation_id);
    Handled::Responded
}

fn topic_key(uses_ids: bool, name: &str, id: Uuid, topics: &Topics) -> TopicKey {
    if uses_ids {
        return TopicKey::Id(id);
    }
    let known = topics.by_name(name).map(|entry| Arc::clone(&entry.topic.name));
    TopicKey::Name(known.unwrap_or_else(|| Arc::from(name)))
}

fn wanted(request: &FetchRequest<'_>, uses_ids: bool, topics: &Topics) -> SmallVec<[Wanted; 1]> {
    let mut all = SmallVec::new();
    for topic in request.topics {
        let key = topic_key(uses_ids, topic.topic, topic.topic_id, topics);
        all.extend(topic.partitions.iter().map(|partition| Wanted {
            topic: key.clone(),
            partition: partition.partition,
            offset: Offset::new(partition.fetch_offset),
            bytes_max: u64::try_from(partition.partition_max_bytes).unwrap_or(0),
            current_leader_epoch: LeaderEpoch::new(partition.current_leader_epoch),
        }));
    }
    all
}

/// Each partition once, where it was first, as it was last: so Kafka reads a request.
fn once(mut all: SmallVec<[Wanted; 1]>) -> SmallVec<[Wanted; 1]> {
    if all.len() < 2 {
        return all;
    }
    let mut places = Map::default();
    let mut kept = 0;
    for index in 0..all.len() {
        let key = (all[index].topic.clone(), all[index].partition);
        let place = *places.entry(key).or_insert(kept);
        if place == kept {
            kept += 1;
        }
        all.swap(place, index);
    }
    all.truncate(kept);
    all
}

fn forgotten(request: &FetchRequest<'_>, uses_ids: bool, topics: &Topics) -> Vec<(TopicKey, i32)> {
    let mut all = Vec::new();
    for topic in request.forgotten_topics_data {
        let key = topic_key(uses_ids, topic.topic, topic.topic_id, topics);
        all.extend(topic.partitions.iter().map(|partition| (key.clone(), partition)));
    }
    all
}

/// An item, refused at once when its partition does not exist.
fn item(ctx: &Context<'_>, wanted: Wanted, version: i16) -> Item {
    let (entry, unknown) = match &wanted.topic {
        TopicKey::Name(name) => (ctx.topics.by_name(name), ErrorCode::UnknownTopicOrPartition),
        TopicKey::Id(id) => (ctx.topics.by_id(*id), ErrorCode::UnknownTopicId),
    };
    let Some(entry) = entry else {
        return Item { wanted, id: None, result: Some(Err(unknown)) };
    };
    let exists =
        usize::try_from(wanted.partition).is_ok_and(|index| index < entry.topic.partitions.len());
    if !exists {
        let error = ErrorCode::UnknownTopicOrPartition;
        return Item { wanted, id: None, result: Some(Err(error)) };
    }
    // As in Kafka, by the topic's setting and not by what the batches are.
    let codec = entry.compression().map(Compression::codec);
    if version < ZSTD_FROM && codec == Some(Codec::Zstd) {
        let error = ErrorCode::UnsupportedCompressionType;
        return Item { wanted, id: None, result: Some(Err(error)) };
    }
    let partition = PartitionIndex::new(wanted.partition);
    let id = Some(TopicPartition { topic: entry.topic.id, partition });
    Item { wanted, id, result: None }
}

impl Fetch {
    /// About the memory that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.items)
    }

    /// When the wait ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.until
    }

    /// Reads every partition that exists.
    fn read(&mut self, ctx: &mut Context<'_>) -> Progress {
        let mut bytes = 0;
        let mut waiting = 0;
        for index in 0..self.items.len() {
            let item = &mut self.items[index];
            let Some(id) = item.id else { continue };
            item.result = None;
            let ask = Ask::Read {
                offset: item.wanted.offset,
                bytes_max: item.wanted.bytes_max.min(self.bytes_max.saturating_sub(bytes)),
                first_whole: bytes == 0,
                current_leader_epoch: item.wanted.current_leader_epoch,
            };
            match ctx.ask(id, ask, index) {
                Some(answer) => {
                    self.items[index].result = Some(read_result(answer));
                    bytes += self.items[index].bytes();
                }
                None => waiting += 1,
            }
        }
        self.phase = Phase::Reading(waiting);
        self.progress(ctx)
    }

    /// Takes the answer for an item.
    pub(super) fn answered(
        &mut self,
        ctx: &mut Context<'_>,
        item: u32,
        answer: Answer,
    ) -> Progress {
        let Phase::Reading(waiting) = &mut self.phase else { return Progress::Waiting };
        let item = &mut self.items[item as usize];
        if item.result.is_some() {
            return Progress::Waiting;
        }
        *waiting -= 1;
        item.result = Some(read_result(answer));
        self.progress(ctx)
    }

    /// A partition has more to show, or the wait is over.
    pub(super) fn look_again(&mut self, ctx: &mut Context<'_>) -> Progress {
        if self.phase != Phase::Watching {
            return Progress::Waiting;
        }
        self.unwatch(ctx);
        self.read(ctx)
    }

    /// Stops watching: the connection is gone or data has come.
    pub(super) fn unwatch(&mut self, ctx: &mut Context<'_>) {
        if self.phase == Phase::Watching {
            for index in 0..self.items.len() {
                if let Some(id) = self.items[index].id {
                    ctx.ask(id, Ask::Unwatch { fetch: ctx.operation }, index);
                }
            }
        }
    }

    fn progress(&mut self, ctx: &mut Context<'_>) -> Progress {
        if self.phase != Phase::Reading(0) {
            return Progress::Waiting;
        }
        let bytes: u64 = self.items.iter().map(Item::bytes).sum();
        let over = self.until.is_none_or(|until| until <= ctx.now.instant);
        let failed = self.items.iter().any(Item::has_failed);
        if over || failed || bytes >= self.bytes_min || self.items.is_empty() {
            return Progress::Done;
        }
        // When the missing bytes have come, one of n partitions has brought at least an n-th.
        let missing = self.bytes_min - bytes;
        let share = missing.div_ceil(self.items.len() as u64);
        self.phase = Phase::Watching;
        for index in 0..self.items.len() {
            let item = &mut self.items[index];
            let (Some(id), Some(Ok(read))) = (item.id, &mut item.result) else { continue };
            // What is at hand is read again with what is to come.
            read.parts.clear();
            let ask = Ask::Watch { fetch: ctx.operation, bytes: read.visible_bytes + share };
            ctx.ask(id, ask, index);
        }
        Progress::Waiting
    }

    /// Writes the response.
    pub(super) fn respond(&mut self, ctx: &mut Context<'_>, correlation_id: i32) {
        self.trim();
        let session_id = match self.mode {
            Mode::Full(id) | Mode::Incremental(id) => id,
        };
        if let Some(session) = ctx.sessions.get_mut(session_id) {
            let incremental = matches!(self.mode, Mode::Incremental(_));
            self.items.retain(|item| {
                let bounds = match &item.result {
                    Some(Ok(read)) => read.bounds,
                    _ => return true,
                };
                let (topic, partition) = (&item.wanted.topic, item.wanted.partition);
                let (end, start) = (bounds.high_watermark.get(), bounds.log_start.get());
                let news = session.is_news(topic, partition, end, start);
                news || !incremental || item.bytes() > 0
            });
            for item in self.items.iter().filter(|item| item.bytes() > 0) {
                session.move_to_end(&item.wanted.topic, item.wanted.partition);
            }
        }
        self.write(ctx.responder, correlation_id, session_id);
    }

    /// Keeps to `bytes_max`: several shards may together have brought more.
    fn trim(&mut self) {
        let mut left = self.bytes_max;
        let mut first = true;
        for item in &mut self.items {
            let bytes = item.bytes();
            let Some(Ok(read)) = &mut item.result else { continue };
            if bytes > left && !first {
                // Cut to what is left, it might not hold a whole batch; it is fetched again.
                read.parts.clear();
                continue;
            }
            first = first && bytes == 0;
            left = left.saturating_sub(bytes);
        }
    }

    fn write(&mut self, responder: &mut Responder, correlation_id: i32, session_id: i32) {
        let mut parts: SmallVec<[Part; 4]> = SmallVec::new();
        let partitions: SmallVec<[PartitionData<'_>; 2]> = self
            .items
            .iter()
            .map(|item| {
                let bytes = item.bytes();
                if let Some(Ok(read)) = &item.result {
                    parts.extend(read.parts.iter().cloned());
                }
                partition_data(item, bytes, self.read_committed)
            })
            .collect();
        let mut topics: SmallVec<[FetchableTopicResponse<'_>; 2]> = SmallVec::new();
        let mut start = 0;
        for end in 1..=self.items.len() {
            let topic = &self.items[start].wanted.topic;
            if end < self.items.len() && self.items[end].wanted.topic == *topic {
                continue;
            }
            let partitions = Array::new(&partitions[start..end]);
            topics.push(match topic {
                TopicKey::Name(topic) => {
                    FetchableTopicResponse { topic, partitions, ..Default::default() }
                }
                TopicKey::Id(topic_id) => {
                    FetchableTopicResponse { topic_id: *topic_id, partitions, ..Default::default() }
                }
            });
            start = end;
        }
        let responses = Array::new(&topics);
        let response = FetchResponse { session_id, responses, ..Default::default() };
        responder.respond(correlation_id, self.version, &response, parts);
    }
}

fn read_result(answer: Answer) -> Result<ReadResult, ErrorCode> {
    match answer {
        Answer::Read(read) => read.map_err(|error: AskError| ask_error_code(error)),
        other => unreachable!("a read was answered by {other:?}"),
    }
}

fn partition_data(item: &Item, bytes: u64, read_committed: bool) -> PartitionData<'static> {
    let partition_index = item.wanted.partition;
    match item.result.as_ref().expect("every item was answered") {
        Ok(read) => PartitionData {
            partition_index,
            high_watermark: read.bounds.high_watermark.get(),
            last_stable_offset: read.bounds.high_watermark.get(),
            log_start_offset: read.bounds.log_start.get(),
            aborted_transactions: read_committed.then_some(Array::EMPTY),
            records: Some(Records::Cut { bytes: usize::try_from(bytes).expect("bounded above") }),
            ..Default::default()
        },
        Err(error) => PartitionData {
            partition_index,
            error_code: error.code(),
            high_watermark: -1,
            records: Some(Records::EMPTY),
            ..Default::default()
        },
    }
}

//! ListOffsets: the offset for a timestamp, or one of the special offsets.
//!
//! Behaviour: latest is the high watermark, also for readers of committed records while there are no
//! transactions; a timestamp behind every record gives offset -1 and timestamp -1; nothing is ever
//! tiered here, so the latest tiered offset is -1 and the earliest local one is the log start.

use std::collections::BTreeSet;

use super::context::{Context, Frame, Handled, Responder};
use super::error::ask_error_code;
use super::operation::Kind;
use super::peer::{Answer, Ask, AskError, Bounds, FoundRecord};
use crate::log::TimestampTarget;
use crate::protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};
use crate::protocol::{Array, ErrorCode, Message as _};
use crate::types::{LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicPartition};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// Special timestamps and the first version that knows them.
const SPECIAL: [(i64, i16); 6] = [
    (LATEST, 1),
    (EARLIEST, 1),
    (MAX_TIMESTAMP, 7),
    (EARLIEST_LOCAL, 8),
    (LATEST_TIERED, 9),
    (EARLIEST_PENDING_UPLOAD, 11),
];

/// A request under way.
#[derive(Debug)]
pub struct ListOffsets {
    version: i16,
    /// Names, and where their items begin.
    topics: Vec<(String, usize)>,
    items: Vec<Item>,
    waiting: usize,
}

#[derive(Debug)]
struct Item {
    partition: i32,
    timestamp: i64,
    result: Option<Result<Found, ErrorCode>>,
}

#[derive(Clone, Copy, Debug)]
struct Found {
    offset: i64,
    timestamp: i64,
    leader_epoch: i32,
}

const NONE: Found = Found { offset: -1, timestamp: -1, leader_epoch: -1 };

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = ListOffsetsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a ListOffsets request that cannot be decoded");
    };
    let mut operation =
        ListOffsets { version: frame.version, topics: Vec::new(), items: Vec::new(), waiting: 0 };
    let mut seen = BTreeSet::new();
    for topic in request.topics {
        operation.topics.push((topic.name.to_owned(), operation.items.len()));
        for partition in topic.partitions {
            let twice = !seen.insert((topic.name, partition.partition_index));
            operation.partition(ctx, topic.name, &partition, twice);
        }
    }
    if operation.waiting > 0 {
        return Handled::Pending(Kind::ListOffsets(Box::new(operation)));
    }
    operation.respond(ctx.responder, frame.correlation_id);
    Handled::Responded
}

impl ListOffsets {
    fn partition(
        &mut self,
        ctx: &mut Context<'_>,
        topic: &str,
        wanted: &ListOffsetsPartition,
        twice: bool,
    ) {
        let index = self.items.len();
        let (partition, timestamp) = (wanted.partition_index, wanted.timestamp);
        self.items.push(Item { partition, timestamp, result: None });
        let result = if twice {
            Some(Err(ErrorCode::InvalidRequest))
        } else {
            self.ask(ctx, topic, wanted, index)
        };
        self.waiting += usize::from(result.is_none());
        self.items[index].result = result;
    }

    fn ask(
        &self,
        ctx: &mut Context<'_>,
        topic: &str,
        wanted: &ListOffsetsPartition,
        item: usize,
    ) -> Option<Result<Found, ErrorCode>> {
        let timestamp = wanted.timestamp;
        let known = SPECIAL
            .iter()
            .any(|(special, version)| *special == timestamp && self.version >= *version);
        if timestamp < 0 && !known {
            return Some(Err(ErrorCode::UnsupportedVersion));
        }
        let entry = ctx.topics.by_name(topic).filter(|entry| {
            usize::try_from(wanted.partition_index)
                .is_ok_and(|index| index < entry.topic.partitions.len())
        });
        let Some(entry) = entry else { return Some(Err(ErrorCode::UnknownTopicOrPartition)) };
        let id = TopicPartition {
            topic: entry.topic.id,
            partition: PartitionIndex::new(wanted.partition_index),
        };
        let current_leader_epoch = LeaderEpoch::new(wanted.current_leader_epoch);
        let ask = match timestamp {
            LATEST | EARLIEST | EARLIEST_LOCAL => Ask::Bounds { current_leader_epoch },
            LATEST_TIERED | EARLIEST_PENDING_UPLOAD => return Some(Ok(NONE)),
            MAX_TIMESTAMP => Ask::Find { target: TimestampTarget::Largest, current_leader_epoch },
            _ => {
                let target = TimestampTarget::AtOrAfter(Timestamp::new(timestamp));
                Ask::Find { target, current_leader_epoch }
            }
        };
        let answer = ctx.ask(id, ask, item)?;
        Some(result(timestamp, answer))
    }

    /// About the memory that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.items) + size_of_val(&*self.topics)
    }

    /// Takes an answer; `true` when it was the last.
    pub(super) fn answered(&mut self, item: u32, answer: Answer) -> bool {
        let item = &mut self.items[item as usize];
        item.result = Some(result(item.timestamp, answer));
        self.waiting -= 1;
        self.waiting == 0
    }

    /// Writes the response.
    pub(super) fn respond(&self, responder: &mut Responder, correlation_id: i32) {
        let partitions: Vec<ListOffsetsPartitionResponse> =
            self.items.iter().map(partition_response).collect();
        let ends = self.topics.iter().skip(1).map(|(_, start)| *start);
        let topics: Vec<ListOffsetsTopicResponse<'_>> = self
            .topics
            .iter()
            .zip(ends.chain([self.items.len()]))
            .map(|((name, start), end)| ListOffsetsTopicResponse {
                name,
                partitions: Array::new(&partitions[*start..end]),
            })
            .collect();
        let response = ListOffsetsResponse { topics: Array::new(&topics), ..Default::default() };
        responder.respond(correlation_id, self.version, &response, []);
    }
}

fn result(timestamp: i64, answer: Answer) -> Result<Found, ErrorCode> {
    let failed = |error: AskError| ask_error_code(error);
    match answer {
        Answer::Bounds(bounds) => bounds.map(|bounds| special(timestamp, &bounds)).map_err(failed),
        Answer::Found(found) => found.map(|found| found.map_or(NONE, record)).map_err(failed),
        Answer::Read(Err(error)) => Err(failed(error)),
        other => unreachable!("an offset was answered by {other:?}"),
    }
}

fn special(timestamp: i64, bounds: &Bounds) -> Found {
    let (offset, epoch): (Offset, Option<LeaderEpoch>) = match timestamp {
        // Who knows the leader's epoch can tell a truncated log from a short one.
        LATEST => (bounds.high_watermark, Some(bounds.leader_epoch)),
        _ => (bounds.log_start, bounds.epochs.0),
    };
    let leader_epoch = epoch.map_or(-1, LeaderEpoch::get);
    Found { offset: offset.get(), timestamp: -1, leader_epoch }
}

fn record(found: FoundRecord) -> Found {
    Found {
        offset: found.offset.get(),
        timestamp: found.timestamp.get(),
        leader_epoch: found.leader_epoch.get(),
    }
}

fn partition_response(item: &Item) -> ListOffsetsPartitionResponse {
    let partition_index = item.partition;
    match item.result.as_ref().expect("every item was answered") {
        Ok(found) => ListOffsetsPartitionResponse {
            partition_index,
            error_code: 0,
            timestamp: found.timestamp,
            offset: found.offset,
            leader_epoch: found.leader_epoch,
        },
        Err(error) => ListOffsetsPartitionResponse {
            partition_index,
            error_code: error.code(),
            ..Default::default()
        },
    }
}

//! DeleteRecords: moves the log start offset of partitions forward.
//!
//! Behaviour: answered when the new log start is durable, so the timeout has no use; an offset below
//! the log start changes nothing; a topic that is compacted and not deleted from is refused with
//! POLICY_VIOLATION, an internal one with INVALID_TOPIC_EXCEPTION, as in Kafka.

use std::collections::BTreeSet;

use super::context::{Context, Frame, Handled, Responder};
use super::error::ask_error_code;
use super::operation::Kind;
use super::peer::{Answer, Ask};
use crate::protocol::messages::delete_records::{
    DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteRecordsTopicResult,
};
use crate::protocol::{Array, ErrorCode, Message as _};
use crate::types::Offset;

/// Stands for the high watermark.
const HIGH_WATERMARK: i64 = -1;
/// The log start of a partition of which nothing was deleted.
const NO_LOW_WATERMARK: i64 = -1;

/// A request under way.
#[derive(Debug)]
pub struct DeleteRecords {
    version: i16,
    /// Names, and where their items begin.
    topics: Vec<(String, usize)>,
    items: Vec<Item>,
    waiting: usize,
}

#[derive(Debug)]
struct Item {
    partition: i32,
    result: Option<Result<Offset, ErrorCode>>,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = DeleteRecordsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a DeleteRecords request that cannot be decoded");
    };
    let mut operation =
        DeleteRecords { version: frame.version, topics: Vec::new(), items: Vec::new(), waiting: 0 };
    let mut seen = BTreeSet::new();
    for topic in request.topics {
        operation.topics.push((topic.name.to_owned(), operation.items.len()));
        for wanted in topic.partitions {
            let (partition, item) = (wanted.partition_index, operation.items.len());
            let result = if seen.insert((topic.name, partition)) {
                delete(ctx, topic.name, partition, wanted.offset, item)
            } else {
                Some(Err(ErrorCode::InvalidRequest))
            };
            operation.waiting += usize::from(result.is_none());
            operation.items.push(Item { partition, result });
        }
    }
    if operation.waiting > 0 {
        return Handled::Pending(Kind::DeleteRecords(Box::new(operation)));
    }
    operation.respond(ctx.responder, frame.correlation_id);
    Handled::Responded
}

fn delete(
    ctx: &mut Context<'_>,
    topic: &str,
    partition: i32,
    offset: i64,
    item: usize,
) -> Option<Result<Offset, ErrorCode>> {
    let Some(id) = ctx.topics.partition(topic, partition) else {
        return Some(Err(ErrorCode::UnknownTopicOrPartition));
    };
    let entry = ctx.topics.by_name(topic).expect("it has partitions");
    if entry.is_internal() {
        return Some(Err(ErrorCode::InvalidTopicException));
    }
    let cleanup = &entry.settings.cleanup;
    if cleanup.compact && !cleanup.delete {
        return Some(Err(ErrorCode::PolicyViolation));
    }
    let offset = (offset != HIGH_WATERMARK).then(|| Offset::new(offset));
    ctx.ask(id, Ask::DeleteRecords { offset }, item).map(result)
}

fn result(answer: Answer) -> Result<Offset, ErrorCode> {
    match answer {
        Answer::Deleted(deleted) => deleted.map_err(ask_error_code),
        other => unreachable!("a deletion was answered by {other:?}"),
    }
}

impl DeleteRecords {
    /// About the memory that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.items) + size_of_val(&*self.topics)
    }

    /// Takes an answer; `true` when it was the last.
    pub(super) fn answered(&mut self, item: u32, answer: Answer) -> bool {
        self.items[item as usize].result = Some(result(answer));
        self.waiting -= 1;
        self.waiting == 0
    }

    /// Writes the response.
    pub(super) fn respond(&self, responder: &mut Responder, correlation_id: i32) {
        let partitions: Vec<DeleteRecordsPartitionResult> =
            self.items.iter().map(partition_result).collect();
        let ends = self.topics.iter().skip(1).map(|(_, start)| *start);
        let topics: Vec<DeleteRecordsTopicResult<'_>> = self
            .topics
            .iter()
            .zip(ends.chain([self.items.len()]))
            .map(|((name, start), end)| DeleteRecordsTopicResult {
                name,
                partitions: Array::new(&partitions[*start..end]),
            })
            .collect();
        let response = DeleteRecordsResponse { topics: Array::new(&topics), ..Default::default() };
        responder.respond(correlation_id, self.version, &response, []);
    }
}

fn partition_result(item: &Item) -> DeleteRecordsPartitionResult {
    let (low_watermark, error) = match item.result.as_ref().expect("every item was answered") {
        Ok(start) => (start.get(), ErrorCode::None),
        Err(error) => (NO_LOW_WATERMARK, *error),
    };
    DeleteRecordsPartitionResult {
        partition_index: item.partition,
        low_watermark,
        error_code: error.code(),
    }
}

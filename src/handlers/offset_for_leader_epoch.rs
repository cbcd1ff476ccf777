//! OffsetForLeaderEpoch: where a leader epoch ended, by which consumers notice that a log was
//! truncated under them (KIP-320).

use super::context::{Context, Frame, Handled, Responder};
use super::error::ask_error_code;
use super::operation::Kind;
use super::peer::{Answer, Ask};
use crate::protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderTopicResult,
};
use crate::protocol::{Array, ErrorCode, Message as _};
use crate::types::{LeaderEpoch, Offset, TopicPartition};

/// A request under way.
#[derive(Debug)]
pub struct OffsetForLeaderEpoch {
    version: i16,
    /// Names, and where their items begin.
    topics: Vec<(String, usize)>,
    items: Vec<Item>,
    waiting: usize,
}

type Found = Option<(LeaderEpoch, Offset)>;

#[derive(Debug)]
struct Item {
    partition: i32,
    result: Option<Result<Found, ErrorCode>>,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = OffsetForLeaderEpochRequest::decode(frame.body, frame.version) else {
        return Handled::Close("an OffsetForLeaderEpoch request that cannot be decoded");
    };
    let mut operation = OffsetForLeaderEpoch {
        version: frame.version,
        topics: Vec::new(),
        items: Vec::new(),
        waiting: 0,
    };
    for topic in request.topics {
        operation.topics.push((topic.topic.to_owned(), operation.items.len()));
        for wanted in topic.partitions {
            let item = operation.items.len();
            let id = ctx.topics.partition(topic.topic, wanted.partition);
            let result = match id {
                None => Some(Err(ErrorCode::UnknownTopicOrPartition)),
                Some(id) => ask(ctx, id, wanted.leader_epoch, wanted.current_leader_epoch, item),
            };
            operation.waiting += usize::from(result.is_none());
            operation.items.push(Item { partition: wanted.partition, result });
        }
    }
    if operation.waiting > 0 {
        return Handled::Pending(Kind::OffsetForLeaderEpoch(Box::new(operation)));
    }
    operation.respond(ctx.responder, frame.correlation_id);
    Handled::Responded
}

fn ask(
    ctx: &mut Context<'_>,
    id: TopicPartition,
    epoch: i32,
    current: i32,
    item: usize,
) -> Option<Result<Found, ErrorCode>> {
    let ask = Ask::EpochEnd {
        epoch: LeaderEpoch::new(epoch),
        current_leader_epoch: LeaderEpoch::new(current),
    };
    ctx.ask(id, ask, item).map(result)
}

fn result(answer: Answer) -> Result<Found, ErrorCode> {
    match answer {
        Answer::EpochEnd(found) => found.map_err(ask_error_code),
        other => unreachable!("an epoch was answered by {other:?}"),
    }
}

impl OffsetForLeaderEpoch {
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
        let partitions: Vec<EpochEndOffset> = self.items.iter().map(epoch_end_offset).collect();
        let ends = self.topics.iter().skip(1).map(|(_, start)| *start);
        let topics: Vec<OffsetForLeaderTopicResult<'_>> = self
            .topics
            .iter()
            .zip(ends.chain([self.items.len()]))
            .map(|((topic, start), end)| OffsetForLeaderTopicResult {
                topic,
                partitions: Array::new(&partitions[*start..end]),
            })
            .collect();
        let topics = Array::new(&topics);
        let response = OffsetForLeaderEpochResponse { topics, ..Default::default() };
        responder.respond(correlation_id, self.version, &response, []);
    }
}

fn epoch_end_offset(item: &Item) -> EpochEndOffset {
    let partition = item.partition;
    match item.result.as_ref().expect("every item was answered") {
        Ok(Some((epoch, offset))) => EpochEndOffset {
            error_code: 0,
            partition,
            leader_epoch: epoch.get(),
            end_offset: offset.get(),
        },
        Ok(None) => EpochEndOffset { partition, ..Default::default() },
        Err(error) => EpochEndOffset { partition, error_code: error.code(), ..Default::default() },
    }
}

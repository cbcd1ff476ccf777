//! DescribeProducers: the producers that a partition remembers (KIP-664).

use std::collections::{BTreeMap, BTreeSet};

use super::context::{Context, Frame, Handled, Responder};
use super::error::ask_error_code;
use super::operation::Kind;
use super::peer::{ActiveProducer, Answer, Ask};
use crate::protocol::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState,
    TopicResponse,
};
use crate::protocol::{Array, ErrorCode, Message as _};

/// An answer stops growing here: each partition may remember 65,536 producers.
const PRODUCERS_MAX: usize = 1 << 20;

type Found = Result<Vec<ActiveProducer>, (ErrorCode, &'static str)>;

/// A request under way.
#[derive(Debug)]
pub struct DescribeProducers {
    version: i16,
    /// Names, and where their items begin.
    topics: Vec<(String, usize)>,
    items: Vec<(i32, Option<Found>)>,
    producers: usize,
    waiting: usize,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = DescribeProducersRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a DescribeProducers request that cannot be decoded");
    };
    let mut wanted = BTreeMap::<&str, BTreeSet<i32>>::new();
    for topic in request.topics {
        wanted.entry(topic.name).or_default().extend(topic.partition_indexes.iter());
    }
    let mut operation = DescribeProducers {
        version: frame.version,
        topics: Vec::new(),
        items: Vec::new(),
        producers: 0,
        waiting: 0,
    };
    for (topic, partitions) in wanted {
        operation.topics.push((topic.to_owned(), operation.items.len()));
        for partition in partitions {
            let Some(id) = ctx.topics.partition(topic, partition) else {
                let unknown = (ErrorCode::UnknownTopicOrPartition, "there is no such partition");
                operation.items.push((partition, Some(Err(unknown))));
                continue;
            };
            let answer = ctx.ask(id, Ask::Producers, operation.items.len());
            operation.waiting += usize::from(answer.is_none());
            let found = answer.map(|answer| operation.take(answer));
            operation.items.push((partition, found));
        }
    }
    if operation.waiting > 0 {
        return Handled::Pending(Kind::DescribeProducers(Box::new(operation)));
    }
    operation.respond(ctx.responder, frame.correlation_id);
    Handled::Responded
}

impl DescribeProducers {
    /// About the memory that it takes, before its answers.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.items) + size_of_val(&*self.topics)
    }

    fn take(&mut self, answer: Answer) -> Found {
        let Answer::Producers(found) = answer else {
            unreachable!("producers were answered by {answer:?}")
        };
        let found = found.map_err(|error| (ask_error_code(error), "the partition is not here"))?;
        self.producers += found.len();
        if self.producers > PRODUCERS_MAX {
            return Err((ErrorCode::InvalidRequest, "ask for fewer partitions"));
        }
        Ok(found)
    }

    /// Takes an answer; `true` when it was the last.
    pub(super) fn answered(&mut self, item: u32, answer: Answer) -> bool {
        let found = self.take(answer);
        self.items[item as usize].1 = Some(found);
        self.waiting -= 1;
        self.waiting == 0
    }

    /// Writes the response.
    pub(super) fn respond(&self, responder: &mut Responder, correlation_id: i32) {
        let found = |item: &(i32, Option<Found>)| {
            let producers = item.1.as_ref().and_then(|found| found.as_ref().ok());
            producers.into_iter().flatten().map(producer_state).collect()
        };
        let producers: Vec<Vec<ProducerState>> = self.items.iter().map(found).collect();
        let partitions: Vec<PartitionResponse<'_>> =
            self.items.iter().zip(&producers).map(|(item, list)| partition(item, list)).collect();
        let ends = self.topics.iter().skip(1).map(|(_, start)| *start).chain([self.items.len()]);
        let topics: Vec<TopicResponse<'_>> = self
            .topics
            .iter()
            .zip(ends)
            .map(|((name, start), end)| TopicResponse {
                name,
                partitions: Array::new(&partitions[*start..end]),
            })
            .collect();
        let topics = Array::new(&topics);
        let response = DescribeProducersResponse { topics, ..Default::default() };
        responder.respond(correlation_id, self.version, &response, []);
    }
}

fn producer_state(producer: &ActiveProducer) -> ProducerState {
    ProducerState {
        producer_id: producer.id.get(),
        producer_epoch: i32::from(producer.epoch.get()),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp.get(),
        coordinator_epoch: -1,
        current_txn_start_offset: -1,
    }
}

fn partition<'a>(
    item: &(i32, Option<Found>),
    producers: &'a [ProducerState],
) -> PartitionResponse<'a> {
    let (partition_index, found) = item;
    let error = match found.as_ref().expect("every item was answered") {
        Ok(_) => None,
        Err(error) => Some(*error),
    };
    PartitionResponse {
        partition_index: *partition_index,
        error_code: error.map_or(0, |(code, _)| code.code()),
        error_message: error.map(|(_, reason)| reason),
        active_producers: Array::new(producers),
    }
}

//! DescribeLogDirs: the sizes of partitions on disk, and the space of the device.
//!
//! Behaviour: partitions that do not exist are left out; null topics are all. There is one directory,
//! and nothing ever moves into another.

use std::collections::{BTreeMap, BTreeSet};

use super::context::{Context, Frame, Handled};
use super::operation::Kind;
use super::peer::{Answer, Ask};
use crate::protocol::messages::describe_log_dirs::{
    DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic,
};
use crate::protocol::{Array, Message as _};

/// A request under way.
#[derive(Debug)]
pub struct DescribeLogDirs {
    version: i16,
    /// Names, and where their items begin.
    topics: Vec<(String, usize)>,
    /// Partitions with their sizes in bytes, once they are known; none for one that is gone.
    items: Vec<(i32, Option<u64>)>,
    waiting: usize,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = DescribeLogDirsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a DescribeLogDirs request that cannot be decoded");
    };
    let mut wanted = BTreeMap::<&str, BTreeSet<i32>>::new();
    let image = std::sync::Arc::clone(ctx.image);
    match request.topics {
        None => wanted.extend(image.topics().map(|topic| {
            let count = topic.partitions.len() as i32;
            (&*topic.name, (0..count).collect())
        })),
        Some(topics) => {
            for topic in topics {
                wanted.entry(topic.topic).or_default().extend(topic.partitions.iter());
            }
        }
    }
    let mut operation = DescribeLogDirs {
        version: frame.version,
        topics: Vec::new(),
        items: Vec::new(),
        waiting: 0,
    };
    for (topic, partitions) in wanted {
        operation.topics.push((topic.to_owned(), operation.items.len()));
        for partition in partitions {
            let Some(id) = ctx.topics.partition(topic, partition) else { continue };
            let answer = ctx.ask(id, Ask::Size, operation.items.len());
            operation.waiting += usize::from(answer.is_none());
            operation.items.push((partition, answer.and_then(size)));
        }
    }
    if operation.waiting > 0 {
        return Handled::Pending(Kind::DescribeLogDirs(Box::new(operation)));
    }
    operation.respond(ctx, frame.correlation_id);
    Handled::Responded
}

fn size(answer: Answer) -> Option<u64> {
    match answer {
        Answer::Size(size) => size.ok(),
        other => unreachable!("a size was answered by {other:?}"),
    }
}

impl DescribeLogDirs {
    /// About the memory that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.items) + size_of_val(&*self.topics)
    }

    /// Takes an answer; `true` when it was the last.
    pub(super) fn answered(&mut self, item: u32, answer: Answer) -> bool {
        self.items[item as usize].1 = size(answer);
        self.waiting -= 1;
        self.waiting == 0
    }

    /// Writes the response.
    pub(super) fn respond(&self, ctx: &mut Context<'_>, correlation_id: i32) {
        let ends = self.topics.iter().skip(1).map(|(_, start)| *start).chain([self.items.len()]);
        let partitions: Vec<Vec<DescribeLogDirsPartition>> = self
            .topics
            .iter()
            .zip(ends)
            .map(|((_, start), end)| {
                self.items[*start..end].iter().filter_map(partition_of).collect()
            })
            .collect();
        let topics: Vec<DescribeLogDirsTopic<'_>> = self
            .topics
            .iter()
            .zip(&partitions)
            .filter(|(_, partitions)| !partitions.is_empty())
            .map(|((name, _), partitions)| DescribeLogDirsTopic {
                name,
                partitions: Array::new(partitions),
            })
            .collect();
        let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let space = ctx.store.device_space();
        let directory = ctx.store.log_directory().0.to_string();
        let results = [DescribeLogDirsResult {
            log_dir: &directory,
            topics: Array::new(&topics),
            total_bytes: space.map_or(-1, |space| bytes(space.total_bytes)),
            usable_bytes: space.map_or(-1, |space| bytes(space.free_bytes)),
            ..Default::default()
        }];
        let results = Array::new(&results);
        let response = DescribeLogDirsResponse { results, ..Default::default() };
        ctx.responder.respond(correlation_id, self.version, &response, []);
    }
}

fn partition_of(item: &(i32, Option<u64>)) -> Option<DescribeLogDirsPartition> {
    let (partition_index, size) = *item;
    let partition_size = i64::try_from(size?).unwrap_or(i64::MAX);
    Some(DescribeLogDirsPartition { partition_index, partition_size, ..Default::default() })
}

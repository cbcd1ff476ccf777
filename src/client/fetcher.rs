//! Reads partitions of one topic, each from its leader, in the order of its offsets.

use core::time::Duration;
use std::collections::BTreeMap;

use super::connection::Pending;
use super::{ClientError, Cluster, OffsetAt, Patience, TopicInfo, offsets};
use crate::protocol::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData,
};
use crate::protocol::{ApiKey, Array, ErrorCode};
use crate::record::{Batch, Batches, BatchesEnd, Record};
use crate::types::{Offset, Uuid};

const RESPONSE_BYTES_MAX: i32 = 52 << 20;
const PARTITION_BYTES_MAX: i32 = 8 << 20;
/// A batch that decompresses to more is taken for an attack.
const DECOMPRESSED_BYTES_MAX: usize = 1 << 30;
const LAST_VERSION_WITH_NAMES: i16 = 12;

/// What is to be read of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The partition.
    pub partition: i32,
    /// The next offset.
    pub position: Offset,
    /// Where to stop; none to go on forever.
    pub end: Option<Offset>,
}

impl Span {
    fn is_done(&self) -> bool {
        self.end.is_some_and(|end| self.position >= end)
    }
}

/// Whether whoever takes the records wants more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// Yes.
    More,
    /// No.
    Enough,
}

/// How a poll ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// There may be more.
    Going,
    /// Everything asked for was read, or no more is wanted.
    Done,
}

/// Reads partitions of one topic.
#[derive(Debug)]
pub struct Fetcher {
    cluster: Cluster,
    topic: TopicInfo,
    spans: Vec<Span>,
    patience: Patience,
    warnings: Vec<String>,
}

impl Fetcher {
    /// Reads these parts, and gives up after `timeout` without an answer.
    pub fn new(cluster: Cluster, topic: TopicInfo, spans: Vec<Span>, timeout: Duration) -> Self {
        let (patience, warnings) = (Patience::new(timeout), Vec::new());
        Self { cluster, topic, spans, patience, warnings }
    }

    /// What should be told to whoever reads, such as records that are gone.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Fetches once from each leader, waiting at most `wait` when there is nothing new, and hands
    /// over the records.
    ///
    /// # Errors
    /// No leader answers in time, or the records are damaged.
    pub fn poll(
        &mut self,
        wait: Duration,
        mut take: impl FnMut(i32, &Record<'_>) -> Flow,
    ) -> Result<Progress, ClientError> {
        let mut by_leader: BTreeMap<i32, Vec<Span>> = BTreeMap::new();
        for span in self.spans.iter().filter(|span| !span.is_done()) {
            by_leader.entry(self.topic.leader(span.partition)).or_default().push(*span);
        }
        if by_leader.is_empty() {
            return Ok(Progress::Done);
        }
        // Whoever is first has the most room in the response: take turns.
        self.spans.rotate_left(1);
        let mut failure = None;
        let mut under_way = Vec::new();
        for (leader, spans) in by_leader {
            match self.send(leader, &spans, wait) {
                Ok(pending) => under_way.push((leader, pending)),
                Err(error) => failure = Some(self.failed(leader, error)),
            }
        }
        let mut flow = Flow::More;
        for (leader, pending) in under_way {
            match self.receive(leader, pending, &mut flow, &mut take) {
                Ok(()) => self.patience.progressed(),
                Err(error) => failure = Some(self.failed(leader, error)),
            }
        }
        if flow == Flow::Enough {
            return Ok(Progress::Done);
        }
        if let Some(error) = failure {
            self.patience.after(error)?;
            if let Ok(topic) = self.cluster.topic(&self.topic.name, false) {
                self.topic = topic;
            }
        }
        Ok(Progress::Going)
    }

    fn failed(&mut self, leader: i32, error: ClientError) -> ClientError {
        // Answers that nobody reads any more may be on the way.
        self.cluster.disconnect(leader);
        error
    }

    fn send(
        &mut self,
        leader: i32,
        spans: &[Span],
        wait: Duration,
    ) -> Result<Pending, ClientError> {
        let partitions: Vec<FetchPartition> = spans
            .iter()
            .map(|span| FetchPartition {
                partition: span.partition,
                fetch_offset: span.position.get(),
                partition_max_bytes: PARTITION_BYTES_MAX,
                ..Default::default()
            })
            .collect();
        let topics = [FetchTopic {
            topic: &self.topic.name,
            topic_id: self.topic.id,
            partitions: Array::new(&partitions),
        }];
        let request = FetchRequest {
            replica_id: -1,
            max_wait_ms: i32::try_from(wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: 1,
            max_bytes: RESPONSE_BYTES_MAX,
            session_epoch: -1,
            topics: Array::new(&topics),
            ..Default::default()
        };
        let by_id = self.topic.id != Uuid::ZERO;
        let version_max = if by_id { i16::MAX } else { LAST_VERSION_WITH_NAMES };
        let connection = self.cluster.node(leader)?;
        let version = connection.version(ApiKey::Fetch, version_max)?;
        connection.send(version, &request)
    }

    fn receive(
        &mut self,
        leader: i32,
        pending: Pending,
        flow: &mut Flow,
        take: &mut impl FnMut(i32, &Record<'_>) -> Flow,
    ) -> Result<(), ClientError> {
        let answer = self.cluster.node(leader)?.receive(pending)?;
        let response: FetchResponse<'_> = answer.decode()?;
        if response.error_code != 0 {
            let what = format!("fetching {}", self.topic.name);
            return Err(ClientError::refused(what, response.error_code, None));
        }
        let mut failure = None;
        for partition in response.responses.iter().flat_map(|topic| topic.partitions) {
            if *flow == Flow::Enough {
                break;
            }
            let index = partition.partition_index;
            match ErrorCode::from_code(partition.error_code) {
                Some(ErrorCode::None) => *flow = self.take_partition(&partition, take)?,
                Some(ErrorCode::OffsetOutOfRange) => self.skip_lost(index)?,
                _ => {
                    let what = format!("fetching {} partition {index}", self.topic.name);
                    failure = Some(ClientError::refused(what, partition.error_code, None));
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn take_partition(
        &mut self,
        data: &PartitionData<'_>,
        take: &mut impl FnMut(i32, &Record<'_>) -> Flow,
    ) -> Result<Flow, ClientError> {
        let index = data.partition_index;
        let name = &self.topic.name;
        let Some(span) = self.spans.iter_mut().find(|span| span.partition == index) else {
            return Ok(Flow::More);
        };
        let bytes = data.records.map_or(&[][..], |records| records.bytes());
        let mut batches = Batches::new(bytes);
        let mut scratch = Vec::new();
        for batch in &mut batches {
            if take_batch(name, &batch, span, &mut scratch, take)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        match batches.end() {
            Some(BatchesEnd::OldFormat(_)) => Err(ClientError::Invalid(format!(
                "{name} partition {index} has messages from before Kafka 0.11 at offset {}, \
                 which cannot be read",
                span.position
            ))),
            Some(BatchesEnd::Garbage(_)) => Err(damaged(name, index, span.position)),
            _ => Ok(Flow::More),
        }
    }

    /// The records at the position were deleted in the meantime, or never existed.
    fn skip_lost(&mut self, partition: i32) -> Result<(), ClientError> {
        let (cluster, topic) = (&mut self.cluster, &mut self.topic);
        let patience = || Patience::new(Duration::from_secs(30));
        let start = offsets(cluster, topic, &[partition], OffsetAt::Start, patience())?;
        let end = offsets(cluster, topic, &[partition], OffsetAt::End, patience())?;
        let (start, end) = (start[&partition], end[&partition]);
        let name = &self.topic.name;
        let Some(span) = self.spans.iter_mut().find(|span| span.partition == partition) else {
            return Ok(());
        };
        let from = span.position;
        if from < start {
            self.warnings.push(format!(
                "{name} partition {partition}: offsets {from} to {start} are deleted, going on \
                 behind them"
            ));
            span.position = start;
        } else if from > end {
            self.warnings.push(format!(
                "{name} partition {partition}: the log ends at {end}, before offset {from}: it was \
                 cut back; going on there"
            ));
            span.position = end;
            span.end = span.end.map(|limit| limit.min(end));
        }
        Ok(())
    }
}

fn take_batch(
    topic: &str,
    batch: &Batch<'_>,
    span: &mut Span,
    scratch: &mut Vec<u8>,
    take: &mut impl FnMut(i32, &Record<'_>) -> Flow,
) -> Result<Flow, ClientError> {
    let header = batch.header();
    let fault = || damaged(topic, span.partition, header.base_offset);
    if !batch.checksum_holds() {
        return Err(fault());
    }
    // Control records are of the brokers' own business.
    if !header.attributes.is_control() {
        for record in batch.records(DECOMPRESSED_BYTES_MAX, scratch).map_err(|_| fault())? {
            let record = record.map_err(|_| fault())?;
            let behind = span.end.is_some_and(|end| record.offset >= end);
            if record.offset < span.position || behind {
                continue;
            }
            if take(span.partition, &record) == Flow::Enough {
                span.position = record.offset.plus(1);
                return Ok(Flow::Enough);
            }
        }
    }
    span.position = span.position.max(header.next_offset());
    Ok(Flow::More)
}

fn damaged(topic: &str, partition: i32, offset: Offset) -> ClientError {
    ClientError::Invalid(format!(
        "{topic} partition {partition}: the batch at offset {offset} is damaged"
    ))
}

//! Produces to one topic. With `acks=all` it is idempotent (KIP-98): a batch keeps its sequence
//! numbers when it is sent again, so that the broker stores it once.
//!
//! At most one batch of a partition is under way. That keeps the order through every failure
//! without further rules, and batches are large enough for it not to cost much.

use core::time::Duration;
use std::collections::BTreeMap;

use super::connection::Pending;
use super::{ClientError, Cluster, Partitioner, Patience, TopicInfo};
use crate::protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceData,
};
use crate::protocol::{ApiKey, Array, ErrorCode, Records};
use crate::record::{
    Batch, BatchBuilder, BatchOptions, BuildError, Compression, Header, NewRecord,
    Producer as BatchProducer,
};
use crate::types::{ProducerEpoch, ProducerId, Timestamp, Uuid};

/// What all partitions together may hold before they are sent.
const BUFFERED_BYTES_MAX: usize = 32 << 20;
/// How long a broker may wait for the replicas.
const REPLICATION_TIMEOUT: Duration = Duration::from_secs(30);
/// The last version that names topics instead of giving their ids.
const LAST_VERSION_WITH_NAMES: i16 = 12;

/// When a broker acknowledges a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acks {
    /// Never: what is lost stays unnoticed.
    None,
    /// When the leader has it. Sent again after a failure it may be there twice.
    Leader,
    /// When all in-sync replicas have it.
    All,
}

impl Acks {
    fn wire(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// How to produce.
#[derive(Clone, Copy, Debug)]
pub struct ProducerOptions {
    /// When batches are acknowledged.
    pub acks: Acks,
    /// How batches are compressed.
    pub compression: Compression,
    /// Gives up after this long without success.
    pub timeout: Duration,
    /// A batch is sent when it has this many bytes before compression.
    pub batch_bytes: usize,
    /// Sends all records there, whatever their keys.
    pub partition: Option<i32>,
    /// For choosing partitions of records without a key.
    pub seed: u64,
}

/// A record to be produced.
#[derive(Clone, Copy, Debug)]
pub struct OutgoingRecord<'a> {
    /// The key, `None` for null.
    pub key: Option<&'a [u8]>,
    /// The value, `None` for null.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: &'a [Header<'a>],
    /// When it happened.
    pub timestamp: Timestamp,
}

/// What was acknowledged, or with [`Acks::None`] sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sent {
    /// Records.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// A partition's part of the producer.
#[derive(Debug)]
struct Lane {
    partition: i32,
    builder: Option<BatchBuilder>,
    payload_bytes: u64,
    next_sequence: i32,
}

/// A batch that waits for its acknowledgement.
#[derive(Debug)]
struct Sealed {
    partition: i32,
    bytes: Vec<u8>,
    records: u32,
    payload_bytes: u64,
}

/// Produces to one topic.
#[derive(Debug)]
pub struct Producer {
    cluster: Cluster,
    topic: TopicInfo,
    options: ProducerOptions,
    identity: Option<(ProducerId, ProducerEpoch)>,
    partitioner: Partitioner,
    lanes: Vec<Lane>,
    buffered_bytes: usize,
    sent: Sent,
}

impl Producer {
    /// Looks the topic up, or has it created where brokers do that, and obtains a producer id.
    ///
    /// # Errors
    /// The topic or the partition does not exist, or no broker answers in time.
    pub fn new(
        mut cluster: Cluster,
        topic: &str,
        options: ProducerOptions,
    ) -> Result<Self, ClientError> {
        cluster.limit_response_timeout(options.timeout);
        let topic = cluster.await_topic(topic, true, Patience::new(options.timeout))?;
        let count = topic.partitions.len();
        if let Some(partition) = options.partition
            && topic.partitions.iter().all(|info| info.index != partition)
        {
            let name = &topic.name;
            let reason = format!("{name} has no partition {partition}, only 0 to {}", count - 1);
            return Err(ClientError::Invalid(reason));
        }
        let identity = match options.acks {
            Acks::All => Some(obtain_identity(&mut cluster, options.timeout)?),
            Acks::None | Acks::Leader => None,
        };
        let indexes = topic.partitions.iter().map(|info| info.index);
        let lanes = indexes
            .map(|partition| Lane { partition, builder: None, payload_bytes: 0, next_sequence: 0 })
            .collect();
        let partitioner = Partitioner::new(count, options.seed);
        let (buffered_bytes, sent) = (0, Sent::default());
        Ok(Self { cluster, topic, options, identity, partitioner, lanes, buffered_bytes, sent })
    }

    /// What was acknowledged so far.
    pub fn sent(&self) -> Sent {
        self.sent
    }

    /// Takes a record, and sends when enough has come together.
    ///
    /// # Errors
    /// The record is too large, or sending fails for good.
    pub fn append(&mut self, record: &OutgoingRecord<'_>) -> Result<(), ClientError> {
        let place = match self.options.partition {
            Some(partition) => self.lanes.iter().position(|lane| lane.partition == partition),
            None => Some(self.partitioner.place(record.key)),
        };
        let lane = &mut self.lanes[place.expect("looked up at the start")];
        let options = &self.options;
        let identity = self.identity;
        let builder = lane.builder.get_or_insert_with(|| {
            BatchBuilder::new(BatchOptions {
                producer: sequenced(identity, lane.next_sequence),
                compression: options.compression,
                ..BatchOptions::default()
            })
        });
        let before = builder.total_bytes();
        builder
            .append(&NewRecord {
                timestamp: record.timestamp,
                key: record.key,
                value: record.value,
                headers: record.headers,
            })
            .map_err(too_large)?;
        let after = builder.total_bytes();
        lane.payload_bytes +=
            (record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len)) as u64;
        self.buffered_bytes += after - before;
        if after >= self.options.batch_bytes || self.buffered_bytes >= BUFFERED_BYTES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    /// Sends what was taken and waits for the acknowledgements.
    ///
    /// # Errors
    /// Sending fails for good, or no broker takes it in time.
    pub fn flush(&mut self) -> Result<(), ClientError> {
        let mut waiting = self.seal()?;
        let mut patience = Patience::new(self.options.timeout);
        while !waiting.is_empty() {
            let before = self.sent;
            let failure = self.round(&mut waiting);
            if self.sent != before {
                patience.progressed();
            }
            if let Some(error) = failure {
                patience.after(error)?;
                // When it fails, the next round will and says why.
                if let Ok(topic) = self.cluster.topic(&self.topic.name, false) {
                    self.topic = topic;
                }
            }
        }
        Ok(())
    }

    /// Sends the rest. Without acknowledgements waits at least until the brokers have read it all.
    ///
    /// # Errors
    /// As for [`Producer::flush`].
    pub fn finish(mut self) -> Result<Sent, ClientError> {
        self.flush()?;
        if self.options.acks == Acks::None {
            let mut leaders: Vec<i32> =
                self.topic.partitions.iter().map(|info| info.leader).collect();
            leaders.sort_unstable();
            leaders.dedup();
            for leader in leaders {
                self.cluster.node(leader)?.await_all()?;
            }
        }
        Ok(self.sent)
    }

    fn seal(&mut self) -> Result<Vec<Sealed>, ClientError> {
        let mut sealed = Vec::new();
        for lane in &mut self.lanes {
            let Some(builder) = lane.builder.take() else { continue };
            let mut bytes = Vec::new();
            let header = builder.finish(&mut bytes).map_err(too_large)?;
            lane.next_sequence = advance(lane.next_sequence, header.record_count);
            sealed.push(Sealed {
                partition: lane.partition,
                bytes,
                records: header.record_count.unsigned_abs(),
                payload_bytes: std::mem::take(&mut lane.payload_bytes),
            });
        }
        self.buffered_bytes = 0;
        self.partitioner.batch_ended();
        Ok(sealed)
    }

    /// Sends every batch that waits, one per partition, and takes the answers. What failed waits
    /// again, and a failure is returned: a final one rather than one that may pass.
    fn round(&mut self, waiting: &mut Vec<Sealed>) -> Option<ClientError> {
        let mut by_leader: BTreeMap<i32, Vec<Sealed>> = BTreeMap::new();
        let mut later: Vec<Sealed> = Vec::new();
        for batch in std::mem::take(waiting) {
            let batches = by_leader.entry(self.topic.leader(batch.partition)).or_default();
            // Two of one partition are the halves of one that was too large.
            if batches.iter().any(|other| other.partition == batch.partition) {
                later.push(batch);
            } else {
                batches.push(batch);
            }
        }
        let mut failures = Vec::new();
        let mut under_way = Vec::new();
        for (leader, batches) in by_leader {
            match self.send(leader, &batches) {
                Ok(pending) => under_way.push((leader, pending, batches)),
                Err(error) => {
                    self.cluster.disconnect(leader);
                    failures.push(error);
                    waiting.extend(batches);
                }
            }
        }
        for (leader, pending, batches) in under_way {
            match self.receive(leader, pending, batches, waiting, &mut failures) {
                Ok(()) => {}
                Err((error, batches)) => {
                    self.cluster.disconnect(leader);
                    failures.push(error);
                    waiting.extend(batches);
                }
            }
        }
        waiting.extend(later);
        let fatal = failures.iter().position(|error| !error.is_retriable());
        (!failures.is_empty()).then(|| failures.swap_remove(fatal.unwrap_or(0)))
    }

    fn send(&mut self, leader: i32, batches: &[Sealed]) -> Result<Option<Pending>, ClientError> {
        let partitions: Vec<PartitionProduceData<'_>> = batches
            .iter()
            .map(|batch| PartitionProduceData {
                index: batch.partition,
                records: Some(Records::Bytes(&batch.bytes)),
            })
            .collect();
        let topics = [TopicProduceData {
            name: &self.topic.name,
            topic_id: self.topic.id,
            partition_data: Array::new(&partitions),
        }];
        let wait = REPLICATION_TIMEOUT.min(self.options.timeout).as_millis();
        let request = ProduceRequest {
            acks: self.options.acks.wire(),
            timeout_ms: i32::try_from(wait).unwrap_or(i32::MAX),
            topic_data: Array::new(&topics),
            ..Default::default()
        };
        let by_id = self.topic.id != Uuid::ZERO;
        let version_max = if by_id { i16::MAX } else { LAST_VERSION_WITH_NAMES };
        let connection = self.cluster.node(leader)?;
        let version = connection.version(ApiKey::Produce, version_max)?;
        let pending = connection.send(version, &request)?;
        Ok((self.options.acks != Acks::None).then_some(pending))
    }

    /// Takes the answer to one request; gives the batches back when there is none.
    fn receive(
        &mut self,
        leader: i32,
        pending: Option<Pending>,
        batches: Vec<Sealed>,
        waiting: &mut Vec<Sealed>,
        failures: &mut Vec<ClientError>,
    ) -> Result<(), (ClientError, Vec<Sealed>)> {
        let Some(pending) = pending else {
            for batch in batches {
                self.count(&batch);
            }
            return Ok(());
        };
        let answer = match self.cluster.node(leader).and_then(|node| node.receive(pending)) {
            Ok(answer) => answer,
            Err(error) => return Err((error, batches)),
        };
        let response: ProduceResponse<'_> = match answer.decode() {
            Ok(response) => response,
            Err(error) => return Err((error, batches)),
        };
        for batch in batches {
            let topics = response.responses.iter();
            let found = topics
                .flat_map(|topic| topic.partition_responses)
                .find(|partition| partition.index == batch.partition);
            let Some(partition) = found else {
                let what = format!("no answer for partition {}", batch.partition);
                failures.push(ClientError::Invalid(what));
                continue;
            };
            if let Some(error) = self.answered(batch, &partition, waiting) {
                failures.push(error);
            }
        }
        Ok(())
    }

    fn answered(
        &mut self,
        batch: Sealed,
        answer: &PartitionProduceResponse<'_>,
        waiting: &mut Vec<Sealed>,
    ) -> Option<ClientError> {
        match ErrorCode::from_code(answer.error_code) {
            // It was there already: the acknowledgement had been lost.
            Some(ErrorCode::None | ErrorCode::DuplicateSequenceNumber) => {
                self.count(&batch);
                None
            }
            Some(ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge)
                if batch.records > 1 =>
            {
                match split(&batch, self.options.compression) {
                    Some(halves) => waiting.extend(halves),
                    None => return Some(ClientError::Invalid("a batch cannot be split".into())),
                }
                None
            }
            _ => {
                let what = format!("{} partition {}", self.topic.name, batch.partition);
                let error = ClientError::refused(what, answer.error_code, answer.error_message);
                waiting.push(batch);
                Some(error)
            }
        }
    }

    fn count(&mut self, batch: &Sealed) {
        self.sent.records += u64::from(batch.records);
        self.sent.bytes += batch.payload_bytes;
    }
}

fn too_large(_: BuildError) -> ClientError {
    ClientError::Invalid("a record has more bytes than a batch can hold, 2 GiB".to_owned())
}

fn sequenced(identity: Option<(ProducerId, ProducerEpoch)>, base_sequence: i32) -> BatchProducer {
    match identity {
        Some((id, epoch)) => BatchProducer { id, epoch, base_sequence },
        None => BatchProducer::NONE,
    }
}

/// Sequences start over from zero behind the largest number.
fn advance(sequence: i32, count: i32) -> i32 {
    sequence.wrapping_add(count) & i32::MAX
}

/// Two batches with half the records each, and sequences that go on.
fn split(batch: &Sealed, compression: Compression) -> Option<[Sealed; 2]> {
    let whole = Batch::first(&batch.bytes).ok()?;
    let mut scratch = Vec::new();
    let records = whole.records(i32::MAX as usize, &mut scratch).ok()?;
    let header = *whole.header();
    let half = header.record_count / 2;
    let options = BatchOptions { compression, ..BatchOptions::like(&header) };
    let second = BatchProducer {
        base_sequence: match options.producer.base_sequence {
            -1 => -1,
            base => advance(base, half),
        },
        ..options.producer
    };
    let mut builders = [
        (BatchBuilder::new(options), 0),
        (BatchBuilder::new(BatchOptions { producer: second, ..options }), 0),
    ];
    for (at, record) in (0..).zip(records) {
        let record = record.ok()?;
        let headers: Vec<Header<'_>> = record.headers.iter().collect();
        let (key, value) = (record.key, record.value);
        let (builder, payload_bytes) = &mut builders[usize::from(at >= half)];
        let new = NewRecord { timestamp: record.timestamp, key, value, headers: &headers };
        builder.append(&new).ok()?;
        *payload_bytes += (key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)) as u64;
    }
    let [first, second] = builders.map(|(builder, payload_bytes)| {
        let mut bytes = Vec::new();
        let records = builder.finish(&mut bytes).ok()?.record_count.unsigned_abs();
        Some(Sealed { partition: batch.partition, bytes, records, payload_bytes })
    });
    Some([first?, second?])
}

fn obtain_identity(
    cluster: &mut Cluster,
    timeout: Duration,
) -> Result<(ProducerId, ProducerEpoch), ClientError> {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: i32::MAX,
        producer_id: -1,
        producer_epoch: -1,
    };
    let mut patience = Patience::new(timeout);
    loop {
        let answered = cluster.ask_any(&request).and_then(|answer| {
            let response: InitProducerIdResponse = answer.decode()?;
            if response.error_code != 0 {
                let what = "no producer id was given";
                return Err(ClientError::refused(what, response.error_code, None));
            }
            let epoch = ProducerEpoch::new(response.producer_epoch);
            Ok((ProducerId::new(response.producer_id), epoch))
        });
        match answered {
            Ok(identity) => return Ok(identity),
            Err(error) => patience.after(error)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Codec;

    #[test]
    fn a_split_batch_keeps_its_records_and_sequences() {
        let compression = Compression::new(Codec::Lz4);
        let producer = sequenced(Some((ProducerId::new(7), ProducerEpoch::new(0))), i32::MAX - 1);
        let options = BatchOptions { producer, compression, ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        for value in [&b"a"[..], b"bb", b"ccc", b"dddd", b"eeeee"] {
            let timestamp = Timestamp::new(5);
            let record = NewRecord { timestamp, key: None, value: Some(value), headers: &[] };
            builder.append(&record).unwrap();
        }
        let mut bytes = Vec::new();
        builder.finish(&mut bytes).unwrap();
        let batch = Sealed { partition: 3, bytes, records: 5, payload_bytes: 15 };
        let halves = split(&batch, compression).unwrap();
        let seen: Vec<_> = halves
            .iter()
            .map(|half| {
                let sequence = Batch::first(&half.bytes).unwrap().header().base_sequence;
                (half.records, half.payload_bytes, sequence)
            })
            .collect();
        assert_eq!(seen, [(2, 3, i32::MAX - 1), (3, 12, 0)]);
    }
}

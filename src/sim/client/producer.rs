//! A producer: up to five requests under way, idempotent or not, retries in order.

use std::collections::{BTreeMap, VecDeque};

use super::{FLEETING, Stream, TOPICS, View, Wants, body};
use crate::protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse,
};
use crate::protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use crate::protocol::{ApiKey, Array, ErrorCode, Message as _, Records};
use crate::record::{BatchBuilder, BatchOptions, Codec, Compression, Header, NewRecord};
use crate::sim::model::{IDENTITY_HEADER, Identity, Key};
use crate::types::{ProducerEpoch, ProducerId, Uuid};

const IN_FLIGHT_MAX: usize = 5;
/// Produce requests name topics by their ids from this version on.
const TOPIC_IDS_FROM: i16 = 13;
const METADATA_VERSION: i16 = 12;
const INIT_VERSION: i16 = 4;

/// A batch that has a sequence and is not acknowledged.
#[derive(Clone, Debug)]
struct Batch {
    key: Key,
    topic: String,
    bytes: Vec<u8>,
    identities: Vec<Identity>,
}

#[derive(Debug)]
enum Asked {
    Metadata,
    ProducerId,
    Batch(Batch),
}

#[derive(Debug)]
pub(in crate::sim) struct Producer {
    client: u32,
    idempotent: bool,
    version: i16,
    stream: Option<Stream>,
    producer_id: Option<i64>,
    topics: BTreeMap<String, (Uuid, i32)>,
    /// In the order of the responses to come.
    asked: VecDeque<(i32, Asked)>,
    /// To be sent again, in order, before anything else.
    again: VecDeque<Batch>,
    /// The next sequence and number of each partition.
    next: BTreeMap<Key, (i32, u64)>,
    refresh: bool,
    compression: Compression,
    /// No batch may be larger.
    segment_bytes: u64,
}

impl Producer {
    pub(in crate::sim) fn new(
        client: u32,
        idempotent: bool,
        segment_bytes: u64,
        view: &mut View<'_>,
    ) -> Self {
        if idempotent {
            view.model.idempotent.insert(client);
        }
        let codecs = [Codec::None, Codec::None, Codec::None, Codec::Lz4, Codec::Snappy];
        let codec = codecs[view.prng.below(codecs.len() as u64) as usize];
        Self {
            client,
            idempotent,
            version: 3 + view.prng.below(11) as i16,
            stream: None,
            producer_id: None,
            topics: BTreeMap::new(),
            asked: VecDeque::new(),
            again: VecDeque::new(),
            next: BTreeMap::new(),
            refresh: true,
            compression: Compression::new(codec),
            segment_bytes,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.again.is_empty()
            && !self.asked.iter().any(|(_, asked)| matches!(asked, Asked::Batch(_)))
    }

    pub(super) fn connected(&mut self, view: &mut View<'_>) -> Wants {
        self.stream = Some(Stream::new(view.now));
        self.refresh = true;
        self.work(view)
    }

    /// What was under way may have arrived or not. Only with idempotence it can be sent again
    /// without harm.
    pub(super) fn disconnected(&mut self, _view: &mut View<'_>) {
        self.stream = None;
        let asked = std::mem::take(&mut self.asked);
        let mut batches: VecDeque<Batch> = asked
            .into_iter()
            .filter_map(|(_, asked)| match asked {
                Asked::Batch(batch) if self.idempotent => Some(batch),
                _ => None,
            })
            .collect();
        batches.append(&mut self.again);
        self.again = batches;
        self.keep_order();
    }

    /// Batches of one partition go out in the order of their sequences.
    fn keep_order(&mut self) {
        self.again.make_contiguous().sort_by_key(|batch| (batch.key, batch.identities[0].number));
    }

    pub(super) fn woken(&mut self, view: &mut View<'_>) -> Wants {
        self.work(view)
    }

    pub(super) fn received(&mut self, view: &mut View<'_>, bytes: &[u8]) -> Wants {
        let Some(stream) = &mut self.stream else { return Wants::default() };
        stream.receive(view.now, bytes);
        while let Some(frame) = self.stream.as_mut().and_then(Stream::frame) {
            if let Err(violation) = self.response(view, &frame) {
                view.model.violated(violation);
                return Wants::default();
            }
        }
        self.work(view)
    }

    fn response(&mut self, view: &mut View<'_>, frame: &[u8]) -> Result<(), String> {
        let (correlation, asked) = self.asked.pop_front().ok_or("a response to no request")?;
        match asked {
            Asked::Metadata => {
                let body = body(frame, ApiKey::Metadata, METADATA_VERSION, correlation)?;
                let response = MetadataResponse::decode(body, METADATA_VERSION);
                let response = response.map_err(|error| format!("Metadata: {error}"))?;
                self.topics.clear();
                for topic in response.topics {
                    if let (0, Some(name)) = (topic.error_code, topic.name) {
                        let entry = (topic.topic_id, topic.partitions.len() as i32);
                        self.topics.insert(name.to_owned(), entry);
                    }
                }
                self.refresh = self.topics.is_empty();
            }
            Asked::ProducerId => {
                let body = body(frame, ApiKey::InitProducerId, INIT_VERSION, correlation)?;
                let response = InitProducerIdResponse::decode(body, INIT_VERSION);
                let response = response.map_err(|error| format!("InitProducerId: {error}"))?;
                if response.error_code == 0 {
                    self.producer_id = Some(response.producer_id);
                }
            }
            Asked::Batch(batch) => {
                let body = body(frame, ApiKey::Produce, self.version, correlation)?;
                let response = ProduceResponse::decode(body, self.version);
                let response = response.map_err(|error| format!("Produce: {error}"))?;
                let topic = response.responses.iter().next().ok_or("no topic in a response")?;
                let partition =
                    topic.partition_responses.iter().next().ok_or("no partition in a response")?;
                self.answered(view, batch, partition.error_code, partition.base_offset)?;
            }
        }
        Ok(())
    }

    fn answered(
        &mut self,
        view: &mut View<'_>,
        batch: Batch,
        error: i16,
        base_offset: i64,
    ) -> Result<(), String> {
        if error == 0 {
            view.model.acknowledge(batch.key, base_offset, &batch.identities);
            self.again
                .retain(|copy| (copy.key, &copy.identities) != (batch.key, &batch.identities));
            return Ok(());
        }
        let code = ErrorCode::from_code(error);
        let gone = [ErrorCode::UnknownTopicOrPartition, ErrorCode::UnknownTopicId];
        if code.is_some_and(|code| gone.contains(&code)) {
            // The topic is deleted; a new one of its name is another.
            self.refresh = true;
            self.again.retain(|waiting| waiting.key.0 != batch.key.0);
            self.next.retain(|key, _| key.0 != batch.key.0);
            return Ok(());
        }
        let earlier_failed = self.again.iter().any(|waiting| waiting.key == batch.key);
        let follows = code == Some(ErrorCode::OutOfOrderSequenceNumber) && earlier_failed;
        if !follows && !code.is_some_and(ErrorCode::is_retriable) {
            let numbers = (batch.identities[0], batch.key);
            return Err(format!("a producer got {code:?} ({error}) for {numbers:?}"));
        }
        if self.idempotent {
            self.again.push_back(batch);
            self.keep_order();
        }
        Ok(())
    }

    fn work(&mut self, view: &mut View<'_>) -> Wants {
        let mut wants = Wants::default();
        let Some(stream) = &mut self.stream else { return wants };
        if !self.asked.is_empty() && stream.is_silent(view.now) {
            wants.disconnect = true;
            return wants;
        }
        if self.asked.is_empty() && self.refresh {
            let topics: Vec<MetadataRequestTopic<'_>> = TOPICS
                .iter()
                .map(|name| MetadataRequestTopic { name: Some(name), topic_id: Uuid::ZERO })
                .collect();
            let request = MetadataRequest {
                topics: Some(Array::new(&topics)),
                allow_auto_topic_creation: true,
                ..Default::default()
            };
            let correlation = stream.send(&mut wants, METADATA_VERSION, &request);
            self.asked.push_back((correlation, Asked::Metadata));
        } else if self.asked.is_empty() && self.idempotent && self.producer_id.is_none() {
            let request = InitProducerIdRequest {
                transaction_timeout_ms: i32::MAX,
                producer_id: -1,
                producer_epoch: -1,
                ..Default::default()
            };
            let correlation = stream.send(&mut wants, INIT_VERSION, &request);
            self.asked.push_back((correlation, Asked::ProducerId));
        } else {
            self.produce(view, &mut wants);
        }
        wants.wake_after = Some(1_000_000 + view.prng.below(5_000_000));
        wants
    }

    fn produce(&mut self, view: &mut View<'_>, wants: &mut Wants) {
        let preparing = self.asked.iter().any(|(_, asked)| !matches!(asked, Asked::Batch(_)));
        if preparing || self.refresh || (self.idempotent && self.producer_id.is_none()) {
            return;
        }
        while self.asked.len() < IN_FLIGHT_MAX {
            let batch = match self.again.front() {
                // Failed batches go again when nothing else is under way, so that order is kept.
                Some(_) if !self.asked.is_empty() && !self.resending() => return,
                Some(_) => self.again.pop_front(),
                None if view.winding_down || view.prng.percent(20) => None,
                None => self.new_batch(view),
            };
            let Some(batch) = batch else { return };
            // As after a retry that overtakes an answer: the copy arrives while the original's commit
            // is on its way, or after it.
            if self.idempotent && view.prng.percent(2) && self.asked.len() + 1 < IN_FLIGHT_MAX {
                self.send(wants, batch.clone());
            }
            self.send(wants, batch);
        }
    }

    /// What is under way was all sent again: more of it may follow.
    fn resending(&self) -> bool {
        let Some(next) = self.again.front() else { return false };
        self.asked.iter().all(|(_, asked)| match asked {
            Asked::Batch(batch) => {
                batch.key != next.key || batch.identities[0].number < next.identities[0].number
            }
            _ => false,
        })
    }

    fn new_batch(&mut self, view: &mut View<'_>) -> Option<Batch> {
        // By name a topic may be another incarnation by the time a batch arrives: what its answer
        // means could not be told.
        let by_id = self.version >= TOPIC_IDS_FROM;
        let known = |name: &&String| by_id || name.as_str() != FLEETING;
        let names: Vec<&String> = self.topics.keys().filter(known).collect();
        let topic = *names.get(view.prng.below(names.len().max(1) as u64) as usize)?;
        let (id, partitions) = &self.topics[topic];
        let partition = view.prng.below(*partitions as u64) as i32;
        let key = (*id, partition);
        let (sequence, number) = self.next.entry(key).or_default();
        let count = 1 + view.prng.below(4);
        let producer = match self.producer_id {
            Some(id) if self.idempotent => crate::record::Producer {
                id: ProducerId::new(id),
                epoch: ProducerEpoch::new(0),
                base_sequence: *sequence,
            },
            _ => crate::record::Producer::NONE,
        };
        let compression = self.compression;
        let mut builder =
            BatchBuilder::new(BatchOptions { producer, compression, ..BatchOptions::default() });
        let most = if view.prng.percent(5) { 20_000 } else { 600 };
        let most = most.min(self.segment_bytes / (2 * count));
        let mut identities = Vec::new();
        for _ in 0..count {
            let identity = Identity { client: self.client, number: *number };
            let mut value = identity.encode().to_vec();
            value.resize(12 + view.prng.below(most) as usize, *number as u8);
            let timestamp = view.timestamp;
            let (key, header) = (identity.key(), identity.encode());
            let headers = [Header { key: IDENTITY_HEADER, value: Some(&header) }];
            let record = match view.model.cleanup.compacts() {
                false => NewRecord { timestamp, key: None, value: Some(&value), headers: &[] },
                true => NewRecord {
                    timestamp,
                    key: Some(&key),
                    value: (!identity.is_tombstone()).then_some(&value),
                    headers: &headers,
                },
            };
            builder.append(&record).expect("a small record");
            identities.push(identity);
            *number += 1;
        }
        *sequence += count as i32;
        let mut bytes = Vec::new();
        builder.finish(&mut bytes).expect("a small batch");
        Some(Batch { key, topic: topic.clone(), bytes, identities })
    }

    fn send(&mut self, wants: &mut Wants, batch: Batch) {
        let partitions = [PartitionProduceData {
            index: batch.key.1,
            records: Some(Records::Bytes(&batch.bytes)),
        }];
        let topics = [TopicProduceData {
            name: &batch.topic,
            topic_id: batch.key.0,
            partition_data: Array::new(&partitions),
        }];
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 30_000,
            topic_data: Array::new(&topics),
            ..Default::default()
        };
        let stream = self.stream.as_mut().expect("connected");
        let correlation = stream.send(wants, self.version, &request);
        self.asked.push_back((correlation, Asked::Batch(batch)));
    }
}

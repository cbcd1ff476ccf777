//! A consumer: reads every partition from its start, again and again, and knows what it was shown.

use std::collections::BTreeMap;

use super::{FLEETING, Stream, TOPICS, View, Wants, body};
use crate::protocol::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData,
};
use crate::protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse,
};
use crate::protocol::{ApiKey, Array, ErrorCode, Message as _};
use crate::record::Batches;
use crate::sim::model::{Key, identity_of};
use crate::types::Uuid;

const METADATA_VERSION: i16 = 12;
const TOPIC_IDS_FROM: i16 = 13;
const SECTION_BYTES_MAX: usize = 1 << 20;

#[derive(Debug)]
enum Asked {
    Metadata,
    Fetch,
}

#[derive(Debug)]
pub(in crate::sim) struct Consumer {
    version: i16,
    stream: Option<Stream>,
    asked: Option<(i32, Asked)>,
    topics: BTreeMap<String, (Uuid, i32)>,
    positions: BTreeMap<Key, i64>,
    session: (i32, i32),
    bytes_max: i32,
    /// Since this, everything was at its end.
    refresh: bool,
}

impl Consumer {
    pub(in crate::sim) fn new(view: &mut View<'_>) -> Self {
        Self {
            version: 4 + view.prng.below(15) as i16,
            stream: None,
            asked: None,
            topics: BTreeMap::new(),
            positions: BTreeMap::new(),
            session: (0, 0),
            bytes_max: 1000 + view.prng.below(60_000) as i32,
            refresh: true,
        }
    }

    pub(super) fn connected(&mut self, view: &mut View<'_>) -> Wants {
        self.stream = Some(Stream::new(view.now));
        self.asked = None;
        self.refresh = true;
        self.work(view)
    }

    pub(super) fn disconnected(&mut self) {
        self.stream = None;
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
        let (correlation, asked) = self.asked.take().ok_or("a response to no request")?;
        match asked {
            Asked::Metadata => {
                let body = body(frame, ApiKey::Metadata, METADATA_VERSION, correlation)?;
                let response = MetadataResponse::decode(body, METADATA_VERSION);
                let response = response.map_err(|error| format!("Metadata: {error}"))?;
                self.topics.clear();
                // By name a topic may be another incarnation by the time a fetch arrives.
                let by_id = self.version >= TOPIC_IDS_FROM;
                for topic in response.topics {
                    let known = topic.name.filter(|name| by_id || *name != FLEETING);
                    if let (0, Some(name)) = (topic.error_code, known) {
                        let entry = (topic.topic_id, topic.partitions.len() as i32);
                        self.topics.insert(name.to_owned(), entry);
                    }
                }
                self.session = (0, 0);
                self.refresh = false;
            }
            Asked::Fetch => {
                let body = body(frame, ApiKey::Fetch, self.version, correlation)?;
                let response = FetchResponse::decode(body, self.version);
                let response = response.map_err(|error| format!("Fetch: {error}"))?;
                self.fetched(view, &response)?;
            }
        }
        Ok(())
    }

    fn fetched(&mut self, view: &mut View<'_>, response: &FetchResponse<'_>) -> Result<(), String> {
        if response.error_code != 0 {
            self.session = (0, 0);
            return Ok(());
        }
        let next = if response.session_id == 0 { 0 } else { self.session.1 + 1 };
        self.session = (response.session_id, next);
        for topic in response.responses {
            let known = self.topics.iter().find(|(name, (id, _))| {
                name.as_str() == topic.topic || (*id == topic.topic_id && *id != Uuid::ZERO)
            });
            let Some((_, (id, _))) = known else { continue };
            let id = *id;
            for partition in topic.partitions {
                self.partition(view, (id, partition.partition_index), &partition)?;
            }
        }
        Ok(())
    }

    fn partition(
        &mut self,
        view: &mut View<'_>,
        key: Key,
        data: &PartitionData<'_>,
    ) -> Result<(), String> {
        match ErrorCode::from_code(data.error_code) {
            Some(ErrorCode::None) => {}
            Some(ErrorCode::OffsetOutOfRange) => {
                // By name it may be another incarnation of the topic by now.
                self.refresh = true;
                if view.model.cleanup.moves_starts() {
                    // Where the log starts, or in old versions somewhere behind that.
                    let start = data.log_start_offset.max(data.high_watermark.min(0));
                    let position = self.positions.entry(key).or_default();
                    let known = start > *position;
                    *position = if known { start } else { data.high_watermark.max(0) };
                    return Ok(());
                }
                if self.version >= TOPIC_IDS_FROM && !view.model.deleted.contains(&key.0) {
                    let position = self.positions.get(&key);
                    return Err(format!("{key:?} is out of range at {position:?}"));
                }
                return Ok(());
            }
            Some(code) if code.is_retriable() => {
                self.refresh = true;
                return Ok(());
            }
            other => return Err(format!("a consumer got {other:?} for {key:?}")),
        }
        // A fetch by name may speak of another incarnation of the topic: it says nothing.
        if view.model.deleted.contains(&key.0) {
            return Ok(());
        }
        let bytes = data.records.map_or(&[][..], |records| records.bytes());
        let position = self.positions.entry(key).or_default();
        let before = *position;
        let mut scratch = Vec::new();
        for batch in Batches::new(bytes) {
            let header = *batch.header();
            if !batch.checksum_holds() {
                return Err(format!("{key:?} shows a damaged batch at {}", header.base_offset));
            }
            if header.next_offset().get() <= *position {
                continue;
            }
            let records = batch.records(SECTION_BYTES_MAX, &mut scratch);
            for record in records.map_err(|error| format!("{key:?}: {error:?}"))? {
                let record = record.map_err(|error| format!("{key:?}: {error:?}"))?;
                let identity = identity_of(&record);
                let identity = identity.ok_or("a record without identity")?;
                view.model.show(key, record.offset.get(), identity);
            }
            if header.base_offset.get() > *position && !view.model.cleanup.compacts() {
                return Err(format!(
                    "{key:?} has a hole from {position} to {}",
                    header.base_offset
                ));
            }
            *position = header.next_offset().get();
            if *position > data.high_watermark {
                return Err(format!("{key:?} shows {position}, above the high watermark"));
            }
        }
        if *position == before && !bytes.is_empty() {
            let start = &bytes[..bytes.len().min(12)];
            return Err(format!(
                "{key:?} shows {} bytes at {before} and no batch: {start:?}",
                bytes.len()
            ));
        }
        Ok(())
    }

    fn work(&mut self, view: &mut View<'_>) -> Wants {
        let mut wants = Wants::default();
        let Some(stream) = &mut self.stream else { return wants };
        if self.asked.is_some() {
            wants.disconnect = stream.is_silent(view.now);
            wants.wake_after = Some(50_000_000);
            return wants;
        }
        if self.refresh || view.prng.percent(2) {
            let topics: Vec<MetadataRequestTopic<'_>> = TOPICS
                .iter()
                .map(|name| MetadataRequestTopic { name: Some(name), topic_id: Uuid::ZERO })
                .collect();
            let topics = Some(Array::new(&topics));
            let request = MetadataRequest { topics, ..Default::default() };
            let correlation = stream.send(&mut wants, METADATA_VERSION, &request);
            self.asked = Some((correlation, Asked::Metadata));
        } else {
            self.fetch(view, &mut wants);
        }
        wants.wake_after = Some(20_000_000);
        wants
    }

    fn fetch(&mut self, view: &mut View<'_>, wants: &mut Wants) {
        if view.prng.percent(3) {
            self.positions.clear();
        }
        let bytes_max = self.bytes_max;
        let positions = &self.positions;
        let lists: Vec<Vec<FetchPartition>> = self
            .topics
            .values()
            .map(|(id, partitions)| {
                let partition = |partition| FetchPartition {
                    partition,
                    fetch_offset: positions.get(&(*id, partition)).copied().unwrap_or(0),
                    partition_max_bytes: bytes_max,
                    ..Default::default()
                };
                (0..*partitions).map(partition).collect()
            })
            .collect();
        let topics: Vec<FetchTopic<'_>> = self
            .topics
            .iter()
            .zip(&lists)
            .map(|((name, (id, _)), partitions)| FetchTopic {
                topic: name,
                topic_id: *id,
                partitions: Array::new(partitions),
            })
            .collect();
        let request = FetchRequest {
            replica_id: -1,
            max_wait_ms: view.prng.below(40) as i32,
            min_bytes: 1 + view.prng.below(3000) as i32,
            max_bytes: 3 * bytes_max,
            session_id: self.session.0,
            session_epoch: self.session.1,
            topics: Array::new(&topics),
            ..Default::default()
        };
        let stream = self.stream.as_mut().expect("connected");
        let correlation = stream.send(wants, self.version, &request);
        self.asked = Some((correlation, Asked::Fetch));
    }
}

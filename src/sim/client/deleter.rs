//! A client that deletes records: moves the log start offset of a topic's partitions, now and then.

use super::{Stream, TOPICS, View, Wants, body};
use crate::protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};
use crate::protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse,
};
use crate::protocol::{ApiKey, Array, ErrorCode, Message as _};
use crate::sim::model::Key;
use crate::types::Uuid;

const METADATA_VERSION: i16 = 12;
/// A topic that is never deleted, so that its name always means the same one.
const TOPIC: &str = TOPICS[0];

#[derive(Clone, Copy, Debug)]
enum Asked {
    Metadata,
    Delete(Key, i64),
}

#[derive(Debug)]
pub(in crate::sim) struct Deleter {
    version: i16,
    stream: Option<Stream>,
    asked: Option<(i32, Asked)>,
    topic: Option<(Uuid, i32)>,
}

impl Deleter {
    pub(in crate::sim) fn new(view: &mut View<'_>) -> Self {
        let version = view.prng.below(3) as i16;
        Self { version, stream: None, asked: None, topic: None }
    }

    pub(super) fn is_done(&self) -> bool {
        self.asked.is_none()
    }

    pub(super) fn connected(&mut self, view: &mut View<'_>) -> Wants {
        self.stream = Some(Stream::new(view.now));
        Wants { wake_after: Some(1_000_000), ..Wants::default() }
    }

    pub(super) fn disconnected(&mut self) {
        self.stream = None;
        self.asked = None;
    }

    pub(super) fn received(&mut self, view: &mut View<'_>, bytes: &[u8]) -> Wants {
        let Some(stream) = &mut self.stream else { return Wants::default() };
        stream.receive(view.now, bytes);
        while let Some(frame) = self.stream.as_mut().and_then(Stream::frame) {
            if let Err(violation) = self.response(view, &frame) {
                view.model.violated(violation);
            }
        }
        Wants { wake_after: Some(3_000_000 + view.prng.below(20_000_000)), ..Wants::default() }
    }

    fn response(&mut self, view: &mut View<'_>, frame: &[u8]) -> Result<(), String> {
        let (correlation, asked) = self.asked.take().ok_or("a response to no request")?;
        match asked {
            Asked::Metadata => {
                let body = body(frame, ApiKey::Metadata, METADATA_VERSION, correlation)?;
                let response = MetadataResponse::decode(body, METADATA_VERSION);
                let response = response.map_err(|error| format!("Metadata: {error}"))?;
                let topic = response.topics.iter().next().filter(|topic| topic.error_code == 0);
                self.topic = topic.map(|it| (it.topic_id, it.partitions.len() as i32));
                Ok(())
            }
            Asked::Delete(key, offset) => {
                let body = body(frame, ApiKey::DeleteRecords, self.version, correlation)?;
                let response = DeleteRecordsResponse::decode(body, self.version);
                let response = response.map_err(|error| format!("DeleteRecords: {error}"))?;
                let topic = response.topics.iter().next().ok_or("no topic in a response")?;
                let result = topic.partitions.iter().next().ok_or("no partition in a response")?;
                match ErrorCode::from_code(result.error_code) {
                    Some(ErrorCode::None) if result.low_watermark < offset => {
                        Err(format!("{key:?} begins at {}, not {offset}", result.low_watermark))
                    }
                    Some(ErrorCode::None) => {
                        let partition = view.model.partitions.entry(key).or_default();
                        partition.deleted_to = partition.deleted_to.max(result.low_watermark);
                        Ok(())
                    }
                    Some(code) if code.is_retriable() => Ok(()),
                    other => Err(format!("DeleteRecords of {key:?} before {offset} got {other:?}")),
                }
            }
        }
    }

    pub(super) fn woken(&mut self, view: &mut View<'_>) -> Wants {
        let mut wants = Wants { wake_after: Some(20_000_000), ..Wants::default() };
        let Some(stream) = &mut self.stream else { return Wants::default() };
        if self.asked.is_some() {
            wants.disconnect = stream.is_silent(view.now);
            return wants;
        }
        if view.winding_down {
            return wants;
        }
        let asked = match self.topic {
            None => {
                let topics = [MetadataRequestTopic { name: Some(TOPIC), topic_id: Uuid::ZERO }];
                let topics = Some(Array::new(&topics));
                let request = MetadataRequest { topics, ..Default::default() };
                (stream.send(&mut wants, METADATA_VERSION, &request), Asked::Metadata)
            }
            Some((id, partitions)) => {
                let index = view.prng.below(partitions as u64) as i32;
                let partition = view.model.partitions.entry((id, index)).or_default();
                // An acknowledged record is visible, so the offset behind it may be asked for.
                let end = partition.acknowledged.keys().last().map_or(0, |last| last + 1);
                let all = view.prng.percent(20);
                let offset = if all { -1 } else { view.prng.below(end as u64 + 1) as i64 };
                let most = if all { i64::MAX } else { offset };
                partition.asked_to = partition.asked_to.max(most);
                let partitions = [DeleteRecordsPartition { partition_index: index, offset }];
                let partitions = Array::new(&partitions);
                let topics = [DeleteRecordsTopic { name: TOPIC, partitions }];
                let topics = Array::new(&topics);
                let request = DeleteRecordsRequest { topics, timeout_ms: 1000 };
                let correlation = stream.send(&mut wants, self.version, &request);
                (correlation, Asked::Delete((id, index), offset))
            }
        };
        self.asked = Some(asked);
        wants
    }
}

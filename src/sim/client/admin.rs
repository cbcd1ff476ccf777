//! An administrator: deletes a topic now and then, and makes it again.

use super::{FLEETING, Stream, View, Wants, body};
use crate::protocol::messages::create_topics::{
    CreatableTopic, CreateTopicsRequest, CreateTopicsResponse,
};
use crate::protocol::messages::delete_topics::{
    DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use crate::protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse,
};
use crate::protocol::{ApiKey, Array, ErrorCode, Message as _};
use crate::types::Uuid;

const METADATA_VERSION: i16 = 12;
const CREATE_VERSION: i16 = 7;
const DELETE_VERSION: i16 = 6;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    Metadata,
    Create,
    Delete(Uuid),
}

#[derive(Debug, Default)]
pub(in crate::sim) struct Admin {
    stream: Option<Stream>,
    asked: Option<(i32, Asked)>,
    /// The topic as it is known to be now.
    topic: Option<Uuid>,
}

impl Admin {
    pub(super) fn is_done(&self) -> bool {
        self.asked.is_none()
    }

    pub(super) fn connected(&mut self, view: &mut View<'_>) -> Wants {
        self.stream = Some(Stream::new(view.now));
        Wants { wake_after: Some(1_000_000), ..Wants::default() }
    }

    pub(super) fn disconnected(&mut self, _view: &mut View<'_>) {
        self.stream = None;
        self.asked = None;
        self.topic = None;
    }

    pub(super) fn received(&mut self, view: &mut View<'_>, bytes: &[u8]) -> Wants {
        let Some(stream) = &mut self.stream else { return Wants::default() };
        stream.receive(view.now, bytes);
        while let Some(frame) = self.stream.as_mut().and_then(Stream::frame) {
            if let Err(violation) = self.response(&frame) {
                view.model.violated(violation);
            }
        }
        Wants { wake_after: Some(10_000_000 + view.prng.below(50_000_000)), ..Wants::default() }
    }

    fn response(&mut self, frame: &[u8]) -> Result<(), String> {
        let (correlation, asked) = self.asked.take().ok_or("a response to no request")?;
        let unexpected =
            |what: &str, code| Err(format!("{what} got {:?}", ErrorCode::from_code(code)));
        match asked {
            Asked::Metadata => {
                let body = body(frame, ApiKey::Metadata, METADATA_VERSION, correlation)?;
                let response = MetadataResponse::decode(body, METADATA_VERSION);
                let response = response.map_err(|error| format!("Metadata: {error}"))?;
                let topic = response.topics.iter().next().filter(|topic| topic.error_code == 0);
                self.topic = topic.map(|topic| topic.topic_id);
            }
            Asked::Create => {
                let body = body(frame, ApiKey::CreateTopics, CREATE_VERSION, correlation)?;
                let response = CreateTopicsResponse::decode(body, CREATE_VERSION);
                let response = response.map_err(|error| format!("CreateTopics: {error}"))?;
                let topic = response.topics.iter().next().ok_or("no topic in a response")?;
                match ErrorCode::from_code(topic.error_code) {
                    Some(ErrorCode::None) => self.topic = Some(topic.topic_id),
                    Some(ErrorCode::TopicAlreadyExists) => self.topic = None,
                    _ => return unexpected("CreateTopics", topic.error_code),
                }
            }
            Asked::Delete(_) => {
                let body = body(frame, ApiKey::DeleteTopics, DELETE_VERSION, correlation)?;
                let response = DeleteTopicsResponse::decode(body, DELETE_VERSION);
                let response = response.map_err(|error| format!("DeleteTopics: {error}"))?;
                let topic = response.responses.iter().next().ok_or("no topic in a response")?;
                self.topic = None;
                match ErrorCode::from_code(topic.error_code) {
                    Some(ErrorCode::None | ErrorCode::UnknownTopicId) => {}
                    _ => return unexpected("DeleteTopics", topic.error_code),
                }
            }
        }
        Ok(())
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
        let asked = match (self.topic, view.prng.below(10)) {
            (Some(id), 0..3) => {
                // From here on nothing is promised of it, whatever comes of the request.
                view.model.deleted.insert(id);
                let topics = [DeleteTopicState { name: None, topic_id: id }];
                let topics = Array::new(&topics);
                let request = DeleteTopicsRequest { topics, ..Default::default() };
                (stream.send(&mut wants, DELETE_VERSION, &request), Asked::Delete(id))
            }
            (None, 0..3) => {
                let topics = [CreatableTopic {
                    name: FLEETING,
                    num_partitions: 1 + view.prng.below(3) as i32,
                    replication_factor: 1,
                    ..Default::default()
                }];
                let topics = Array::new(&topics);
                let request = CreateTopicsRequest { topics, ..Default::default() };
                (stream.send(&mut wants, CREATE_VERSION, &request), Asked::Create)
            }
            _ => {
                let topics = [MetadataRequestTopic { name: Some(FLEETING), topic_id: Uuid::ZERO }];
                let topics = Some(Array::new(&topics));
                let request = MetadataRequest { topics, ..Default::default() };
                (stream.send(&mut wants, METADATA_VERSION, &request), Asked::Metadata)
            }
        };
        self.asked = Some(asked);
        wants
    }
}

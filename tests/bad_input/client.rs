//! A connection on which any bytes can be sent, and well-formed requests too.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use millstream::protocol::messages::api_versions::ApiVersionsRequest;
use millstream::protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use millstream::protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use millstream::protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, TopicProduceData,
};
use millstream::protocol::{
    Array, ErrorCode, Message as _, Records, Request, ResponseHeader, Writer, write_request,
};

use crate::batches::Plain;
use crate::broker::Broker;

/// No test waits longer for one thing.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How a connection went on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    Frame(Vec<u8>),
    Closed,
}

/// The encoded request, with its length in front.
pub fn request<'a, M: Request<'a>>(correlation_id: i32, version: i16, request: &M) -> Vec<u8> {
    let mut writer = Writer::with_capacity(256);
    write_request(&mut writer, correlation_id, Some("bad"), version, request).unwrap();
    writer.into_bytes()
}

/// What was answered for a partition of a Produce request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Produced {
    pub code: i16,
    pub base_offset: i64,
}

pub struct Client {
    pub stream: TcpStream,
}

impl Client {
    pub fn connect(broker: &Broker) -> Self {
        let stream = TcpStream::connect_timeout(&broker.address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    /// Sends bytes; the broker may close meanwhile, which reading will tell.
    pub fn send(&mut self, bytes: &[u8]) {
        if let Err(error) = self.stream.write_all(bytes) {
            let closed =
                matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset);
            assert!(closed, "{error}");
        }
    }

    pub fn end_sending(&self) {
        // The broker may have closed before.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next frame, without its length.
    pub fn hear(&mut self) -> Heard {
        let mut length = [0; 4];
        if !self.fill(&mut length) {
            return Heard::Closed;
        }
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        if self.fill(&mut frame) { Heard::Frame(frame) } else { Heard::Closed }
    }

    /// `false` when the connection ends first.
    fn fill(&mut self, buffer: &mut [u8]) -> bool {
        match self.stream.read_exact(buffer) {
            Ok(()) => true,
            Err(error) => {
                let ended = matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
                );
                assert!(ended, "neither an answer nor an end within {PATIENCE:?}: {error}");
                false
            }
        }
    }

    pub fn frame(&mut self) -> Vec<u8> {
        match self.hear() {
            Heard::Frame(frame) => frame,
            Heard::Closed => panic!("closed instead of answered"),
        }
    }

    /// Sends a request and gives the answer's body to `look`.
    pub fn ask<'a, M: Request<'a>, T>(
        &mut self,
        version: i16,
        message: &M,
        look: impl FnOnce(M::Response<'_>) -> T,
    ) -> T {
        self.send(&request(1, version, message));
        let frame = self.frame();
        let (header, body) = ResponseHeader::split_frame(&frame, M::API, version).unwrap();
        assert_eq!(header.correlation_id, 1);
        look(M::Response::decode_exact(body, version).unwrap())
    }

    pub fn create_topic(&mut self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let configs: Vec<CreatableTopicConfig<'_>> = settings
            .iter()
            .map(|(name, value)| CreatableTopicConfig { name, value: Some(value) })
            .collect();
        let topic = CreatableTopic {
            name,
            num_partitions: partitions,
            replication_factor: 1,
            configs: Array::new(&configs),
            ..Default::default()
        };
        let topics = [topic];
        let create =
            CreateTopicsRequest { topics: Array::new(&topics), ..CreateTopicsRequest::default() };
        let code = self.ask(5, &create, |created| created.topics.iter().next().unwrap().error_code);
        assert!([0, ErrorCode::TopicAlreadyExists.code()].contains(&code), "{code}");
    }

    /// Sends `records` for partition 0 of a topic.
    pub fn produce(&mut self, topic: &str, records: Option<&[u8]>) -> Produced {
        with_produce(topic, records, |produce| {
            self.ask(9, produce, |answer| {
                let topic = answer.responses.iter().next().unwrap();
                let partition = topic.partition_responses.iter().next().unwrap();
                Produced { code: partition.error_code, base_offset: partition.base_offset }
            })
        })
    }

    /// Where partition 0 ends.
    pub fn high_watermark(&mut self, topic: &str) -> i64 {
        with_fetch(topic, 0, 0, |fetch| {
            self.ask(11, fetch, |answer| {
                let topic = answer.responses.iter().next().unwrap();
                topic.partitions.iter().next().unwrap().high_watermark
            })
        })
    }

    /// The bytes of partition 0 from an offset, as far as one answer brings them.
    pub fn fetch(&mut self, topic: &str, offset: i64) -> Vec<u8> {
        with_fetch(topic, offset, 0, |fetch| {
            self.ask(11, fetch, |answer| {
                let topic = answer.responses.iter().next().unwrap();
                let partition = topic.partitions.iter().next().unwrap();
                assert_eq!(partition.error_code, 0);
                partition.records.map_or(Vec::new(), |records| records.bytes().to_vec())
            })
        })
    }
}

/// Builds a Produce request for partition 0 of a topic.
pub fn with_produce<T>(
    topic: &str,
    records: Option<&[u8]>,
    then: impl FnOnce(&ProduceRequest<'_>) -> T,
) -> T {
    let partitions = [PartitionProduceData { index: 0, records: records.map(Records::Bytes) }];
    let topics = [TopicProduceData {
        name: topic,
        partition_data: Array::new(&partitions),
        ..Default::default()
    }];
    let topic_data = Array::new(&topics);
    then(&ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data, ..Default::default() })
}

/// Builds a Fetch request for partition 0 of a topic, without a session.
pub fn with_fetch<T>(
    topic: &str,
    fetch_offset: i64,
    max_wait_ms: i32,
    then: impl FnOnce(&FetchRequest<'_>) -> T,
) -> T {
    let partition_max_bytes = 50 << 20;
    let partition = FetchPartition { fetch_offset, partition_max_bytes, ..Default::default() };
    let partitions = [partition];
    let topics = [FetchTopic { topic, partitions: Array::new(&partitions), ..Default::default() }];
    then(&FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 50 << 20,
        topics: Array::new(&topics),
        ..Default::default()
    })
}

impl Broker {
    /// Asserts that a new client is served: versions, a topic, an append, and what it reads back.
    pub fn is_well(&self) {
        let mut client = Client::connect(self);
        let versions = ApiVersionsRequest::default();
        let served = client.ask(0, &versions, |answer| (answer.error_code, answer.api_keys.len()));
        assert_eq!(served.0, 0);
        assert!(served.1 > 5);
        client.create_topic("well", 1, &[]);
        let batch = Plain::of(&[b"a good record"]).bytes();
        let produced = client.produce("well", Some(&batch));
        assert_eq!(produced.code, 0);
        let read = client.fetch("well", produced.base_offset);
        assert_eq!(read[8..12], batch[8..12]);
        assert_eq!(read[16..], batch[16..], "only base offset and epoch differ");
    }
}

/// Waits until `holds`.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

//! Questions to a broker: our own codec over a blocking socket.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use millstream::protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use millstream::protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse,
};
use millstream::protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use millstream::protocol::{Array, Request, Response, ResponseHeader, Writer, write_request};
use millstream::types::Uuid;

const PATIENCE: Duration = Duration::from_secs(30);

/// Sends a request over a connection of its own; answers the frame of the response.
pub fn ask<'a, M: Request<'a>>(address: SocketAddr, version: i16, request: &M) -> Vec<u8> {
    let mut stream = connect(address);
    send(&mut stream, version, request);
    receive(&mut stream)
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

pub fn send<'a, M: Request<'a>>(stream: &mut TcpStream, version: i16, request: &M) {
    let mut writer = Writer::new();
    write_request(&mut writer, 1, Some("serve"), version, request).unwrap();
    stream.write_all(writer.bytes()).unwrap();
}

/// The frame of the next response.
pub fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame).unwrap();
    frame
}

pub fn decode<'a, R: Response<'a>>(frame: &'a [u8], version: i16) -> R {
    let (_, body) = ResponseHeader::split_frame(frame, R::API, version).unwrap();
    R::decode_exact(body, version).unwrap()
}

/// Creates a topic; answers its number of partitions, or the code and the message.
pub fn create_topic(
    address: SocketAddr,
    name: &str,
    partitions: i32,
    settings: &[(&str, &str)],
) -> Result<i32, (i16, String)> {
    let configs: Vec<_> = settings
        .iter()
        .map(|(name, value)| CreatableTopicConfig { name, value: Some(value) })
        .collect();
    let topics = [CreatableTopic {
        name,
        num_partitions: partitions,
        replication_factor: -1,
        configs: Array::new(&configs),
        ..Default::default()
    }];
    let request = CreateTopicsRequest {
        topics: Array::new(&topics),
        timeout_ms: 30_000,
        ..Default::default()
    };
    let frame = ask(address, 7, &request);
    let response: CreateTopicsResponse<'_> = decode(&frame, 7);
    let topic = response.topics.iter().next().unwrap();
    match topic.error_code {
        0 => Ok(topic.num_partitions),
        code => Err((code, topic.error_message.unwrap_or_default().to_owned())),
    }
}

/// A cluster as clients see it.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    pub cluster_id: String,
    pub brokers: Vec<(i32, String, i32)>,
    /// Id and number of partitions, by name.
    pub topics: BTreeMap<String, (Uuid, usize)>,
}

pub fn metadata(address: SocketAddr) -> Seen {
    let frame = ask(address, 12, &MetadataRequest { topics: None, ..Default::default() });
    let response: MetadataResponse<'_> = decode(&frame, 12);
    let topics = response.topics.iter().map(|topic| {
        let partitions = topic.partitions.len();
        (topic.name.unwrap_or_default().to_owned(), (topic.topic_id, partitions))
    });
    Seen {
        cluster_id: response.cluster_id.unwrap_or_default().to_owned(),
        brokers: response
            .brokers
            .iter()
            .map(|broker| (broker.node_id, broker.host.to_owned(), broker.port))
            .collect(),
        topics: topics.collect(),
    }
}

/// The value of one setting and where it comes from, in Kafka's number.
pub fn setting(address: SocketAddr, kind: i8, resource: &str, name: &str) -> (String, i8) {
    let keys = [name];
    let resources = [DescribeConfigsResource {
        resource_type: kind,
        resource_name: resource,
        configuration_keys: Some(Array::new(&keys)),
    }];
    let request =
        DescribeConfigsRequest { resources: Array::new(&resources), ..Default::default() };
    let frame = ask(address, 4, &request);
    let response: DescribeConfigsResponse<'_> = decode(&frame, 4);
    let result = response.results.iter().next().unwrap();
    assert_eq!(result.error_code, 0, "{:?}", result.error_message);
    let row = result.configs.iter().next().unwrap();
    (row.value.unwrap_or_default().to_owned(), row.config_source)
}

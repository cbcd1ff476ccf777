//! Connections that produce the same batches over and over, driven by one thread.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use millstream::client::admin::{NewTopic, create_topic};
use millstream::client::{Cluster, Connection, Patience, TopicInfo};
use millstream::protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use millstream::protocol::{
    ApiKey, Array, Message, Records, Request, ResponseHeader, Writer, write_request,
};
use millstream::record::{BatchBuilder, BatchOptions, NewRecord};
use millstream::types::Timestamp;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

const PATIENCE: Duration = Duration::from_secs(60);
/// Where a request's correlation id lies: behind length, API and version.
const CORRELATION_AT: usize = 8;

/// What is produced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) connections: usize,
    pub(crate) partitions: i32,
    pub(crate) record_bytes: usize,
    pub(crate) records_per_batch: usize,
    /// Requests of a connection that wait for their answer at the same time.
    pub(crate) in_flight: usize,
}

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "perf/start only fills")]
pub(crate) enum Pace {
    /// As soon as an earlier one is answered.
    Closed,
    /// So many a second in all, whatever the answers do.
    Open(f64),
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "each program stops in one way")]
pub(crate) enum Until {
    Elapsed(Duration),
    Bytes(u64),
}

/// What was acknowledged, and how long after the time at which it should have been sent.
pub(crate) struct Outcome {
    pub(crate) bytes: u64,
    pub(crate) requests: u64,
    pub(crate) elapsed: Duration,
    pub(crate) latency: Histogram<u64>,
}

/// A connection with its requests, one for each of its partitions in turn.
struct Lane {
    stream: TcpStream,
    frames: Vec<Vec<u8>>,
    next: usize,
    /// Bytes of the frame under way that are sent; its due time is the last of `waiting`.
    sent: Option<usize>,
    due: VecDeque<Instant>,
    waiting: VecDeque<Instant>,
    input: Vec<u8>,
    correlation: i32,
    answered: i32,
}

/// Connections to one topic.
pub(crate) struct Load {
    lanes: Vec<Lane>,
    shape: Shape,
    version: i16,
    batch_bytes: u64,
}

impl Load {
    /// Creates the topic and opens the connections.
    pub(crate) fn new(address: &str, topic: &str, shape: Shape) -> Self {
        let mut cluster = Cluster::new(address).expect("an address");
        let partitions = Some(shape.partitions);
        let new = NewTopic { name: topic, partitions, replication_factor: None, settings: &[] };
        // It may exist from an earlier run.
        let _ = create_topic(&mut cluster, &new);
        let topic = cluster.await_topic(topic, false, Patience::new(PATIENCE)).expect("a topic");
        // Kafka describes a topic before its partitions have their leader.
        std::thread::sleep(Duration::from_secs(1));
        let probe = Connection::open(address, PATIENCE).expect("a broker");
        let version = probe.version(ApiKey::Produce, i16::MAX).expect("a common version");
        let batch = batch(shape);
        let lanes = (0..shape.connections)
            .map(|lane| {
                let stream = TcpStream::connect(address).expect("a broker");
                stream.set_nodelay(true).expect("a socket");
                stream.set_nonblocking(true).expect("a socket");
                let own = (0..shape.partitions.unsigned_abs() as usize)
                    .filter(|index| index % shape.connections == lane % topic.partitions.len());
                let frames = own.map(|index| frame(&topic, index, &batch, version)).collect();
                Lane::new(stream, frames)
            })
            .collect();
        Self { lanes, shape, version, batch_bytes: batch.len() as u64 }
    }

    /// Produces; the last answers are awaited.
    pub(crate) fn run(&mut self, pace: Pace, until: Until) -> Outcome {
        let latency = Histogram::new_with_bounds(1_000, 120_000_000_000, 3).expect("bounds");
        let started = Instant::now();
        let (bytes, requests, elapsed) = (0, 0, Duration::ZERO);
        let mut outcome = Outcome { bytes, requests, elapsed, latency };
        let mut planned: u64 = 0;
        loop {
            let now = Instant::now();
            let over = match until {
                Until::Elapsed(limit) => now - started >= limit,
                Until::Bytes(limit) => outcome.bytes >= limit,
            };
            let mut wait = Duration::from_millis(100);
            if !over {
                wait = wait.min(self.plan(pace, started, &mut planned));
            }
            for lane in &mut self.lanes {
                lane.write(self.shape.in_flight);
            }
            if over && self.lanes.iter().all(Lane::is_idle) {
                break;
            }
            self.await_sockets(wait);
            for lane in &mut self.lanes {
                for due in lane.read(self.version) {
                    outcome.requests += 1;
                    outcome.bytes += self.batch_bytes;
                    outcome.latency.saturating_record(due.elapsed().as_nanos() as u64);
                }
            }
            outcome.elapsed = started.elapsed();
        }
        outcome
    }

    /// Makes requests due, and says how long until the next is.
    fn plan(&mut self, pace: Pace, started: Instant, planned: &mut u64) -> Duration {
        match pace {
            Pace::Closed => {
                let now = Instant::now();
                for lane in &mut self.lanes {
                    while lane.due.len() + lane.waiting.len() < self.shape.in_flight {
                        lane.due.push_back(now);
                    }
                }
                Duration::MAX
            }
            Pace::Open(rate) => loop {
                let due = started + Duration::from_secs_f64(*planned as f64 / rate);
                let left = due.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    return left;
                }
                let lanes = self.lanes.len() as u64;
                self.lanes[(*planned % lanes) as usize].due.push_back(due);
                *planned += 1;
            },
        }
    }

    fn await_sockets(&mut self, wait: Duration) {
        let mut sockets: Vec<PollFd<'_>> = self
            .lanes
            .iter()
            .map(|lane| {
                let writes = if lane.sent.is_some() { PollFlags::OUT } else { PollFlags::empty() };
                PollFd::new(&lane.stream, PollFlags::IN | writes)
            })
            .collect();
        let wait =
            Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
        match poll(&mut sockets, Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("poll: {error}"),
        }
    }
}

impl Lane {
    fn new(stream: TcpStream, frames: Vec<Vec<u8>>) -> Self {
        let (due, waiting, input) = (VecDeque::new(), VecDeque::new(), Vec::new());
        Self {
            stream,
            frames,
            next: 0,
            sent: None,
            due,
            waiting,
            input,
            correlation: 0,
            answered: 0,
        }
    }

    fn is_idle(&self) -> bool {
        self.due.is_empty() && self.waiting.is_empty()
    }

    fn write(&mut self, in_flight: usize) {
        loop {
            if self.sent.is_none() {
                if self.waiting.len() == in_flight {
                    return;
                }
                let Some(due) = self.due.pop_front() else { return };
                self.waiting.push_back(due);
                self.next = (self.next + 1) % self.frames.len();
                let id = self.correlation.to_be_bytes();
                self.frames[self.next][CORRELATION_AT..][..4].copy_from_slice(&id);
                self.correlation += 1;
                self.sent = Some(0);
            }
            let sent = self.sent.unwrap_or(0);
            let frame = &self.frames[self.next];
            match self.stream.write(&frame[sent..]) {
                Ok(bytes) if sent + bytes == frame.len() => self.sent = None,
                Ok(bytes) => self.sent = Some(sent + bytes),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("sending: {error}"),
            }
        }
    }

    /// The due times of the requests that are answered now.
    fn read(&mut self, version: i16) -> Vec<Instant> {
        let mut buffer = [0; 64 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => panic!("the broker closed a connection"),
            Ok(bytes) => self.input.extend_from_slice(&buffer[..bytes]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("receiving: {error}"),
        }
        let mut done = Vec::new();
        let mut at = 0;
        while let Some((length, rest)) = self.input[at..].split_first_chunk::<4>() {
            let bytes = u32::from_be_bytes(*length) as usize;
            let Some(frame) = rest.get(..bytes) else { break };
            check(frame, version, self.answered);
            self.answered += 1;
            at += 4 + bytes;
            done.push(self.waiting.pop_front().expect("an answer to a request"));
        }
        self.input.drain(..at);
        done
    }
}

fn check(frame: &[u8], version: i16, correlation: i32) {
    let (header, body) =
        ResponseHeader::split_frame(frame, ApiKey::Produce, version).expect("a header");
    assert_eq!(header.correlation_id, correlation);
    let response = ProduceResponse::decode(body, version).expect("a produce response");
    let mut partitions = response.responses.iter().flat_map(|topic| topic.partition_responses);
    let code = partitions.next().map(|partition| partition.error_code);
    assert_eq!(code, Some(0), "not acknowledged");
}

fn batch(shape: Shape) -> Vec<u8> {
    let mut state = 1_u64;
    let value: Vec<u8> = (0..shape.record_bytes)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_millis() as i64;
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for _ in 0..shape.records_per_batch {
        let timestamp = Timestamp::new(now);
        let record = NewRecord { timestamp, key: None, value: Some(&value), headers: &[] };
        builder.append(&record).expect("a small batch");
    }
    let mut bytes = Vec::new();
    builder.finish(&mut bytes).expect("a small batch");
    bytes
}

fn frame(topic: &TopicInfo, partition: usize, batch: &[u8], version: i16) -> Vec<u8> {
    let records = Some(Records::Bytes(batch));
    let partitions = [PartitionProduceData { index: partition as i32, records }];
    let (name, topic_id) = (topic.name.as_str(), topic.id);
    let topics = [TopicProduceData { name, topic_id, partition_data: Array::new(&partitions) }];
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: Array::new(&topics),
        ..Default::default()
    };
    debug_assert_eq!(ProduceRequest::API, ApiKey::Produce);
    let mut writer = Writer::new();
    write_request(&mut writer, 0, Some("durable"), version, &request).expect("a small request");
    writer.bytes().to_vec()
}

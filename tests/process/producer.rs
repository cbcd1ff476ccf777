//! An idempotent producer over one connection: up to five requests under way, what is not
//! acknowledged goes again under its sequence numbers, in every life of the broker.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use millstream::prng::Prng;
use millstream::protocol::messages::init_producer_id::{
    InitProducerIdRequest, InitProducerIdResponse,
};
use millstream::protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use millstream::protocol::{Array, ErrorCode, Records};
use millstream::record::{
    BatchBuilder, BatchOptions, Codec, Compression, NewRecord, Producer as BatchProducer,
};
use millstream::types::{ProducerEpoch, ProducerId, Timestamp};

use crate::record::Identity;
use crate::wire::{Broken, Connection};

const IN_FLIGHT_MAX: usize = 5;
const VERSION: i16 = 9;
const INIT_VERSION: i16 = 4;
/// A producer that has got nothing acknowledged for so long gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A batch that has its sequence numbers.
#[derive(Debug)]
struct Batch {
    first: u64,
    count: u32,
    bytes: Vec<u8>,
}

/// What has been acknowledged as one batch.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledged {
    pub base_offset: i64,
    pub first: u64,
    pub count: u32,
}

/// A producer's part of one partition.
#[derive(Debug)]
pub struct Lane {
    pub partition: i32,
    pub acknowledged: Vec<Acknowledged>,
    /// Numbers are given out below this.
    pub next: u64,
    unacknowledged: VecDeque<Batch>,
    /// How many of these have been sent over the present connection.
    sent: usize,
}

/// What a producer's records look like.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub records_max: u64,
    pub filler_bytes_max: u64,
}

#[derive(Debug)]
pub struct Producer {
    pub client: u32,
    pub lanes: Vec<Lane>,
    topic: String,
    prng: Prng,
    producer_id: Option<i64>,
    compression: Compression,
    shape: Shape,
    /// Batches sent again.
    pub resent: u64,
    /// Retriable errors in responses, by code.
    pub refusals: Vec<i16>,
}

impl Producer {
    pub fn new(client: u32, topic: &str, partitions: i32, shape: Shape, seed: u64) -> Self {
        let lane = |partition| Lane {
            partition,
            acknowledged: Vec::new(),
            next: 0,
            unacknowledged: VecDeque::new(),
            sent: 0,
        };
        let codecs = [Codec::None, Codec::None, Codec::Lz4, Codec::Zstd];
        Self {
            client,
            lanes: (0..partitions).map(lane).collect(),
            topic: topic.to_owned(),
            prng: Prng::new(seed ^ u64::from(client)),
            producer_id: None,
            compression: Compression::new(codecs[client as usize % codecs.len()]),
            shape,
            resent: 0,
            refusals: Vec::new(),
        }
    }

    pub fn acknowledged_records(&self) -> u64 {
        let batches = self.lanes.iter().flat_map(|lane| &lane.acknowledged);
        batches.map(|batch| u64::from(batch.count)).sum()
    }

    /// Produces until `stop`. Then, or when the broker is gone, what is not acknowledged is kept.
    pub fn run(&mut self, address: SocketAddr, stop: &AtomicBool) -> Result<(), String> {
        loop {
            match self.session(address, || stop.load(Ordering::Relaxed), usize::MAX) {
                Ok(()) => return Ok(()),
                Err(Broken::Wrong(why)) => return Err(why),
                Err(Broken::Connection(_)) if stop.load(Ordering::Relaxed) => return Ok(()),
                Err(Broken::Connection(_)) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Sends what is left, until all of it is acknowledged.
    pub fn drain(&mut self, address: SocketAddr) -> Result<(), String> {
        self.produce(address, 0)
    }

    /// Produces so many new batches, until everything is acknowledged.
    pub fn produce(&mut self, address: SocketAddr, batches: usize) -> Result<(), String> {
        let until = Instant::now() + PATIENCE;
        let given: u64 = self.lanes.iter().map(|lane| lane.batches()).sum();
        loop {
            let made: u64 = self.lanes.iter().map(|lane| lane.batches()).sum();
            let left = batches - usize::try_from(made - given).expect("few").min(batches);
            match self.session(address, || false, left) {
                Ok(()) => return Ok(()),
                Err(Broken::Wrong(why)) => return Err(why),
                Err(Broken::Connection(why)) if Instant::now() > until => {
                    return Err(format!("nothing is acknowledged: {why}"));
                }
                Err(Broken::Connection(_)) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Produces one batch after the other until the broker refuses one; answers the error code.
    pub fn produce_until_refused(
        &mut self,
        address: SocketAddr,
        batches_max: usize,
    ) -> Result<i16, String> {
        let refusals = self.refusals.len();
        for _ in 0..batches_max {
            match self.session(address, || false, 1) {
                Ok(()) => {}
                Err(Broken::Wrong(why)) => return Err(why),
                Err(Broken::Connection(why)) => {
                    let refused = self.refusals.get(refusals).copied();
                    return refused.ok_or_else(|| format!("no refusal, but {why}"));
                }
            }
        }
        Err(format!("{batches_max} batches were not refused"))
    }

    /// One connection's life: first everything again that has no answer, then new batches.
    fn session(
        &mut self,
        address: SocketAddr,
        stopped: impl Fn() -> bool,
        mut batches: usize,
    ) -> Result<(), Broken> {
        for lane in &mut self.lanes {
            lane.sent = 0;
            self.resent += lane.unacknowledged.len() as u64;
        }
        let mut connection = Connection::open(address)?;
        let producer_id = self.identify(&mut connection)?;
        let mut in_flight = VecDeque::new();
        loop {
            while in_flight.len() < IN_FLIGHT_MAX {
                let waiting = |lane: &Lane| lane.sent < lane.unacknowledged.len();
                let index = match self.lanes.iter().position(waiting) {
                    Some(index) => index,
                    None if stopped() || batches == 0 => break,
                    None => {
                        batches -= 1;
                        self.new_batch(producer_id)
                    }
                };
                in_flight.push_back((self.send(&mut connection, index)?, index));
            }
            let Some((correlation, index)) = in_flight.pop_front() else { return Ok(()) };
            let (code, base_offset) =
                connection.receive(VERSION, correlation, |response: &ProduceResponse<'_>| {
                    let topic = response.responses.iter().next();
                    let partition = topic.and_then(|topic| topic.partition_responses.iter().next());
                    partition
                        .map_or((-1, -1), |partition| (partition.error_code, partition.base_offset))
                })?;
            self.answered(index, code, base_offset)?;
        }
    }

    fn identify(&mut self, connection: &mut Connection) -> Result<i64, Broken> {
        if let Some(id) = self.producer_id {
            return Ok(id);
        }
        let request = InitProducerIdRequest {
            transaction_timeout_ms: i32::MAX,
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        };
        let (code, id) =
            connection.call(INIT_VERSION, &request, |response: &InitProducerIdResponse| {
                (response.error_code, response.producer_id)
            })?;
        if code != 0 {
            return Err(Broken::Connection(format!("InitProducerId got {code}")));
        }
        self.producer_id = Some(id);
        Ok(id)
    }

    fn new_batch(&mut self, producer_id: i64) -> usize {
        let index = self.prng.below(self.lanes.len() as u64) as usize;
        let lane = &mut self.lanes[index];
        let producer = BatchProducer {
            id: ProducerId::new(producer_id),
            epoch: ProducerEpoch::new(0),
            base_sequence: i32::try_from(lane.next).expect("few records"),
        };
        let compression = self.compression;
        let options = BatchOptions { producer, compression, ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        let count = 1 + self.prng.below(self.shape.records_max);
        for number in lane.next..lane.next + count {
            let identity = Identity { client: self.client, number };
            let filler_bytes = self.prng.below(self.shape.filler_bytes_max) as usize;
            let value = identity.encode(lane.partition, filler_bytes);
            let timestamp = now();
            let record = NewRecord { timestamp, key: None, value: Some(&value), headers: &[] };
            builder.append(&record).expect("a small record");
        }
        let mut bytes = Vec::new();
        builder.finish(&mut bytes).expect("a small batch");
        lane.unacknowledged.push_back(Batch { first: lane.next, count: count as u32, bytes });
        lane.next += count;
        index
    }

    fn send(&mut self, connection: &mut Connection, index: usize) -> Result<i32, Broken> {
        let lane = &mut self.lanes[index];
        let batch = &lane.unacknowledged[lane.sent];
        lane.sent += 1;
        let records = Some(Records::Bytes(&batch.bytes));
        let partitions = [PartitionProduceData { index: lane.partition, records }];
        let topics = [TopicProduceData {
            name: &self.topic,
            partition_data: Array::new(&partitions),
            ..Default::default()
        }];
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 30_000,
            topic_data: Array::new(&topics),
            ..Default::default()
        };
        Ok(connection.send(VERSION, &request)?)
    }

    /// The oldest batch of a lane has its answer. After a refusal everything goes again over
    /// another connection, so that what followed the refused batch comes behind it.
    fn answered(&mut self, index: usize, code: i16, base_offset: i64) -> Result<(), Broken> {
        let lane = &mut self.lanes[index];
        let error = ErrorCode::from_code(code);
        if code == 0 {
            let batch = lane.unacknowledged.pop_front().expect("it was sent");
            lane.sent -= 1;
            let Batch { first, count, .. } = batch;
            lane.acknowledged.push(Acknowledged { base_offset, first, count });
            return Ok(());
        }
        if error.is_some_and(ErrorCode::is_retriable) {
            self.refusals.push(code);
            return Err(Broken::Connection(format!("refused with {error:?}")));
        }
        let (client, partition) = (self.client, lane.partition);
        let first = lane.unacknowledged[0].first;
        Err(Broken::Wrong(format!(
            "producer {client} got {error:?} ({code}) for number {first} of partition {partition}"
        )))
    }
}

/// The time as clients stamp it. Producers that write with old times are forgotten early, in Kafka
/// too: they expire by the times of their batches.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is past 1970");
    Timestamp::new(i64::try_from(since.as_millis()).expect("a time of this age"))
}

impl Lane {
    /// Batches made so far.
    fn batches(&self) -> u64 {
        (self.acknowledged.len() + self.unacknowledged.len()) as u64
    }
}

//! Reads a topic back, and knows what must stand there: nothing acknowledged is missing, nothing is
//! doubled, each producer's records are in order, offsets are continuous, and what was shown once
//! never changes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use millstream::protocol::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData,
};
use millstream::protocol::{Array, ErrorCode};
use millstream::record::Batches;

use crate::producer::Producer;
use crate::record::Identity;
use crate::wire::{Broken, Connection};

const VERSION: i16 = 12;
const BYTES_MAX: i32 = 8 << 20;
const SECTION_BYTES_MAX: usize = 16 << 20;
/// A partition that is being recovered is readable after this.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a consumer knows of a topic.
#[derive(Debug)]
pub struct Consumer {
    topic: String,
    /// By partition, from offset 0.
    pub shown: Vec<Vec<Identity>>,
}

impl Consumer {
    pub fn new(topic: &str, partitions: i32) -> Self {
        let shown = (0..partitions).map(|_| Vec::new()).collect();
        Self { topic: topic.to_owned(), shown }
    }

    pub fn records(&self) -> u64 {
        self.shown.iter().map(|shown| shown.len() as u64).sum()
    }

    /// Reads everything from offset 0 to the high watermarks.
    pub fn read_all(&mut self, address: SocketAddr) -> Result<(), Broken> {
        let mut connection = Connection::open(address)?;
        let mut positions = vec![0; self.shown.len()];
        self.read_on(&mut connection, &mut positions)?;
        for (partition, (position, shown)) in positions.iter().zip(&self.shown).enumerate() {
            if *position < shown.len() as i64 {
                return Err(Broken::Wrong(format!(
                    "partition {partition} ends at {position}, it went to {} before",
                    shown.len()
                )));
            }
        }
        Ok(())
    }

    fn read_on(
        &mut self,
        connection: &mut Connection,
        positions: &mut [i64],
    ) -> Result<(), Broken> {
        let until = Instant::now() + PATIENCE;
        loop {
            let list: Vec<FetchPartition> = (0..)
                .zip(&*positions)
                .map(|(partition, position)| FetchPartition {
                    partition,
                    fetch_offset: *position,
                    partition_max_bytes: BYTES_MAX,
                    ..Default::default()
                })
                .collect();
            let topics = [FetchTopic {
                topic: &self.topic,
                partitions: Array::new(&list),
                ..Default::default()
            }];
            let request = FetchRequest {
                max_bytes: BYTES_MAX,
                session_epoch: -1,
                topics: Array::new(&topics),
                ..Default::default()
            };
            let correlation = connection.send(VERSION, &request)?;
            let (mut moved, mut unready) = (false, None);
            let shown = &mut self.shown;
            let look = |response: &FetchResponse<'_>| {
                if response.error_code != 0 {
                    return Err(format!("a fetch got {}", response.error_code));
                }
                for data in response.responses.iter().flat_map(|topic| topic.partitions) {
                    let index = data.partition_index as usize;
                    let code = ErrorCode::from_code(data.error_code);
                    if code.is_some_and(ErrorCode::is_retriable) {
                        unready = Some(format!("partition {index}: {code:?}"));
                        continue;
                    }
                    moved |= take(&data, &mut positions[index], &mut shown[index])?;
                }
                Ok(())
            };
            connection.receive(VERSION, correlation, look)?.map_err(Broken::Wrong)?;
            match unready {
                Some(why) if Instant::now() > until => return Err(Broken::Wrong(why)),
                Some(_) => std::thread::sleep(Duration::from_millis(10)),
                None if !moved => return Ok(()),
                None => {}
            }
        }
    }

    /// Compares with what producers know: `complete` when every one of their batches has been
    /// acknowledged.
    pub fn verify(&self, producers: &[Producer], complete: bool) -> Result<u64, String> {
        let mut checked = 0;
        for (partition, shown) in self.shown.iter().enumerate() {
            let mut next: BTreeMap<u32, u64> = BTreeMap::new();
            for (offset, identity) in shown.iter().enumerate() {
                let expected = next.entry(identity.client).or_default();
                if identity.number != *expected {
                    return Err(format!(
                        "partition {partition}, offset {offset}: {identity:?}, expected number \
                         {expected}"
                    ));
                }
                *expected += 1;
            }
            for producer in producers {
                let lane = &producer.lanes[partition];
                for batch in &lane.acknowledged {
                    for index in 0..u64::from(batch.count) {
                        let number = batch.first + index;
                        let wanted = Identity { client: producer.client, number };
                        let offset = batch.base_offset as usize + index as usize;
                        if shown.get(offset) != Some(&wanted) {
                            let found = shown.get(offset);
                            return Err(format!(
                                "partition {partition}, offset {offset} of {}: {wanted:?} was \
                                 acknowledged, {found:?} is there",
                                shown.len()
                            ));
                        }
                        checked += 1;
                    }
                }
                let written = next.get(&producer.client).copied().unwrap_or(0);
                if written > lane.next || (complete && written != lane.next) {
                    let client = producer.client;
                    return Err(format!(
                        "partition {partition} has {written} records of producer {client}, \
                         {} were given out",
                        lane.next
                    ));
                }
            }
        }
        Ok(checked)
    }
}

/// Takes what one partition brought; answers whether it brought anything.
fn take(
    data: &PartitionData<'_>,
    position: &mut i64,
    shown: &mut Vec<Identity>,
) -> Result<bool, String> {
    let partition = data.partition_index;
    if data.error_code != 0 {
        let code = ErrorCode::from_code(data.error_code);
        return Err(format!("a fetch of partition {partition} at {position} got {code:?}"));
    }
    let before = *position;
    let mut scratch = Vec::new();
    for batch in Batches::new(data.records.map_or(&[], |records| records.bytes())) {
        if !batch.checksum_holds() {
            return Err(format!("partition {partition} shows a damaged batch at {position}"));
        }
        let records = batch.records(SECTION_BYTES_MAX, &mut scratch);
        for record in records.map_err(|error| format!("partition {partition}: {error:?}"))? {
            let record = record.map_err(|error| format!("partition {partition}: {error:?}"))?;
            let offset = record.offset.get();
            if offset < before {
                continue;
            }
            if offset != *position {
                return Err(format!("partition {partition} goes on at {offset}, not {position}"));
            }
            let value = record.value.ok_or("a record without value")?;
            let identity = Identity::decode(value, partition)
                .map_err(|why| format!("partition {partition}, offset {offset}: {why}"))?;
            match shown.get(offset as usize) {
                None => shown.push(identity),
                Some(earlier) if *earlier == identity => {}
                Some(earlier) => {
                    return Err(format!(
                        "partition {partition}, offset {offset}: {identity:?}, was {earlier:?}"
                    ));
                }
            }
            *position += 1;
        }
    }
    if *position > data.high_watermark {
        return Err(format!("partition {partition} shows {position}, above its high watermark"));
    }
    Ok(*position > before)
}

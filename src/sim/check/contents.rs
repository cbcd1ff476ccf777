//! Reads everything that is on the disk, by a broker started for that alone and killed afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Contents;
use super::kept::Starts;
use crate::config::BrokerSettings;
use crate::log::{Part, ReadLimits};
use crate::prng::Prng;
use crate::record::Batches;
use crate::shard::{Exit, Input, Message};
use crate::sim::broker::{SimBroker, Wish, shard_configs};
use crate::sim::disk::SimDisk;
use crate::sim::model::{Identity, Key, identity_of};
use crate::sim::report::Violation;
use crate::store::{Owner, ReadDone, ReadOutcome, Reply, Store};
use crate::types::{Instant, Now, Offset, ShardId, Timestamp};

const SECTION_BYTES_MAX: usize = 1 << 20;

/// What one shard brought back, read while nothing else happens.
pub(in crate::sim) fn read(
    disk: &mut SimDisk,
    settings: Arc<BrokerSettings>,
    prng: &mut Prng,
    compacts: bool,
) -> Result<(Contents, Starts), Violation> {
    disk.abandon();
    let mut broker = SimBroker::new(shard_configs(1, prng, &settings));
    let now = Now { instant: Instant::new(1 << 60), timestamp: Timestamp::new(1 << 41) };
    let mut wishes = Vec::new();
    broker.handle(now, 0, Input::Start, disk, &mut wishes);
    let mut serving = false;
    for _ in 0..200_000 {
        broker.end_turn(now, 0, disk, &mut wishes);
        if wishes.is_empty() && serving {
            return contents(&mut broker, disk, now, compacts).map_err(Violation::of("contents"));
        }
        for wish in std::mem::take(&mut wishes) {
            match wish {
                Wish::Disk { owner, token, number, .. } => {
                    let result = disk.complete(number);
                    let input = Input::Disk { owner, token, result };
                    broker.handle(now, 0, input, disk, &mut wishes);
                }
                Wish::Message { message, .. } => {
                    serving |= matches!(message, Message::Serve);
                    let input = Input::Message { from: ShardId::FIRST, message };
                    broker.handle(now, 0, input, disk, &mut wishes);
                }
                Wish::Exit { exit: Exit::Failed(reason), .. } => {
                    return Err(Violation::of("recovery")(reason));
                }
                _ => {}
            }
        }
    }
    let what = "the broker that reads everything does not start";
    Err(Violation::of("finish")(what.to_owned()))
}

fn contents(
    broker: &mut SimBroker,
    disk: &mut SimDisk,
    now: Now,
    compacts: bool,
) -> Result<(Contents, Starts), String> {
    let shard = broker.shard(0).ok_or("the shard is gone")?;
    let image = Arc::clone(shard.image());
    let (mut contents, mut starts) = (Contents::new(), Starts::new());
    for topic in image.topics() {
        for index in 0..topic.partitions.len() as i32 {
            let id = crate::types::TopicPartition {
                topic: topic.id,
                partition: crate::types::PartitionIndex::new(index),
            };
            let store = shard.store_mut();
            let slot = store.slot(id).ok_or("a partition did not come back")?;
            let bytes = read_all(store, slot, disk, now)?;
            let key: Key = (topic.id, index);
            starts.insert(key, store.partition(slot).log.start_offset().get());
            let log = decode(&bytes, compacts).map_err(|reason| format!("{key:?}: {reason}"))?;
            if !log.is_empty() {
                contents.insert(key, log);
            }
        }
    }
    Ok((contents, starts))
}

fn read_all(store: &mut Store, slot: u32, disk: &mut SimDisk, now: Now) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut offset = store.partition(slot).log.start_offset();
    let end = store.partition(slot).high_watermark();
    let reply = Reply { shard: ShardId::FIRST, operation: 0, item: 0 };
    while offset < end.offset {
        let limits = ReadLimits { offset, end: end.place, bytes_max: 1 << 20, first_whole: true };
        let answer = match store.read(slot, limits, reply) {
            ReadOutcome::Done(answer) => answer,
            ReadOutcome::Pending => wait(store, disk, now)?,
        };
        let Ok(ReadDone::Parts(parts)) = answer else {
            return Err(format!("offset {offset} cannot be read: {answer:?}"));
        };
        let mut piece = Vec::new();
        for part in parts {
            match part {
                Part::Memory(range) => piece.extend_from_slice(&range),
                Part::File { file, position, len } => {
                    piece.extend_from_slice(&disk.peek(&file, position, len));
                }
            }
        }
        let whole: usize = Batches::new(&piece).map(|batch| batch.bytes().len()).sum();
        let last = Batches::new(&piece).last();
        let next = last.map(|batch| batch.header().next_offset());
        offset = next.filter(|next| *next > offset).ok_or_else(|| {
            format!("offset {offset} of {end:?} brings {} bytes and no batch", piece.len())
        })?;
        bytes.extend_from_slice(&piece[..whole]);
    }
    Ok(bytes)
}

fn wait(
    store: &mut Store,
    disk: &mut SimDisk,
    now: Now,
) -> Result<crate::store::ReadAnswer, String> {
    for _ in 0..1000 {
        let mut requests = Vec::new();
        store.take_requests(&mut requests);
        for request in requests {
            let (number, _) = disk.submit(request.op);
            let result = disk.complete(number);
            let owner = Owner::decode(request.owner);
            store
                .completed(owner, request.token, result, now)
                .map_err(|fault| fault.to_string())?;
        }
        for event in std::mem::take(store.events()) {
            if let crate::store::StoreEvent::Read(_, _, answer) = event {
                return Ok(answer);
            }
        }
    }
    Err("a read never ends".to_owned())
}

fn decode(bytes: &[u8], compacts: bool) -> Result<BTreeMap<i64, Identity>, String> {
    let mut log = BTreeMap::new();
    let mut next = None::<Offset>;
    let mut scratch = Vec::new();
    for batch in Batches::new(bytes) {
        let header = *batch.header();
        if !batch.checksum_holds() {
            return Err(format!("the batch at {} is damaged", header.base_offset));
        }
        // A read may begin with a batch that the one before ended with.
        if next.is_some_and(|next| header.base_offset < next) {
            continue;
        }
        if next.is_some_and(|next| header.base_offset != next) && !compacts {
            return Err(format!("{} follows {next:?}", header.base_offset));
        }
        next = Some(header.next_offset());
        let records = batch.records(SECTION_BYTES_MAX, &mut scratch);
        for record in records.map_err(|error| format!("{error:?}"))? {
            let record = record.map_err(|error| format!("{error:?}"))?;
            let identity = identity_of(&record).ok_or("no identity")?;
            log.insert(record.offset.get(), identity);
        }
    }
    Ok(log)
}

//! The fuzz targets without a fuzzer: the kept corpus, and a fixed number of mutations of known
//! seeds, the same in every run. More by hand: `FUZZ_ROUNDS=1000000 cargo test --release --test fuzz`.
#![allow(unreachable_pub)]

#[path = "../fuzz/src/storage.rs"]
mod storage;
#[path = "../fuzz/src/wire.rs"]
mod wire;
#[expect(dead_code, reason = "clients that leave are for the tests of a shard")]
#[path = "shard/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use millstream::formats::checkpoint as format;
use millstream::prng::Prng;
use millstream::record::{BatchBuilder, BatchOptions, Codec, Compression, NewRecord, compress};
use millstream::types::Timestamp;

const ROUNDS: u64 = 20_000;
const INPUT_BYTES_MAX: usize = 60_000;

/// Changes an input, mostly in one or two places.
fn mutate(seed: &[u8], prng: &mut Prng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    let most = if prng.percent(10) { 10 } else { 2 };
    for _ in 0..=prng.below(most) {
        let at = prng.below(bytes.len() as u64 + 1) as usize;
        let end = (at + 1 + prng.below(16) as usize).min(bytes.len());
        let at = at.min(end);
        match prng.below(20) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            3..6 => bytes[at..end].fill([0, 1, 0x7f, 0x80, 0xff][prng.below(5) as usize]),
            6 => bytes.splice(at..at, [prng.next_u64() as u8]).for_each(drop),
            _ if at < end => bytes[at] ^= 1 << prng.below(8),
            _ => {}
        }
    }
    bytes.truncate(INPUT_BYTES_MAX);
    bytes
}

/// Runs a target over its corpus, its seeds, and mutations of both.
fn run(name: &str, mut inputs: Vec<Vec<u8>>, mut target: impl FnMut(&[u8])) {
    let folder = format!("{}/fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
    let kept = std::fs::read_dir(&folder).into_iter().flatten();
    let mut paths: Vec<_> = kept.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    inputs.extend(paths.iter().map(|path| std::fs::read(path).expect("readable")));
    let rounds = std::env::var("FUZZ_ROUNDS").ok().and_then(|text| text.parse().ok());
    let mut prng = Prng::new(1);
    for round in 0..inputs.len() as u64 + rounds.unwrap_or(ROUNDS) {
        let input = match inputs.get(round as usize) {
            Some(input) => input.clone(),
            None => {
                let index = prng.below(inputs.len() as u64) as usize;
                mutate(&inputs[index], &mut prng)
            }
        };
        let survived = catch_unwind(AssertUnwindSafe(|| target(&input)));
        assert!(survived.is_ok(), "{name}, round {round}: keep this input: {input:02x?}");
    }
}

fn batch(codec: Codec) -> Vec<u8> {
    let compression = Compression::new(codec);
    let mut builder = BatchBuilder::new(BatchOptions { compression, ..BatchOptions::default() });
    for number in 0..5 {
        let timestamp = Timestamp::new(1_700_000_000_000 + number);
        let value = vec![number as u8; 20 * number as usize];
        let value = (number != 3).then_some(value.as_slice());
        let record = NewRecord { timestamp, key: Some(b"key"), value, headers: &[] };
        builder.append(&record).expect("a small record");
    }
    let mut bytes = Vec::new();
    builder.finish(&mut bytes).expect("a small batch");
    bytes
}

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// Frames of two APIs, the length in front.
fn frames() -> Vec<Vec<u8>> {
    vec![world::produce(), world::fetch(0), world::fetch(i64::MAX)]
}

#[test]
fn frames_cut_anywhere() {
    let all = frames().concat();
    run("frames", vec![[&[7], all.as_slice()].concat(), vec![1, 0, 0, 0, 0]], wire::frames);
}

#[test]
fn headers_and_messages() {
    let seeds = (0..=255).map(|which| vec![which, which, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
    run("messages", seeds.collect(), wire::messages);
}

#[test]
fn requests_to_a_shard() {
    let frames = frames().into_iter().chain(world::empty_requests());
    let seeds = frames.map(|frame| frame[4..].to_vec()).collect();
    let mut world = world::World::new();
    let (mut handled, mut sent_bytes) = (0, 0);
    run("requests", seeds, |data| {
        handled += 1;
        if handled % 2_000 == 0 {
            sent_bytes += world.sent_bytes;
            world = world::World::new();
        }
        wire::requests(&mut world, data);
    });
    assert!(sent_bytes > 10 * handled, "most requests were answered: {sent_bytes} of {handled}");
}

#[test]
fn record_batches() {
    run("batches", CODECS.map(batch).to_vec(), wire::batches);
}

#[test]
fn decompressors() {
    let seed = |(which, codec): (u8, Codec)| {
        let mut out = vec![which];
        let mut compressed = Vec::new();
        let text = b"offset leader epoch segment batch ".repeat(30);
        compress(Compression::new(codec), &text, &mut compressed);
        out.append(&mut compressed);
        out
    };
    let seeds = (0..).zip(CODECS.into_iter().skip(1)).map(seed).collect();
    run("decompressors", seeds, wire::decompressors);
}

#[test]
fn write_ahead_logs() {
    let mut seed = vec![0];
    seed.extend(storage::wal_seed());
    assert_eq!(storage::wal_replay(&seed), 12, "the seed is a whole log");
    run("wal_replay", vec![seed], |data| {
        storage::wal_replay(data);
    });
}

/// A checkpoint's record of a partition with two producers, behind 5000 bytes of its segment.
fn partition_record() -> Vec<u8> {
    let mut builder = flatbuffers::FlatBufferBuilder::new();
    let batch = |number| format::ProducerBatch::new(number, number, i64::from(number), 1);
    let producers: Vec<_> = (0..2)
        .map(|producer_id| {
            let batches: Vec<_> = (0..5).map(batch).collect();
            let batches = Some(builder.create_vector(&batches));
            let args = format::ProducerArgs { producer_id, batches, ..Default::default() };
            format::Producer::create(&mut builder, &args)
        })
        .collect();
    let producers = Some(builder.create_vector(&producers));
    let epochs = [format::Epoch::new(0, 0), format::Epoch::new(3, 2)];
    let epochs = Some(builder.create_vector(&epochs));
    let args = format::PartitionArgs {
        topic: Some(&format::Id::new(1, 2)),
        log_directory: Some(&format::Id::new(3, 4)),
        sequence: 5,
        synced_position: 5000,
        end_offset: 5,
        epochs,
        producers,
        ..Default::default()
    };
    let record = format::Partition::create(&mut builder, &args);
    builder.finish(record, None);
    builder.finished_data().to_vec()
}

#[test]
fn checkpoints() {
    let seed = partition_record();
    assert!(storage::checkpoint(&seed), "the seed is a record of what is on disk");
    run("checkpoint", vec![seed], |data| {
        storage::checkpoint(data);
    });
}

#[test]
fn partition_directories() {
    let log = CODECS.map(batch).concat();
    let index = [0, 0, 0, 5, 0, 0, 1, 0];
    let time = [0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0, 0, 0, 0, 5];
    let seed = |synced: u16, with: u8| {
        let mut seed = Vec::new();
        seed.extend(u16::try_from(log.len()).expect("short").to_be_bytes());
        seed.extend([0, 8]);
        seed.extend(synced.to_be_bytes());
        seed.extend([0, with]);
        seed.extend(&log);
        seed.extend(index);
        seed.extend(time);
        seed
    };
    let whole = u16::try_from(log.len()).expect("short");
    run("log_recovery", vec![seed(whole, 1), seed(0, 1), seed(0, 0)], storage::log_recovery);
}

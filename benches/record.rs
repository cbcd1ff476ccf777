//! Record batches: what a produce costs beyond the checksum.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use millstream::record::{
    Batch, BatchBuilder, BatchOptions, Codec, Compression, NewRecord, Rules, Stamp, TimestampRule,
    Validation, compress, crc32c, decompress, recompress, validate,
};
use millstream::types::{LeaderEpoch, Offset, Timestamp};

const KIB: usize = 1024;
const NOW: Timestamp = Timestamp::new(1_700_000_000_000);

const RULES: Rules = Rules {
    bytes_max: 2 * KIB * KIB,
    section_bytes_max: 16 * KIB * KIB,
    zstd_allowed: true,
    transactional_allowed: false,
    keys_required: false,
    timestamps: TimestampRule::CreateTime { before_max_ms: i64::MAX, after_max_ms: 3_600_000 },
    validation: Validation::Full,
    now: NOW,
};

/// Words in random order, which every codec makes smaller.
fn payload(bytes: usize) -> Vec<u8> {
    let words = "offset leader epoch segment batch record topic broker shard commit".split(' ');
    let words: Vec<&str> = words.collect();
    let mut state = 1_u64;
    let mut text = String::new();
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text.push_str(words[(state >> 33) as usize % words.len()]);
        text.push(' ');
    }
    text.truncate(bytes);
    text.into_bytes()
}

fn batch(bytes: usize, value_bytes: usize, codec: Codec) -> Vec<u8> {
    build(&payload(bytes), value_bytes, codec)
}

fn build(values: &[u8], value_bytes: usize, codec: Codec) -> Vec<u8> {
    let compression = Compression::new(codec);
    let mut builder = BatchBuilder::new(BatchOptions { compression, ..BatchOptions::default() });
    for (delta, value) in values.chunks(value_bytes).enumerate() {
        let timestamp = Timestamp::new(NOW.get() + delta as i64);
        let record =
            NewRecord { timestamp, key: Some(b"key-0001"), value: Some(value), headers: &[] };
        builder.append(&record).expect("a small batch");
    }
    let mut out = Vec::new();
    builder.finish(&mut out).expect("a small batch");
    out
}

fn first(bytes: &[u8]) -> Batch<'_> {
    Batch::first(bytes).expect("built here")
}

fn checksum(c: &mut Criterion) {
    let mut group = c.benchmark_group("record/crc32c");
    for bytes in [40, 100, KIB, 16 * KIB, KIB * KIB] {
        let input = payload(bytes);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |b| {
            b.iter(|| crc32c(black_box(&input)));
        });
    }
    group.finish();
}

/// Validation beside the checksum that is a part of it.
fn validation(c: &mut Criterion) {
    let mut group = c.benchmark_group("record/validate");
    for (bytes, value_bytes) in [(16 * KIB, KIB), (16 * KIB, 100), (KIB, KIB), (KIB * KIB, KIB)] {
        let batch = batch(bytes, value_bytes, Codec::None);
        let name = format!("{}x{value_bytes}", bytes / value_bytes);
        group.throughput(Throughput::Bytes(batch.len() as u64));
        group.bench_function(BenchmarkId::new("crc", &name), |b| {
            b.iter(|| crc32c(black_box(&batch[21..])));
        });
        group.bench_function(BenchmarkId::new("all", &name), |b| {
            b.iter(|| validate(black_box(&batch), &RULES).is_ok());
        });
    }
    for codec in Codec::ALL {
        let batch = batch(16 * KIB, KIB, codec);
        group.throughput(Throughput::Bytes(16 * KIB as u64));
        group.bench_function(BenchmarkId::new("full", codec), |b| {
            b.iter(|| validate(black_box(&batch), &RULES).is_ok());
        });
    }
    group.finish();
}

fn stamping(c: &mut Criterion) {
    let batch = batch(16 * KIB, KIB, Codec::None);
    let header = *first(&batch).header();
    let mut group = c.benchmark_group("record/stamp");
    for (name, log_append_time) in [("create-time", None), ("log-append-time", Some(NOW))] {
        let stamp = Stamp {
            base_offset: Offset::new(1 << 40),
            leader_epoch: LeaderEpoch::new(7),
            log_append_time,
        };
        group.bench_function(name, |b| b.iter(|| black_box(&header).stamped(stamp).encode()));
    }
    group.finish();
}

fn records(c: &mut Criterion) {
    let mut group = c.benchmark_group("record/records");
    let bytes = batch(16 * KIB, 100, Codec::None);
    group.throughput(Throughput::Elements(first(&bytes).header().record_count as u64));
    group.bench_function("iterate", |b| {
        let batch = first(&bytes);
        let mut scratch = Vec::new();
        b.iter(|| {
            let records = black_box(&batch).records(0, &mut scratch).expect("not compressed");
            records.flatten().map(|record| record.value.map_or(0, <[u8]>::len)).sum::<usize>()
        });
    });
    let values = payload(16 * KIB);
    group.bench_function("build", |b| b.iter(|| build(black_box(&values), 100, Codec::None)));
    group.finish();
}

fn codecs(c: &mut Criterion) {
    let mut group = c.benchmark_group("record/codec");
    let input = payload(64 * KIB);
    let uncompressed = batch(64 * KIB, KIB, Codec::None);
    let uncompressed = first(&uncompressed);
    group.throughput(Throughput::Bytes(input.len() as u64));
    for codec in &Codec::ALL[1..] {
        let compression = Compression::new(*codec);
        let mut compressed = Vec::new();
        compress(compression, &input, &mut compressed);
        let mut out = Vec::new();
        group.bench_function(BenchmarkId::new("decompress", codec), |b| {
            b.iter(|| decompress(*codec, black_box(&compressed), input.len(), &mut out).is_ok());
        });
        group.bench_function(BenchmarkId::new("recompress", codec), |b| {
            b.iter(|| {
                out.clear();
                let section = uncompressed.stored_section();
                recompress(uncompressed.header(), section, compression, &mut out).is_ok()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, checksum, validation, stamping, records, codecs);

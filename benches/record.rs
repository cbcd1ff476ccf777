//! Record batches: what a produce costs beyond the checksum.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use millstream::record::crc32c;

const KIB: usize = 1024;

fn checksum(c: &mut Criterion) {
    let mut group = c.benchmark_group("record/crc32c");
    for bytes in [40, 100, KIB, 16 * KIB, KIB * KIB] {
        let input = vec![7; bytes];
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |b| {
            b.iter(|| crc32c(black_box(&input)));
        });
    }
    group.finish();
}

criterion_group!(benches, checksum);

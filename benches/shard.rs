//! A shard from a client's bytes to its effects, without I/O: requests of 1 KiB.

use std::hint::black_box;

use criterion::{Criterion, criterion_group};
use millstream::connection::Outbox;
use millstream::metrics::{Mark, Metrics};
use millstream::types::Instant;

#[expect(dead_code, reason = "hostile requests are for fuzzing")]
#[allow(unreachable_pub)]
#[path = "../tests/shard/world.rs"]
mod world;

use world::World;

/// Requests that arrive together, as from a client with so many under way.
const TOGETHER: usize = 8;

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("shard");
    let produce = world::produce();
    let mut world = World::new();
    group.bench_function("produce of 1 KiB, one commit each", |bencher| {
        bencher.iter(|| world.request(&produce));
    });
    let eight = produce.repeat(TOGETHER);
    group.bench_function("8 produces of 1 KiB, one commit", |bencher| {
        bencher.iter(|| world.request(&eight));
    });
    let mut world = World::new();
    (0..1_000).for_each(|_| world.request(&produce));
    let fetches: Vec<Vec<u8>> = (0..1_000).map(world::fetch).collect();
    let mut next = fetches.iter().cycle();
    group.bench_function("fetch of 1 KiB", |bencher| {
        bencher.iter(|| world.request(next.next().expect("endless")));
    });
    let (mut metrics, mut outbox) = (Metrics::default(), Outbox::default());
    let mut nanos = 0;
    group.bench_function("what a request adds to the metrics, and a byte sent", |bencher| {
        bencher.iter(|| {
            nanos += 1_000;
            let now = Instant::new(nanos);
            metrics.received_bytes += 1;
            metrics.answered(0, black_box(250_000));
            metrics.failed(black_box(&[]));
            outbox.write(|own| own.push(0));
            outbox.mark(Mark { api: 0, ready: now });
            outbox.sent(1);
            metrics.sent_bytes += 1;
            while let Some(mark) = outbox.take_sent_mark() {
                metrics.sent(mark, now);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, requests);

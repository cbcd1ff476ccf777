//! Every micro-benchmark in one binary: `cargo bench --bench main -- record`.

mod record;

criterion::criterion_main!(record::benches);

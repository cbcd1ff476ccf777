//! Every micro-benchmark in one binary: `cargo bench --bench main -- record`.

mod protocol;
mod record;
mod shard;

criterion::criterion_main!(protocol::benches, record::benches, shard::benches);

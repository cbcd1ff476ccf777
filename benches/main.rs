//! Every micro-benchmark in one binary: `cargo bench --bench main -- protocol`.

mod protocol;

criterion::criterion_main!(protocol::benches);

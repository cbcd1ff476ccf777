//! All benches, one module per subject.

mod protocol;

criterion::criterion_main!(protocol::benches);

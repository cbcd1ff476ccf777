//! What must survive any bytes: one function per target, from bytes to nothing. `tests/fuzz.rs` runs
//! them over the corpus and over mutations of known seeds; cargo-fuzz runs them for hours.

pub mod storage;
pub mod wire;
#[path = "../../tests/shard/world.rs"]
pub mod world;

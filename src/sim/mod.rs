//! The deterministic simulator: the same shards on a disk and a network that misbehave, from a seed.

mod disk;
mod names;

pub use disk::{DiskCounts, DiskFaults, SimDisk};

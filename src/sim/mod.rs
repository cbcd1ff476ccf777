//! The deterministic simulator: the same shards on a disk and a network that misbehave, from a seed.

mod broker;
mod check;
mod client;
mod disk;
mod faults;
mod model;
mod names;
mod report;
mod settings;
mod world;

pub use disk::{DiskCounts, DiskFaults, SimDisk};
pub use faults::{Fault, Planned, plan};
pub use report::{Phase, RunReport, Violation};
pub use world::RunConfig;

use crate::prng::Prng;

/// A run with faults made from the seed.
pub fn config_of(seed: u64, faults: u32) -> RunConfig {
    let mut prng = Prng::new(seed ^ 0x5eed);
    let faults = plan(&mut prng, faults);
    let (producers, consumers) = (1 + prng.below(4) as u32, 1 + prng.below(2) as u32);
    RunConfig { seed, faults, producers, consumers }
}

/// Runs a world to its end.
///
/// # Errors
/// The property that was broken, and how.
pub fn run(config: RunConfig) -> Result<RunReport, Violation> {
    world::World::new(config).run()
}

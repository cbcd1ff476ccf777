//! Millstream, a Kafka-compatible event broker: see `src/ARCHITECTURE.md` for the map.

pub mod cli;
pub mod client;
pub mod config;
pub mod connection;
pub mod consensus;
pub mod controller;
pub mod formats;
pub mod handlers;
pub mod io;
pub mod log;
pub mod metadata;
pub mod metrics;
pub mod partition;
pub mod planted;
pub mod prng;
pub mod protocol;
pub mod quota;
pub mod record;
pub mod runtime;
pub mod shard;
#[cfg(feature = "simulation")]
pub mod sim;
pub mod store;
pub mod trace;
pub mod types;
pub mod wal;

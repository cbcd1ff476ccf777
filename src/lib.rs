//! Millstream, a Kafka-compatible event broker: see `src/ARCHITECTURE.md` for the map.

pub mod config;
pub mod connection;
pub mod formats;
pub mod io;
pub mod log;
pub mod metadata;
pub mod partition;
pub mod planted;
pub mod prng;
pub mod protocol;
pub mod record;
pub mod runtime;
#[cfg(feature = "simulation")]
pub mod sim;
pub mod store;
pub mod types;
pub mod wal;

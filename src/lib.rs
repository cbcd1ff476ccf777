//! Millstream, a Kafka-compatible event broker: see `src/ARCHITECTURE.md` for the map.

pub mod io;
pub mod record;
pub mod runtime;
pub mod types;

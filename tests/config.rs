//! Settings: against what Kafka 4.3.1 itself says (`tests/config/kafka-4.3.1`, written by
//! `tests/config/generate`), and what people are told.

#![allow(clippy::unwrap_used, unreachable_pub)]

#[path = "config/described.rs"]
mod described;
#[path = "config/effects.rs"]
mod effects;
#[path = "config/facts.rs"]
mod facts;
#[path = "config/generated.rs"]
mod generated;
#[path = "config/property_files.rs"]
mod property_files;
#[path = "config/start.rs"]
mod start;
#[path = "config/tables.rs"]
mod tables;
#[path = "config/topics.rs"]
mod topics;
#[path = "config/verdicts.rs"]
mod verdicts;

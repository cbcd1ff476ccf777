//! The commands as people type them: the real binary, a real broker on a free port.
#![allow(clippy::unwrap_used, unreachable_pub)]

#[path = "cli/administration.rs"]
mod administration;
#[path = "cli/broker.rs"]
mod broker;
#[path = "cli/compaction.rs"]
mod compaction;
#[path = "cli/inspect.rs"]
mod inspect;
#[path = "cli/records.rs"]
mod records;
#[path = "cli/strays.rs"]
mod strays;
#[path = "cli/topics.rs"]
mod topics;

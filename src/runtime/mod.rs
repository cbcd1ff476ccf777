//! The only folder with I/O: it carries out what the shards decide, and decides nothing itself.

mod admin;
mod blocking;
mod broker;
mod claim;
mod clock;
mod exposition;
mod file;
mod log;
mod mesh;
mod observer;
mod pump;
mod ring;
mod socket;
mod wake;
mod workers;

pub use admin::Admin;
pub use blocking::{for_ring, perform};
pub use broker::{Broker, StartError, Stopper};
pub use claim::Claim;
pub use file::{Closer, run_closer};
pub use observer::{CoreReport, Observer};
pub use ring::{Completion, Ring, RingOp};

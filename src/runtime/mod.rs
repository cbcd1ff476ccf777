//! The only folder with I/O: it carries out what the shards decide, and decides nothing itself.

mod blocking;
mod file;
mod ring;

pub use blocking::{for_ring, perform};
pub use file::{Closer, run_closer};
pub use ring::{Completion, Ring, RingOp};

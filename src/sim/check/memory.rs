//! Memory stays within its bounds.

use crate::sim::broker::SimBroker;

/// What the bounds leave out: one append that was admitted below the bound, chunks still referred
/// to by a send.
const SLACK_BYTES: usize = 256 << 10;
/// A quarter of the memory for requests, and one request, which may be larger.
const LENT_BYTES_MAX: usize = (32 + 96) << 10;

pub(in crate::sim) fn check(broker: Option<&mut SimBroker>) -> Result<(), String> {
    let Some(broker) = broker else { return Ok(()) };
    for shard in broker.shards.iter_mut().flatten() {
        let (tails, most) = (shard.store().tail_bytes(), shard.store().tail_bytes_max());
        if tails > most + SLACK_BYTES {
            return Err(format!("tails hold {tails} of {most} bytes"));
        }
        let lent = shard.lent_bytes();
        if lent > LENT_BYTES_MAX {
            return Err(format!("{lent} bytes are on their way to other cores"));
        }
    }
    Ok(())
}

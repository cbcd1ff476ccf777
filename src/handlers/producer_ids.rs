//! Producer ids that this shard may hand out.

use crate::controller::PRODUCER_IDS_PER_BLOCK;
use crate::types::ProducerId;

/// What is left of the last block.
#[derive(Debug, Default)]
pub struct ProducerIds {
    next: i64,
    end: i64,
}

impl ProducerIds {
    /// The next id.
    pub fn take(&mut self) -> Option<ProducerId> {
        if self.next == self.end {
            return None;
        }
        self.next += 1;
        Some(ProducerId::new(self.next - 1))
    }

    /// Takes a block in that begins with `first`.
    pub fn refill(&mut self, first: ProducerId) {
        self.next = first.get();
        self.end = self.next + PRODUCER_IDS_PER_BLOCK;
    }
}

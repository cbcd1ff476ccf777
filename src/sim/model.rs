//! What clients know to be true: which record stands at which offset.

use std::collections::{BTreeMap, BTreeSet};

use super::report::Violation;
use crate::types::Uuid;

/// Which record it is: who wrote it, and the how many-th of that writer in its partition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Identity {
    /// The client that wrote it.
    pub(super) client: u32,
    /// Counts the client's records of one partition.
    pub(super) number: u64,
}

impl Identity {
    /// As the start of a record's value.
    pub(super) fn encode(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&self.client.to_be_bytes());
        bytes[4..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// From the start of a record's value.
    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        let (client, rest) = value.split_first_chunk()?;
        let (number, _) = rest.split_first_chunk()?;
        Some(Self { client: u32::from_be_bytes(*client), number: u64::from_be_bytes(*number) })
    }
}

/// A partition of one incarnation of a topic.
pub(super) type Key = (Uuid, i32);

/// What is known of one partition.
#[derive(Clone, Debug, Default)]
pub(super) struct PartitionModel {
    /// Records that were acknowledged, by offset.
    pub(super) acknowledged: BTreeMap<i64, Identity>,
    /// Records that a consumer was shown, by offset.
    pub(super) shown: BTreeMap<i64, Identity>,
}

/// All that is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    /// By partition.
    pub(super) partitions: BTreeMap<Key, PartitionModel>,
    /// Topics that were deleted, or may be: nothing is promised of them any more.
    pub(super) deleted: BTreeSet<Uuid>,
    /// Clients that write with idempotence.
    pub(super) idempotent: BTreeSet<u32>,
    /// The first thing that was wrong.
    pub(super) violation: Option<Violation>,
    /// Batches acknowledged.
    pub(super) batches: u64,
}

impl Model {
    /// Notes that an answer is wrong, unless something was before.
    pub(super) fn violated(&mut self, what: String) {
        self.broken("answers", what);
    }

    fn broken(&mut self, property: &'static str, message: String) {
        self.violation.get_or_insert(Violation { property, message });
    }

    /// A batch was acknowledged.
    pub(super) fn acknowledge(&mut self, key: Key, base_offset: i64, identities: &[Identity]) {
        self.batches += 1;
        let mut violation = None;
        let partition = self.partitions.entry(key).or_default();
        for (offset, identity) in (base_offset..).zip(identities) {
            let before = partition.acknowledged.insert(offset, *identity);
            if before.is_some_and(|before| before != *identity) {
                violation = Some(format!(
                    "offset {offset} of {key:?} was acknowledged for {before:?} and {identity:?}"
                ));
            }
            if let Some(shown) = partition.shown.get(&offset)
                && shown != identity
            {
                violation = Some(format!(
                    "offset {offset} of {key:?} was shown as {shown:?}, acknowledged for {identity:?}"
                ));
            }
        }
        violation.into_iter().for_each(|violation| self.broken("acknowledged", violation));
    }

    /// A consumer was shown a record.
    pub(super) fn show(&mut self, key: Key, offset: i64, identity: Identity) {
        let partition = self.partitions.entry(key).or_default();
        let acknowledged = partition.acknowledged.get(&offset).copied();
        let shown = partition.shown.insert(offset, identity);
        for before in [acknowledged, shown].into_iter().flatten() {
            if before != identity {
                let what =
                    format!("offset {offset} of {key:?} is {identity:?}, and was {before:?}");
                self.broken("shown", what);
            }
        }
    }
}

//! What clients know to be true: which record stands at which offset.

use std::collections::{BTreeMap, BTreeSet};

use super::report::Violation;
use crate::record::Record;
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

    /// Its key, where topics are compacted: mostly one of few, so that the record is replaced soon,
    /// and sometimes one that no other record has, which is missed when it is lost.
    pub(super) fn key(self) -> [u8; 12] {
        if self.number.is_multiple_of(5) {
            return self.encode();
        }
        let mut key = [u8::MAX; 12];
        key[0] = ((u64::from(self.client) * 7 + self.number * 3) % 13) as u8;
        key
    }

    /// Whether its key may be that of others.
    pub(super) fn shares_key(self) -> bool {
        self.key() != self.encode()
    }

    /// Whether it deletes its key.
    pub(super) fn is_tombstone(self) -> bool {
        self.number % 11 == 3
    }

    /// From the start of a record's value.
    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        let (client, rest) = value.split_first_chunk()?;
        let (number, _) = rest.split_first_chunk()?;
        Some(Self { client: u32::from_be_bytes(*client), number: u64::from_be_bytes(*number) })
    }
}

/// The key of the header that says which record it is: tombstones have no value for that.
pub(super) const IDENTITY_HEADER: &[u8] = b"identity";

/// Which record it is.
pub(super) fn identity_of(record: &Record<'_>) -> Option<Identity> {
    let header = record.headers.iter().find(|header| header.key == IDENTITY_HEADER);
    record.value.or(header.and_then(|header| header.value)).and_then(Identity::decode)
}

/// A partition of one incarnation of a topic.
pub(super) type Key = (Uuid, i32);

/// What the topics of a run lose on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Cleanup {
    /// Nothing.
    #[default]
    Nothing,
    /// Old segments, by age or size.
    Retention,
    /// What a client deletes.
    Deletion,
    /// Records whose key has a later one.
    Compaction,
    /// The same, and what says that a key is deleted, some time after a compaction saw it.
    CompactionAndExpiry,
    /// What compaction removes and what a client deletes.
    CompactionAndDeletion,
}

impl Cleanup {
    pub(super) fn compacts(self) -> bool {
        matches!(self, Self::Compaction | Self::CompactionAndExpiry | Self::CompactionAndDeletion)
    }

    pub(super) fn moves_starts(self) -> bool {
        !matches!(self, Self::Nothing | Self::Compaction | Self::CompactionAndExpiry)
    }
}

/// What is known of one partition.
#[derive(Clone, Debug, Default)]
pub(super) struct PartitionModel {
    /// Records that were acknowledged, by offset.
    pub(super) acknowledged: BTreeMap<i64, Identity>,
    /// Records that a consumer was shown, by offset.
    pub(super) shown: BTreeMap<i64, Identity>,
    /// Deletions up to here were answered.
    pub(super) deleted_to: i64,
    /// And up to here some may have happened.
    pub(super) asked_to: i64,
}

/// All that is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    /// By partition.
    pub(super) partitions: BTreeMap<Key, PartitionModel>,
    /// Topics that were deleted, or may be: nothing is promised of them any more.
    pub(super) deleted: BTreeSet<Uuid>,
    /// What is lost on purpose.
    pub(super) cleanup: Cleanup,
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

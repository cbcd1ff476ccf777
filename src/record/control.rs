//! Control records: what brokers write among the records of clients (KIP-98).

use super::{BatchBuilder, BatchHeader, BatchOptions, BuildError, NewRecord, Producer, Record};
use crate::types::Timestamp;

/// The kinds of control records, by the number in their key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControlKind {
    /// A transaction was aborted.
    Abort,
    /// A transaction was committed.
    Commit,
    /// A new leader of Kafka's metadata log (KIP-595).
    LeaderChange,
    /// The start of a metadata snapshot (KIP-630).
    SnapshotHeader,
    /// The end of a metadata snapshot (KIP-630).
    SnapshotFooter,
    /// The version of Kafka's metadata quorum (KIP-853).
    KraftVersion,
    /// The voters of Kafka's metadata quorum (KIP-853).
    KraftVoters,
    /// Any other, which readers skip.
    Unknown(i16),
}

impl ControlKind {
    const KNOWN: [Self; 7] = [
        Self::Abort,
        Self::Commit,
        Self::LeaderChange,
        Self::SnapshotHeader,
        Self::SnapshotFooter,
        Self::KraftVersion,
        Self::KraftVoters,
    ];

    /// The kind that the key of a control record names, `None` when it is too short. The version
    /// in front of it is not looked at, since later versions only append fields.
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let id = i16::from_be_bytes(*key.get(2..)?.first_chunk()?);
        let known = usize::try_from(id).ok().and_then(|id| Self::KNOWN.get(id));
        Some(known.copied().unwrap_or(Self::Unknown(id)))
    }

    /// The key of a control record of this kind, version 0.
    pub fn key(self) -> [u8; 4] {
        let id = match self {
            Self::Unknown(id) => id,
            known => Self::KNOWN.iter().position(|kind| *kind == known).unwrap_or(0) as i16,
        };
        let [high, low] = id.to_be_bytes();
        [0, 0, high, low]
    }
}

/// The end of a transaction in one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndTransactionMarker {
    /// Whether it was committed, or else aborted.
    pub committed: bool,
    /// The epoch of the coordinator that ended it; a lower one is fenced.
    pub coordinator_epoch: i32,
}

impl EndTransactionMarker {
    /// The marker in a record of a control batch, `None` when it is of another kind or damaged.
    pub fn from_record(record: &Record<'_>) -> Option<Self> {
        let committed = match ControlKind::from_key(record.key?)? {
            ControlKind::Commit => true,
            ControlKind::Abort => false,
            _ => return None,
        };
        let coordinator_epoch = i32::from_be_bytes(*record.value?.get(2..)?.first_chunk()?);
        Some(Self { committed, coordinator_epoch })
    }

    /// Appends a batch with this marker of `producer` to `out` and returns its header. Its offset
    /// and leader epoch are still to be stamped. Markers have no sequence number.
    ///
    /// # Errors
    /// None that could occur with a record as small as this.
    pub fn write_batch(
        self,
        producer: Producer,
        timestamp: Timestamp,
        out: &mut Vec<u8>,
    ) -> Result<BatchHeader, BuildError> {
        let mut builder = BatchBuilder::new(BatchOptions {
            producer: Producer { base_sequence: -1, ..producer },
            transactional: true,
            control: true,
            ..BatchOptions::default()
        });
        let kind = if self.committed { ControlKind::Commit } else { ControlKind::Abort };
        let mut value = [0; 6];
        value[2..].copy_from_slice(&self.coordinator_epoch.to_be_bytes());
        builder.append(&NewRecord {
            timestamp,
            key: Some(&kind.key()),
            value: Some(&value),
            headers: &[],
        })?;
        builder.finish(out)
    }
}

//! Which part of the store a disk request belongs to, packed into its owner.

/// The number of bits for a part's own index.
const INDEX_BITS: u32 = 28;

/// A part of the shard that asks the disk for things.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// The write-ahead log.
    Wal,
    /// The checkpoint.
    Checkpoint,
    /// The log of the partition in a slot.
    Log(u32),
    /// A read or search under way.
    Read(u32),
    /// The replay of an earlier write-ahead log.
    Replay(u32),
    /// The recovery of a partition's log.
    Recovery(u32),
    /// Free space and the reserve.
    Space,
    /// The removal of what is deleted.
    Removal(u32),
    /// A look at the segments of the partition in a slot, for retention.
    Retention(u32),
    /// The compaction of the partition in a slot.
    Compaction(u32),
    /// Everything that is not the store's: start-up and metadata.
    Outside(u32),
}

impl Owner {
    /// As a number.
    pub fn encode(self) -> u32 {
        let (kind, index) = match self {
            Self::Wal => (0, 0),
            Self::Checkpoint => (1, 0),
            Self::Log(slot) => (2, slot),
            Self::Read(key) => (3, key),
            Self::Replay(key) => (4, key),
            Self::Recovery(key) => (5, key),
            Self::Space => (6, 0),
            Self::Removal(key) => (7, key),
            Self::Outside(part) => (8, part),
            Self::Retention(slot) => (9, slot),
            Self::Compaction(slot) => (10, slot),
        };
        assert!(index >> INDEX_BITS == 0);
        kind << INDEX_BITS | index
    }

    /// From its number.
    ///
    /// # Panics
    /// On a number that [`Owner::encode`] never makes.
    pub fn decode(owner: u32) -> Self {
        let index = owner & ((1 << INDEX_BITS) - 1);
        match owner >> INDEX_BITS {
            0 => Self::Wal,
            1 => Self::Checkpoint,
            2 => Self::Log(index),
            3 => Self::Read(index),
            4 => Self::Replay(index),
            5 => Self::Recovery(index),
            6 => Self::Space,
            7 => Self::Removal(index),
            8 => Self::Outside(index),
            9 => Self::Retention(index),
            10 => Self::Compaction(index),
            kind => unreachable!("no part of the shard has the number {kind}"),
        }
    }
}

use super::number;

number! {
    /// A record's offset in its partition, from 0.
    Offset(i64)
}
number! {
    /// A byte position within one log segment.
    Position(u64)
}
number! {
    /// A log sequence number: an entry's place in one WAL, +1 per entry.
    Lsn(u64)
}
number! {
    /// A partition's sequence: +1 for each change of that partition, in whichever WAL it is logged.
    PartitionSequence(u64)
}

impl Offset {
    /// The first offset of a partition.
    pub const ZERO: Self = Self::new(0);

    /// The offset `count` records further.
    ///
    /// # Panics
    /// When the offset would leave the range of `i64`.
    pub fn plus(self, count: i64) -> Self {
        Self::new(self.get().checked_add(count).expect("offsets stay within i64"))
    }
}

impl Position {
    /// The start of a segment.
    pub const ZERO: Self = Self::new(0);

    /// The position `bytes` further.
    pub fn plus(self, bytes: u64) -> Self {
        Self::new(self.get() + bytes)
    }
}

impl Lsn {
    /// The entry that follows this one.
    pub fn next(self) -> Self {
        Self::new(self.get() + 1)
    }
}

impl PartitionSequence {
    /// The change that follows this one.
    pub fn next(self) -> Self {
        Self::new(self.get() + 1)
    }
}

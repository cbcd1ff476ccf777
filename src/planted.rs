//! Bugs planted on purpose, so that the simulator proves it would find them. Outside of the
//! `simulation` feature every question is answered `false` at compile time.

macro_rules! bugs {
    ($($(#[$doc:meta])* $bug:ident),* $(,)?) => {
        /// A bug that one test build can switch on. Each is caught by a property of `sim/check/`.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[non_exhaustive]
        pub enum Bug {
            $($(#[$doc])* $bug,)*
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$bug),*];
        }
    };
}

bugs! {
    /// Acknowledges appends before their commit is durable.
    AcknowledgeBeforeCommit,
    /// Recycles a WAL file before the segments it covers are synced.
    RecycleBeforeSync,
    /// Recycles one WAL file too many.
    RecycleOffByOne,
    /// Writes every checkpoint into the same slot, so that a torn one leaves none.
    OverwriteSlot,
    /// Believes the bytes that a segment file has above the checkpoint.
    BelieveSegment,
    /// Gives up a chunk that has not been written to its segment.
    ReleaseUnwrittenChunk,
    /// Counts written bytes as synced.
    CountUnsynced,
    /// Forgets that a block which is rewritten has to stand in the write-ahead log.
    ForgetCarriedBlock,
    /// Never lets a held segment be written again.
    ForgetRelease,
    /// Believes index entries behind what is known to be synced.
    TrustIndex,
    /// Does not sync the directory in which a WAL file was made.
    ForgetWalDirectory,
    /// Does not sync the directory in which a segment was made.
    ForgetPartitionDirectory,
    /// Does not sync the directory in which a metadata snapshot was renamed.
    ForgetSnapshotDirectory,
    /// Forgets the producers at a restart.
    LoseProducers,
    /// Answers a duplicate before the original's commit.
    AnswerDuplicateEarly,
    /// Applies WAL entries by the partition's number, whatever their topic's id.
    IgnoreTopicId,
    /// Does not look at the CRC of the records in a commit.
    SkipCrc,
    /// Sorts carried blocks before the appends that they hold.
    SortCarriedFirst,
    /// Lets a checkpoint begin before every partition is back.
    CheckpointBeforeRecovery,
    /// Removes the write-ahead logs of earlier lives before all shards have drained them.
    DropWalBeforeDrain,
    /// Shows consumers what was appended instead of what is durable.
    ShowLogEnd,
    /// Skips the last record of a batch when it looks an offset up.
    LookUpOffByOne,
    /// Decides a metadata command before its commit.
    DecideBeforeCommit,
    /// Appends whatever memory the tails hold.
    IgnoreMemory,
    /// Never tells appends that wait for room that there is some.
    ForgetRoom,
    /// Removes segments before the log start offset that passed them is durable.
    RemoveBeforeLogStart,
    /// Keeps no record of a key that has newer ones, not even the newest.
    DropLatest,
    /// Puts compacted segments in place before they are on disk.
    SwapUnsynced,
    /// Forgets at a restart that compacted segments were about to take their place.
    ForgetSwap,
    /// Forgets at a restart how the log start offset moved since the last checkpoint.
    ForgetLogStart,
    /// Lets what says that a key is deleted go before the records that it deletes.
    ExpireUnseen,
}

#[cfg(feature = "simulation")]
mod switch {
    use core::cell::Cell;

    use super::Bug;

    std::thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Switches one bug on, or all off, for this thread.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    /// Whether `bug` is switched on.
    pub fn planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }
}

#[cfg(feature = "simulation")]
pub use switch::{plant, planted};

/// Whether `bug` is switched on: never, in this build.
#[cfg(not(feature = "simulation"))]
#[inline(always)]
pub const fn planted(_bug: Bug) -> bool {
    false
}

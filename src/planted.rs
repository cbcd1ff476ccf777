//! Bugs planted on purpose, so that the simulator proves it would find them. Outside of the
//! `simulation` feature every question is answered `false` at compile time.

/// A bug that one test build can switch on. Each is caught by a property of `sim/check/`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Bug {
    /// Acknowledges appends before their commit is durable.
    AcknowledgeBeforeCommit,
    /// Recycles a WAL file before the segments it covers are synced.
    RecycleBeforeSync,
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

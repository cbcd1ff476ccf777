//! What goes wrong in a run, as a list made from the seed, so that it can be shortened.

use crate::prng::Prng;

/// Something that goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The power goes, at the next commit on its way.
    CutInCommit,
    /// The power goes, whatever is going on.
    CutAnytime,
    /// The power goes after so many disk requests of the next start.
    CutInRecovery(u32),
    /// The process is killed; the disk keeps what it has.
    Kill,
    /// The broker is stopped as it should be.
    Stop,
    /// Connections break.
    Disconnect,
    /// The disk is slow for a while.
    SlowDisk,
    /// One sync or write in many fails, until one has.
    FailingDisk,
    /// The disk is full for a while.
    FullDisk,
}

/// A fault and when it comes, in nanoseconds after the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Planned {
    /// After the one before.
    pub after: u64,
    /// What.
    pub fault: Fault,
}

/// The faults of a seed.
pub fn plan(prng: &mut Prng, count: u32) -> Vec<Planned> {
    (0..count)
        .map(|_| {
            let after = 5_000_000 + prng.below(60_000_000);
            let fault = match prng.below(100) {
                0..66 => Fault::CutInCommit,
                66..70 => Fault::CutAnytime,
                70..80 => Fault::CutInRecovery(prng.below(120) as u32),
                80..85 => Fault::Kill,
                85..90 => Fault::Stop,
                90..93 => Fault::Disconnect,
                93..95 => Fault::SlowDisk,
                95..97 => Fault::FailingDisk,
                _ => Fault::FullDisk,
            };
            Planned { after, fault }
        })
        .collect()
}

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
    /// The broker is stopped, and the power goes after so many more disk requests.
    CutInStop(u32),
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

impl Fault {
    /// The names of all kinds, in the order of [`Fault::kind`].
    pub const KINDS: [&str; 10] = [
        "cut in a commit",
        "cut at any time",
        "cut in a recovery",
        "cut in a stop",
        "kill",
        "stop",
        "disconnect",
        "slow disk",
        "failing disk",
        "full disk",
    ];
    /// Which of them cannot happen in which phase.
    pub const NEVER: [(&str, &str); 4] = [
        ("stop", "starting"),
        ("stop", "stopping"),
        ("disconnect", "starting"),
        ("cut in a recovery", "stopping"),
    ];

    /// Its number among the kinds.
    pub fn kind(self) -> usize {
        match self {
            Self::CutInCommit => 0,
            Self::CutAnytime => 1,
            Self::CutInRecovery(_) => 2,
            Self::CutInStop(_) => 3,
            Self::Kill => 4,
            Self::Stop => 5,
            Self::Disconnect => 6,
            Self::SlowDisk => 7,
            Self::FailingDisk => 8,
            Self::FullDisk => 9,
        }
    }

    /// Whether the power goes.
    pub fn is_cut(self) -> bool {
        self.kind() < 4
    }
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
    let mut stopping = false;
    (0..count)
        .map(|_| {
            // Some come so soon after the one before that the broker is still starting or stopping.
            let soon = prng.percent(if stopping { 60 } else { 15 });
            let most = if soon { 3_000_000 } else { 60_000_000 };
            let after = 200_000 + prng.below(most);
            let fault = match prng.below(100) {
                0..70 => Fault::CutInCommit,
                70..73 => Fault::CutAnytime,
                73..79 => Fault::CutInRecovery(prng.below(120) as u32),
                79..82 => Fault::CutInStop(prng.below(40) as u32),
                82..86 => Fault::Kill,
                86..90 => Fault::Stop,
                90..92 => Fault::Disconnect,
                92..94 => Fault::SlowDisk,
                94..97 => Fault::FailingDisk,
                _ => Fault::FullDisk,
            };
            stopping = fault == Fault::Stop;
            Planned { after, fault }
        })
        .collect()
}

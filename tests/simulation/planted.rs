//! Planted bugs: each is caught by a property that is about it, and the same seed passes without.

use std::time::Instant;

use millstream::planted::Bug;

use crate::run::{ASSERTION, Case, parallel};

/// Seeds in which a bug must have been caught.
pub(crate) const SEEDS_MAX: u64 = 1000;

/// The properties that may catch a bug: any other would be an accident.
fn catchers(bug: Bug) -> &'static [&'static str] {
    match bug {
        // What was promised is not there: seen by clients, at a restart, or in the end.
        Bug::AcknowledgeBeforeCommit
        | Bug::ForgetWalDirectory
        | Bug::DropWalBeforeDrain
        | Bug::CheckpointBeforeRecovery => &["acknowledged", "shown", "answers", "recovery"],
        // Or the client tries for ever to append behind what was lost.
        Bug::AnswerDuplicateEarly => &["acknowledged", "shown", "answers", "recovery", "finish"],
        // Or a consumer asks for what comes behind the lost records it was shown.
        Bug::ShowLogEnd => &["shown", "acknowledged", "answers"],
        Bug::LoseProducers => &["duplicates"],
        // The bytes that a start needs are gone.
        Bug::RecycleBeforeSync
        | Bug::RecycleOffByOne
        | Bug::OverwriteSlot
        | Bug::ForgetCarriedBlock
        | Bug::ForgetPartitionDirectory
        | Bug::ForgetSnapshotDirectory
        | Bug::IgnoreTopicId
        | Bug::DecideBeforeCommit => &["recovery", "acknowledged"],
        // Bytes that are not the ones written.
        Bug::BelieveSegment | Bug::SkipCrc => &["answers", "contents", "shown"],
        // Or what is looked at next is no batch.
        Bug::LookUpOffByOne => &[ASSERTION, "answers", "contents", "shown"],
        Bug::TrustIndex | Bug::ReleaseUnwrittenChunk => &[ASSERTION, "answers", "contents"],
        // Or what is brought back is no batch.
        Bug::SortCarriedFirst => &[ASSERTION, "recovery", "acknowledged"],
        Bug::CountUnsynced => &["recovery", "acknowledged", "contents", "answers"],
        Bug::DropLatest => &["acknowledged", "shown"],
        Bug::ExpireUnseen => &["acknowledged", "shown", "deleted"],
        Bug::SwapUnsynced => &["recovery", "acknowledged", "contents", "answers"],
        Bug::ForgetSwap => &["acknowledged", "shown", "recovery", "contents"],
        // Or a consumer is shown a hole where the log starts before its first segment.
        Bug::RemoveBeforeLogStart => &["recovery", "acknowledged", "contents", "starts", "answers"],
        Bug::ForgetLogStart => &["starts", "recovery", "answers"],
        Bug::IgnoreMemory => &["memory"],
        Bug::ForgetRelease | Bug::ForgetRoom => &["finish"],
        _ => &[],
    }
}

/// A bug by its name.
pub(crate) fn named(name: &str) -> Option<Bug> {
    Bug::ALL.iter().copied().find(|bug| format!("{bug:?}") == name)
}

/// Looks for the first seed that catches each bug.
pub(crate) fn run(name: &str, seeds: u64) -> bool {
    let bugs = match (name, named(name)) {
        ("all", _) => Bug::ALL.to_vec(),
        (_, Some(bug)) => vec![bug],
        _ => {
            println!("no bug is called {name}; there are {:?}", Bug::ALL);
            return false;
        }
    };
    let start = Instant::now();
    let caught = parallel(&bugs, |bug| {
        let (caught, line) = hunt(*bug, seeds);
        println!("{line}");
        caught
    });
    let count = caught.iter().filter(|caught| **caught).count();
    println!("{count} of {} planted bugs caught in {:?}", bugs.len(), start.elapsed());
    count == bugs.len()
}

fn hunt(bug: Bug, seeds: u64) -> (bool, String) {
    for seed in 1..=seeds {
        let case = Case { seed, faults: None, bug: Some(bug) };
        let Err(violation) = case.run() else { continue };
        let line = format!("{:<26} seed {seed:<4} {violation}", format!("{bug:?}"));
        if !catchers(bug).contains(&violation.property) {
            return (false, format!("{line}\n  which is not about it: {:?}", catchers(bug)));
        }
        if let Err(violation) = Case::of(seed).run() {
            return (false, format!("{line}\n  and without it: {violation}"));
        }
        return (true, line);
    }
    (false, format!("{bug:?} was not caught by {seeds} seeds"))
}

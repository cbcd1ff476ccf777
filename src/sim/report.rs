//! What a run did, counted, and how it failed.

use core::fmt;

use super::disk::DiskCounts;
use super::faults::Fault;

/// What a broker was doing when a fault came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// It does not serve yet.
    Starting,
    /// It serves.
    Serving,
    /// It was asked to stop.
    Stopping,
}

const PHASES: [&str; 3] = ["starting", "serving", "stopping"];

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunReport {
    /// Batches acknowledged.
    pub batches: u64,
    /// Power cuts.
    pub cuts: u64,
    /// Of them while a commit was on its way.
    pub cuts_in_commit: u64,
    /// Fail-stops after a failed sync or write.
    pub fail_stops: u64,
    /// Starts that a full disk prevented.
    pub full_starts: u64,
    /// Segments that compaction replaced.
    pub compacted: u64,
    /// Acknowledged tombstones that went when nothing was left for them to delete.
    pub expired: u64,
    /// Segments that were removed before a log start.
    pub removed: u64,
    /// Events.
    pub events: u64,
    /// Faults that happened, by kind and phase.
    pub happened: [[u64; PHASES.len()]; Fault::KINDS.len()],
    /// What the disk did.
    pub disk: DiskCounts,
    /// A hash of everything that happened, in order.
    pub trace: u64,
}

impl RunReport {
    /// Counts a fault.
    pub(super) fn happened(&mut self, fault: Fault, phase: Phase) {
        self.happened[fault.kind()][phase as usize] += 1;
    }

    /// Every count with its name; the ones that a large number of runs cannot leave at zero.
    pub fn counters(&self) -> Vec<(String, u64)> {
        let mut counters: Vec<(String, u64)> = [
            ("batches", self.batches),
            ("cuts", self.cuts),
            ("cuts in a commit", self.cuts_in_commit),
            ("fail-stops", self.fail_stops),
            ("starts on a full disk", self.full_starts),
            ("segments compacted", self.compacted),
            ("tombstones expired", self.expired),
            ("segments removed", self.removed),
            ("disk requests", self.disk.requests),
            ("sectors lost", self.disk.sectors_lost),
            ("writes torn", self.disk.writes_torn),
            ("names lost", self.disk.names_lost),
            ("syncs failed", self.disk.syncs_failed),
            ("refused by a full disk", self.disk.refused_full),
            ("blocks shorn", self.disk.blocks_shorn),
        ]
        .map(|(name, count)| (name.to_owned(), count))
        .to_vec();
        for (kind, counts) in Fault::KINDS.iter().zip(self.happened) {
            for (phase, count) in PHASES.iter().zip(counts) {
                if !Fault::NEVER.contains(&(*kind, *phase)) {
                    counters.push((format!("{kind} while {phase}"), count));
                }
            }
        }
        counters
    }

    /// Adds another run's counts. Traces are mixed, whatever the order.
    pub fn add(&mut self, other: &Self) {
        self.batches += other.batches;
        self.cuts += other.cuts;
        self.cuts_in_commit += other.cuts_in_commit;
        self.fail_stops += other.fail_stops;
        self.compacted += other.compacted;
        self.expired += other.expired;
        self.removed += other.removed;
        self.full_starts += other.full_starts;
        self.events += other.events;
        for (own, others) in self.happened.iter_mut().flatten().zip(other.happened.as_flattened()) {
            *own += others;
        }
        self.disk.add(&other.disk);
        self.trace = self.trace.wrapping_add(other.trace);
    }
}

/// A property that does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Its name: a file of `sim/check/`, or how the run itself ended.
    pub property: &'static str,
    /// What was seen.
    pub message: String,
}

impl Violation {
    /// For `map_err`: names the property that a check is about.
    pub(super) fn of(property: &'static str) -> impl Fn(String) -> Self {
        move |message| Self { property, message }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property, self.message)
    }
}

//! The ordinary run: many seeds, everything counted; and what CI asks of it.

use std::process::Command;
use std::time::Instant;

use millstream::sim::RunReport;

use crate::run::{Case, parallel};
use crate::{corpus, shrink};

/// Seeds of a CI run: enough for the cuts below.
const CI_SEEDS: u64 = 640;
const CI_CUTS_MIN: u64 = 10_000;
const CI_IN_COMMIT_PERCENT_MIN: u64 = 80;
/// Seeds whose traces are compared between two runs, and with another process.
const TRACED: u64 = 6;
/// Failing seeds that are shrunk and printed; others are only counted.
const SHOWN_MAX: usize = 4;
/// What a trace is printed behind.
pub(crate) const TRACE: &str = "trace ";

/// Runs seeds on all cores. Prints each failure.
pub(crate) fn run(seeds: &[u64]) -> (bool, RunReport) {
    let start = Instant::now();
    let results = parallel(seeds, |seed| Case::of(*seed).run());
    let mut total = RunReport::default();
    let mut failed = Vec::new();
    for (seed, result) in seeds.iter().zip(results) {
        match result {
            Ok(report) => total.add(&report),
            Err(violation) => failed.push((Case::of(*seed), violation)),
        }
    }
    println!("{} seeds in {:?}, {} failed", seeds.len(), start.elapsed(), failed.len());
    let described = parallel(&failed[..failed.len().min(SHOWN_MAX)], |(case, violation)| {
        shrink::describe(case, violation.clone())
    });
    described.iter().for_each(|text| println!("{text}"));
    for (case, violation) in failed.iter().skip(SHOWN_MAX) {
        println!("seed {}: {violation}", case.seed);
    }
    (failed.is_empty(), total)
}

/// Prints all counters.
pub(crate) fn print(total: &RunReport) {
    for (name, count) in total.counters() {
        println!("{count:>12}  {name}");
    }
    println!("{:>12}  events", total.events);
}

/// What every change has to pass: the corpus, new seeds with enough of everything, traces.
pub(crate) fn ci() -> bool {
    let mut seeds = corpus::seeds();
    let (corpus_passed, _) = run(&seeds);
    seeds = (1..=CI_SEEDS).collect();
    let (passed, total) = run(&seeds);
    print(&total);
    let mut complaints = Vec::new();
    for (name, count) in total.counters() {
        if count == 0 {
            complaints.push(format!("nothing counts as \"{name}\""));
        }
    }
    if total.cuts < CI_CUTS_MIN {
        complaints.push(format!("{} cuts are fewer than {CI_CUTS_MIN}", total.cuts));
    }
    if total.cuts_in_commit * 100 < total.cuts * CI_IN_COMMIT_PERCENT_MIN {
        let (part, all) = (total.cuts_in_commit, total.cuts);
        complaints.push(format!("only {part} of {all} cuts came with a commit in flight"));
    }
    complaints.extend(compare_traces());
    complaints.iter().for_each(|complaint| println!("{complaint}"));
    corpus_passed && passed && complaints.is_empty()
}

/// The same seed has the same trace: in this process, and in another.
fn compare_traces() -> Vec<String> {
    let seeds: Vec<u64> = (1..=TRACED).collect();
    let program = std::env::current_exe().expect("this program's path");
    let complaints = parallel(&seeds, |seed| {
        let own = [Case::of(*seed).run(), Case::of(*seed).run()];
        let own = own.map(|result| result.map(|report| format!("{:016x}", report.trace)));
        let output = Command::new(&program).args(["--seed", &seed.to_string()]).output();
        let output = output.expect("this program runs again").stdout;
        let text = String::from_utf8_lossy(&output);
        let other = text.lines().find_map(|line| line.strip_prefix(TRACE)).map(str::to_owned);
        let same = own[0] == own[1] && own[0].as_ref().ok() == other.as_ref();
        (!same).then(|| format!("seed {seed} has the traces {own:?}, in another process {other:?}"))
    });
    println!("{TRACED} seeds twice here and once in another process: traces compared");
    complaints.into_iter().flatten().collect()
}

//! Runs the simulator: many seeds, or one again.
//!
//!     cargo test --release --features simulation --test simulation -- --seed 7
//!     cargo test --release --features simulation --test simulation -- --seeds 1000

use std::process::ExitCode;
use std::time::Instant;

use millstream::sim::{self, RunConfig, RunReport};

const FAULTS: u32 = 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    if let Some(seed) = value("--seed") {
        return match sim::run(sim::config_of(seed, FAULTS)) {
            Ok(report) => {
                println!("seed {seed}: {report:?}");
                ExitCode::SUCCESS
            }
            Err(violation) => {
                println!("seed {seed}: {violation}");
                ExitCode::FAILURE
            }
        };
    }
    let (from, count) = (value("--from").unwrap_or(1), value("--seeds").unwrap_or(200));
    let start = Instant::now();
    let mut total = RunReport::default();
    let mut failed = 0;
    for seed in from..from + count {
        let result = std::panic::catch_unwind(|| sim::run(sim::config_of(seed, FAULTS)));
        let result = result.unwrap_or_else(|_| Err("a panic".to_owned()));
        match result {
            Ok(report) => {
                total.batches += report.batches;
                total.cuts += report.cuts;
                total.cuts_in_commit += report.cuts_in_commit;
                total.cuts_in_recovery += report.cuts_in_recovery;
                total.kills += report.kills;
                total.stops += report.stops;
                total.fail_stops += report.fail_stops;
                total.fulls += report.fulls;
                total.events += report.events;
            }
            Err(violation) => {
                failed += 1;
                println!("seed {seed}: {violation}");
                if failed >= 10 {
                    break;
                }
            }
        }
    }
    println!("{total:?} in {:?}, {failed} failed", start.elapsed());
    let _ = RunConfig::clone;
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

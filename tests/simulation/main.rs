//! Runs the simulator: many seeds, one again, or with a planted bug.
//!
//!     tests/simulate --seeds 1000 [--from 5000]     many seeds; a failing one is shrunk
//!     tests/simulate --seed 7 [--faults 3,9]        one, with these of its faults only
//!     tests/simulate --planted NAME|all             until a property catches the bug
//!     tests/simulate --ci                           what every change has to pass
//!
//! where `tests/simulate` stands for `cargo test --release --all-features --test simulation --`.

mod corpus;
mod planted;
mod run;
mod seeds;
mod shrink;

use std::process::ExitCode;

use run::{Arguments, Case};

fn main() -> ExitCode {
    run::quiet_panics();
    let arguments = Arguments::of_process();
    let passed = if arguments.has("--ci") {
        seeds::ci()
    } else if let Some(name) = arguments.text("--planted").filter(|_| !arguments.has("--seed")) {
        planted::run(name, arguments.number("--seeds").unwrap_or(planted::SEEDS_MAX))
    } else if let Some(seed) = arguments.number("--seed") {
        one(seed, &arguments)
    } else {
        let from = arguments.number("--from").unwrap_or(1);
        let count = arguments.number("--seeds").unwrap_or(200);
        let (passed, total) = seeds::run(&(from..from + count).collect::<Vec<_>>());
        seeds::print(&total);
        passed
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(seed: u64, arguments: &Arguments) -> bool {
    let faults = arguments.text("--faults").map(|list| {
        list.split(',').filter(|part| !part.is_empty()).map(|part| part.parse().expect("a number"))
    });
    let bug = arguments.text("--planted").map(|name| planted::named(name).expect("a known bug"));
    let case = Case { seed, faults: faults.map(Iterator::collect), bug };
    match case.run() {
        Ok(report) => {
            println!("seed {seed}: {report:?}\n{}{:016x}", seeds::TRACE, report.trace);
            true
        }
        Err(violation) => {
            println!("seed {seed}: {violation}");
            false
        }
    }
}

//! Real processes: the broker is killed, loses power, meets a full disk, and is watched from outside.
//!
//!     cargo test --test process                      all
//!     cargo test --test process -- power_cuts        those whose names contain the word
//!     cargo test --test process -- --seed 7 kills    with another seed
//!
//! What is counted is asserted, never how long it takes. Mounting needs root.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod broker;
mod consumer;
mod descriptors;
mod disk;
mod full;
mod lives;
mod mount;
mod producer;
mod record;
mod sent;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// A folder of one test, gone when it has passed.
pub struct Scratch {
    folder: PathBuf,
    seed: u64,
}

impl Scratch {
    fn new(name: &str, seed: u64) -> Self {
        let own = format!("process-{}-{name}", std::process::id());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(own);
        std::fs::create_dir_all(&folder).expect("the target directory can be written to");
        Self { folder, seed }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

type Test = fn(&Scratch) -> Result<String, String>;

const TESTS: &[(&str, Test)] = &[
    ("kills_lose_nothing", lives::kills_lose_nothing),
    ("power_cuts_lose_nothing", lives::power_cuts_lose_nothing),
    ("the_log_is_written_past_the_cache", descriptors::the_log_is_written_past_the_cache),
    ("a_full_disk_refuses_and_recovers", full::a_full_disk_refuses_and_recovers),
    ("a_start_on_a_full_disk_is_clear", full::a_start_on_a_full_disk_is_clear),
    ("every_byte_sent_is_counted_once", sent::every_byte_sent_is_counted_once),
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (mut seed, mut wanted) = (1, Vec::new());
    while let Some(word) = words.next() {
        if word == "--seed" {
            seed = words.next().and_then(|text| text.parse().ok()).expect("--seed NUMBER");
        } else if !word.starts_with('-') {
            wanted.push(word);
        }
    }
    let mut failed = 0;
    for (name, test) in TESTS {
        if !wanted.is_empty() && !wanted.iter().any(|word| name.contains(word)) {
            continue;
        }
        let (scratch, start) = (Scratch::new(name, seed), Instant::now());
        let result = test(&scratch);
        let seconds = start.elapsed().as_secs();
        match result {
            Ok(counts) => {
                println!("{name} ... ok in {seconds} s: {counts}");
                // What cannot be removed is seen by the next who looks for space, not by the test.
                let _ = std::fs::remove_dir_all(&scratch.folder);
            }
            Err(why) => {
                failed += 1;
                println!("{name} ... FAILED after {seconds} s: {why}");
                println!("    what it left is in {}", scratch.folder.display());
            }
        }
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

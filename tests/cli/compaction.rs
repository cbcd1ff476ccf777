//! A compacted topic of packages, each of which comes again with every version.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use millstream::record::Batches;

use crate::broker::{Broker, PATIENCE};

const PACKAGES: usize = 600;
const VERSIONS: usize = 6;

/// Paragraphs as a distribution's package index has them.
fn index(version: usize) -> String {
    let paragraph = |package| {
        let text = format!("{package:05} ").repeat(300);
        format!("Package: lib{package}\nVersion: {version}\nDescription: {text}\n\n")
    };
    (0..PACKAGES).map(paragraph).collect()
}

fn segments(broker: &Broker) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(broker.data().join("packages-0")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut logs: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|it| it == "log")).collect();
    logs.sort();
    logs
}

/// How often each key stands in the segments before the active one.
fn sealed_keys(broker: &Broker) -> BTreeMap<Vec<u8>, usize> {
    let (mut keys, mut scratch) = (BTreeMap::new(), Vec::new());
    let segments = segments(broker);
    for path in &segments[..segments.len() - 1] {
        // Compaction may have taken it away meanwhile.
        let bytes = std::fs::read(path).unwrap_or_default();
        for batch in Batches::new(&bytes) {
            for record in batch.records(1 << 24, &mut scratch).unwrap() {
                *keys.entry(record.unwrap().key.unwrap().to_vec()).or_default() += 1;
            }
        }
    }
    keys
}

/// Creates a compacted topic with these settings beside the usual ones, and fills it.
fn fill(broker: &Broker, settings: &[&str]) {
    let usual = ["cleanup.policy=compact", "segment.bytes=1048576", "min.cleanable.dirty.ratio=0"];
    let mut create = vec!["topics", "create", "packages", "--partitions", "1"];
    usual.iter().chain(settings).for_each(|setting| create.extend(["--set", setting]));
    broker.run(&create);
    let produce = [
        "packages",
        "--key-prefix",
        "Package: ",
        "--separator",
        "\\n\\n",
        "--batch-bytes",
        "20000",
    ];
    for version in 0..VERSIONS {
        broker.produce(&produce, index(version).as_bytes());
    }
}

fn wait_until_compacted(broker: &Broker) {
    let start = Instant::now();
    loop {
        let keys = sealed_keys(broker);
        if !keys.is_empty() && keys.values().all(|count| *count == 1) {
            break;
        }
        let most = keys.values().max();
        assert!(start.elapsed() < PATIENCE, "{} keys, {most:?} times", keys.len());
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn only_the_last_record_of_each_key_is_left_before_the_active_segment() {
    let mut broker = Broker::start_with(&["--set", "log.cleaner.backoff.ms=50"]);
    fill(&broker, &[]);
    wait_until_compacted(&broker);
    let last: BTreeMap<String, String> = (0..PACKAGES)
        .map(|package| (format!("lib{package}"), format!("{}", VERSIONS - 1)))
        .collect();
    for _ in 0..2 {
        let consumed = broker.run(&["consume", "packages", "--separator", "\\n\\n"]);
        let text = String::from_utf8(consumed).unwrap();
        let paragraphs: Vec<&str> = text.split("\n\n").filter(|it| !it.is_empty()).collect();
        assert!(paragraphs.len() < 2 * PACKAGES, "{} are left", paragraphs.len());
        let mut seen = BTreeMap::new();
        for paragraph in paragraphs {
            let field = |name| paragraph.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            seen.insert(field("Package: ").to_owned(), field("Version: ").to_owned());
        }
        assert_eq!(seen, last);
        broker.restart();
    }
}

/// Of segments that a start finds, nobody knows how old they are until they are read.
#[test]
fn segments_of_an_earlier_life_are_compacted_when_they_are_old_enough() {
    let mut broker = Broker::start_with(&["--set", "log.cleaner.enable=false"]);
    fill(&broker, &["min.compaction.lag.ms=1"]);
    broker.stop();
    let often = ["log.cleaner.backoff.ms=50", "log.retention.check.interval.ms=100"];
    broker.restart_with(&often.map(|setting| ["--set", setting]).concat());
    wait_until_compacted(&broker);
}

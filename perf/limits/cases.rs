//! The cases that decide.

/// How batches reach their segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Route {
    /// Through memory; full chunks by one direct write each.
    Chunks,
    /// Each batch at once into the page cache.
    PageCache,
    /// Each batch at once, direct and synced; the WAL only refers to it.
    Straight,
}

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) route: Route,
    pub(crate) partitions: usize,
    pub(crate) batch_bytes: usize,
    /// Bytes per second of an open loop; `None` is 64 writers that wait for their acknowledgement.
    pub(crate) rate: Option<u64>,
    pub(crate) commit_bytes_max: usize,
    pub(crate) checkpoint_millis: u64,
    pub(crate) wal_bytes: u64,
    pub(crate) chunk_bytes: usize,
    /// Direct reads beside it, bytes per second.
    pub(crate) read_rate: u64,
}

const MB: u64 = 1_000_000;
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

fn case(route: Route, partitions: usize, batch_bytes: usize, rate: Option<u64>) -> Case {
    let pace = rate.map_or("max".to_owned(), |rate| format!("{} MB/s", rate / MB));
    let chunk_bytes = (256 * MIB / partitions).clamp(16 * KIB, MIB) & !4095;
    Case {
        name: format!("{route:?} {partitions} x {} KiB, {pace}", batch_bytes / KIB),
        route,
        partitions,
        batch_bytes,
        rate,
        commit_bytes_max: MIB,
        checkpoint_millis: 500,
        wal_bytes: 1 << 30,
        chunk_bytes,
        read_rate: 100 * MB,
    }
}

fn varied(mut case: Case, what: &str, change: impl Fn(&mut Case)) -> Case {
    case.name = format!("{}; {what}", case.name);
    change(&mut case);
    case
}

/// All cases in the order in which they are printed.
pub(crate) fn all() -> Vec<Case> {
    use Route::{Chunks, PageCache, Straight};
    let (slow, fast) = (Some(50 * MB), Some(500 * MB));
    let base = case(Chunks, 10, 16 * KIB, None);
    let mut cases = Vec::new();
    for route in [Chunks, PageCache] {
        for (partitions, batch_bytes, rate) in [
            (10, 16 * KIB, slow),
            (10, 16 * KIB, fast),
            (10, 16 * KIB, None),
            (10, KIB, slow),
            (10, KIB, None),
            (1000, 16 * KIB, fast),
            (1000, KIB, slow),
            (1000, 16 * KIB, None),
            (10_000, KIB, slow),
            (10_000, 16 * KIB, fast),
        ] {
            cases.push(case(route, partitions, batch_bytes, rate));
        }
    }
    cases.push(varied(base.clone(), "commit 4 MiB", |case| case.commit_bytes_max = 4 * MIB));
    cases.push(varied(base.clone(), "commit 256 KiB", |case| case.commit_bytes_max = 256 * KIB));
    cases.push(varied(base.clone(), "chunk 256 KiB", |case| case.chunk_bytes = 256 * KIB));
    cases.push(varied(base.clone(), "checkpoint 2 s", |case| case.checkpoint_millis = 2000));
    cases.push(varied(base.clone(), "checkpoint 100 ms", |case| case.checkpoint_millis = 100));
    cases.push(varied(base, "WAL 256 MiB", |case| case.wal_bytes = 256 << 20));
    for (partitions, batch) in [(1, 128 * KIB), (10, 128 * KIB), (1, 512 * KIB), (10, 512 * KIB)] {
        cases.push(case(Chunks, partitions, batch, None));
        cases.push(case(Straight, partitions, batch, None));
    }
    cases
}

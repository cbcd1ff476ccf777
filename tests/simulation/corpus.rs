//! The kept corpus: seeds that found something once.

const CORPUS: &str = include_str!("corpus.txt");

/// Its seeds.
pub(crate) fn seeds() -> Vec<u64> {
    let lines = CORPUS.lines().filter(|line| !line.starts_with('#'));
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    lines.filter_map(first).map(|seed| seed.parse().expect("a line begins with a seed")).collect()
}

//! The known name that an unknown one is closest to.

/// Names longer than this are not compared: nobody mistypes that much.
const NAME_LEN_MAX: usize = 128;

/// The candidate with the fewest changes from `name`, unless it takes too many to be meant.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    if name.len() > NAME_LEN_MAX {
        return None;
    }
    let changes_max = (name.len() / 4).clamp(1, 6);
    candidates
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= changes_max)
        .map(|candidate| (distance(name.as_bytes(), candidate.as_bytes()), candidate))
        .min()
        .filter(|(changes, _)| *changes <= changes_max)
        .map(|(_, candidate)| candidate)
}

/// How many bytes to insert, delete, replace or swap with a neighbour.
fn distance(from: &[u8], to: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, byte) in from.iter().enumerate() {
        let mut current = vec![row + 1; to.len() + 1];
        for (column, other) in to.iter().enumerate() {
            let replaced = last[column] + usize::from(byte != other);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped =
                row > 0 && column > 0 && from[row - 1] == *other && to[column - 1] == *byte;
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            current[column + 1] = best;
        }
        before = core::mem::replace(&mut last, current);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_typing_mistakes() {
        for (from, to, changes) in [
            ("", "abc", 3),
            ("num.partitions", "num.partitions", 0),
            ("num.partition", "num.partitions", 1),
            ("num_partitions", "num.partitions", 1),
            ("num.patritions", "num.partitions", 1),
            ("abc", "xyz", 3),
        ] {
            assert_eq!(distance(from.as_bytes(), to.as_bytes()), changes, "{from} {to}");
        }
    }

    #[test]
    fn far_names_are_not_guessed() {
        let known = ["log.dirs", "log.dir", "cores"];
        assert_eq!(nearest("log.dri", known.into_iter()), Some("log.dir"));
        assert_eq!(nearest("logs.dirs", known.into_iter()), Some("log.dirs"));
        assert_eq!(nearest("disk.location", known.into_iter()), None);
        assert_eq!(nearest(&"x".repeat(1_000_000), known.into_iter()), None);
    }
}

//! Which segments become one.

use std::collections::VecDeque;

use crate::log::LogSettings;
use crate::types::{Offset, Position};

/// Bytes of the two index entries that a batch may get.
const INDEXED_BATCH_BYTES: u64 = 12;

/// Segments that follow each other and are written again as one: base offset, end offset, bytes.
pub(super) type Group = Vec<(Offset, Offset, Position)>;

/// The segments that begin before `end`, in groups that make no segment larger than the settings
/// allow, whatever stays of them.
pub(super) fn groups(segments: &Group, end: Offset, settings: &LogSettings) -> VecDeque<Group> {
    let mut groups = VecDeque::<Group>::new();
    for segment in segments.iter().filter(|segment| segment.0 < end) {
        match groups.back_mut().filter(|group| fits(group, segment, settings)) {
            Some(group) => group.push(*segment),
            None => groups.push_back(vec![*segment]),
        }
    }
    groups
}

fn fits(group: &Group, next: &(Offset, Offset, Position), settings: &LogSettings) -> bool {
    let bytes: u64 = group.iter().chain([next]).map(|segment| segment.2.get()).sum();
    let index_bytes = bytes / settings.index_interval_bytes.max(1) * INDEXED_BATCH_BYTES;
    bytes <= settings.segment_bytes
        && index_bytes <= settings.index_bytes_max
        && next.1.get() - group[0].0.get() <= i64::from(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn small_neighbours_become_one() {
        let settings = LogSettings {
            segment_bytes: 100,
            segment_age_max: Duration::MAX,
            index_interval_bytes: 10,
            index_bytes_max: 1000,
        };
        let segments: Group = [(0, 50), (10, 30), (20, 30), (30, 100), (40, 1), (50, 1)]
            .map(|(base, bytes)| (Offset::new(base), Offset::new(base + 10), Position::new(bytes)))
            .to_vec();
        let bases = |end: i64, settings: &LogSettings| -> Vec<Vec<i64>> {
            let groups = groups(&segments, Offset::new(end), settings);
            groups.iter().map(|group| group.iter().map(|it| it.0.get()).collect()).collect()
        };
        let all = [vec![0, 10], vec![20], vec![30], vec![40, 50]];
        assert_eq!(bases(100, &settings), all);
        assert_eq!(bases(31, &settings), all[..3]);
        let small_index = LogSettings { index_bytes_max: 60, ..settings };
        assert_eq!(bases(21, &small_index), [vec![0], vec![10], vec![20]]);
    }

    #[test]
    fn offsets_of_a_segment_stay_within_31_bits_of_its_base() {
        let settings = LogSettings {
            segment_bytes: 1 << 30,
            segment_age_max: Duration::MAX,
            index_interval_bytes: 4096,
            index_bytes_max: 1 << 20,
        };
        let half = 1 << 30;
        let segments: Group = (0..4)
            .map(|at| (Offset::new(at * half), Offset::new((at + 1) * half), Position::new(1)))
            .collect();
        let lengths = groups(&segments, Offset::new(4 * half), &settings);
        assert_eq!(lengths.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1, 1]);
    }
}

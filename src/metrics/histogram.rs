//! How long things took: counts in buckets of a fixed size, two for each doubling.

/// The smallest bound is two to this power, in nanoseconds: 8 microseconds.
const FIRST_POWER: u32 = 13;
/// The largest is two to this power: 69 seconds.
const LAST_POWER: u32 = 36;
const BOUNDS: usize = 2 * (LAST_POWER - FIRST_POWER) as usize + 1;

/// Durations in nanoseconds. A bound is at most one and a half times the one before it, and so is
/// the error of a quantile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Histogram {
    /// The last holds what is above all bounds.
    counts: [u64; BOUNDS + 1],
    sum_nanos: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; BOUNDS + 1], sum_nanos: 0 }
    }
}

impl Histogram {
    /// Counts a duration.
    pub fn record(&mut self, nanos: u64) {
        self.counts[bucket(nanos)] += 1;
        self.sum_nanos = self.sum_nanos.saturating_add(nanos);
    }

    /// Adds what another one has counted.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum_nanos = self.sum_nanos.saturating_add(other.sum_nanos);
    }

    /// Durations that were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together, in nanoseconds.
    pub fn sum_nanos(&self) -> u64 {
        self.sum_nanos
    }

    /// Each bound in nanoseconds with how many durations are not above it, ascending.
    pub fn cumulated(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut below = 0;
        self.counts[..BOUNDS].iter().enumerate().map(move |(index, count)| {
            below += count;
            (bound(index), below)
        })
    }
}

fn bucket(nanos: u64) -> usize {
    let below = nanos.saturating_sub(1);
    if below < 1 << FIRST_POWER {
        return 0;
    }
    let power = below.ilog2();
    let upper_half = (below >> (power - 1)) & 1;
    let bucket = 2 * (power - FIRST_POWER) as usize + upper_half as usize + 1;
    bucket.min(BOUNDS)
}

fn bound(bucket: usize) -> u64 {
    // In halves of the first: 2, 3, 4, 6, 8, 12 and so on.
    let (doublings, upper_half) = (bucket / 2, bucket as u64 % 2);
    (2 + upper_half) << doublings << (FIRST_POWER - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_below_the_first_bound_that_reaches_it() {
        let bounds: Vec<u64> = Histogram::default().cumulated().map(|(bound, _)| bound).collect();
        assert_eq!(bounds[..5], [8_192, 12_288, 16_384, 24_576, 32_768]);
        assert_eq!(bounds.last(), Some(&(1 << 36)));
        let durations = bounds.iter().flat_map(|bound| [bound - 1, *bound, bound + 1]);
        for nanos in durations.chain([0, 1, u64::MAX]) {
            let expected = bounds.iter().position(|bound| nanos <= *bound).unwrap_or(BOUNDS);
            assert_eq!(bucket(nanos), expected, "{nanos}");
        }
    }

    #[test]
    fn what_is_above_every_bound_is_counted_too() {
        let mut histogram = Histogram::default();
        histogram.record(u64::MAX);
        histogram.record(10_000);
        assert_eq!(histogram.count(), 2);
        assert_eq!(histogram.cumulated().last(), Some((1 << 36, 1)));
        assert_eq!(histogram.cumulated().nth(1), Some((12_288, 1)));
        assert_eq!(histogram.sum_nanos(), u64::MAX);
    }
}

//! Times in a histogram of a few kilobytes, at most 3 % too high.

/// Buckets of each power of two, as a power of two.
const PRECISION_BITS: u32 = 6;
const PRECISION: u64 = 1 << PRECISION_BITS;

/// How often which time was seen. Log-linear: buckets of equal width within each power of two.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        let buckets = bucket_of(u64::MAX) + 1;
        Self { buckets: vec![0; buckets], count: 0, max: 0 }
    }

    pub(crate) fn record(&mut self, value: u64) {
        self.buckets[bucket_of(value)] += 1;
        self.count += 1;
        self.max = self.max.max(value);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// A value that at least the given share (0 to 1) of all values does not exceed.
    pub(crate) fn quantile(&self, share: f64) -> u64 {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return highest_of(bucket).min(self.max);
            }
        }
        self.max
    }
}

/// Values below the precision have a bucket each; above, a bucket is the exponent and the next highest bits.
fn bucket_of(value: u64) -> usize {
    let exponent = (value | (PRECISION - 1)).ilog2() + 1 - PRECISION_BITS;
    (u64::from(exponent) * PRECISION / 2 + (value >> exponent)) as usize
}

fn highest_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let exponent = (bucket / (PRECISION / 2)).saturating_sub(1);
    let bits = bucket - exponent * PRECISION / 2;
    (bits << exponent) + ((1 << exponent) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_values_that_differ_by_its_precision_at_most() {
        let mut last = None;
        let edges =
            (0..63).flat_map(|bits| [(1_u64 << bits) - 1, 1 << bits, (1 << bits) + 1, 3 << bits >> 1]);
        let mut values: Vec<u64> = (0..10_000).chain(edges).chain([u64::MAX]).collect();
        values.sort_unstable();
        for value in values {
            let bucket = bucket_of(value);
            let highest = highest_of(bucket);
            assert!(value <= highest, "{value} in {bucket} up to {highest}");
            assert!((highest - value) as f64 <= value as f64 / 32.0, "{value} in {bucket} up to {highest}");
            assert!(last.is_none_or(|last| bucket >= last), "{value}");
            last = Some(bucket);
        }
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let mut histogram = Histogram::new();
        (1..=1000).for_each(|value| histogram.record(value * 1000));
        for (share, exact) in [(0.5, 500_000), (0.9, 900_000), (0.99, 990_000), (1.0, 1_000_000)] {
            let quantile = histogram.quantile(share);
            assert!((exact..=exact + exact / 30).contains(&quantile), "{share}: {quantile}");
        }
        assert_eq!((histogram.count(), histogram.max()), (1000, 1_000_000));
    }

    #[test]
    fn an_empty_histogram_has_no_times() {
        assert_eq!(Histogram::new().quantile(0.5), 0);
    }
}

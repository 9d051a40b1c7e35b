//! Counters of the threads: written by their owner alone, read by the control plane at a scrape.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that one thread writes and others read.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    /// Adds; only for the one owner, so a plain load and store is enough.
    pub(crate) fn add(&self, value: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(value), Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Upper bounds of the buckets of a time histogram, microseconds.
pub(crate) const BUCKETS_US: [u64; 16] = [
    50, 100, 200, 300, 500, 750, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 512_000,
    2_000_000,
];

/// How often something took how long.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// Per bucket, the last one unbounded; not cumulative.
    buckets: [Gauge; BUCKETS_US.len() + 1],
    sum_us: Gauge,
}

impl Histogram {
    pub(crate) fn observe(&self, us: u64) {
        let bucket = BUCKETS_US.partition_point(|bound| *bound < us);
        self.buckets[bucket].add(1);
        self.sum_us.add(us);
    }

    /// Microseconds of all observations together.
    pub(crate) fn sum_us(&self) -> u64 {
        self.sum_us.value()
    }
}

/// What one histogram, or several together, held at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    /// Observations per bucket, the last one unbounded; not cumulative.
    pub(crate) counts: [u64; BUCKETS_US.len() + 1],
    /// Microseconds of all observations together.
    pub(crate) sum_us: u64,
}

impl Times {
    pub(crate) fn of<'a>(histograms: impl IntoIterator<Item = &'a Histogram>) -> Self {
        let mut times = Self::default();
        for histogram in histograms {
            for (count, bucket) in times.counts.iter_mut().zip(&histogram.buckets) {
                *count += bucket.value();
            }
            times.sum_us += histogram.sum_us();
        }
        times
    }
}

/// What a shard counts.
#[derive(Debug, Default)]
pub(crate) struct ShardMetrics {
    pub(crate) connections: Gauge,
    pub(crate) connections_websocket: Gauge,
    pub(crate) connections_event_stream: Gauge,
    pub(crate) connections_encrypted: Gauge,
    pub(crate) subscriptions: Gauge,
    pub(crate) accepted: Gauge,
    /// Sockets that were handed over and did not become connections.
    pub(crate) refused: Gauge,
    pub(crate) closed: Gauge,
    pub(crate) messages_in: Gauge,
    pub(crate) messages_out: Gauge,
    pub(crate) bytes_in: Gauge,
    pub(crate) bytes_out: Gauge,
    pub(crate) writes: Gauge,
    pub(crate) slow_consumers: Gauge,
    pub(crate) conflated: Gauge,
    pub(crate) refused_requests: Gauge,
    pub(crate) keep_alive_timeouts: Gauge,
    pub(crate) tls_failures: Gauge,
    pub(crate) queue_bytes: Gauge,
    pub(crate) session_bytes: Gauge,
    pub(crate) deliver_us: Histogram,
    pub(crate) loop_us: Histogram,
}

/// What the core thread counts.
#[derive(Debug, Default)]
pub(crate) struct CoreMetrics {
    pub(crate) published: Gauge,
    pub(crate) duplicates: Gauge,
    pub(crate) refused: Gauge,
    pub(crate) recoveries_complete: Gauge,
    pub(crate) recoveries_gap: Gauge,
    pub(crate) recoveries_reset: Gauge,
    pub(crate) recoveries_overrun: Gauge,
    pub(crate) expired: Gauge,
    pub(crate) subjects: Gauge,
    pub(crate) publishers: Gauge,
    pub(crate) cache_bytes: Gauge,
    pub(crate) epoch: Gauge,
    /// Number of the role in the agreement.
    pub(crate) role: Gauge,
    pub(crate) term: Gauge,
    pub(crate) committed: Gauge,
    pub(crate) applied: Gauge,
    /// Level of the log.
    pub(crate) level: Gauge,
    pub(crate) has_leader: Gauge,
    pub(crate) elections: Gauge,
    pub(crate) links: Gauge,
    /// Seeds without a link.
    pub(crate) seeds_missing: Gauge,
    pub(crate) batches_waiting: Gauge,
    pub(crate) batches_forwarded: Gauge,
    pub(crate) log_bytes: Gauge,
    pub(crate) batch_us: Histogram,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_counts_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        let histogram = Histogram::default();
        for us in [0, 50, 51, 2_000_000, 2_000_001] {
            histogram.observe(us);
        }
        let times = Times::of([&histogram, &Histogram::default()]);
        assert_eq!((times.counts[0], times.counts[1]), (2, 1));
        assert_eq!(times.counts[BUCKETS_US.len() - 1..], [1, 1]);
        assert_eq!(times.sum_us, 4_000_102);
    }
}

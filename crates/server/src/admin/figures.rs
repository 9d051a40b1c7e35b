//! Everything that is counted, for those who read it.

use std::sync::Arc;

use crate::certificates::Certificates;
use crate::clock::Clock;
use crate::metrics::{CoreMetrics, Gauge, Histogram, ShardMetrics, Times};
use crate::status::MemberStatus;
use crate::trace::Queue;

/// The counters of every thread.
pub(crate) struct Figures {
    pub(crate) shards: Vec<Arc<ShardMetrics>>,
    pub(crate) core: Arc<CoreMetrics>,
    /// Connections that the acceptor refused.
    pub(crate) refused: Arc<Gauge>,
    pub(crate) status: Arc<MemberStatus>,
    pub(crate) log: Queue,
    pub(crate) bounds: Bounds,
    pub(crate) certificates: Certificates,
    pub(crate) clock: Clock,
}

/// The bounds that the figures run up against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Connections at once.
    pub(crate) connections: u64,
    /// Open files at once.
    pub(crate) descriptors: u64,
    /// Everything that is counted as memory, bytes.
    pub(crate) memory_bytes: u64,
    /// The cache's share of it, bytes.
    pub(crate) cache_bytes: u64,
}

impl Figures {
    /// A counter of all shards together.
    pub(super) fn sum(&self, counter: fn(&ShardMetrics) -> &Gauge) -> u64 {
        self.shards.iter().map(|shard| counter(shard).value()).sum()
    }

    /// A histogram of all shards together.
    pub(super) fn times(&self, histogram: fn(&ShardMetrics) -> &Histogram) -> Times {
        Times::of(self.shards.iter().map(|shard| histogram(shard)))
    }
}

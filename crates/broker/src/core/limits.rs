//! The bounds that a core keeps, and what it counts.

use sterna_model::DeliveryMode;

/// The bounds a core keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreLimits {
    /// What is promised: with `Standard` no history is kept.
    pub mode: DeliveryMode,
    /// History length per subject, messages.
    pub history_messages_max: usize,
    /// How long a message stays in history unless pushed out by count, milliseconds.
    pub history_expire_ms: u64,
    /// How long a snapshot stays, milliseconds; `None` is for ever.
    pub snapshot_expire_ms: Option<u64>,
    /// Bytes of subjects, history, snapshots and publisher windows.
    pub cache_bytes_max: usize,
    /// Number of I/O shards, at most [`ShardSet::SHARDS_MAX`](super::ShardSet::SHARDS_MAX).
    pub shards: u16,
}

/// Counters that only grow, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreCounters {
    /// Messages given a place (or, for standard ones, passed on).
    pub published: u64,
    /// Publishes recognised as retries.
    pub duplicates: u64,
    /// Publishes refused.
    pub refused: u64,
    /// Resumes answered complete.
    pub recoveries_complete: u64,
    /// Resumes answered with a gap.
    pub recoveries_gap: u64,
    /// Resumes answered with a reset.
    pub recoveries_reset: u64,
    /// Catch-ups that fell out of the history before they ended.
    pub recoveries_overrun: u64,
    /// Messages that left the history by age.
    pub expired: u64,
}

/// Sizes at this moment, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreSizes {
    /// Subjects known.
    pub subjects: usize,
    /// Bytes accounted to subjects, history, snapshots and publisher windows.
    pub cache_bytes: usize,
    /// Publishers remembered.
    pub publishers: usize,
}

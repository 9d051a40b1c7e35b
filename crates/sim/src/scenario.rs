//! What a seed decides: how large everything is, how fast, and what may go wrong.

use sterna_broker::core::CoreLimits;
use sterna_model::DeliveryMode;

use crate::fault::Fault;
use crate::random::Random;

/// Most a publish may contain, bytes.
pub(crate) const CONTENT_BYTES_MAX: usize = 64 * 1024;

/// Sizes and rates of a run. Each seed turns other knobs far, so that together they meet what no one mix would.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) limits: CoreLimits,
    pub(crate) members: u16,
    pub(crate) clients: u32,
    pub(crate) subjects: u32,
    /// How long things go wrong, microseconds.
    pub(crate) chaos_us: u64,
    /// Time between two operations of a client, on average, microseconds.
    pub(crate) operation_us: u64,
    pub(crate) content_bytes_max: usize,
    /// Publishes that are large, of a hundred.
    pub(crate) large_percent: u64,
    /// Bytes that wait for a client before it counts as slow.
    pub(crate) out_queue_bytes_max: usize,
    pub(crate) socket_bytes_max: usize,
    /// Batches that may wait for the core, and for each shard.
    pub(crate) batches_max: usize,
    pub(crate) batch_events_max: usize,
    pub(crate) subscriptions_max: usize,
    /// Tokens allow a part of the subjects, expire, and are renewed.
    pub(crate) has_tokens: bool,
    /// What goes wrong, by weight.
    pub(crate) faults: Vec<(u32, Fault)>,
    /// Time between two faults, on average, microseconds.
    pub(crate) fault_us: u64,
}

impl Scenario {
    pub(crate) fn of(random: &mut Random) -> Self {
        let content_bytes_max = random.pick(&[16, 64, 500, 8_000, 40_000, 60_000]);
        let faults = Fault::ALL.map(|fault| (random.pick(&[0, 1, 1, 5]), fault));
        let shards = random.pick(&[1, 1, 2, 3]);
        Self {
            limits: limits(random, shards, content_bytes_max),
            members: 1,
            clients: random.between(2, 7) as u32,
            subjects: random.between(1, 5) as u32,
            chaos_us: random.between(3, 12) * 1_000_000,
            operation_us: random.pick(&[20_000, 60_000, 200_000]),
            content_bytes_max,
            large_percent: random.pick(&[10, 30, 90]),
            out_queue_bytes_max: content_bytes_max * random.pick(&[4, 20]) + 4_000,
            socket_bytes_max: content_bytes_max * random.pick(&[1, 8]) + 500,
            batches_max: random.pick(&[1, 2, 32]),
            batch_events_max: random.pick(&[1, 4, 128]),
            subscriptions_max: random.pick(&[3, 100, 100]),
            has_tokens: random.percent(30),
            faults: faults.to_vec(),
            fault_us: random.pick(&[300_000, 1_000_000, 4_000_000]),
        }
    }

    /// Whether the clock may jump so far that subjects are forgotten.
    pub(crate) fn may_forget(&self) -> bool {
        self.faults.iter().any(|(weight, fault)| *weight > 0 && *fault == Fault::ClockLeaps)
    }
}

fn limits(random: &mut Random, shards: u16, content_bytes_max: usize) -> CoreLimits {
    let standard = random.percent(5);
    let history_messages_max = random.pick(&[0, 2, 10, 10, 100, 1000, 1000]);
    let roomy = random.percent(70);
    let cache_bytes_max = if roomy { 100_000_000 } else { 8_000 + content_bytes_max * random.pick(&[4, 20]) };
    CoreLimits {
        mode: if standard { DeliveryMode::Standard } else { DeliveryMode::Guaranteed },
        history_messages_max,
        history_expire_ms: random.pick(&[1_000, 3_000, 10_000, 180_000]),
        snapshot_expire_ms: random.pick(&[None, Some(500), Some(5_000)]),
        cache_bytes_max,
        shards,
    }
}

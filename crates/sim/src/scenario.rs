//! What a seed decides: how large everything is, how fast, and what may go wrong.

use sterna_broker::core::CoreLimits;
use sterna_model::{DeliveryMode, Random};
use sterna_replica::{Nonce, Settings, Slot};

use crate::fault::Fault;

/// Most a publish may contain, bytes.
pub(crate) const CONTENT_BYTES_MAX: usize = 64 * 1024;
/// A publisher is remembered at least as long as a run with several members lasts, milliseconds.
const LONG_MEMORY_MS: u64 = 600_000;

/// Sizes and rates of a run. Each seed turns other knobs far, so that together they meet what no one mix would.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) limits: CoreLimits,
    pub(crate) cluster: Cluster,
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

/// Which members there are, and how they agree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cluster {
    /// All that may ever run.
    pub(crate) members: u16,
    /// The first ones, which vote.
    pub(crate) seeds: u16,
    /// The first ones, which run from the beginning.
    pub(crate) running: u16,
    /// Memory is lost only where everything is settled, and of a minority of the seeds at once: one epoch lasts.
    pub(crate) is_gentle: bool,
    /// Times of the agreement are a third of the usual ones.
    is_hasty: bool,
    chunk_bytes_max: usize,
    log_tail_bytes_max: usize,
}

impl Cluster {
    /// One member.
    const ALONE: Self = Self {
        members: 1,
        seeds: 1,
        running: 1,
        is_gentle: false,
        is_hasty: false,
        chunk_bytes_max: 256 << 10,
        log_tail_bytes_max: 32 << 20,
    };

    fn of(random: &mut Random, members: u16, content_bytes_max: usize) -> Self {
        let seeds = match members {
            0..3 => 1,
            5 => random.pick(&[3, 3, 5]),
            _ => 3,
        };
        Self {
            members,
            seeds,
            running: random.between(u64::from(seeds), u64::from(members)) as u16,
            is_gentle: seeds > 1 && random.percent(40),
            is_hasty: random.percent(50),
            // So small that what is large comes in pieces, and that the log does not reach back far.
            chunk_bytes_max: random.pick(&[
                200 + content_bytes_max / 2,
                4_000 + content_bytes_max,
                256 << 10,
            ]),
            log_tail_bytes_max: random.pick(&[10_000 + 20 * content_bytes_max, 32 << 20]),
        }
    }

    /// Settings of the agreement for a new process.
    pub(crate) fn settings(&self, slot: Slot, nonce: Nonce, seed: u64) -> Settings {
        let usual = Settings::new(slot, nonce, seed, self.seeds, self.members);
        let part = if self.is_hasty { 3 } else { 1 };
        Settings {
            election_ticks: usual.election_ticks / part as u16,
            presence_lost_ms: usual.presence_lost_ms / part,
            quorum_lost_ms: usual.quorum_lost_ms / part,
            formation_wait_ms: usual.formation_wait_ms / part,
            round_ms: usual.round_ms / part,
            rebirth_ms: usual.rebirth_ms / part,
            chunk_bytes_max: self.chunk_bytes_max,
            log_tail_bytes_max: self.log_tail_bytes_max,
            ..usual
        }
    }
}

impl Scenario {
    /// With so many members; as the seed decides, if that is not said.
    pub(crate) fn of(random: &mut Random, members: Option<u16>) -> Self {
        let members = members.unwrap_or_else(|| random.pick(&[1, 2, 3, 3, 3, 4, 5, 5]));
        let content_bytes_max = random.pick(&[16, 64, 500, 8_000, 40_000, 60_000]);
        let cluster =
            if members == 1 { Cluster::ALONE } else { Cluster::of(random, members, content_bytes_max) };
        let faults = Fault::of(&cluster);
        let faults: Vec<_> =
            faults.into_iter().map(|(weight, fault)| (weight * random.pick(&[0, 1, 1, 5]), fault)).collect();
        let shards = random.pick(&[1, 1, 2, 3]);
        let mut scenario = Self {
            faults,
            limits: limits(random, shards, content_bytes_max),
            cluster,
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
            fault_us: random.pick(&[300_000, 1_000_000, 4_000_000]),
        };
        if members > 1 {
            scenario.suit_cluster(random);
        }
        scenario
    }

    /// Either memory outlasts the run, or nobody relies on it.
    fn suit_cluster(&mut self, random: &mut Random) {
        self.chaos_us = random.between(4, 16) * 1_000_000;
        self.clients = random.between(2, 6) as u32;
        self.fault_us = random.pick(&[300_000, 800_000, 2_000_000]);
        if random.percent(80) && !self.may_forget() {
            self.limits.history_expire_ms = LONG_MEMORY_MS;
        }
    }

    /// Whether the clock may jump so far that subjects are forgotten.
    pub(crate) fn may_forget(&self) -> bool {
        self.faults.iter().any(|(weight, fault)| *weight > 0 && *fault == Fault::ClockLeaps)
    }

    /// Whether a publisher that does not know what became of a publish may publish it again. Where several members have
    /// several clocks nobody can tell how much of a short memory is left.
    pub(crate) fn may_retry(&self) -> bool {
        self.cluster.members == 1 || (self.limits.history_expire_ms >= LONG_MEMORY_MS && !self.may_forget())
    }

    /// Whether clients resume. Without an agreement members have nothing in common that could be gone on from.
    pub(crate) fn may_resume(&self) -> bool {
        self.cluster.members == 1 || self.is_continuous()
    }

    /// Whether messages have seqs.
    pub(crate) fn is_continuous(&self) -> bool {
        self.limits.mode == DeliveryMode::Guaranteed
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

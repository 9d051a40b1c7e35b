//! From when to when a process serves clients: it opens its port when it has what it needs, or has waited long enough,
//! and closes it when it is told to stop.

use sterna_broker::core::Outputs;
use sterna_model::Random;

use super::{Running, now};
use crate::stage::Stage;

/// Time for a member that leaves to hand over what depends on it, microseconds.
pub(crate) const HAND_OVER_US: u64 = 10_000_000;

/// Where a process is in its life.
#[derive(Debug)]
pub(super) struct Life {
    /// The port is opened then, settled or not, microseconds.
    open_us: u64,
    is_open: bool,
    /// Told to stop.
    pub(super) is_leaving: bool,
    /// Clients have been told to go.
    is_draining: bool,
}

impl Life {
    pub(super) fn begin(stage: &Stage, random: &mut Random) -> Self {
        let hidden_us = random.pick(&[0, 0, 1_000_000, 5_000_000]);
        let open_us = if stage.scenario.cluster.members == 1 { 0 } else { stage.now_us() + hidden_us };
        Self { open_us, is_open: false, is_leaving: false, is_draining: false }
    }
}

impl Running {
    /// Whether clients may connect.
    pub(super) fn is_open(&mut self, stage: &Stage) -> bool {
        if !self.life.is_open {
            let is_settled = self.status().replica.is_some_and(|replica| replica.is_settled);
            self.life.is_open = is_settled || stage.now_us() >= self.life.open_us;
        }
        self.life.is_open && !self.life.is_draining
    }

    /// Whether the process was told to stop.
    pub(crate) fn is_leaving(&self) -> bool {
        self.life.is_leaving
    }

    /// Whether clients have been told to go.
    pub(crate) fn is_draining(&self) -> bool {
        self.life.is_draining
    }

    /// The process is told to stop: it sees to it that nobody needs it, and goes on serving until then.
    pub(crate) fn leave(&mut self, stage: &mut Stage, out: &mut Outputs) {
        self.life.is_leaving = true;
        self.core.leave(now(stage, self.id), out);
    }

    /// Tells all clients to go, each at its own time within the window. Returns when all have gone.
    pub(crate) fn drain(&mut self, stage: &mut Stage) -> Option<u64> {
        if std::mem::replace(&mut self.life.is_draining, true) {
            return None;
        }
        let window_us = stage.random.pick(&[0, 100_000, 500_000]);
        let end_us = stage.now_us() + window_us;
        for shard in &mut self.shards {
            shard.drain(stage, window_us);
        }
        Some(end_us + 50_000)
    }
}

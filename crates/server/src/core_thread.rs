//! The core's thread: events from the shards in, effects out to them, in order.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;
use sterna_broker::core::{Core, Effect, Event};

use crate::clock::Clock;
use crate::delivery::Delivery;
use crate::mailbox::{BATCH_EVENTS_MAX, ShardEffect};
use crate::mailbox::{CoreInbox, ShardMailbox};
use crate::metrics::CoreMetrics;

/// How often time passes for the core.
const TIMER: Duration = Duration::from_millis(100);

/// The thread's state.
pub(crate) struct CoreThread {
    pub(crate) core: Core,
    pub(crate) inbox: CoreInbox,
    pub(crate) shards: Vec<ShardMailbox>,
    pub(crate) metrics: Arc<CoreMetrics>,
    pub(crate) clock: Clock,
}

impl CoreThread {
    /// Runs until all shards have ended.
    pub(crate) fn run(mut self) {
        let mut effects = Vec::new();
        let mut outgoing: Vec<Vec<ShardEffect>> = self.shards.iter().map(|_| Vec::new()).collect();
        let mut timer_ms = 0;
        loop {
            match self.inbox.recv_timeout(TIMER) {
                Ok(batch) => self.take(batch, &mut effects, &mut outgoing),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now_ms = self.clock.monotonic_ms();
            if now_ms >= timer_ms {
                timer_ms = now_ms + TIMER.as_millis() as u64;
                self.core.on_timer(Clock::unix_ms());
                self.publish_metrics();
            }
        }
    }

    fn take(&mut self, batch: Vec<Event>, effects: &mut Vec<Effect>, outgoing: &mut [Vec<ShardEffect>]) {
        let started_us = self.clock.monotonic_us();
        let now_ms = Clock::unix_ms();
        for event in batch {
            self.core.handle(now_ms, event, effects);
        }
        for effect in effects.drain(..) {
            route(effect, outgoing);
        }
        for (mailbox, effects) in self.shards.iter().zip(outgoing) {
            while !effects.is_empty() {
                let rest = effects.split_off(effects.len().min(2 * BATCH_EVENTS_MAX));
                mailbox.send_effects(std::mem::replace(effects, rest));
            }
        }
        self.metrics.batch_us.observe(self.clock.monotonic_us() - started_us);
    }

    fn publish_metrics(&self) {
        let counters = self.core.counters();
        let sizes = self.core.sizes();
        let metrics = &self.metrics;
        metrics.published.set(counters.published);
        metrics.duplicates.set(counters.duplicates);
        metrics.refused.set(counters.refused);
        metrics.recoveries_complete.set(counters.recoveries_complete);
        metrics.recoveries_gap.set(counters.recoveries_gap);
        metrics.recoveries_reset.set(counters.recoveries_reset);
        metrics.recoveries_overrun.set(counters.recoveries_overrun);
        metrics.expired.set(counters.expired);
        metrics.subjects.set(sizes.subjects as u64);
        metrics.publishers.set(sizes.publishers as u64);
        metrics.cache_bytes.set(sizes.cache_bytes as u64);
        metrics.epoch.set(self.core.epoch().0);
    }
}

/// Puts an effect on the way to the shard or shards that it is for.
fn route(effect: Effect, outgoing: &mut [Vec<ShardEffect>]) {
    let to = match &effect {
        Effect::Deliver { .. } => None,
        Effect::PublishResult { to, .. }
        | Effect::Subscribed { to, .. }
        | Effect::SubscribeRefused { to, .. }
        | Effect::Caught { to, .. }
        | Effect::Unsubscribed { to, .. }
        | Effect::Answer { to, .. } => Some(to.shard),
    };
    match (to, effect) {
        (Some(shard), effect) => outgoing[usize::from(shard.0)].push(ShardEffect::Effect(effect)),
        (None, Effect::Deliver { subject, shards, record, received_us }) => {
            let delivery = Arc::new(Delivery::new(subject, record, received_us));
            for shard in shards.iter() {
                outgoing[usize::from(shard.0)].push(ShardEffect::Deliver(delivery.clone()));
            }
        }
        (None, _) => unreachable!("only deliveries have no single addressee"),
    }
}

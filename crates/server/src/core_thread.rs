//! The core's thread: events from the shards and frames from other members in, effects and frames out, in order.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use sterna_broker::core::{Core, Effect, Load, Notice, Outputs, PeerEvent};
use sterna_broker::session::Now;
use sterna_replica::Lineage;

use crate::clock::Clock;
use crate::cluster::ClusterStatus;
use crate::delivery::Delivery;
use crate::elsewhere::Elsewhere;
use crate::mailbox::{BATCH_EVENTS_MAX, CoreInbox, Ended, ShardEffect, ShardMailbox, ToCoreThread, ToShard};
use crate::metrics::{CoreMetrics, ShardMetrics};
use crate::offload::Offload;
use crate::peers::Peers;
use crate::status::MemberStatus;

/// How often time passes for the core.
const TICK: Duration = Duration::from_millis(25);
/// How often the metrics are brought up to date.
const METRICS_US: u64 = 100_000;
/// How often members tell each other how many clients they have.
const LOAD_US: u64 = 1_000_000;
/// Batches of shards, and orders, in one turn; more wait for the next one.
const BATCHES_PER_TURN_MAX: usize = 4;
const ORDERS_PER_TURN_MAX: usize = 256;

/// The thread's state.
pub(crate) struct CoreThread {
    pub(crate) core: Core,
    pub(crate) inbox: CoreInbox,
    pub(crate) shards: Vec<ShardMailbox>,
    pub(crate) metrics: Arc<CoreMetrics>,
    pub(crate) cluster: Arc<ClusterStatus>,
    pub(crate) clock: Clock,
    pub(crate) peers: Peers,
    /// What the shards were told last.
    pub(crate) elsewhere: Elsewhere,
    /// None unless clients are to be moved.
    pub(crate) offload: Option<Offload>,
    pub(crate) shard_metrics: Vec<Arc<ShardMetrics>>,
    pub(crate) status: Arc<MemberStatus>,
    /// Where each new lineage is told, if it is kept, and the last that was.
    pub(crate) lineages: Option<Sender<Lineage>>,
    pub(crate) lineage_told: Lineage,
    /// Whoever waits for the member to have handed over.
    pub(crate) leaving: Option<Sender<()>>,
}

impl CoreThread {
    /// Runs until all shards have ended, and nobody keeps it any more.
    pub(crate) fn run(mut self) {
        let mut out = Outputs::default();
        let mut outgoing: Vec<Vec<ShardEffect>> = self.shards.iter().map(|_| Vec::new()).collect();
        let (mut tick_us, mut metrics_us, mut load_us) = (0, 0, 0);
        loop {
            let now_us = self.clock.monotonic_us();
            if now_us >= tick_us {
                tick_us = now_us + TICK.as_micros() as u64;
                self.core.on_tick(self.clock.now(), &mut out);
                if now_us >= metrics_us {
                    metrics_us = now_us + METRICS_US;
                    self.publish_metrics();
                }
                if now_us >= load_us {
                    load_us = now_us + LOAD_US;
                    self.share_clients(now_us, &mut out);
                }
                self.send(&mut out, &mut outgoing);
            }
            self.inbox.sleep(Duration::from_micros(tick_us.saturating_sub(self.clock.monotonic_us())));
            let now = self.clock.now();
            if self.turn(now, &mut out) == Err(Ended) {
                return;
            }
            self.send(&mut out, &mut outgoing);
            self.metrics.batch_us.observe(self.clock.monotonic_us() - now.monotonic_us);
        }
    }

    /// Takes what is here.
    fn turn(&mut self, now: Now, out: &mut Outputs) -> Result<(), Ended> {
        for _ in 0..ORDERS_PER_TURN_MAX {
            match self.inbox.try_order() {
                Some(ToCoreThread::Link(event)) => match self.peers.take(event) {
                    // The receipt is given when the core has taken the frame.
                    Ok((event, _receipt)) => {
                        let is_gone = matches!(event, PeerEvent::Down { .. });
                        self.core.on_peer(now, event, out);
                        if is_gone {
                            self.tell_elsewhere();
                        }
                    }
                    Err(request) => self.cluster.answer(request, &self.core),
                },
                Some(ToCoreThread::Leave(left)) => {
                    self.leaving = Some(left);
                    self.core.leave(now, out);
                }
                None => break,
            }
        }
        for _ in 0..BATCHES_PER_TURN_MAX {
            let Some(batch) = self.inbox.try_batch()? else { break };
            for event in batch {
                self.core.handle(now, event, out);
            }
        }
        self.core.flush(now, out);
        Ok(())
    }

    fn send(&mut self, out: &mut Outputs, outgoing: &mut [Vec<ShardEffect>]) {
        for frame in out.frames.drain(..) {
            self.peers.send(frame);
        }
        for effect in out.effects.drain(..) {
            route(effect, outgoing);
        }
        for (mailbox, effects) in self.shards.iter().zip(outgoing) {
            while !effects.is_empty() {
                let rest = effects.split_off(effects.len().min(2 * BATCH_EVENTS_MAX));
                mailbox.send_effects(std::mem::replace(effects, rest));
            }
        }
        for notice in out.notices.drain(..) {
            if notice == Notice::Left
                && let Some(left) = self.leaving.take()
            {
                // Nobody waits any more if it took too long.
                let _ = left.send(());
            }
            self.cluster.tell(notice);
        }
    }

    /// Tells the others how many clients are here, and asks some to move if they are too many.
    fn share_clients(&mut self, now_us: u64, out: &mut Outputs) {
        let of = |shard: &Arc<ShardMetrics>| {
            shard.connections_websocket.value() + shard.connections_event_stream.value()
        };
        let counts: Vec<u64> = self.shard_metrics.iter().map(of).collect();
        // All members have the same program, and I/O threads are what differs where machines do.
        let capacity =
            if self.status.is_ready() { u32::try_from(counts.len()).unwrap_or(u32::MAX) } else { 0 };
        let own = Load { clients: counts.iter().sum(), capacity };
        self.core.tell_load(own, out);
        self.tell_elsewhere();
        let Some(offload) = self.offload.as_mut().filter(|_| capacity > 0) else { return };
        let clients = offload.clients_to_move(now_us, own, self.core.loads(), self.cluster.is_settled());
        if clients == 0 {
            return;
        }
        tracing::info!(clients, of = own.clients, "clients are asked to move to members that have fewer");
        for (shard, count) in self.shards.iter().zip(&counts) {
            let clients = (clients * count).div_ceil(own.clients);
            if clients > 0 {
                shard.send(ToShard::Offload { clients });
            }
        }
    }

    /// Tells the shards where clients can go instead, if that has changed.
    fn tell_elsewhere(&mut self) {
        let elsewhere = self.peers.elsewhere(self.core.loads());
        if elsewhere != self.elsewhere {
            tracing::debug!(servers = %elsewhere.addresses(0).join(","), "clients can go elsewhere");
            self.elsewhere = elsewhere;
            for shard in &self.shards {
                shard.send(ToShard::Elsewhere(self.elsewhere.clone()));
            }
        }
    }

    fn publish_metrics(&mut self) {
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
        let status = self.core.status();
        self.cluster.update(&status, &self.peers, metrics);
        let lineage = status.replica.map_or(Lineage::NONE, |replica| replica.lineage);
        if let Some(lineages) = &self.lineages
            && lineage > self.lineage_told
            // If the disk is slow, the next time will do.
            && lineages.try_send(lineage).is_ok()
        {
            self.lineage_told = lineage;
        }
    }
}

/// Puts an effect on the way to the shard or shards that it is for.
fn route(effect: Effect, outgoing: &mut [Vec<ShardEffect>]) {
    match effect {
        Effect::Deliver { subject, shards, record, received_us } => {
            let delivery = Arc::new(Delivery::new(subject, record, received_us));
            for shard in shards.iter() {
                outgoing[usize::from(shard.0)].push(ShardEffect::Deliver(delivery.clone()));
            }
        }
        Effect::Interrupted { shards, subject } => {
            for shard in shards.iter() {
                let effect = Effect::Interrupted { shards, subject };
                outgoing[usize::from(shard.0)].push(ShardEffect::Effect(effect));
            }
        }
        Effect::PublishResult { to, .. }
        | Effect::Subscribed { to, .. }
        | Effect::SubscribeRefused { to, .. }
        | Effect::Caught { to, .. }
        | Effect::Unsubscribed { to, .. }
        | Effect::Disconnect { to, .. }
        | Effect::ReadRefused { to, .. }
        | Effect::Answer { to, .. } => outgoing[usize::from(to.shard.0)].push(ShardEffect::Effect(effect)),
    }
}

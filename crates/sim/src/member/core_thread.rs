//! The core's thread: frames and batches in, frames out, effects out to bounded mailboxes, and time passing.

use sterna_broker::core::{Effect, Event, Notice, Outputs};

use super::trace::shown;
use super::{MemberId, Running, now};
use crate::network::SocketId;
use crate::stage::Stage;

/// Frames of other members, and batches, in one turn.
const FRAMES_PER_TURN: usize = 256;
const BATCHES_PER_TURN: u64 = 4;

/// How often time passes for the core, microseconds.
const TICK_US: u64 = 25_000;

/// What a turn leads to besides what the member does itself.
#[derive(Debug, Default)]
pub(crate) struct Aftermath {
    /// Connections that the simulation itself must cut.
    pub(crate) cut: Vec<SocketId>,
    pub(crate) notices: Vec<Notice>,
}

impl Running {
    /// The core looks at its queues.
    pub(crate) fn core_turn(&mut self, stage: &mut Stage) -> Aftermath {
        let mut aftermath = Aftermath::default();
        let now_us = stage.now_us();
        let (slow_until_us, slow_us) = self.slow;
        let busy_us = if now_us < slow_until_us { slow_us } else { stage.random.between(5, 500) };
        if now_us < self.core_stalled_us {
            stage.wake_core(self.id, self.core_stalled_us);
            return aftermath;
        }
        if self.flush(stage) {
            let mut out = Outputs::default();
            self.take_turn(stage, &mut out, &mut aftermath);
            self.core_stalled_us = self.core_stalled_us.max(now_us + stage.versions.turn_us());
            self.send(stage, &mut out);
            aftermath.notices = out.notices;
            if self.flush(stage) && self.inbox.batches.is_empty() {
                let arrival_us = stage.links.next_us(self.id).unwrap_or(u64::MAX);
                stage.wake_core(self.id, self.tick_us.min(arrival_us).max(now_us + busy_us));
                return aftermath;
            }
        }
        // A shard that has room again wakes the core before.
        let blocked_us = if self.outgoing.iter().all(|waiting| waiting.is_empty()) { 0 } else { 5_000 };
        stage.wake_core(self.id, now_us + busy_us.max(blocked_us));
        aftermath
    }

    fn take_turn(&mut self, stage: &mut Stage, out: &mut Outputs, aftermath: &mut Aftermath) {
        let (now_us, now) = (stage.now_us(), now(stage, self.id));
        if now_us >= self.tick_us {
            self.tick_us = now_us + TICK_US;
            let subjects = self.core.sizes().subjects;
            self.core.on_tick(now, out);
            stage.tally.forgotten += subjects.saturating_sub(self.core.sizes().subjects) as u64;
        }
        for _ in 0..FRAMES_PER_TURN {
            let Some(event) = stage.links.receive(self.id, now_us) else { break };
            if stage.saboteur.switches(self.level_max, &event) {
                self.core.switch_early();
            }
            self.core.on_peer(now, event, out);
        }
        let was_full = self.inbox.batches.len() == self.inbox.batches_max;
        for _ in 0..stage.random.between(1, BATCHES_PER_TURN) {
            let Some(batch) = self.inbox.batches.pop_front() else { break };
            self.take(stage, batch, out, aftermath);
        }
        if was_full && self.inbox.batches.len() < self.inbox.batches_max {
            self.wake_shards(stage);
        }
        self.core.flush(now, out);
        stage.agenda.mix(self.core.counters().published);
    }

    fn take(
        &mut self,
        stage: &mut Stage,
        mut batch: Vec<Event>,
        out: &mut Outputs,
        aftermath: &mut Aftermath,
    ) {
        let is_alone = stage.scenario.cluster.members == 1;
        stage.saboteur.tamper_batch(&mut batch);
        for mut event in batch {
            let leads = self.core.leader().is_some_and(|slot| slot.0 == self.id.0);
            let at = (self.id, leads, self.core.epoch());
            if stage.saboteur.tamper_event(at, &mut event, &mut out.effects) {
                continue;
            }
            if is_alone
                && let Event::Publish(publish) = &event
                && let Some(stamp) = &publish.stamp
            {
                if self.retention.is_too_late(stage, stamp) {
                    aftermath.cut.extend(self.shards[usize::from(publish.from.shard.0)].socket(publish.from));
                    continue;
                }
                self.stamps.insert((publish.from, publish.id), stamp.clone());
            }
            self.core.handle(now(stage, self.id), event, out);
        }
    }

    /// Sends frames and effects on their way.
    pub(crate) fn send(&mut self, stage: &mut Stage, out: &mut Outputs) {
        for mut frame in out.frames.drain(..) {
            stage.saboteur.tamper_frame(&mut frame);
            let to = MemberId(frame.to.0);
            if to == self.id {
                continue;
            }
            stage.agenda.mix(frame.bytes.len() as u64);
            let now_us = stage.now_us();
            if let Some(at_us) = stage.links.send(self.id, to, (frame.channel, frame.bytes), now_us) {
                stage.wake_core(to, at_us);
            }
        }
        self.route(stage, std::mem::take(&mut out.effects));
    }

    /// Puts effects on the way to the shards that they are for.
    fn route(&mut self, stage: &mut Stage, effects: Vec<Effect>) {
        let mut outgoing: Vec<Vec<Effect>> = self.shards.iter().map(|_| Vec::new()).collect();
        for mut effect in effects {
            if stage.saboteur.tamper_effect(self.id, &mut effect) {
                continue;
            }
            let id = self.id.0;
            stage.say(|| format!("core {id}: {}", shown(&effect)));
            match effect {
                Effect::Deliver { subject, shards, record, received_us } => {
                    for shard in shards.iter() {
                        let record = record.clone();
                        let deliver = Effect::Deliver { subject, shards, record, received_us };
                        outgoing[usize::from(shard.0)].push(deliver);
                    }
                }
                Effect::Interrupted { shards, subject } => {
                    for shard in shards.iter() {
                        outgoing[usize::from(shard.0)].push(Effect::Interrupted { shards, subject });
                    }
                }
                Effect::PublishResult { to, id, ref outcome, .. } => {
                    if let Some(stamp) = self.stamps.remove(&(to, id)).filter(|_| outcome.is_ok()) {
                        self.retention.note(stage, stamp);
                    }
                    outgoing[usize::from(to.shard.0)].push(effect);
                }
                Effect::Subscribed { to, .. }
                | Effect::SubscribeRefused { to, .. }
                | Effect::Caught { to, .. }
                | Effect::Unsubscribed { to, .. }
                | Effect::ReadRefused { to, .. }
                | Effect::Disconnect { to, .. }
                | Effect::Answer { to, .. } => outgoing[usize::from(to.shard.0)].push(effect),
            }
        }
        let effects_max = 2 * stage.scenario.batch_events_max;
        for (waiting, mut effects) in self.outgoing.iter_mut().zip(outgoing) {
            while !effects.is_empty() {
                let rest = effects.split_off(effects.len().min(effects_max));
                waiting.push_back(std::mem::replace(&mut effects, rest));
            }
        }
    }

    /// Puts what waits into the mailboxes; false if one is full, for then the core waits.
    pub(crate) fn flush(&mut self, stage: &mut Stage) -> bool {
        let batches_max = stage.scenario.batches_max;
        for (waiting, shard) in self.outgoing.iter_mut().zip(&mut self.shards) {
            while let Some(effects) = waiting.pop_front() {
                if let Err(effects) = shard.try_send(stage, effects, batches_max) {
                    waiting.push_front(effects);
                    stage.tally.core_waits += 1;
                    return false;
                }
            }
        }
        true
    }

    fn wake_shards(&mut self, stage: &mut Stage) {
        for shard in &mut self.shards {
            let at_us = stage.now_us() + stage.random.between(1, 1000);
            shard.wake(stage, at_us);
        }
    }
}

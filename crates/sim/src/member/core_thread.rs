//! The core's thread: batches in, effects out to bounded mailboxes, time passing every tenth of a second.

use sterna_broker::core::{Effect, Event};
use sterna_model::Accepted;

use super::{MemberId, Running};
use crate::agenda::Happening;
use crate::stage::Stage;

/// How often time passes for the core, microseconds.
const TIMER_US: u64 = 100_000;

impl Running {
    /// The core looks at its queue. Returns the connections that the simulation itself must cut.
    pub(crate) fn core_turn(&mut self, stage: &mut Stage, id: MemberId) -> Vec<crate::network::SocketId> {
        let mut cut = Vec::new();
        if !self.core_alarm.ring(stage.now_us()) {
            return cut;
        }
        let soon_us = stage.now_us() + stage.random.between(5, 500);
        let mut next_us = soon_us;
        if stage.now_us() < self.core_stalled_us {
            next_us = self.core_stalled_us;
        } else if self.flush(stage) {
            if let Some(batch) = self.inbox.batches.pop_front() {
                let was_full = self.inbox.batches.len() + 1 == self.inbox.batches_max;
                cut = self.take(stage, batch);
                if was_full {
                    self.wake_shards(stage);
                }
            }
            self.pass_time(stage);
            if self.flush(stage) && self.inbox.batches.is_empty() {
                next_us = self.timer_us;
            }
        }
        self.core_alarm.set(&mut stage.agenda, next_us, Happening::CoreTurn(id));
        cut
    }

    fn pass_time(&mut self, stage: &mut Stage) {
        if stage.now_us() >= self.timer_us {
            self.timer_us = stage.now_us() + TIMER_US;
            let subjects = self.core.sizes().subjects;
            self.core.on_timer(stage.unix_ms());
            stage.tally.forgotten += (subjects - self.core.sizes().subjects) as u64;
        }
    }

    /// Something waits for the core, or has room for what the core waits to send.
    pub(crate) fn wake_core(&mut self, stage: &mut Stage) {
        let at_us = stage.now_us() + stage.random.between(1, 300);
        let id = self.shards[0].member();
        self.core_alarm.set(&mut stage.agenda, at_us, Happening::CoreTurn(id));
    }

    /// The core does nothing for some time.
    pub(crate) fn stall_core(&mut self, until_us: u64) {
        self.core_stalled_us = until_us;
    }

    fn take(&mut self, stage: &mut Stage, mut batch: Vec<Event>) -> Vec<crate::network::SocketId> {
        let mut cut = Vec::new();
        let mut effects = Vec::new();
        stage.saboteur.tamper_batch(&mut batch);
        for mut event in batch {
            stage.agenda.mix(self.core.counters().published);
            if let Some(effect) = stage.saboteur.tamper_event(&mut event) {
                effects.push(effect);
                continue;
            }
            let stamp = match &event {
                Event::Publish(publish) => publish.stamp.clone(),
                _ => None,
            };
            if let (Some(stamp), Event::Publish(publish)) = (&stamp, &event)
                && self.retention.is_too_late(stage, stamp)
            {
                let from = publish.from;
                cut.extend(self.shards[usize::from(from.shard.0)].socket(from));
                continue;
            }
            let published = self.core.counters().published;
            self.core.handle(stage.unix_ms(), event, &mut effects);
            if let Some(stamp) = stamp
                && self.core.counters().published > published
            {
                self.retention.note(stage, stamp);
            }
        }
        self.route(stage, effects);
        cut
    }

    /// Puts effects on the way to the shards that they are for.
    fn route(&mut self, stage: &mut Stage, effects: Vec<Effect>) {
        let mut outgoing: Vec<Vec<Effect>> = self.shards.iter().map(|_| Vec::new()).collect();
        for mut effect in effects {
            stage.saboteur.tamper_effect(&mut effect);
            stage.say(|| format!("core: {}", shown(&effect)));
            match effect {
                Effect::Deliver { subject, shards, record, received_us } => {
                    for shard in shards.iter() {
                        let record = record.clone();
                        let deliver = Effect::Deliver { subject, shards, record, received_us };
                        outgoing[usize::from(shard.0)].push(deliver);
                    }
                }
                Effect::PublishResult { to, .. }
                | Effect::Subscribed { to, .. }
                | Effect::SubscribeRefused { to, .. }
                | Effect::Caught { to, .. }
                | Effect::Unsubscribed { to, .. }
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
    fn flush(&mut self, stage: &mut Stage) -> bool {
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

/// An effect, for the trace.
fn shown(effect: &Effect) -> String {
    match effect {
        Effect::PublishResult { to, id, outcome, .. } => match outcome {
            Ok(Accepted { position, duplicate }) => {
                let position = position.map_or_else(String::new, |position| position.to_string());
                format!(
                    "publish {id:?} of {}.{} is at {position}, duplicate {duplicate}",
                    to.index, to.generation
                )
            }
            Err(code) => format!("publish {id:?} of {}.{} is refused: {code}", to.index, to.generation),
        },
        Effect::Subscribed { to, name, cut, page, .. } => format!(
            "{}.{} subscribes to {name}: {} {}, {} messages{}",
            to.index,
            to.generation,
            cut.recovery.name(),
            cut.position,
            page.messages.len(),
            if page.next.is_some() { " and more" } else { "" }
        ),
        Effect::SubscribeRefused { to, name, code, .. } => {
            format!("{}.{} may not subscribe to {name}: {code}", to.index, to.generation)
        }
        Effect::Caught { to, page, .. } => match page {
            Some(page) => {
                format!("{}.{} catches up with {} messages", to.index, to.generation, page.messages.len())
            }
            None => format!("{}.{} cannot catch up any more", to.index, to.generation),
        },
        Effect::Unsubscribed { to, name, .. } => {
            format!("{}.{} unsubscribes from {name}", to.index, to.generation)
        }
        Effect::Deliver { record, .. } => {
            format!("{} goes to all of {}", record.position, record.message.subject)
        }
        Effect::Answer { to, name, messages, .. } => {
            format!("{}.{} has read {} messages of {name}", to.index, to.generation, messages.len())
        }
    }
}

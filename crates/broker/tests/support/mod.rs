//! A cluster of one, as simple as a function: it leads before the first event, and commits what it is given at once.

#![allow(dead_code, reason = "each test needs a part of it")]

use std::sync::Arc;

use sterna_broker::core::{
    Core, CoreCounters, CoreLimits, CoreSettings, CoreSizes, Cut, Effect, Event, Notice, Outputs, Page,
    Reading,
};
use sterna_broker::session::Now;
use sterna_model::{Epoch, Kind, Position, Record};
use sterna_replica::{Nonce, Settings, Slot};

/// Ticks after which a cluster of one must lead.
const TICKS_MAX: usize = 1_000;

/// A core that leads itself. Its epoch is a number of its own making; the test sees another, fixed one in its place.
pub(crate) struct Single {
    core: Core,
    epoch: u64,
}

pub(crate) fn now(unix_ms: u64) -> Now {
    Now { unix_ms, monotonic_us: unix_ms * 1000 }
}

impl Single {
    pub(crate) fn new(epoch: u64, limits: CoreLimits, now_ms: u64) -> Self {
        let replica = Settings::new(Slot(0), Nonce(1), 1, 1, 1);
        let settings = CoreSettings { limits, replica, seed: 1 };
        let core = Core::new(settings, now(now_ms)).unwrap();
        let mut single = Self { core, epoch };
        for _ in 0..TICKS_MAX {
            if single.core.status().has_state && single.core.leader().is_some() {
                single.tick(now_ms);
                return single;
            }
            single.core.on_tick(now(now_ms), &mut Outputs::default());
        }
        panic!("nobody leads: {:?}", single.core.status());
    }

    pub(crate) fn handle(&mut self, now_ms: u64, event: Event) -> Vec<Effect> {
        let mut out = Outputs::default();
        let event = self.inward(event);
        self.core.handle(now(now_ms), event, &mut out);
        self.core.flush(now(now_ms), &mut out);
        self.outward(out)
    }

    /// Lets time pass until nothing more follows from it: one tick lets the log's time go on, another one puts into
    /// the log what time has brought about.
    pub(crate) fn tick(&mut self, now_ms: u64) -> Vec<Effect> {
        let mut out = Outputs::default();
        for _ in 0..3 {
            self.core.on_tick(now(now_ms), &mut out);
        }
        self.outward(out)
    }

    pub(crate) fn sizes(&self) -> CoreSizes {
        self.core.sizes()
    }

    pub(crate) fn counters(&self) -> CoreCounters {
        self.core.counters()
    }

    /// What is added to an epoch of the test.
    fn shift(&self) -> u64 {
        self.core.epoch().0.wrapping_sub(self.epoch)
    }

    fn inward(&self, mut event: Event) -> Event {
        let shift = self.shift();
        let moved = |position: &mut Position| position.epoch = Epoch(position.epoch.0.wrapping_add(shift));
        match &mut event {
            Event::Subscribe(subscribe) => subscribe.start.resume.iter_mut().for_each(moved),
            Event::Read { reading: Reading::After(position), .. } => moved(position),
            _ => {}
        }
        event
    }

    fn outward(&self, out: Outputs) -> Vec<Effect> {
        assert!(out.frames.is_empty(), "there is nobody else");
        let broken = out.notices.iter().find(|notice| matches!(notice, Notice::Broken { .. }));
        assert_eq!(broken, None);
        let mut effects = out.effects;
        let shift = self.shift();
        effects.iter_mut().for_each(|effect| move_effect(effect, shift));
        effects
    }
}

fn move_effect(effect: &mut Effect, shift: u64) {
    match effect {
        Effect::PublishResult { outcome: Ok(accepted), .. } => {
            accepted.position.iter_mut().for_each(|position| move_position(position, shift));
        }
        Effect::Subscribed { cut: Cut { position, .. }, page, .. } => {
            move_position(position, shift);
            move_page(page, shift);
        }
        Effect::Caught { page: Some(page), .. } => move_page(page, shift),
        Effect::Deliver { record, .. } => move_record(record, shift),
        Effect::Answer { cut: Cut { position, .. }, messages, .. } => {
            move_position(position, shift);
            move_messages(messages, shift);
        }
        _ => {}
    }
}

fn move_position(position: &mut Position, shift: u64) {
    position.epoch = Epoch(position.epoch.0.wrapping_sub(shift));
}

fn move_record(record: &mut Arc<Record>, shift: u64) {
    move_position(&mut Arc::make_mut(record).position, shift);
}

fn move_messages(messages: &mut [(Kind, Arc<Record>)], shift: u64) {
    messages.iter_mut().for_each(|(_, record)| move_record(record, shift));
}

fn move_page(page: &mut Page, shift: u64) {
    move_messages(&mut page.messages, shift);
}

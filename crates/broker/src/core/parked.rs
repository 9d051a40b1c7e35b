//! Questions that are ahead of this member: it waits a little for its own applying, then says what it can.

use std::collections::VecDeque;

use sterna_model::Code;

use super::log::Log;
use super::{Effect, Event, Outputs, Reading, SubscribeEvent};
use crate::session::Now;
use crate::store::Store;

/// How long a question may wait.
const PATIENCE_US: u64 = 1_500_000;
/// Questions that may wait.
const PARKED_MAX: usize = 10_000;

/// The questions, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Parked(VecDeque<Question>);

#[derive(Debug)]
struct Question {
    until_us: u64,
    /// The log's time when it came. What the leader commits with a later one, it has proposed after that.
    time_ms: u64,
    event: Event,
}

/// Whether it asks for what follows a position that this member does not know.
pub(super) fn is_behind(event: &Event, store: &Store) -> bool {
    match event {
        Event::Subscribe(subscribe) => store.is_behind(subscribe.name.as_str(), subscribe.start),
        Event::Read { name, reading: Reading::After(position), .. } => {
            store.is_behind(name.as_str(), sterna_model::Start { history: 0, resume: Some(*position) })
        }
        _ => false,
    }
}

/// Answers a question from the store as it is, if there is something in it.
pub(super) fn start(event: Event, store: &mut Store, log: Option<&mut Log>, out: &mut Outputs) {
    if log.as_ref().is_some_and(|log| !log.has_state()) {
        refuse(event, Code::NoQuorum, out);
        return;
    }
    match event {
        Event::Subscribe(subscribe) => {
            let unborn = store.subscribe(subscribe, &mut out.effects);
            if let Some((subject, log)) = unborn.zip(log) {
                log.touch(&subject);
            }
        }
        Event::Read { to, name, reading } => store.read(to, &name, reading, &mut out.effects),
        _ => unreachable!("only questions are parked"),
    }
}

/// Says why a question is not answered here.
pub(super) fn refuse(event: Event, code: Code, out: &mut Outputs) {
    let effect = match event {
        Event::Subscribe(SubscribeEvent { from, id, name, .. }) => {
            Effect::SubscribeRefused { to: from, id, name, code }
        }
        Event::Read { to, name, .. } => Effect::ReadRefused { to, name, code },
        _ => unreachable!("only questions are parked"),
    };
    out.effects.push(effect);
}

impl Parked {
    pub(super) fn park(&mut self, now: Now, time_ms: u64, event: Event, out: &mut Outputs) {
        if self.0.len() < PARKED_MAX {
            self.0.push_back(Question { until_us: now.monotonic_us + PATIENCE_US, time_ms, event });
        } else {
            refuse(event, Code::MemberBehind, out);
        }
    }

    /// An unsubscribe, or another subscribe, must not overtake a parked subscribe of the same connection.
    pub(super) fn start_overtaken(
        &mut self,
        event: &Event,
        store: &mut Store,
        log: Option<&mut Log>,
        out: &mut Outputs,
    ) {
        let (from, subject) = match event {
            Event::Subscribe(SubscribeEvent { from, name, .. }) => (from, name),
            Event::Unsubscribe { to, name, .. } => (to, name),
            _ => return,
        };
        let is_same = |parked: &Question| matches!(&parked.event, Event::Subscribe(it) if it.from == *from && it.name == *subject);
        if let Some(place) = self.0.iter().position(is_same)
            && let Some(parked) = self.0.remove(place)
        {
            if is_behind(&parked.event, store) {
                refuse(parked.event, Code::MemberBehind, out);
            } else {
                start(parked.event, store, log, out);
            }
        }
    }

    /// Answers what can be answered now. A position that the leader does not know, though it still leads after the
    /// question came, is nobody's; all others cannot tell.
    pub(super) fn watch(&mut self, now: Now, store: &mut Store, log: &mut Log, out: &mut Outputs) {
        for _ in 0..self.0.len() {
            let Some(question) = self.0.pop_front() else { return };
            let leads_since = log.leads() && store.time_ms() > question.time_ms;
            if !log.has_state() || !is_behind(&question.event, store) || leads_since {
                start(question.event, store, Some(log), out);
            } else if now.monotonic_us < question.until_us {
                self.0.push_back(question);
            } else {
                refuse(question.event, Code::MemberBehind, out);
            }
        }
    }
}

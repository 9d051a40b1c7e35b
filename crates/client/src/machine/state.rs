//! The client's state as a whole, what it asks of the transport, and its timers.

use std::collections::VecDeque;

use sterna_model::limit::FRAME_OVERHEAD_BYTES_MAX;
use sterna_model::{Random, Request};
use sterna_wire::native::{self, Refusal};

use super::connect::{Phase, Session};
use super::publish::Publishes;
use super::subscribe::Subscriptions;
use super::token::Renewal;
use crate::{Event, Server, Settings};

/// Bytes that one byte of a text can take in JSON (`\u0000`).
const JSON_EXPANSION: usize = 6;

/// What the transport has to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Open a WebSocket, then say [`Machine::on_open`], or [`Machine::on_ended`] if it cannot be.
    Open(Server),
    /// Send a text frame on it.
    Send(Vec<u8>),
    /// Close it with code 1000. It needs no [`Machine::on_ended`].
    Close,
}

/// The rules of a client. Times are milliseconds of any clock that does not go back.
#[derive(Debug)]
pub struct Machine {
    pub(super) settings: Settings,
    pub(super) random: Random,
    pub(super) phase: Phase,
    pub(super) subscriptions: Subscriptions,
    pub(super) publishes: Publishes,
    pub(super) renewal: Option<Renewal>,
    /// Retries in a row; a session that stood for some time ends the row.
    pub(super) retries: u32,
    /// Attempts in a row that led to no session.
    pub(super) failed_attempts: u32,
    /// Members that a notice named, tried before the user's own list.
    pub(super) named: Vec<Server>,
    /// Server to go back to only if there is no other.
    pub(super) avoid: Option<Server>,
    /// The last refusal of this connection that may explain its end.
    pub(super) last_refusal: Option<Refusal>,
    effects: VecDeque<Effect>,
    events: VecDeque<Event>,
    pub(super) last_id: u64,
}

impl Machine {
    /// A client that does nothing yet. `seed` makes its delays, its choice of servers and its publisher id.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let publisher =
            settings.publisher.clone().unwrap_or_else(|| format!("{:016x}", random.next()).into());
        Self {
            publishes: Publishes::new(publisher, settings.publisher_seq_first),
            settings,
            random,
            phase: Phase::Idle,
            subscriptions: Subscriptions::default(),
            renewal: None,
            retries: 0,
            failed_attempts: 0,
            named: Vec::new(),
            avoid: None,
            last_refusal: None,
            effects: VecDeque::new(),
            events: VecDeque::new(),
            last_id: 0,
        }
    }

    /// The next thing for the transport to do.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// The next thing to tell the user.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Machine::on_timer`], if nothing happens before.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        let pauses = [self.publishes.pause_until_ms(), self.subscriptions.pause_until_ms()];
        let pause = self.open_session().and(pauses.into_iter().flatten().min());
        let connection = self.phase.deadline_ms(self.publishes.awaited());
        [connection, self.publishes.deadline_ms(), pause].into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn on_timer(&mut self, now_ms: u64) {
        self.expire_publishes(now_ms);
        self.on_connection_timer(now_ms);
        self.request_subscriptions(now_ms);
        self.send_publishes(now_ms);
    }

    /// Largest frame to take from the server, bytes.
    #[must_use]
    pub fn frame_bytes_max(&self) -> usize {
        let content = self.session().map_or(0, |session| session.message_bytes_max);
        JSON_EXPANSION * content.min(self.settings.message_bytes_max) + 4 * FRAME_OVERHEAD_BYTES_MAX
    }

    pub(super) fn session(&self) -> Option<&Session> {
        match &self.phase {
            Phase::Connected(session) => Some(session),
            _ => None,
        }
    }

    /// The session, if new requests may still be sent in it.
    pub(super) fn open_session(&self) -> Option<&Session> {
        self.session().filter(|session| !session.is_leaving())
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn send(&mut self, request: &Request) {
        let mut frame = Vec::new();
        native::encode_request(request, &mut frame);
        self.effects.push_back(Effect::Send(frame));
    }

    pub(super) fn act(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }
}

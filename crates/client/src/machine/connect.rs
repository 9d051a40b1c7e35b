//! Into a connection and out of it: choice of the server, retries, denial, going away, keep-alive.

use std::{fmt, mem};

use sterna_model::{Class, Code, Request};
use sterna_wire::native::Refusal;

use super::publish::Awaited;
use super::token::is_about_token;
use super::{Effect, Machine};
use crate::event::{Shown, class_of, refusal_of};
use crate::server::choose;
use crate::{Event, Server};

/// Protocol version that this client speaks.
const VERSION: u32 = 1;
/// A session that stood this long ends the row of retries, milliseconds.
const STABLE_MS: u64 = 10_000;
/// How long results are waited for when it is time to leave a member, milliseconds.
const LEAVE_MS_MAX: u64 = 3_000;
/// Longest time that a member that goes away may name, milliseconds.
const RECONNECT_AFTER_MS_MAX: u64 = 600_000;
/// Servers of a notice that are looked at.
const NAMED_MAX: usize = 16;
/// How long a ping may stay unanswered, milliseconds (K2, K3).
const PONG_MS_MAX: u64 = 5_000;

/// How a connection ended, or why it could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The server closed it, with a close code if it said why, and a reason.
    Closed(Option<u16>, Box<str>),
    /// The server refused the upgrade with a code.
    Refused(Refusal),
    /// The network, TLS or the peer's protocol failed; for a person.
    Failed(Box<str>),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(None, _) => f.write_str("the server closed the connection"),
            Self::Closed(Some(code), reason) => {
                write!(f, "the server closed the connection with {code} {reason}")
            }
            Self::Refused(refusal) => Shown(refusal).fmt(f),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

/// Where the client stands with its connection.
#[derive(Debug, Default)]
pub(super) enum Phase {
    /// Nothing is wanted.
    #[default]
    Idle,
    /// The server will not have this client as it is.
    Denied(Refusal),
    /// Between two connections.
    Waiting { until_ms: u64 },
    /// The transport opens one.
    Opening(Server),
    /// The connect request was sent.
    Greeting { server: Server, until_ms: u64 },
    /// The session stands.
    Connected(Session),
}

/// A session that stands.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) server: Server,
    pub(super) message_bytes_max: usize,
    pub(super) keep_alive_ms: u64,
    pub(super) since_ms: u64,
    /// When something was last heard.
    pub(super) heard_ms: u64,
    /// When an unanswered ping was sent.
    pub(super) pinged_ms: Option<u64>,
    pub(super) leaving: Option<Leaving>,
}

/// The member goes away.
#[derive(Debug)]
pub(super) struct Leaving {
    /// When to leave, and to connect again.
    at_ms: u64,
    /// It is time: nothing new is asked of the member.
    has_begun: bool,
}

impl Session {
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| leaving.has_begun)
    }

    /// When to ping the server, if nothing is heard of it before.
    fn ping_ms(&self, awaited: Option<Awaited>) -> u64 {
        let idle_ms = 2 * self.keep_alive_ms;
        match awaited {
            Some(Awaited { since_ms, patience_ms }) => self.heard_ms.max(since_ms) + patience_ms.min(idle_ms),
            None => self.heard_ms + idle_ms,
        }
    }
}

impl Leaving {
    /// When something is to be done: begin, or leave although results are missing.
    fn due_ms(&self) -> u64 {
        if self.has_begun { self.at_ms + LEAVE_MS_MAX } else { self.at_ms }
    }
}

impl Phase {
    pub(super) fn deadline_ms(&self, awaited: Option<Awaited>) -> Option<u64> {
        match self {
            Self::Idle | Self::Denied(_) | Self::Opening(_) => None,
            Self::Waiting { until_ms } | Self::Greeting { until_ms, .. } => Some(*until_ms),
            Self::Connected(session) => {
                let alive_ms = match session.pinged_ms {
                    Some(pinged_ms) => pinged_ms + PONG_MS_MAX,
                    None => session.ping_ms(awaited),
                };
                let leave_ms = session.leaving.as_ref().map(Leaving::due_ms);
                Some(leave_ms.map_or(alive_ms, |leave_ms| leave_ms.min(alive_ms)))
            }
        }
    }
}

impl Machine {
    /// Connects now, and again whenever the connection is lost, until [`Machine::disconnect`] or a denial.
    pub fn connect(&mut self) {
        match self.phase {
            Phase::Idle | Phase::Denied(_) | Phase::Waiting { .. } => {
                self.retries = 0;
                self.open();
            }
            Phase::Opening(_) | Phase::Greeting { .. } | Phase::Connected(_) => {}
        }
    }

    /// Ends the connection and all attempts. Publishes without a result fail; the subscriptions stay wanted.
    pub fn disconnect(&mut self, now_ms: u64) {
        if matches!(self.phase, Phase::Opening(_) | Phase::Greeting { .. } | Phase::Connected(_)) {
            self.act(Effect::Close);
        }
        self.phase = Phase::Idle;
        self.on_connection_lost(now_ms);
        self.fail_publishes(None);
    }

    /// The WebSocket that was asked for stands.
    pub fn on_open(&mut self, now_ms: u64) {
        let Phase::Opening(server) = mem::take(&mut self.phase) else { return };
        self.tell(Event::ServerUp { server: server.to_string().into() });
        let until_ms = now_ms + self.settings.connect_timeout_ms;
        self.phase = Phase::Greeting { server, until_ms };
        let (token, client) = (self.settings.token.clone(), Some(self.settings.client.clone()));
        self.send(&Request::Connect { version: VERSION, token, client });
    }

    /// The connection has ended, or could not be opened.
    pub fn on_ended(&mut self, ended: &Ended, now_ms: u64) {
        let (server, session) = match mem::take(&mut self.phase) {
            Phase::Opening(server) | Phase::Greeting { server, .. } => (server, None),
            Phase::Connected(session) => (session.server.clone(), Some(session)),
            without => {
                self.phase = without;
                return;
            }
        };
        let token_changed = self.renewal.is_some();
        self.on_connection_lost(now_ms);
        match self.refusal_behind(ended) {
            Some(refusal) if is_about_token(&refusal) && token_changed => {
                self.retry(server, session.as_ref(), &Shown(&refusal), now_ms);
            }
            // Only a server of the own list may end the attempts.
            Some(refusal) if is_final(&refusal) && !self.named.contains(&server) => self.deny(&refusal),
            Some(refusal) => self.retry(server, session.as_ref(), &Shown(&refusal), now_ms),
            None => self.retry(server, session.as_ref(), ended, now_ms),
        }
    }

    /// Something came from the server, be it only a ping.
    pub fn on_heard(&mut self, now_ms: u64) {
        if let Phase::Connected(session) = &mut self.phase {
            session.heard_ms = now_ms;
            session.pinged_ms = None;
        }
    }

    /// Gives up the connection for a reason of ours.
    pub(super) fn abandon(&mut self, ended: &Ended, now_ms: u64) {
        self.act(Effect::Close);
        self.on_ended(ended, now_ms);
    }

    /// Gives up the connection because the member cannot do what is asked; another one may.
    pub(super) fn abandon_for(&mut self, refusal: &Refusal, now_ms: u64) {
        self.abandon(&Ended::Refused(refusal.clone()), now_ms);
    }

    pub(super) fn on_connection_timer(&mut self, now_ms: u64) {
        let awaited = self.publishes.awaited();
        match &mut self.phase {
            Phase::Waiting { until_ms } if *until_ms <= now_ms => self.open(),
            Phase::Greeting { until_ms, .. } if *until_ms <= now_ms => {
                self.abandon(&Ended::Failed("the server did not answer the connect request".into()), now_ms);
            }
            Phase::Connected(session) => {
                if session.pinged_ms.is_some_and(|pinged_ms| pinged_ms + PONG_MS_MAX <= now_ms) {
                    self.abandon(&Ended::Failed("nothing was heard from the server".into()), now_ms);
                } else if session.pinged_ms.is_none() && session.ping_ms(awaited) <= now_ms {
                    session.pinged_ms = Some(now_ms);
                    self.send(&Request::Ping { id: None });
                }
                self.begin_to_leave(now_ms);
            }
            _ => {}
        }
    }

    /// The member goes away: it serves this client until the time it names, and then another one is to do it.
    pub(super) fn on_going_away(&mut self, reconnect_after_ms: u64, servers: &[Box<str>], now_ms: u64) {
        let Phase::Connected(session) = &mut self.phase else { return };
        let reconnect_after_ms = reconnect_after_ms.min(RECONNECT_AFTER_MS_MAX);
        let named = servers.iter().filter_map(|address| session.server.sibling(address));
        self.named = named.take(NAMED_MAX).collect();
        session.leaving = Some(Leaving { at_ms: now_ms + reconnect_after_ms, has_begun: false });
        self.tell(Event::GoingAway { reconnect_after_ms });
        self.begin_to_leave(now_ms);
    }

    fn begin_to_leave(&mut self, now_ms: u64) {
        let Phase::Connected(Session { leaving: Some(leaving), .. }) = &mut self.phase else { return };
        leaving.has_begun |= leaving.at_ms <= now_ms;
        self.leave(now_ms);
    }

    /// Leaves a member that goes away, if it is time and nothing is awaited of it any more.
    pub(super) fn leave(&mut self, now_ms: u64) {
        let Some(leaving) = self.session().and_then(|session| session.leaving.as_ref()) else { return };
        if leaving.has_begun && (self.publishes.none_sent() || leaving.due_ms() <= now_ms) {
            self.abandon_for(&refusal_of(Code::GoingAway), now_ms);
        }
    }

    fn open(&mut self) {
        let named = self.named.iter().find(|server| Some(*server) != self.avoid.as_ref());
        let chosen =
            named.or_else(|| choose(&self.settings.servers, self.avoid.as_ref(), &mut self.random)).cloned();
        self.phase = match chosen {
            Some(server) => {
                self.act(Effect::Open(server.clone()));
                Phase::Opening(server)
            }
            None => Phase::Idle,
        };
    }

    fn deny(&mut self, refusal: &Refusal) {
        self.phase = Phase::Denied(refusal.clone());
        self.tell(Event::ConnectDeny(refusal.clone()));
        self.fail_publishes(Some(refusal));
    }

    fn retry(&mut self, server: Server, session: Option<&Session>, reason: &dyn fmt::Display, now_ms: u64) {
        let leaving = session.and_then(|session| session.leaving.as_ref());
        let was_connected = session.is_some();
        let was_stable = session.is_some_and(|session| session.since_ms + STABLE_MS <= now_ms);
        let until_ms = if let Some(leaving) = leaving {
            self.retries = 0;
            leaving.at_ms.max(now_ms)
        } else {
            self.named.clear();
            self.retries = if was_stable { 1 } else { self.retries.saturating_add(1) };
            now_ms + self.settings.reconnect.delay_ms(self.retries, &mut self.random)
        };
        self.failed_attempts = if was_connected { 0 } else { self.failed_attempts.saturating_add(1) };
        if was_connected || self.failed_attempts >= self.settings.notify_after_failed_attempts {
            self.tell(Event::ServerDown {
                server: server.to_string().into(),
                reason: reason.to_string().into(),
                retry_in_ms: until_ms - now_ms,
            });
        }
        self.avoid = Some(server);
        self.phase = Phase::Waiting { until_ms };
    }

    fn on_connection_lost(&mut self, now_ms: u64) {
        self.renewal = None;
        self.subscriptions.on_connection_lost(now_ms);
        self.requeue_publishes();
    }

    /// The refusal that explains an end, if the server gave one.
    fn refusal_behind(&mut self, ended: &Ended) -> Option<Refusal> {
        let last = self.last_refusal.take();
        match ended {
            Ended::Refused(refusal) => Some(refusal.clone()),
            Ended::Failed(_) | Ended::Closed(None, _) => None,
            Ended::Closed(Some(close_code), reason) => {
                let is_it = |refusal: &Refusal| {
                    let mapped = refusal.code().map_or(refusal.number, Code::websocket_close);
                    mapped == *close_code
                };
                last.filter(is_it).or_else(|| refusal_of_close(*close_code, reason))
            }
        }
    }
}

/// The refusal that a close code stands for (E1, E2).
fn refusal_of_close(close_code: u16, reason: &str) -> Option<Refusal> {
    let code = match close_code {
        1002 => Some(Code::ProtocolViolation),
        1003 => Some(Code::BinaryFrame),
        1007 => Some(Code::InvalidUtf8),
        1009 => Some(Code::FrameTooLarge),
        number => Code::from_number(number),
    };
    match code {
        Some(code) => Some(refusal_of(code)),
        // A code that is newer than this client still has its class.
        None => Class::of(close_code).map(|_| Refusal {
            number: close_code,
            name: reason.into(),
            advice: Box::default(),
        }),
    }
}

/// Whether the same would fail again: rejected, but for a handshake that was too slow.
fn is_final(refusal: &Refusal) -> bool {
    class_of(refusal) == Class::Rejected && refusal.code() != Some(Code::RequestTimeout)
}

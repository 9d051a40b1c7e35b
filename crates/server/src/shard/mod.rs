//! A shard: one thread with its own epoll loop, which owns its connections and their sessions.

mod accept;
mod access;
mod close;
mod connection;
mod deliver;
mod effects;
mod files;
mod http;
mod outbox;
mod read;
mod reply;
mod rest;
mod stream;
mod table;
mod timer;
mod tls;
mod websocket;
mod wheel;
mod write;

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mio::{Events, Poll, Token};
use sterna_broker::core::Event;
use sterna_broker::session::{Now, Output, Session};
use sterna_broker::shard::{Audiences, Conflation};
use sterna_model::{ConnectionId, SessionId, ShardId};
use sterna_wire::websocket::{Deflater, Shared as WebSocketShared};

use crate::clock::Clock;
use crate::elsewhere::Elsewhere;
use crate::mailbox::{ShardInbox, ToCore, ToShard};
use crate::metrics::ShardMetrics;
use crate::settings::Settings;
use crate::status::MemberStatus;
pub(crate) use accept::refuse;
use connection::Connection;
use deliver::Held;
use http::HttpDate;
use table::Table;
use wheel::Wheel;
use write::Outgoing;

/// The poll token of the waker; connections use their place.
pub(crate) const WAKER: Token = Token(usize::MAX);
/// Bytes of the one read buffer.
const READ_BUFFER_BYTES: usize = 64 * 1024;
/// Bytes read from one connection before the others get their turn.
const READ_TURN_BYTES: usize = READ_BUFFER_BYTES;
/// Messages taken from the mailbox before the sockets get their turn.
const MAILBOX_TURN: usize = 16;
/// Events waiting for the core beyond which no input is read.
const TO_CORE_MAX: usize = 4 * crate::mailbox::BATCH_EVENTS_MAX;
/// Poll events taken in one turn.
const POLL_EVENTS: usize = 1024;

/// What a shard is started with.
pub(crate) struct ShardSetup {
    pub(crate) id: ShardId,
    pub(crate) poll: Poll,
    pub(crate) inbox: ShardInbox,
    pub(crate) core: ToCore,
    pub(crate) settings: Arc<Settings>,
    pub(crate) metrics: Arc<ShardMetrics>,
    pub(crate) status: Arc<MemberStatus>,
    pub(crate) clock: Clock,
    /// Randomises tables, session numbers and the pace of a drain.
    pub(crate) seed: u64,
}

/// The thread's state.
pub(crate) struct Shard {
    id: ShardId,
    poll: Poll,
    inbox: ShardInbox,
    core: ToCore,
    settings: Arc<Settings>,
    metrics: Arc<ShardMetrics>,
    status: Arc<MemberStatus>,
    clock: Clock,
    seed: u64,
    /// Time and tick of this turn.
    now: Now,
    tick: u32,

    table: Table,
    outgoing: Outgoing,
    wheel: Wheel,
    audiences: Audiences,
    conflation: Conflation<Rc<Held>>,
    /// Bytes of the deliveries that conflation holds back.
    conflated_bytes: Rc<Cell<usize>>,

    /// Connections with input left to read.
    unread: VecDeque<u32>,
    /// Events for the core that did not fit into its queue yet.
    to_core: Vec<Event>,
    to_core_bytes: usize,
    /// When the deliveries that are being flushed were received.
    delivered_us: Vec<u64>,
    /// Bytes of sessions, decoders and TLS.
    session_bytes: usize,
    /// Bytes of the tables at the last tick.
    table_bytes: usize,
    websockets: u64,
    event_streams: u64,
    encrypted: u64,
    drain: Option<Drain>,
    elsewhere: Elsewhere,

    read_buffer: Box<[u8]>,
    plain: Vec<u8>,
    scratch: Vec<u8>,
    outputs: Vec<Output>,
    websocket: WebSocketShared,
    deflater: Deflater,
    date: HttpDate,
}

/// A drain in progress.
#[derive(Debug)]
struct Drain {
    started_ms: u64,
    window_ms: u64,
}

impl Shard {
    pub(crate) fn new(setup: ShardSetup) -> Self {
        let ShardSetup { id, poll, inbox, core, settings, metrics, status, clock, seed } = setup;
        Self {
            id,
            poll,
            inbox,
            core,
            settings,
            metrics,
            status,
            clock,
            seed,
            now: clock.now(),
            tick: 0,
            table: Table::new(),
            outgoing: Outgoing::new(),
            wheel: Wheel::new(),
            audiences: Audiences::new(seed),
            conflation: Conflation::new(seed),
            conflated_bytes: Rc::default(),
            date: HttpDate::default(),
            unread: VecDeque::new(),
            to_core: Vec::new(),
            to_core_bytes: 0,
            delivered_us: Vec::new(),
            session_bytes: 0,
            table_bytes: 0,
            websockets: 0,
            event_streams: 0,
            encrypted: 0,
            drain: None,
            elsewhere: Elsewhere::default(),
            read_buffer: vec![0; READ_BUFFER_BYTES].into(),
            plain: Vec::new(),
            scratch: Vec::new(),
            outputs: Vec::new(),
            websocket: WebSocketShared::default(),
            deflater: Deflater::new(COMPRESSION_LEVEL),
        }
    }

    /// Runs until a drain has ended.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(POLL_EVENTS);
        while !self.is_drained() {
            let mut timeout = self.timeout();
            if !timeout.is_zero() && !self.inbox.lie_down() {
                timeout = Duration::ZERO;
            }
            if let Err(error) = self.poll.poll(&mut events, Some(timeout))
                && error.kind() != std::io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "a shard cannot poll its sockets; restart the server");
                return;
            }
            self.inbox.get_up();
            self.turn(&events);
        }
    }

    /// One turn of the loop: sockets, mailbox, timers, then everything that is to be written.
    fn turn(&mut self, events: &Events) {
        self.now = self.clock.now();
        for event in events {
            if event.token() != WAKER {
                self.on_socket(event);
            }
        }
        self.read_unread();
        // The core goes on while this shard writes.
        self.send_to_core();
        self.take_orders();
        // While a fan-out is being written nothing new is taken from the core, so that queues stay short.
        if self.outgoing.dirty.is_empty() {
            self.take_effects();
        }
        self.on_timers();
        self.send_to_core();
        self.flush_dirty();
        let now_us = self.clock.monotonic_us();
        self.metrics.loop_us.observe(now_us.saturating_sub(self.now.monotonic_us));
    }

    /// How long the poll may sleep.
    fn timeout(&self) -> Duration {
        let busy = !self.outgoing.dirty.is_empty()
            || !self.inbox.effects.is_empty()
            || (!self.unread.is_empty() && self.to_core.len() < TO_CORE_MAX);
        if busy {
            return Duration::ZERO;
        }
        if !self.to_core.is_empty() {
            // The core is behind; look again soon.
            return Duration::from_millis(1);
        }
        let now_ms = self.clock.monotonic_ms();
        let mut wait_ms = wheel::TICK_MS - now_ms % wheel::TICK_MS;
        if !self.outgoing.collecting.is_empty() {
            wait_ms = wait_ms.min(self.outgoing.collect_until_ms.saturating_sub(now_ms));
        }
        if let Some(due_ms) = self.conflation.next_due_ms() {
            wait_ms = wait_ms.min(due_ms.saturating_sub(now_ms));
        }
        Duration::from_millis(wait_ms.max(1))
    }

    fn take_effects(&mut self) {
        for _ in 0..MAILBOX_TURN {
            let Ok(effects) = self.inbox.effects.try_recv() else { return };
            self.on_effects(effects);
        }
    }

    fn take_orders(&mut self) {
        while let Ok(order) = self.inbox.orders.try_recv() {
            match order {
                ToShard::Accepted(accepted) => self.accept(accepted),
                ToShard::Reload(settings) => self.settings = settings,
                ToShard::Elsewhere(elsewhere) => self.elsewhere = elsewhere,
                ToShard::Offload { clients } => self.offload(clients),
                ToShard::Drain { window_ms } => self.begin_drain(window_ms),
            }
        }
    }

    /// Sends what waits for the core, as far as its queue takes it.
    fn send_to_core(&mut self) {
        while !self.to_core.is_empty() {
            let count = self.to_core.len().min(crate::mailbox::BATCH_EVENTS_MAX);
            let rest = self.to_core.split_off(count);
            let batch = std::mem::replace(&mut self.to_core, rest);
            if let Err(mut batch) = self.core.try_send(batch) {
                batch.append(&mut self.to_core);
                self.to_core = batch;
                return;
            }
        }
        self.to_core_bytes = 0;
    }

    /// Whether input may be read: the core keeps up.
    fn may_read(&self) -> bool {
        self.to_core.len() < TO_CORE_MAX && self.to_core_bytes < 4 * crate::mailbox::BATCH_BYTES_MAX
    }

    fn push_to_core(&mut self, event: Event) {
        if let Event::Publish(publish) = &event {
            self.to_core_bytes += publish.message.content.len();
        }
        self.to_core.push(event);
        if self.to_core.len() >= crate::mailbox::BATCH_EVENTS_MAX
            || self.to_core_bytes >= crate::mailbox::BATCH_BYTES_MAX
        {
            self.send_to_core();
        }
    }

    fn connection_id(&self, index: u32) -> ConnectionId {
        ConnectionId { shard: self.id, index, generation: self.table.generation(index) }
    }

    /// Number of a connection's session: unique in the life of this process, not guessable from the outside.
    fn session_id(&self, index: u32) -> SessionId {
        let place = u64::from(self.table.generation(index)) << 32 | u64::from(index);
        SessionId(
            self.seed ^ (place.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17) | u64::from(self.id.0)),
        )
    }

    /// Runs `act` on the session of a connection, outside of the table, with the audiences and the other
    /// sessions beside it; then does what the session wants done.
    fn with_session<T>(
        &mut self,
        index: u32,
        act: impl FnOnce(&mut Session, &mut SessionWorld<'_>) -> T,
    ) -> Option<T> {
        let me = self.connection_id(index);
        let number = self.session_id(index);
        let mut session = std::mem::take(&mut self.table.get_mut(index)?.session);
        let mut world = SessionWorld {
            me,
            number,
            now: self.now,
            settings: &self.settings,
            audiences: &mut self.audiences,
            table: &mut self.table,
            out: &mut self.outputs,
        };
        let result = act(&mut session, &mut world);
        self.table.get_mut(index).expect("nothing has closed it meanwhile").session = session;
        Some(result)
    }
}

/// Effort of the shared compressor: fast, because it runs on the delivery path.
const COMPRESSION_LEVEL: u8 = 3;

/// What a session may see of its shard.
struct SessionWorld<'a> {
    me: ConnectionId,
    number: SessionId,
    now: Now,
    settings: &'a Settings,
    audiences: &'a mut Audiences,
    table: &'a mut Table,
    out: &'a mut Vec<Output>,
}

impl Shard {
    /// The connection in that place; the caller knows that it exists.
    fn connection(&mut self, index: u32) -> &mut Connection {
        self.table.get_mut(index).expect("the caller has just seen it")
    }
}

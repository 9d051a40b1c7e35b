//! A shard's turn: sockets, mailbox, timers, then everything that is to be written.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use sterna_broker::core::{Effect, Event};
use sterna_broker::session::{Output, Rules, Session};
use sterna_broker::shard::{Audiences, Conflation};
use sterna_model::{Code, ConnectionId, Kind, Record, Reply, Request, SessionId, ShardId};

use super::connection::{Connection, Table};
use super::{Inbox, MemberId, now};
use crate::agenda::{Alarm, Happening};
use crate::network::{Downward, SocketId, Upward};
use crate::stage::Stage;

/// Messages taken from the mailbox in one turn.
const MAILBOX_TURN: usize = 16;
/// How often a shard looks at its sessions' deadlines, microseconds.
const TICK_US: u64 = 1_000_000;

pub(crate) struct Shard {
    member: MemberId,
    id: ShardId,
    alarm: Alarm,
    /// The thread does nothing until then, microseconds.
    stalled_us: u64,
    tick_us: u64,
    pub(super) table: Table,
    pub(super) audiences: Audiences,
    pub(super) conflation: Conflation<Arc<Record>>,
    mailbox: VecDeque<Vec<Effect>>,
    /// Events for the core that did not fit into its queue yet.
    to_core: Vec<Event>,
    pub(super) outputs: Vec<Output>,
    /// In a drain: when each connection is to go, microseconds.
    drains: BTreeMap<u32, u64>,
}

/// One turn of a shard: what it may touch besides itself.
pub(super) struct Turn<'a> {
    pub(super) stage: &'a mut Stage,
    pub(super) inbox: &'a mut Inbox,
    pub(super) rules: &'a Rules,
}

impl Shard {
    pub(super) fn new(member: MemberId, id: ShardId, seed: u64) -> Self {
        Self {
            member,
            id,
            alarm: Alarm::default(),
            stalled_us: 0,
            tick_us: 0,
            table: Table::default(),
            audiences: Audiences::new(seed),
            conflation: Conflation::new(seed),
            mailbox: VecDeque::new(),
            to_core: Vec::new(),
            outputs: Vec::new(),
            drains: BTreeMap::new(),
        }
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = SocketId> {
        self.table.iter().map(|connection| connection.socket)
    }

    /// The socket of a connection, if it is still the same one.
    pub(super) fn socket(&self, id: ConnectionId) -> Option<SocketId> {
        self.current(id).and_then(|index| self.table.get(index)).map(|connection| connection.socket)
    }

    pub(super) fn accept(&mut self, socket: SocketId) {
        self.table.insert(socket);
    }

    /// The thread does nothing for some time.
    pub(crate) fn stall(&mut self, until_us: u64) {
        self.stalled_us = until_us;
    }

    /// Tells every client when to go, within the window.
    pub(super) fn drain(&mut self, stage: &mut Stage, window_us: u64) {
        for index in self.table.indices() {
            let delay_us = stage.random.between(0, window_us);
            self.drains.insert(index, stage.now_us() + delay_us);
            let connection = self.connection(index);
            if connection.session.is_connected() {
                let going = Reply::GoingAway { reconnect_after_ms: delay_us / 1000, servers: Vec::new() };
                connection.push(Downward::Reply(going));
            }
        }
        let now_us = stage.now_us();
        self.wake(stage, now_us);
    }

    /// Lets those go whose time has come: they are read from no more, and close when every publish is answered.
    fn let_go(&mut self, turn: &mut Turn<'_>) {
        let now_us = turn.stage.now_us();
        let due: Vec<u32> =
            self.drains.extract_if(.., |_, at_us| *at_us <= now_us).map(|(index, _)| index).collect();
        for index in due {
            let Some(connection) = self.table.get_mut(index) else { continue };
            connection.leaving = true;
            if connection.unanswered == 0 {
                self.close(turn, index, Code::GoingAway);
            }
        }
    }

    pub(crate) fn wake(&mut self, stage: &mut Stage, at_us: u64) {
        self.alarm.set(&mut stage.agenda, at_us, Happening::ShardTurn(self.member, self.id.0));
    }

    /// Takes effects into the mailbox, or gives them back if it is full.
    pub(super) fn try_send(
        &mut self,
        stage: &mut Stage,
        effects: Vec<Effect>,
        batches_max: usize,
    ) -> Result<(), Vec<Effect>> {
        if self.mailbox.len() >= batches_max {
            return Err(effects);
        }
        self.mailbox.push_back(effects);
        let at_us = stage.now_us() + stage.random.between(1, 300);
        self.wake(stage, at_us);
        Ok(())
    }

    /// Has its turn. Returns whether the mailbox has got room.
    pub(super) fn turn(&mut self, stage: &mut Stage, inbox: &mut Inbox, rules: &Rules) -> bool {
        if !self.alarm.ring(stage.now_us()) {
            return false;
        }
        if stage.now_us() < self.stalled_us {
            self.wake(stage, self.stalled_us);
            return false;
        }
        let mut turn = Turn { stage, inbox, rules };
        let waiting = self.mailbox.len();
        self.read_all(&mut turn);
        self.take_effects(&mut turn);
        self.on_timers(&mut turn);
        self.let_go(&mut turn);
        self.send_to_core(&mut turn);
        for index in self.table.indices() {
            self.flush(&mut turn, index);
        }
        self.send_to_core(&mut turn);
        let room = self.mailbox.len() < waiting;
        self.plan(stage);
        room
    }

    fn read_all(&mut self, turn: &mut Turn<'_>) {
        let mut indices = self.table.indices();
        if !indices.is_empty() {
            let first = turn.stage.random.index(indices.len());
            indices.rotate_left(first);
        }
        for index in indices {
            self.read(turn, index);
        }
    }

    /// Reads from one connection, unless its session or the core is behind.
    fn read(&mut self, turn: &mut Turn<'_>, index: u32) {
        while let Some(connection) = self.table.get(index) {
            if self.to_core.len() >= 4 * turn.stage.scenario.batch_events_max {
                return;
            }
            if connection.session.is_saturated() {
                turn.stage.tally.pauses += 1;
                return;
            }
            let now_us = turn.stage.now_us();
            let ending = connection.ending || connection.leaving;
            match turn.stage.network.receive_up(connection.socket, now_us) {
                None => return,
                Some(Upward::End) => self.drop_connection(turn, index),
                Some(Upward::Request(_) | Upward::Read(..)) if ending => {}
                Some(Upward::Request(request)) => self.on_request(turn, index, request),
                Some(Upward::Read(name, reading)) => {
                    let to = self.connection_id(index);
                    self.push_to_core(turn, Event::Read { to, name, reading });
                }
            }
        }
    }

    fn on_request(&mut self, turn: &mut Turn<'_>, index: u32, request: Request) {
        let renews = matches!(request, Request::RenewToken { .. });
        let now = now(turn.stage, self.member);
        let rules = turn.rules;
        let denied = self.with_session(index, |session, me, world| {
            session.handle_request(
                now,
                (me, SessionId(u64::from(index))),
                rules,
                request,
                &mut world.outputs,
            );
            let Self { audiences, table, outputs, .. } = world;
            renews.then(|| session.end_denied(me, audiences, table, outputs))
        });
        for subject in denied.flatten().unwrap_or_default() {
            self.conflation.forget(index, subject);
        }
        self.do_outputs(turn, index);
        self.fetch_more(turn, index);
    }

    fn take_effects(&mut self, turn: &mut Turn<'_>) {
        for _ in 0..MAILBOX_TURN {
            let Some(effects) = self.mailbox.pop_front() else { return };
            for effect in effects {
                self.on_effect(turn, effect);
            }
        }
    }

    fn on_timers(&mut self, turn: &mut Turn<'_>) {
        let now_us = turn.stage.now_us();
        let room = turn.stage.scenario.out_queue_bytes_max / 2;
        loop {
            let table = &self.table;
            let can_send = |index| table.get(index).is_some_and(|connection| connection.queue_bytes <= room);
            let Some((index, _, record)) = self.conflation.pop_due(now_us / 1000, can_send) else { break };
            self.push_message(turn, index, Kind::Update, record);
        }
        if now_us < self.tick_us {
            return;
        }
        self.tick_us = now_us + TICK_US;
        let (now, rules) = (now(turn.stage, self.member), turn.rules);
        for index in self.table.indices() {
            self.with_session(index, |session, _, world| session.on_timer(now, rules, &mut world.outputs));
            self.do_outputs(turn, index);
        }
    }

    /// Writes as much as the socket takes.
    pub(super) fn flush(&mut self, turn: &mut Turn<'_>, index: u32) {
        while let Some(connection) = self.table.get_mut(index) {
            let socket = connection.socket;
            let Some(bytes) = connection.queue.front().map(Downward::bytes) else { break };
            if !turn.stage.network.has_room(socket, bytes) {
                break;
            }
            let item = connection.pop().expect("just seen");
            turn.send(socket, item);
        }
        let Some(connection) = self.table.get(index) else { return };
        if connection.ending && connection.queue.is_empty() {
            turn.send(connection.socket, Downward::End);
            self.table.remove(index);
        } else {
            self.fetch_more(turn, index);
        }
    }

    /// Sends what waits for the core, as far as its queue takes it.
    fn send_to_core(&mut self, turn: &mut Turn<'_>) {
        while !self.to_core.is_empty() {
            let count = self.to_core.len().min(turn.stage.scenario.batch_events_max);
            let rest = self.to_core.split_off(count);
            let batch = std::mem::replace(&mut self.to_core, rest);
            if let Err(mut batch) = turn.inbox.try_send(batch) {
                batch.append(&mut self.to_core);
                self.to_core = batch;
                return;
            }
        }
    }

    pub(super) fn push_to_core(&mut self, turn: &mut Turn<'_>, event: Event) {
        self.to_core.push(event);
        if self.to_core.len() >= turn.stage.scenario.batch_events_max {
            self.send_to_core(turn);
        }
    }

    /// Sets the next turn.
    fn plan(&mut self, stage: &mut Stage) {
        let now_us = stage.now_us();
        let soon_us = now_us + stage.random.between(5, 500);
        let mut at_us = self.drains.values().min().map_or(self.tick_us, |due_us| self.tick_us.min(*due_us));
        if !self.mailbox.is_empty() {
            at_us = at_us.min(soon_us);
        }
        if !self.to_core.is_empty() {
            at_us = at_us.min(now_us + 1000);
        }
        if let Some(due_ms) = self.conflation.next_due_ms() {
            at_us = at_us.min((due_ms * 1000).max(now_us + 1));
        }
        for connection in self.table.iter() {
            if let Some(arrives_us) = stage.network.next_up_us(connection.socket) {
                // What has arrived already waits until the session or the core has caught up.
                at_us = at_us.min(if arrives_us > now_us { arrives_us } else { soon_us + 500 });
            }
        }
        self.wake(stage, at_us);
    }

    /// What is under way, if anything.
    pub(super) fn busy(&self) -> Option<String> {
        let waiting = (self.mailbox.len(), self.to_core.len(), self.conflation.next_due_ms());
        if waiting != (0, 0, None) {
            return Some(format!("on shard {}: mailbox, to the core, conflated {waiting:?}", self.id.0));
        }
        let busy = |connection: &&Connection| !connection.queue.is_empty() || connection.session.wants_more();
        self.table.iter().find(busy).map(|connection| format!("on shard {}: {connection:?}", self.id.0))
    }

    /// After all clients have gone: what is left of them, if anything.
    pub(super) fn left_over(&self) -> Option<String> {
        let connections = self.table.indices().len();
        let subscribers = self.audiences.subscribers();
        let conflated = self.conflation.next_due_ms().is_some();
        (connections > 0 || subscribers > 0 || conflated).then(|| {
            format!(
                "on shard {}: {connections} connections, {subscribers} subscribers, conflated {conflated}",
                self.id.0
            )
        })
    }

    pub(super) fn connection_id(&self, index: u32) -> ConnectionId {
        ConnectionId { shard: self.id, index, generation: self.table.generation(index) }
    }

    /// The place of a connection, if it is still the same session.
    pub(super) fn current(&self, id: ConnectionId) -> Option<u32> {
        self.table.get(id.index)?;
        (self.table.generation(id.index) == id.generation).then_some(id.index)
    }

    pub(super) fn connection(&mut self, index: u32) -> &mut Connection {
        self.table.get_mut(index).expect("the caller has just seen it")
    }

    /// Runs `act` on the session of a connection, outside of the table, with the shard beside it.
    pub(super) fn with_session<T>(
        &mut self,
        index: u32,
        act: impl FnOnce(&mut Session, ConnectionId, &mut Self) -> T,
    ) -> Option<T> {
        let me = self.connection_id(index);
        let mut session = std::mem::take(&mut self.table.get_mut(index)?.session);
        let result = act(&mut session, me, self);
        self.connection(index).session = session;
        Some(result)
    }

    /// Ends the session now, and the connection when the client has been told the code.
    pub(super) fn close(&mut self, turn: &mut Turn<'_>, index: u32, code: Code) {
        let connection = self.connection(index);
        if connection.ending {
            return;
        }
        connection.ending = true;
        connection.push(Downward::Close(code));
        self.forget_session(turn, index);
    }

    fn drop_connection(&mut self, turn: &mut Turn<'_>, index: u32) {
        self.forget_session(turn, index);
        self.table.remove(index);
    }

    fn forget_session(&mut self, turn: &mut Turn<'_>, index: u32) {
        let session = std::mem::take(&mut self.connection(index).session);
        self.connection(index).unanswered = 0;
        self.table.renew(index);
        let subjects = session.close(&mut self.audiences, &mut self.table);
        for subject in &subjects {
            self.conflation.forget(index, *subject);
        }
        if !subjects.is_empty() {
            self.push_to_core(turn, Event::Release { shard: self.id, subjects });
        }
    }

    pub(super) fn fetch_more(&mut self, turn: &mut Turn<'_>, index: u32) {
        let room = turn.stage.scenario.out_queue_bytes_max / 4;
        let Some(connection) = self.table.get(index) else { return };
        if connection.session.wants_more() && connection.queue_bytes <= room {
            self.with_session(index, |session, me, world| session.fetch_more(me, &mut world.outputs));
            self.do_outputs(turn, index);
        }
    }
}

impl Turn<'_> {
    /// Writes to a socket; its client will see it.
    fn send(&mut self, socket: SocketId, item: Downward) {
        let now_us = self.stage.now_us();
        if let Some(at_us) = self.stage.network.send_down(socket, now_us, item) {
            let client = self.stage.network.get(socket).client;
            self.stage.wake_client(client, at_us);
        }
    }
}

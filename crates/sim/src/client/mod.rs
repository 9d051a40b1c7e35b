//! A client: one connection at a time, what it wants, and what it still waits for.

mod habits;

use std::collections::VecDeque;

use sterna_broker::core::Reading;
use sterna_model::{Position, Qos, Random, Reply};
use sterna_oracle::{ContentId, SubscriberId};

use crate::agenda::Happening;
use crate::judge::Judge;
use crate::member::{MemberId, Token};
use crate::network::{Downward, SocketId, Upward};
use crate::op::publish::Orders;
use crate::stage::Stage;

use habits::Habits;

/// A place in the list of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClientId(pub(crate) u32);

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: ClientId,
    pub(crate) random: Random,
    pub(crate) habits: Habits,
    pub(crate) line: Line,
    /// The token that it wants to have.
    pub(crate) token: Token,
    /// The token that the member has confirmed.
    pub(crate) granted: Token,
    /// Tokens sent and not answered, oldest first.
    pub(crate) renewals: VecDeque<Token>,
    /// One for each subject.
    pub(crate) interests: Vec<Interest>,
    /// Publishes that are not settled, in the order in which they were first sent.
    pub(crate) outstanding: VecDeque<Outstanding>,
    pub(crate) orders: Orders,
    /// Sequence of the last stamped publish.
    pub(crate) publisher_seq: u64,
    /// One-time questions under way, oldest first.
    pub(crate) reads: VecDeque<(u32, Reading)>,
    /// The member that it was connected to last.
    pub(crate) avoided: Option<MemberId>,
    /// Number of the last request.
    request: u64,
    next_operation_us: u64,
    /// Reads nothing and does nothing until then.
    stalled_us: u64,
    /// Reads the next frame then.
    next_read_us: u64,
    /// Sockets on which the client did something in this turn.
    touched: Vec<SocketId>,
}

/// The connection, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Offline {
        until_us: u64,
    },
    Online {
        socket: SocketId,
        connected: bool,
    },
    /// Does not come back.
    Gone,
}

/// One subject as a client sees it.
#[derive(Debug, Default)]
pub(crate) struct Interest {
    pub(crate) wanted: bool,
    /// The subscription stands.
    pub(crate) active: bool,
    /// Last position, to resume from.
    pub(crate) position: Option<Position>,
    pub(crate) history: u32,
    pub(crate) conflation_ms: u32,
    /// Requests under way, oldest first.
    pub(crate) asked: Vec<Asked>,
    /// Not asked for again before.
    pub(crate) retry_us: u64,
    pub(crate) refusals: u32,
}

/// A request about a subject that has not been answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) request: u64,
    pub(crate) what: AskedFor,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum AskedFor {
    Subscription { resume: Option<Position>, conflated: bool },
    End,
}

/// A publish that is not settled.
#[derive(Debug)]
pub(crate) struct Outstanding {
    pub(crate) content: ContentId,
    pub(crate) subject: u32,
    pub(crate) qos: Qos,
    pub(crate) retained: bool,
    pub(crate) bytes: usize,
    /// Publisher sequence, if a retry is to be recognised.
    pub(crate) stamp: Option<u64>,
    /// When it was first sent: microseconds since the beginning, and Unix milliseconds.
    pub(crate) begun: (u64, u64),
    pub(crate) attempts: u32,
    pub(crate) state: Sending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// Sent with that request, as the so many-th of its connection.
    Sent { request: u64, order: u64 },
    /// To be sent again then.
    Waiting { until_us: u64 },
}

impl Client {
    pub(crate) fn new(id: ClientId, mut random: Random, stage: &Stage) -> Self {
        let habits = Habits::of(&mut random, &stage.scenario);
        let next_operation_us = random.between(0, 100_000);
        Self {
            id,
            habits,
            line: Line::Offline { until_us: random.between(0, 50_000) },
            token: Token::ALL,
            granted: Token::ALL,
            renewals: VecDeque::new(),
            interests: (0..stage.scenario.subjects).map(|_| Interest::default()).collect(),
            outstanding: VecDeque::new(),
            orders: Orders::default(),
            publisher_seq: 0,
            reads: VecDeque::new(),
            avoided: None,
            request: 0,
            next_operation_us,
            stalled_us: 0,
            next_read_us: 0,
            touched: Vec::new(),
            random,
        }
    }

    pub(crate) fn subscriber(&self) -> SubscriberId {
        SubscriberId(u64::from(self.id.0))
    }

    pub(crate) fn socket(&self) -> Option<SocketId> {
        match self.line {
            Line::Online { socket, .. } => Some(socket),
            Line::Offline { .. } | Line::Gone => None,
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.line, Line::Online { connected: true, .. })
    }

    /// Does nothing for some time.
    pub(crate) fn stall(&mut self, until_us: u64) {
        self.stalled_us = self.stalled_us.max(until_us);
    }

    /// Sockets on which the client did something since the last call.
    pub(crate) fn take_touched(&mut self) -> Vec<SocketId> {
        std::mem::take(&mut self.touched)
    }

    /// A number for the next request.
    pub(crate) fn next_request(&mut self) -> u64 {
        self.request += 1;
        self.request
    }

    pub(crate) fn send(&mut self, stage: &mut Stage, item: Upward) {
        let Some(socket) = self.socket() else { return };
        let now_us = stage.now_us();
        stage.network.send_up(socket, now_us, item);
        self.touched.push(socket);
    }

    pub(crate) fn hang_up(&mut self, stage: &mut Stage) {
        let Some(socket) = self.socket() else { return };
        let now_us = stage.now_us();
        stage.network.hang_up(socket, now_us);
        self.touched.push(socket);
    }

    /// A new connection to a member.
    pub(crate) fn open(&mut self, stage: &mut Stage, member: MemberId) -> SocketId {
        let shard = self.random.below(u64::from(stage.scenario.limits.shards)) as u16;
        let socket = stage.network.open(self.id, member, shard);
        let delay_us = self.random.between(50, 5_000);
        stage.agenda.after(delay_us, Happening::Dialled(socket));
        socket
    }

    /// Looks at its socket, and does what is due.
    pub(crate) fn turn(&mut self, stage: &mut Stage, judge: &mut Judge) {
        if !stage.is_turn_of(self.id) {
            return;
        }
        let now_us = stage.now_us();
        if now_us >= self.stalled_us {
            self.read(stage, judge);
            if let Line::Offline { until_us } = self.line
                && now_us >= until_us
            {
                self.dial(stage);
            }
            if self.is_connected() {
                self.settle(stage, judge);
                self.operate(stage, judge);
            }
        }
        if let Some(at_us) = self.next_turn_us(stage) {
            stage.wake_client(self.id, at_us.max(now_us + 1));
        }
    }

    /// When it has something to do, if nothing arrives before.
    fn next_turn_us(&self, stage: &Stage) -> Option<u64> {
        let now_us = stage.now_us();
        if now_us < self.stalled_us {
            return Some(self.stalled_us);
        }
        match self.line {
            Line::Gone => None,
            Line::Offline { until_us } => Some(until_us),
            Line::Online { socket, connected } => {
                let arrives_us = stage.network.next_down_us(socket).map(|at_us| at_us.max(self.next_read_us));
                let operation_us =
                    (connected && !stage.calm && stage.operations_left > 0).then_some(self.next_operation_us);
                let retry_us = if connected { self.next_retry_us(stage) } else { None };
                [arrives_us, operation_us, retry_us]
                    .into_iter()
                    .flatten()
                    .filter(|at_us| *at_us > now_us)
                    .min()
            }
        }
    }

    /// Reads what has arrived, as fast as it can.
    fn read(&mut self, stage: &mut Stage, judge: &mut Judge) {
        while let Some(socket) = self.socket() {
            let now_us = stage.now_us();
            if now_us < self.next_read_us {
                return;
            }
            let Some(item) = stage.network.receive_down(socket, now_us) else { return };
            self.touched.push(socket);
            if !stage.calm {
                self.next_read_us = now_us + item.bytes() as u64 * self.habits.read_us_per_kb / 1000;
            }
            self.take(stage, judge, item);
        }
    }

    fn take(&mut self, stage: &mut Stage, judge: &mut Judge, item: Downward) {
        let id = self.id.0;
        match item {
            Downward::Reply(reply) => {
                stage.say(|| format!("client {id} < {reply:?}"));
                self.on_reply(stage, judge, reply);
            }
            Downward::Message(kind, record) => {
                let (name, at) = (record.message.subject.clone(), record.position);
                stage.say(|| format!("client {id} < {} {at} of {name}", kind.name()));
                self.on_message(judge, kind, &record);
            }
            Downward::Answer(name, cut, messages) => {
                stage
                    .say(|| format!("client {id} < answer for {name}: {cut:?}, {} messages", messages.len()));
                self.on_answer(stage, judge, &name, cut, &messages);
            }
            Downward::Close(code) => {
                stage.say(|| format!("client {id} < closed: {code}"));
                self.on_closed(code);
            }
            Downward::End => {
                stage.say(|| format!("client {id} has lost its connection"));
                self.on_end(stage, judge);
            }
        }
    }

    fn on_reply(&mut self, stage: &mut Stage, judge: &mut Judge, reply: Reply) {
        match reply {
            Reply::Connected { .. } => self.on_connected(stage, judge),
            Reply::Subscribed { id, subject, recovery, position, missed } => {
                self.on_subscribed(judge, id, &subject, (recovery, position, missed));
            }
            Reply::Unsubscribed { id, subject } => self.on_unsubscribed(stage, judge, id, &subject),
            Reply::Published { id, outcome, .. } => self.on_published(stage, judge, id, outcome),
            Reply::Error { id, code, subject: Some(subject), .. } => {
                self.on_refused(stage, judge, id, code, &subject);
            }
            Reply::Error { id, code, subject: None, .. } => self.on_error(judge, id, code),
            Reply::Pong { .. } => {}
            Reply::TokenRenewed { .. } => self.on_token(judge, true),
            Reply::TokenToExpire { .. } => self.renew(stage),
            Reply::GoingAway { .. } => self.on_going_away(stage, judge),
        }
    }

    /// Does operations of its own choice.
    fn operate(&mut self, stage: &mut Stage, judge: &mut Judge) {
        let idle = stage.calm || stage.operations_left == 0;
        if idle || stage.now_us() < self.next_operation_us || !self.is_connected() {
            return;
        }
        let pause_us = self.random.between(0, 2 * stage.scenario.operation_us);
        self.next_operation_us = stage.now_us() + pause_us;
        let burst = if self.random.percent(5) { self.random.between(2, 20) } else { 1 };
        let operation = self.random.weighted(&self.habits.operations);
        stage.operations_left -= 1;
        for _ in 0..burst {
            if let Some(operation) = operation.filter(|_| self.is_connected()) {
                self.perform(stage, judge, operation);
            }
        }
    }

    /// What is still to be done before all is as the client wants it, if anything.
    pub(crate) fn unsettled(&self, stage: &Stage) -> Option<String> {
        let id = self.id.0;
        if !self.is_connected() {
            return Some(format!("client {id} is not connected: {:?}", self.line));
        }
        if let Some(publish) = self.outstanding.front() {
            return Some(format!("client {id} waits for the result of {publish:?}"));
        }
        if self.token != Token::ALL || !self.reads.is_empty() {
            return Some(format!("client {id} waits for a token or an answer"));
        }
        let unlike = |interest: &Interest| !interest.asked.is_empty() || interest.wanted != interest.active;
        if let Some(number) = self.interests.iter().position(unlike) {
            return Some(format!("client {id} waits for subject {number}: {:?}", self.interests[number]));
        }
        let unread = self.socket().is_some_and(|socket| stage.network.next_down_us(socket).is_some());
        unread.then(|| format!("client {id} has something to read"))
    }
}

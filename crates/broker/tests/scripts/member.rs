//! A member without sockets: the core, two queues, and shards that drive sessions as the server does.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use sterna_broker::core::{CoreLimits, Effect, Event};
use sterna_broker::session::{Authority, Begun, Ended, Messages, Now, Output, Rules, Session};
use sterna_broker::shard::{Audiences, Conflation, Offer, Sessions};
use sterna_model::{
    Code, ConnectionId, DeliveryMode, Identity, Kind, Pattern, Permissions, Record, Reply, Request,
    ServerInfo, SessionId, ShardId, SubjectId,
};

use crate::show;
use crate::support::Single;

/// Unix time at which every story begins, milliseconds.
const BEGIN_MS: u64 = 1_000_000_000;

pub(crate) struct Member {
    pub(crate) core: Single,
    pub(crate) rules: Rules,
    pub(crate) now_ms: u64,
    pub(crate) shards: Vec<Shard>,
    pub(crate) to_core: VecDeque<Event>,
    /// What the clients of the story see, and with held queues what passes through them.
    pub(crate) lines: Vec<String>,
    clients: BTreeMap<String, (usize, u32)>,
}

pub(crate) struct Shard {
    id: ShardId,
    table: Table,
    audiences: Audiences,
    conflation: Conflation<Arc<Record>>,
    pub(crate) mailbox: VecDeque<Effect>,
}

struct Table(Vec<Client>);

struct Client {
    name: String,
    session: Session,
    gone: bool,
    /// Its out-queue is full: it gets no further pages, and conflation waits.
    stalled: bool,
}

impl Sessions for Table {
    fn session_mut(&mut self, connection: u32) -> &mut Session {
        &mut self.0[connection as usize].session
    }
}

/// Tokens such as `sub:/a/**,pub:/a,until:60`: seconds since the story's begin.
struct Tokens;

impl Authority for Tokens {
    fn verify(&self, token: Option<&str>, now_s: u64) -> Result<Arc<Identity>, Code> {
        let Some(token) = token else {
            return Ok(Arc::new(Identity { permissions: Permissions::All, expires_at_s: None }));
        };
        let (mut subscribe, mut publish, mut expires_at_s) = (Vec::new(), Vec::new(), None);
        for part in token.split(',') {
            let (what, value) = part.split_once(':').ok_or(Code::TokenInvalid)?;
            let pattern = || Pattern::parse(value).map_err(|_| Code::TokenInvalid);
            match what {
                "sub" => subscribe.push(pattern()?),
                "pub" => publish.push(pattern()?),
                "until" => expires_at_s = value.parse::<u64>().ok().map(|after_s| BEGIN_MS / 1000 + after_s),
                _ => return Err(Code::TokenInvalid),
            }
        }
        if expires_at_s.is_some_and(|at_s| at_s <= now_s) {
            return Err(Code::TokenExpired);
        }
        Ok(Arc::new(Identity { permissions: Permissions::Lists { subscribe, publish }, expires_at_s }))
    }
}

impl Member {
    pub(crate) fn new(epoch: u64, limits: CoreLimits) -> Self {
        let info = ServerInfo {
            software: "story",
            mode: DeliveryMode::Guaranteed,
            message_bytes_max: 100_000,
            keep_alive_ms: 30_000,
        };
        let shard = |id| Shard {
            id: ShardId(id),
            table: Table(Vec::new()),
            audiences: Audiences::new(1),
            conflation: Conflation::new(1),
            mailbox: VecDeque::new(),
        };
        Self {
            core: Single::new(epoch, limits, BEGIN_MS),
            rules: Rules {
                authority: Box::new(Tokens),
                info: Arc::new(info),
                subscriptions_max: 100,
                renew_before_ms: 10_000,
            },
            now_ms: BEGIN_MS,
            shards: (0..limits.shards).map(shard).collect(),
            to_core: VecDeque::new(),
            lines: Vec::new(),
            clients: BTreeMap::new(),
        }
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        self.clients.contains_key(name)
    }

    /// A connection without a session yet.
    pub(crate) fn accept(&mut self, name: &str, shard: usize, may_publish: bool) {
        let table = &mut self.shards[shard].table.0;
        let index = u32::try_from(table.len()).expect("few clients");
        let session = Session::new(may_publish);
        table.push(Client { name: name.to_owned(), session, gone: false, stalled: false });
        self.clients.insert(name.to_owned(), (shard, index));
    }

    /// Where a client is: its shard, and its connection.
    pub(crate) fn place(&self, name: &str) -> (usize, ConnectionId) {
        let (shard, index) = *self.clients.get(name).unwrap_or_else(|| panic!("{name} is not connected"));
        (shard, ConnectionId { shard: self.shards[shard].id, index, generation: 0 })
    }

    fn now(&self) -> Now {
        Now { unix_ms: self.now_ms, monotonic_us: self.now_ms * 1000 }
    }

    pub(crate) fn request(&mut self, name: &str, request: Request) {
        let (shard, me) = self.place(name);
        let now = self.now();
        let renews = matches!(request, Request::RenewToken { .. });
        let rules = &self.rules;
        let world = &mut self.shards[shard];
        let mut out = Vec::new();
        let mut session = std::mem::take(world.table.session_mut(me.index));
        session.handle_request(now, (me, SessionId(1)), rules, request, &mut out);
        if renews {
            for subject in session.end_denied(me, &mut world.audiences, &mut world.table, &mut out) {
                world.conflation.forget(me.index, subject);
            }
        }
        *world.table.session_mut(me.index) = session;
        self.obey(shard, me.index, out);
        self.fetch_more(shard, me.index);
    }

    /// The client's socket is full, or no longer.
    pub(crate) fn stall(&mut self, name: &str, stalled: bool) {
        let (shard, me) = self.place(name);
        self.shards[shard].table.0[me.index as usize].stalled = stalled;
        self.fetch_more(shard, me.index);
    }

    pub(crate) fn is_saturated(&self, name: &str) -> bool {
        let (shard, me) = self.place(name);
        self.shards[shard].table.0[me.index as usize].session.is_saturated()
    }

    pub(crate) fn disconnect(&mut self, name: &str) {
        let (shard, me) = self.place(name);
        self.clients.remove(name);
        self.close(shard, me.index);
    }

    /// Lets time pass in steps of a second at most.
    pub(crate) fn pass(&mut self, mut ms: u64) {
        while ms > 0 {
            let step = ms.min(1000);
            ms -= step;
            self.now_ms += step;
            for effect in self.core.tick(self.now_ms) {
                self.route(effect);
            }
            for shard in 0..self.shards.len() {
                self.pass_on(shard);
            }
        }
    }

    fn pass_on(&mut self, at: usize) {
        let now = self.now();
        let shard = &mut self.shards[at];
        let table = &shard.table;
        let can_send = |index: u32| !table.0[index as usize].stalled;
        while let Some((index, _, record)) = shard.conflation.pop_due(now.unix_ms, can_send) {
            self.lines.push(format!(
                "{} < {}",
                table.0[index as usize].name,
                show::message(Kind::Update, &record)
            ));
        }
        for index in 0..shard.table.0.len() {
            let mut out = Vec::new();
            self.shards[at].table.0[index].session.on_timer(now, &self.rules, &mut out);
            self.obey(at, u32::try_from(index).expect("few clients"), out);
        }
    }

    /// The core takes one event. Its effects go to the shards; returns them as text.
    pub(crate) fn step_core(&mut self) -> Option<(String, Vec<String>)> {
        let event = self.to_core.pop_front()?;
        let taken = show::event(&event);
        let effects = self.core.handle(self.now_ms, event);
        let given = effects.iter().map(show::effect).collect();
        for effect in effects {
            self.route(effect);
        }
        Some((taken, given))
    }

    fn route(&mut self, effect: Effect) {
        match effect {
            Effect::Deliver { subject, shards, record, received_us } => {
                for shard in shards.iter() {
                    let record = record.clone();
                    let deliver = Effect::Deliver { subject, shards, record, received_us };
                    self.shards[usize::from(shard.0)].mailbox.push_back(deliver);
                }
            }
            Effect::PublishResult { to, .. }
            | Effect::Subscribed { to, .. }
            | Effect::SubscribeRefused { to, .. }
            | Effect::Caught { to, .. }
            | Effect::Unsubscribed { to, .. }
            | Effect::Answer { to, .. } => self.shards[usize::from(to.shard.0)].mailbox.push_back(effect),
            Effect::ReadRefused { .. } | Effect::Disconnect { .. } | Effect::Interrupted { .. } => {
                panic!("{effect:?}: a member that is alone always knows")
            }
        }
    }

    /// A shard takes one effect.
    pub(crate) fn step_shard(&mut self, at: usize) -> bool {
        let Some(effect) = self.shards[at].mailbox.pop_front() else { return false };
        self.on_effect(at, effect);
        true
    }

    fn on_effect(&mut self, at: usize, effect: Effect) {
        let mut out = Vec::new();
        match effect {
            Effect::Deliver { subject, record, .. } => self.deliver(at, subject, &record),
            Effect::PublishResult { to, id, closure, outcome } => {
                let reply = Reply::Published { id, closure, outcome, detail: None };
                self.obey(at, to.index, vec![Output::Reply(reply)]);
            }
            Effect::Answer { to, name, cut, messages } => {
                let name = format!("answer {name} {} {}", show::cut(&cut), show::messages(&messages));
                self.say(at, to.index, &name);
            }
            Effect::Subscribed { to, id, conflation_ms, subject, name, cut, page } => {
                if self.is_gone(at, to.index) {
                    self.to_core.push_back(Event::Release { shard: to.shard, subjects: vec![subject] });
                    return;
                }
                self.shards[at].conflation.forget(to.index, subject);
                let begun = Begun { id, conflation_ms, subject, name, cut, page };
                let messages = self.with_session(at, to, |session, audiences, table| {
                    session.on_subscribed(to, begun, audiences, table, &mut out)
                });
                self.finish(at, to.index, out, messages);
            }
            Effect::Caught { to, subject, cursor, page } => {
                let messages = self.with_session(at, to, |session, audiences, _| {
                    session.on_caught(to, (subject, cursor), page, audiences, &mut out)
                });
                self.finish(at, to.index, out, messages);
            }
            Effect::SubscribeRefused { to, id, name, code } => {
                self.with_session(at, to, |session, _, _| {
                    session.on_subscribe_refused(id, &name, code, &mut out);
                });
                self.finish(at, to.index, out, None);
            }
            Effect::Unsubscribed { to, id, name, subject } => {
                let ended = Ended { id, name, subject };
                let left = self.with_session(at, to, |session, audiences, table| {
                    session.on_unsubscribed(to, ended, audiences, table, &mut out)
                });
                if let Some(subject) = left.flatten() {
                    self.shards[at].conflation.forget(to.index, subject);
                }
                self.finish(at, to.index, out, None);
            }
            Effect::ReadRefused { .. } | Effect::Disconnect { .. } | Effect::Interrupted { .. } => {
                unreachable!("not routed")
            }
        }
    }

    fn deliver(&mut self, at: usize, subject: SubjectId, record: &Arc<Record>) {
        let now_ms = self.now_ms;
        let shard = &mut self.shards[at];
        let Some(audience) = shard.audiences.hear(subject, record) else { return };
        for subscriber in audience.subscribers() {
            let client = &shard.table.0[subscriber.connection as usize];
            if subscriber.conflation_ms > 0 {
                let interval_ms = subscriber.conflation_ms;
                let item = record.clone();
                let offer = shard.conflation.offer(
                    now_ms,
                    subscriber.connection,
                    subject,
                    interval_ms,
                    !client.stalled,
                    item,
                );
                if matches!(offer, Offer::Held { .. }) {
                    continue;
                }
            }
            self.lines.push(format!("{} < {}", client.name, show::message(Kind::Update, record)));
        }
    }

    fn with_session<T>(
        &mut self,
        at: usize,
        to: ConnectionId,
        act: impl FnOnce(&mut Session, &mut Audiences, &mut Table) -> T,
    ) -> Option<T> {
        if self.is_gone(at, to.index) {
            return None;
        }
        let shard = &mut self.shards[at];
        let mut session = std::mem::take(shard.table.session_mut(to.index));
        let result = act(&mut session, &mut shard.audiences, &mut shard.table);
        *shard.table.session_mut(to.index) = session;
        Some(result)
    }

    fn finish(&mut self, at: usize, index: u32, out: Vec<Output>, messages: Option<Messages>) {
        self.obey(at, index, out);
        for (kind, record) in messages.unwrap_or_default() {
            self.say(at, index, &show::message(kind, &record));
        }
        self.fetch_more(at, index);
    }

    fn obey(&mut self, at: usize, index: u32, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Reply(reply) => self.say(at, index, &show::reply(&reply)),
                Output::Core(event) => self.to_core.push_back(event),
                Output::Close(code) => {
                    self.say(at, index, &format!("closed {}", show::code(code)));
                    self.close(at, index);
                }
            }
        }
    }

    fn fetch_more(&mut self, at: usize, index: u32) {
        let id = ConnectionId { shard: self.shards[at].id, index, generation: 0 };
        let client = &mut self.shards[at].table.0[index as usize];
        if client.stalled {
            return;
        }
        let mut out = Vec::new();
        client.session.fetch_more(id, &mut out);
        self.obey(at, index, out);
    }

    fn close(&mut self, at: usize, index: u32) {
        let shard = &mut self.shards[at];
        let client = &mut shard.table.0[index as usize];
        client.gone = true;
        let session = std::mem::take(&mut client.session);
        let subjects = session.close(&mut shard.audiences, &mut shard.table);
        for subject in &subjects {
            shard.conflation.forget(index, *subject);
        }
        if !subjects.is_empty() {
            self.to_core.push_back(Event::Release { shard: shard.id, subjects });
        }
    }

    fn is_gone(&self, at: usize, index: u32) -> bool {
        self.shards[at].table.0[index as usize].gone
    }

    fn say(&mut self, at: usize, index: u32, what: &str) {
        let client = &self.shards[at].table.0[index as usize];
        if !client.gone {
            self.lines.push(format!("{} < {what}", client.name));
        }
    }
}

//! Cores, network and clients in one thread, and the time.

use std::collections::{BTreeMap, VecDeque};

use sterna_broker::core::{
    Core, CoreLimits, CoreSettings, Effect, Event, Notice, Outputs, PeerEvent, PublishEvent, SubscribeEvent,
};
use sterna_broker::session::Now;
use sterna_model::{
    Code, ConnectionId, Message, Position, PublisherStamp, Qos, Random, ShardId, Start, Subject,
};
use sterna_replica::{Nonce, Settings, Slot};

use crate::client::{Fate, Published, Subscriber, Truth};
use crate::network::Network;

const BEGIN_MS: u64 = 1_800_000_000_000;
const STEP_US: u64 = 5_000;
const TICK_US: u64 = 25_000;
/// Connections of subscribers; publishers have others.
const SUBSCRIBER: u32 = 0;

pub(crate) struct Member {
    pub(crate) core: Core,
    pub(crate) subscriber: Subscriber,
    /// Its clock is wrong by so much.
    ahead_ms: u64,
}

pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) network: Network,
    pub(crate) members: BTreeMap<Slot, Member>,
    pub(crate) settings: Settings,
    pub(crate) limits: CoreLimits,
    pub(crate) now_us: u64,
    /// The wall clock is ahead of the beginning by so much more than time has passed.
    pub(crate) jumped_ms: u64,
    pub(crate) published: Vec<Published>,
    pub(crate) truth: Truth,
    /// The connection of each publisher at each member.
    connections: BTreeMap<(Slot, u8), u32>,
    next_connection: u32,
    /// The last place that a connection was given in a subject.
    given: BTreeMap<(u32, u8), Position>,
    pub(crate) foundings: usize,
    pub(crate) installs: usize,
    /// Answers to reads, newest last.
    pub(crate) answers: Vec<Effect>,
    /// What clients do as soon as a turn has ended.
    next_events: VecDeque<(Slot, Event)>,
}

pub(crate) fn name(subject: u8) -> Subject {
    Subject::parse(&format!("/s{subject}")).unwrap()
}

pub(crate) fn connection(index: u32) -> ConnectionId {
    ConnectionId { shard: ShardId(0), index, generation: 0 }
}

impl World {
    pub(crate) fn new(random: Random, settings: Settings, limits: CoreLimits) -> Self {
        let mut world = Self {
            random,
            network: Network::default(),
            members: BTreeMap::new(),
            settings,
            limits,
            now_us: 1_000_000,
            jumped_ms: 0,
            published: Vec::new(),
            truth: Truth::default(),
            connections: BTreeMap::new(),
            next_connection: 1,
            given: BTreeMap::new(),
            foundings: 0,
            installs: 0,
            answers: Vec::new(),
            next_events: VecDeque::new(),
        };
        for slot in world.slots() {
            world.start(slot);
        }
        world
    }

    pub(crate) fn slots(&self) -> Vec<Slot> {
        (0..self.settings.members).map(Slot).collect()
    }

    fn now(&self, slot: Slot) -> Now {
        let ahead_ms = self.members.get(&slot).map_or(0, |member| member.ahead_ms) + self.jumped_ms;
        Now { unix_ms: BEGIN_MS + self.now_us / 1000 + ahead_ms, monotonic_us: self.now_us }
    }

    pub(crate) fn start(&mut self, slot: Slot) {
        let nonce = Nonce(u128::from(self.random.next()) << 64 | u128::from(self.random.next()));
        let seed = self.random.next();
        let replica = Settings { slot, nonce, seed, ..self.settings.clone() };
        let settings = CoreSettings { limits: self.limits, replica, seed };
        let core = Core::new(settings, self.now(slot)).unwrap();
        let mut subscriber = Subscriber::default();
        subscriber.wanted.extend((0..4).map(|subject| (subject, None)));
        let ahead_ms = self.random.below(300);
        self.members.insert(slot, Member { core, subscriber, ahead_ms });
        for other in self.slots() {
            if other != slot && self.members.contains_key(&other) {
                self.join(slot, other);
            }
        }
    }

    pub(crate) fn kill(&mut self, slot: Slot) {
        if self.members.remove(&slot).is_none() {
            return;
        }
        for other in self.slots() {
            if self.network.is_up(slot, other) {
                self.cut(slot, other);
            }
        }
        let ended: Vec<u32> =
            self.connections.iter().filter(|((at, _), _)| *at == slot).map(|(_, index)| *index).collect();
        self.connections.retain(|(at, _), _| *at != slot);
        ended.into_iter().for_each(|index| self.end_connection(index));
    }

    pub(crate) fn join(&mut self, a: Slot, b: Slot) {
        self.network.join(a, b);
        for (at, slot) in [(a, b), (b, a)] {
            self.act(at, |core, now, out| core.on_peer(now, PeerEvent::Up { slot }, out));
        }
    }

    pub(crate) fn cut(&mut self, a: Slot, b: Slot) {
        self.network.cut(a, b);
        for (at, slot) in [(a, b), (b, a)] {
            self.act(at, |core, now, out| core.on_peer(now, PeerEvent::Down { slot }, out));
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, ms: u64) {
        let until_us = self.now_us + ms * 1000;
        while self.now_us < until_us {
            self.now_us += STEP_US;
            while let Some(flight) = self.network.take(self.now_us) {
                let (slot, channel, bytes) = (flight.from, flight.channel, flight.bytes);
                let event = PeerEvent::Frame { slot, channel, bytes };
                self.act(flight.to, |core, now, out| core.on_peer(now, event, out));
            }
            for slot in self.slots() {
                if self.now_us / STEP_US % (TICK_US / STEP_US) == u64::from(slot.0) % (TICK_US / STEP_US) {
                    self.act(slot, Core::on_tick);
                }
            }
        }
    }

    /// One turn of a member, if it lives, and what its clients do then.
    pub(crate) fn act(&mut self, slot: Slot, act: impl FnOnce(&mut Core, Now, &mut Outputs)) {
        self.turn(slot, act);
        while let Some((slot, event)) = self.next_events.pop_front() {
            self.turn(slot, |core, now, out| core.handle(now, event, out));
        }
    }

    fn turn(&mut self, slot: Slot, act: impl FnOnce(&mut Core, Now, &mut Outputs)) {
        let now = self.now(slot);
        let Some(member) = self.members.get_mut(&slot) else { return };
        let mut out = Outputs::default();
        act(&mut member.core, now, &mut out);
        member.core.flush(now, &mut out);
        for frame in out.frames {
            self.network.send(self.now_us, slot, frame, &mut self.random);
        }
        for notice in out.notices {
            match notice {
                Notice::Broken { why } => panic!("member {slot} is broken: {why}"),
                Notice::Suspicious { slot: from, why } => panic!("{slot} suspects {from}: {why}"),
                Notice::Founded { .. } => self.foundings += 1,
                Notice::Installed { .. } => self.installs += 1,
                _ => {}
            }
        }
        for effect in out.effects {
            self.on_effect(slot, effect);
        }
    }

    fn on_effect(&mut self, slot: Slot, effect: Effect) {
        let member = self.members.get_mut(&slot).expect("it has just acted");
        match effect {
            Effect::PublishResult { to, id, outcome, closure } => {
                assert_eq!(&*closure, "c");
                let number = usize::try_from(id.expect("each has its number")).unwrap();
                let fate = outcome.map_or_else(Fate::Refused, |it| {
                    Fate::Accepted(it.position.expect("guaranteed messages have a position"))
                });
                let is_duplicate = outcome.is_ok_and(|it| it.duplicate);
                self.on_result(to.index, number, fate, is_duplicate);
            }
            Effect::Disconnect { to, .. } => {
                self.connections.retain(|_, index| *index != to.index);
                self.end_connection(to.index);
            }
            Effect::Subscribed { id, subject, cut, page, .. } => {
                let name = u8::try_from(id.expect("each has its number")).unwrap();
                member.subscriber.asked.remove(&name);
                let resume = member.subscriber.wanted.remove(&name).flatten();
                member.subscriber.begin(subject, name, resume, &cut);
                let has_more = member.subscriber.page(subject, Some(&cut), &page, &mut self.truth);
                if let Some(cursor) = page.next.filter(|_| has_more) {
                    let event = Event::Continue { to: connection(SUBSCRIBER), subject, cursor };
                    self.next_events.push_back((slot, event));
                }
            }
            Effect::Caught { subject, page, .. } => {
                let page = page.expect("the history is long enough");
                if member.subscriber.page(subject, None, &page, &mut self.truth) {
                    let cursor = page.next.expect("there is more");
                    let event = Event::Continue { to: connection(SUBSCRIBER), subject, cursor };
                    self.next_events.push_back((slot, event));
                }
            }
            Effect::SubscribeRefused { id, .. } => {
                let name = u8::try_from(id.expect("each has its number")).unwrap();
                member.subscriber.asked.remove(&name);
            }
            Effect::Deliver { subject, record, .. } => {
                member.subscriber.deliver(subject, &record, &mut self.truth);
            }
            Effect::Interrupted { subject, .. } => {
                let release = member.subscriber.interrupt(subject);
                self.next_events.push_back((slot, release));
            }
            Effect::Answer { .. } | Effect::ReadRefused { .. } => self.answers.push(effect),
            Effect::Unsubscribed { .. } => panic!("nobody unsubscribes"),
        }
    }

    fn on_result(&mut self, connection: u32, number: usize, fate: Fate, is_duplicate: bool) {
        let published = &mut self.published[number];
        if let (Fate::Accepted(before), Fate::Accepted(after)) = (published.fate, fate)
            && before.epoch == after.epoch
        {
            assert_eq!(before, after, "publish {number} has two answers");
        }
        if let Fate::Accepted(position) = fate {
            assert!(!is_duplicate || published.stamp.is_some());
            if !is_duplicate {
                let place = (connection, published.subject);
                let before = self.given.insert(place, position);
                assert!(before.is_none_or(|before| before < position), "{place:?}: {before:?}, {position:?}");
            }
        } else if matches!(published.fate, Fate::Accepted(_)) {
            assert!(published.stamp.is_some(), "publish {number} was accepted, then {fate:?}");
            return;
        }
        if matches!(fate, Fate::Accepted(_)) || published.connection == connection {
            published.fate = fate;
        }
    }

    fn end_connection(&mut self, index: u32) {
        let waiting = |it: &&mut Published| it.connection == index && it.fate == Fate::Waiting;
        self.published.iter_mut().filter(waiting).for_each(|it| it.fate = Fate::Unknown);
    }

    /// Publishes something new.
    pub(crate) fn publish(&mut self, at: Slot, publisher: u8, subject: u8) {
        let is_stamped = publisher < 3;
        let seq =
            self.published.iter().filter_map(|it| it.stamp).filter(|stamp| stamp.0 == publisher).count();
        let stamp = is_stamped.then_some((publisher, seq as u64 + 1));
        self.published.push(Published { subject, stamp, fate: Fate::Unknown, connection: 0 });
        self.try_publish(at, publisher, self.published.len() - 1);
    }

    /// Publishes it for the first time, or again.
    pub(crate) fn try_publish(&mut self, at: Slot, publisher: u8, number: usize) {
        if !self.members.contains_key(&at) {
            return;
        }
        let next = &mut self.next_connection;
        let index = *self.connections.entry((at, publisher)).or_insert_with(|| {
            *next += 1;
            *next
        });
        let published = &mut self.published[number];
        if !matches!(published.fate, Fate::Accepted(_)) {
            (published.fate, published.connection) = (Fate::Waiting, index);
        }
        let mut content = (number as u64).to_le_bytes().to_vec();
        // The same at each trial; some are larger than a chunk.
        content.resize(8 + [20, 100, 400, 3000][number % 4] * usize::from(!number.is_multiple_of(3)), b'x');
        let message = Message {
            closure: "c".into(),
            retained: !number.is_multiple_of(5),
            qos: Qos::Guaranteed,
            ..Message::new(name(published.subject), content)
        };
        let stamp = published
            .stamp
            .map(|(publisher, seq)| PublisherStamp { publisher: format!("p{publisher}").into(), seq });
        let event = Event::Publish(Box::new(PublishEvent {
            from: connection(index),
            id: Some(number as u64),
            wants_result: true,
            message,
            stamp,
            received_us: 0,
        }));
        self.act(at, |core, now, out| core.handle(now, event, out));
    }

    /// Tries again what has a stamp and was not accepted.
    pub(crate) fn retry(&mut self) {
        let is_open = |it: &Published| matches!(it.fate, Fate::Unknown | Fate::Refused(_));
        let open: Vec<(usize, u8)> = (0..)
            .zip(&self.published)
            .filter(|(_, it)| is_open(it))
            .filter_map(|(number, it)| it.stamp.map(|stamp| (number, stamp.0)))
            .collect();
        for (number, publisher) in open {
            assert_ne!(self.published[number].fate, Fate::Refused(Code::PublisherSequenceTooOld));
            let slots = self.slots();
            let at = self.random.pick(&slots);
            self.try_publish(at, publisher, number);
        }
    }

    /// Subscribers subscribe to what they do not hear.
    pub(crate) fn subscribe(&mut self) {
        for slot in self.slots() {
            let Some(member) = self.members.get_mut(&slot) else { continue };
            let Subscriber { wanted, asked, .. } = &mut member.subscriber;
            let open: Vec<_> = wanted.iter().map(|(name, resume)| (*name, *resume)).collect();
            let open: Vec<_> = open.into_iter().filter(|(name, _)| asked.insert(*name)).collect();
            for (subject, resume) in open {
                let event = Event::Subscribe(SubscribeEvent {
                    from: connection(SUBSCRIBER),
                    id: Some(u64::from(subject)),
                    name: name(subject),
                    start: Start { history: 5, resume },
                    conflation_ms: 0,
                });
                self.act(slot, |core, now, out| core.handle(now, event, out));
            }
        }
    }
}

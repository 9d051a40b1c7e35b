//! Steps for both, and the comparison.

use std::collections::{BTreeMap, BTreeSet};

use sterna_broker::core::{
    CoreLimits, Cursor, Cut, Effect, Event, Page, PublishEvent, Reading, SubscribeEvent,
};
use sterna_model::{
    Accepted, Code, ConnectionId, DeliveryMode, Kind, Message, Position, PublisherStamp, Qos, Record,
    Recovery, ShardId, Start, Subject, SubjectId,
};

use crate::model::{Answer, Model};
use crate::support::Single;

const EPOCH: u64 = 7;
const BEGIN_MS: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Resume {
    /// So many before the last one.
    Back(u64),
    Beyond,
    OtherEpoch,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Publish {
        subject: u8,
        bytes: usize,
        retained: bool,
        standard: bool,
        stamp: Option<(u8, u64)>,
    },
    Subscribe {
        subject: u8,
        history: u32,
        resume: Option<Resume>,
        shard: u16,
    },
    /// One of the catch-ups goes on.
    Continue(u16),
    /// One of the subscriptions ends.
    Release(u16),
    Read {
        subject: u8,
        history: u32,
        resume: Option<Resume>,
    },
    /// Seconds.
    Pass(u64),
}

/// A subscription that has not caught up.
struct CatchUp {
    subject: u8,
    id: SubjectId,
    cursor: Cursor,
    /// Next seq, and last seq of its cut.
    next: u64,
    cut: u64,
    kind: Kind,
}

pub(crate) struct Run {
    core: Single,
    model: Model,
    limits: CoreLimits,
    numbers: u64,
    /// Live subscriptions, caught up or not.
    subscriptions: Vec<(u8, SubjectId, u16)>,
    catch_ups: Vec<CatchUp>,
    /// What each stamp was answered.
    accepted: BTreeMap<(u8, u64), Position>,
    /// Stamps of publishers that may have been forgotten, because they were silent for long.
    doubtful: BTreeSet<(u8, u64)>,
    /// When a publisher was last accepted.
    publisher_used_ms: BTreeMap<u8, u64>,
    largest_bytes: usize,
}

fn name(subject: u8) -> Subject {
    Subject::parse(&format!("/s{subject}")).unwrap()
}

fn who(shard: u16) -> ConnectionId {
    ConnectionId { shard: ShardId(shard), index: 0, generation: 0 }
}

/// The number that a content begins with.
fn number(record: &Record) -> u64 {
    u64::from_le_bytes(record.message.content[..8].try_into().unwrap())
}

fn shown(messages: &[(Kind, std::sync::Arc<Record>)]) -> Vec<(Kind, u64, u64)> {
    messages.iter().map(|(kind, record)| (*kind, record.position.seq.0, number(record))).collect()
}

impl Run {
    pub(crate) fn new(limits: CoreLimits) -> Self {
        Self {
            core: Single::new(EPOCH, limits, BEGIN_MS),
            model: Model::new(limits, EPOCH, BEGIN_MS),
            limits,
            numbers: 0,
            subscriptions: Vec::new(),
            catch_ups: Vec::new(),
            accepted: BTreeMap::new(),
            doubtful: BTreeSet::new(),
            publisher_used_ms: BTreeMap::new(),
            largest_bytes: 0,
        }
    }

    /// Takes all steps, then ends everything and sees that nothing is left.
    pub(crate) fn finish(mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
            let sizes = self.core.sizes();
            assert_eq!(sizes.subjects, self.model.subjects());
            assert!(sizes.cache_bytes <= self.limits.cache_bytes_max + self.largest_bytes, "{sizes:?}");
        }
        while !self.subscriptions.is_empty() {
            self.release(0);
        }
        for _ in 0..4 {
            self.pass(700);
        }
        let sizes = self.core.sizes();
        assert_eq!(sizes.publishers, 0);
        if self.limits.snapshot_expire_ms.is_some() {
            assert_eq!((sizes.subjects, sizes.cache_bytes), (0, 0), "nothing is left, nothing is counted");
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Publish { subject, bytes, retained, standard, stamp } => {
                // In `Standard` mode nothing is guaranteed, whatever was asked for.
                let standard = standard || self.limits.mode == DeliveryMode::Standard;
                let qos = if standard { Qos::Standard } else { Qos::Guaranteed };
                self.publish(subject, bytes, retained, qos, stamp.filter(|_| !standard));
            }
            Step::Subscribe { subject, history, resume, shard } => {
                let start = self.start(subject, history, resume);
                self.subscribe(subject, shard, start);
            }
            Step::Continue(which) if !self.catch_ups.is_empty() => {
                self.go_on(usize::from(which) % self.catch_ups.len());
            }
            Step::Release(which) if !self.subscriptions.is_empty() => {
                self.release(usize::from(which) % self.subscriptions.len());
            }
            Step::Continue(_) | Step::Release(_) => {}
            Step::Read { subject, history, resume } => {
                let start = self.start(subject, history, resume);
                self.read(subject, start);
            }
            Step::Pass(seconds) => self.pass(seconds),
        }
    }

    fn start(&self, subject: u8, history: u32, resume: Option<Resume>) -> Start {
        let last = self.model.last(subject);
        let resume = resume.map(|resume| match resume {
            Resume::Back(back) => Position::new(EPOCH, last.saturating_sub(back)),
            Resume::Beyond => Position::new(EPOCH, last + 1),
            Resume::OtherEpoch => Position::new(EPOCH + 1, last),
        });
        Start { history, resume }
    }

    fn handle(&mut self, event: Event) -> Vec<Effect> {
        self.core.handle(self.model.now_ms, event)
    }

    fn pass(&mut self, seconds: u64) {
        self.model.pass(seconds);
        let effects = self.core.tick(self.model.now_ms);
        assert!(effects.is_empty(), "{effects:?}");
    }

    fn publish(&mut self, subject: u8, bytes: usize, retained: bool, qos: Qos, stamp: Option<(u8, u64)>) {
        self.numbers += 1;
        let mut content = self.numbers.to_le_bytes().to_vec();
        content.resize(bytes.max(8), 0);
        let message = Message { retained, qos, ..Message::new(name(subject), content) };
        let cost_bytes = Record::message_cost_bytes(&message);
        self.largest_bytes = self.largest_bytes.max(cost_bytes);
        let publish = PublishEvent {
            from: who(0),
            id: Some(self.numbers),
            wants_result: true,
            message,
            stamp: stamp
                .map(|(publisher, seq)| PublisherStamp { publisher: publisher.to_string().into(), seq }),
            received_us: 0,
        };
        let mut effects = self.handle(Event::Publish(Box::new(publish)));
        let Some(Effect::PublishResult { id, outcome, .. }) = effects.pop() else { panic!("no result") };
        let mut effects = effects.into_iter();
        assert_eq!(id, Some(self.numbers));
        match outcome {
            Ok(Accepted { position, duplicate: true }) => {
                let stamp = stamp.expect("only stamped publishes are recognised");
                assert_eq!(position, self.accepted.get(&stamp).copied(), "the first answer again");
            }
            Ok(Accepted { position, duplicate: false }) => {
                self.check_forgotten(stamp);
                let (seq, interest) = self.model.publish(subject, self.numbers, retained, qos);
                let at = Position::new(EPOCH, seq);
                assert_eq!(position, (qos == Qos::Guaranteed).then_some(at));
                if let Some(stamp) = stamp {
                    self.accepted.insert(stamp, at);
                    self.doubtful.remove(&stamp);
                    self.publisher_used_ms.insert(stamp.0, self.model.now_ms);
                }
                self.check_delivered(effects.next(), at, interest);
            }
            Err(code) => {
                assert_eq!(code, Code::MemoryFull);
                let free_bytes = self.limits.cache_bytes_max.saturating_sub(self.core.sizes().cache_bytes);
                assert!(cost_bytes + 1024 > free_bytes, "refused with {free_bytes} free bytes");
            }
        }
        assert!(effects.next().is_none(), "nothing else follows from a publish");
    }

    /// A stamp that was accepted may be accepted again only if its publisher was silent for long meanwhile.
    fn check_forgotten(&mut self, stamp: Option<(u8, u64)>) {
        let Some((publisher, _)) = stamp else { return };
        let used_ms = self.publisher_used_ms.get(&publisher).copied().unwrap_or_default();
        if self.model.now_ms - used_ms >= self.limits.history_expire_ms {
            let stamps = self.accepted.keys().filter(|(known, _)| *known == publisher);
            self.doubtful.extend(stamps);
        }
        let stamp = stamp.filter(|stamp| self.accepted.contains_key(stamp) && !self.doubtful.contains(stamp));
        assert_eq!(stamp, None, "accepted twice");
    }

    fn check_delivered(&self, effect: Option<Effect>, at: Position, interest: [u32; 2]) {
        if interest == [0, 0] {
            assert!(effect.is_none(), "nobody hears it");
            return;
        }
        let Some(Effect::Deliver { shards, record, .. }) = effect else { panic!("somebody hears it") };
        let heard = [0, 1].map(|shard| shards.contains(ShardId(shard)));
        assert_eq!(heard, interest.map(|count| count > 0));
        assert_eq!((record.position, number(&record)), (at, self.numbers));
    }

    fn subscribe(&mut self, subject: u8, shard: u16, start: Start) {
        let event =
            SubscribeEvent { from: who(shard), id: None, name: name(subject), start, conflation_ms: 0 };
        let mut effects = self.handle(Event::Subscribe(event));
        assert_eq!(effects.len(), 1);
        match effects.remove(0) {
            Effect::Subscribed { subject: id, cut, page, .. } => {
                let answer = self.model.subscribe(subject, usize::from(shard), start);
                check_cut(&cut, &answer);
                self.subscriptions.push((subject, id, shard));
                self.check_first_page(subject, id, &answer, &page);
            }
            Effect::SubscribeRefused { code, .. } => {
                assert_eq!(code, Code::MemoryFull);
                assert!(self.model.known(subject).is_none(), "a known subject costs nothing");
            }
            effect => panic!("{effect:?}"),
        }
    }

    /// The page is the beginning of what must follow; the rest is left to a catch-up.
    fn check_first_page(&mut self, subject: u8, id: SubjectId, answer: &Answer, page: &Page) {
        let shown = shown(&page.messages);
        let Some(cursor) = page.next else {
            assert_eq!(shown, answer.follows);
            return;
        };
        assert!(shown.len() < answer.follows.len() && answer.follows.starts_with(&shown), "{shown:?}");
        let complete = answer.recovery == Recovery::Complete;
        let kind = if complete { Kind::Recovered } else { Kind::Historical };
        let next = answer.follows[shown.len()..].iter().find(|(follows, ..)| *follows == kind);
        let next = next.expect("a page ends before a message of the history").1;
        self.catch_ups.push(CatchUp { subject, id, cursor, next, cut: answer.cut, kind });
    }

    fn go_on(&mut self, which: usize) {
        let mut catch_up = self.catch_ups.remove(which);
        let event = Event::Continue { to: who(0), subject: catch_up.id, cursor: catch_up.cursor };
        let effects = self.handle(event);
        let [Effect::Caught { page, .. }] = effects.as_slice() else { panic!("{effects:?}") };
        let history = self.model.history(catch_up.subject);
        let Some(at) = history.iter().position(|entry| entry.seq == catch_up.next) else {
            assert!(page.is_none(), "the next message is gone");
            return;
        };
        let page = page.as_ref().expect("the next message is there");
        let kind = |seq| if seq <= catch_up.cut { catch_up.kind } else { Kind::Update };
        let follows: Vec<_> =
            history[at..].iter().map(|entry| (kind(entry.seq), entry.seq, entry.number)).collect();
        let mut messages = page.messages.clone();
        messages.retain(|(_, record)| record.message.qos == Qos::Guaranteed);
        let shown = shown(&messages);
        match page.next {
            Some(cursor) => {
                assert!(!shown.is_empty() && shown.len() < follows.len() && follows.starts_with(&shown));
                catch_up.next = follows[shown.len()].1;
                catch_up.cursor = cursor;
                self.catch_ups.push(catch_up);
            }
            None => assert_eq!(shown, follows),
        }
    }

    fn release(&mut self, which: usize) {
        let (subject, id, shard) = self.subscriptions.remove(which);
        self.model.release(subject, usize::from(shard));
        let effects = self.handle(Event::Release { shard: ShardId(shard), subjects: vec![id] });
        assert!(effects.is_empty());
        // Which one it was does not matter to the core; but the subject must have as many as there are.
        let left = self.subscriptions.iter().filter(|(known, ..)| *known == subject).count();
        let catching_up: Vec<_> =
            (0..self.catch_ups.len()).filter(|at| self.catch_ups[*at].subject == subject).collect();
        if catching_up.len() > left {
            self.catch_ups.remove(catching_up[0]);
        }
    }

    fn read(&mut self, subject: u8, start: Start) {
        let reading = match start {
            Start { resume: Some(position), .. } => Reading::After(position),
            Start { history: 0, .. } => Reading::Snapshot,
            Start { history, .. } => Reading::History(history),
        };
        let history = if start.resume.is_some() { 0 } else { start.history };
        let effects = self.handle(Event::Read { to: who(0), name: name(subject), reading });
        let [Effect::Answer { cut, messages, .. }] = effects.as_slice() else { panic!("{effects:?}") };
        let mut answer = self.model.answer(subject, Start { history, ..start });
        check_cut(cut, &answer);
        if history > 0 {
            answer.follows.retain(|(kind, ..)| *kind == Kind::Historical);
        }
        assert_eq!(shown(messages), answer.follows);
    }
}

fn check_cut(cut: &Cut, answer: &Answer) {
    let position = Position::new(EPOCH, answer.cut);
    assert_eq!((cut.recovery, cut.position, cut.missed), (answer.recovery, position, answer.missed));
}

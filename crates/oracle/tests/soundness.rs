//! A small perfect broker is never accused, whatever happens to its clients; and each change to what it
//! delivered is noticed.

mod support;

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::{collection, sample};
use sterna_model::{Kind, Position, Qos};
use sterna_oracle::{Beginning, ContentId, Delivery, Observation, Oracle, SubscriberId, Violation};
use support::{
    attempt_as, begin, complete, conflated, disconnected, fresh, gap, got_as, refused, reset, unknown,
};

const SUBSCRIBERS: u64 = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish {
        retained: bool,
        answered: bool,
    },
    PublishStandard,
    Refuse,
    /// An attempt that never reaches the broker.
    Vanish,
    /// The last content again.
    Retry,
    /// The oldest messages leave the history.
    Expire(usize),
    /// Begins fresh or resumes, and is cut off after some messages of the replay.
    Subscribe {
        subscriber: u64,
        history: usize,
        fresh: bool,
        cut_off_after: Option<usize>,
    },
    Disconnect(u64),
    /// All memory is lost.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let subscriber = 0..SUBSCRIBERS;
    prop_oneof![
        6 => (any::<bool>(), any::<bool>()).prop_map(
            |(retained, answered)| Step::Publish { retained, answered }
        ),
        1 => Just(Step::PublishStandard),
        1 => Just(Step::Refuse),
        1 => Just(Step::Vanish),
        2 => Just(Step::Retry),
        2 => (1..8_usize).prop_map(Step::Expire),
        6 => (subscriber.clone(), 0..4_usize, any::<bool>(), proptest::option::of(0..3_usize)).prop_map(
            |(subscriber, history, fresh, cut_off_after)| {
                Step::Subscribe { subscriber, history, fresh, cut_off_after }
            }
        ),
        2 => subscriber.prop_map(Step::Disconnect),
        1 => Just(Step::Restart),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Stored {
    content: u64,
    retained: bool,
}

/// What a client knows of its subscription.
#[derive(Clone, Copy, Debug, Default)]
struct Client {
    position: Option<Position>,
    connected: bool,
}

/// One subject of a perfect broker, and its clients. The last one is conflated: it gets every second update.
#[derive(Debug)]
struct Broker {
    epoch: u64,
    log: Vec<Stored>,
    /// Messages that have left the history.
    expired: usize,
    clients: [Client; SUBSCRIBERS as usize],
    contents: u64,
    /// Last content and, if it was accepted, its position.
    last_publish: Option<(u64, bool, Option<Position>)>,
    history: Vec<Observation>,
}

impl Broker {
    fn new() -> Self {
        Self {
            epoch: 7,
            log: Vec::new(),
            expired: 0,
            clients: Default::default(),
            contents: 0,
            last_publish: None,
            history: Vec::new(),
        }
    }

    fn at(&self, seq: usize) -> Position {
        Position::new(self.epoch, seq as u64)
    }

    fn last(&self) -> Position {
        self.at(self.log.len())
    }

    fn next_content(&mut self) -> u64 {
        self.contents += 1;
        self.contents
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Publish { retained, answered } => {
                let content = self.next_content();
                self.publish(content, retained, answered);
            }
            Step::PublishStandard => self.publish_standard(),
            Step::Refuse => {
                let content = self.next_content();
                self.history.extend([attempt_as(content, Qos::Guaranteed, true), refused(content)]);
                self.last_publish = Some((content, true, None));
            }
            Step::Vanish => {
                let content = self.next_content();
                self.history.extend([attempt_as(content, Qos::Guaranteed, true), unknown(content)]);
                self.last_publish = Some((content, true, None));
            }
            Step::Retry => self.retry(),
            Step::Expire(count) => self.expired = (self.expired + count).min(self.log.len()),
            Step::Subscribe { subscriber, history, fresh, cut_off_after } => {
                self.subscribe(subscriber, history, fresh, cut_off_after);
            }
            Step::Disconnect(subscriber) => self.disconnect(subscriber),
            Step::Restart => {
                (0..SUBSCRIBERS).for_each(|subscriber| self.disconnect(subscriber));
                self.epoch += 1;
                self.log.clear();
                self.expired = 0;
                // The memory of retries is lost too, and an acknowledged publish is not retried.
                self.last_publish = None;
            }
        }
    }

    fn publish(&mut self, content: u64, retained: bool, answered: bool) {
        self.history.push(attempt_as(content, Qos::Guaranteed, retained));
        self.log.push(Stored { content, retained });
        let position = self.last();
        self.last_publish = Some((content, retained, Some(position)));
        for subscriber in 0..SUBSCRIBERS {
            let skips = subscriber == SUBSCRIBERS - 1 && content.is_multiple_of(2);
            if self.clients[subscriber as usize].connected && !skips {
                self.deliver(subscriber, Kind::Update, self.log.len());
            }
        }
        let content = ContentId(content);
        self.history.push(if answered {
            Observation::Acknowledged { content, position: Some(position), duplicate: false }
        } else {
            Observation::Unknown { content }
        });
    }

    fn publish_standard(&mut self) {
        let content = self.next_content();
        self.history.push(attempt_as(content, Qos::Standard, false));
        for subscriber in 0..SUBSCRIBERS {
            if self.clients[subscriber as usize].connected {
                let (kind, position, content) = (Kind::Update, self.last(), ContentId(content));
                let delivery = Delivery { kind, position, qos: Qos::Standard, content, retained: false };
                self.clients[subscriber as usize].position = Some(position);
                self.history.push(got_as(subscriber, delivery));
            }
        }
        let content = ContentId(content);
        self.history.push(Observation::Acknowledged { content, position: None, duplicate: false });
    }

    fn retry(&mut self) {
        match self.last_publish {
            None => {}
            Some((content, retained, None)) => self.publish(content, retained, true),
            Some((content, retained, position @ Some(_))) => {
                self.history.push(attempt_as(content, Qos::Guaranteed, retained));
                let content = ContentId(content);
                self.history.push(Observation::Acknowledged { content, position, duplicate: true });
            }
        }
    }

    fn deliver(&mut self, subscriber: u64, kind: Kind, seq: usize) {
        let Stored { content, retained } = self.log[seq - 1];
        let (position, content) = (self.at(seq), ContentId(content));
        let delivery = Delivery { kind, position, qos: Qos::Guaranteed, content, retained };
        self.history.push(got_as(subscriber, delivery));
        self.clients[subscriber as usize].position = Some(position);
    }

    fn subscribe(&mut self, subscriber: u64, history: usize, is_fresh: bool, cut_off_after: Option<usize>) {
        self.disconnect(subscriber);
        let cut = self.log.len();
        let resume = self.clients[subscriber as usize].position.filter(|_| !is_fresh);
        let (beginning, mut replay) = self.judge(resume, history);
        let beginning = if subscriber == SUBSCRIBERS - 1 { conflated(beginning) } else { beginning };
        self.history.push(begin(subscriber, beginning));
        self.clients[subscriber as usize].connected = true;
        if let Some(count) = cut_off_after.filter(|count| *count < replay.len()) {
            replay.truncate(count);
            replay.into_iter().for_each(|(kind, seq)| self.deliver(subscriber, kind, seq));
            self.disconnect(subscriber);
            return;
        }
        replay.into_iter().for_each(|(kind, seq)| self.deliver(subscriber, kind, seq));
        self.clients[subscriber as usize].position = Some(self.at(cut));
    }

    /// The promise, and the messages that follow it.
    fn judge(&self, resume: Option<Position>, history: usize) -> (Beginning, Vec<(Kind, usize)>) {
        let cut = self.log.len();
        let from = (cut - history.min(cut - self.expired)) + 1;
        let snapshot = self.log.iter().rposition(|stored| stored.retained).map(|index| index + 1);
        let snapshot = snapshot.filter(|seq| *seq < from);
        let page = snapshot.map(|seq| (Kind::Snapshot, seq)).into_iter();
        let page: Vec<_> = page.chain((from..=cut).map(|seq| (Kind::Historical, seq))).collect();
        let cut = self.last();
        let Some(resume) = resume else { return (fresh(cut), page) };
        if resume.epoch != cut.epoch {
            return (reset(resume, cut), page);
        }
        let next = resume.seq.0 as usize + 1;
        if next > self.expired {
            let recovered = (next..=self.log.len()).map(|seq| (Kind::Recovered, seq)).collect();
            return (complete(resume, cut), recovered);
        }
        let to = from - 1 - usize::from(snapshot == Some(from - 1));
        let missed = (next <= to).then_some((next as u64, to as u64));
        (gap(resume, cut, missed), page)
    }

    fn disconnect(&mut self, subscriber: u64) {
        if std::mem::take(&mut self.clients[subscriber as usize].connected) {
            self.history.push(disconnected(subscriber));
        }
    }

    /// Everybody who is still there gets everything.
    fn finish(&mut self) {
        let conflated = SUBSCRIBERS - 1;
        let client = self.clients[conflated as usize];
        if client.connected && client.position < Some(self.last()) {
            self.deliver(conflated, Kind::Update, self.log.len());
        }
    }
}

fn history_of(steps: Vec<Step>) -> Vec<Observation> {
    let mut broker = Broker::new();
    steps.into_iter().for_each(|step| broker.run(step));
    broker.finish();
    broker.history
}

fn judge(history: &[Observation]) -> Result<(), Violation> {
    let mut oracle = Oracle::new();
    history.iter().try_for_each(|observation| oracle.observe(observation.clone()))?;
    oracle.finish().map(|_| ())
}

/// Places of the deliveries of guaranteed messages, snapshots left out.
fn deliveries(history: &[Observation]) -> Vec<usize> {
    let is_delivery = |observation: &Observation| match observation {
        Observation::Delivered { delivery, .. } => {
            delivery.qos == Qos::Guaranteed && delivery.kind != Kind::Snapshot
        }
        _ => false,
    };
    (0..history.len()).filter(|place| is_delivery(&history[*place])).collect()
}

/// Whether the subscriber that got this delivery is not conflated, and gets another message next.
fn is_followed(history: &[Observation], place: usize) -> bool {
    let subscriber_of = |observation: &Observation| match observation {
        Observation::Subscribed { subscriber, .. }
        | Observation::Delivered { subscriber, .. }
        | Observation::Disconnected { subscriber, .. } => Some(*subscriber),
        _ => None,
    };
    let subscriber = subscriber_of(&history[place]);
    let next = history[place + 1..].iter().find(|observation| subscriber_of(observation) == subscriber);
    subscriber != Some(SubscriberId(SUBSCRIBERS - 1)) && matches!(next, Some(Observation::Delivered { .. }))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn a_perfect_broker_is_never_accused(steps in collection::vec(step(), 0..60)) {
        let history = history_of(steps);
        if let Err(violation) = judge(&history) {
            panic!("{violation}\nin {history:#?}");
        }
    }

    #[test]
    fn a_repeated_or_changed_delivery_is_always_noticed(
        steps in collection::vec(step(), 10..60),
        place in any::<sample::Index>(),
    ) {
        let history = history_of(steps);
        let deliveries = deliveries(&history);
        if !deliveries.is_empty() {
            let place = *place.get(&deliveries);
            let mut repeated = history.clone();
            repeated.insert(place, history[place].clone());
            assert!(judge(&repeated).is_err(), "repeated at {place} in {history:#?}");
            let mut changed = history;
            let Observation::Delivered { delivery, .. } = &mut changed[place] else { unreachable!() };
            delivery.content = ContentId(u64::MAX);
            assert!(judge(&changed).is_err(), "changed at {place}");
        }
    }

    #[test]
    fn a_removed_delivery_is_noticed_by_the_next(
        steps in collection::vec(step(), 10..60),
        place in any::<sample::Index>(),
    ) {
        let mut history = history_of(steps);
        let in_flow = |place: &usize| matches!(
            history[*place],
            Observation::Delivered { delivery: Delivery { kind: Kind::Update | Kind::Recovered, .. }, .. }
        );
        let mut places = deliveries(&history);
        places.retain(|place| in_flow(place) && is_followed(&history, *place));
        if !places.is_empty() {
            let place = *place.get(&places);
            let removed = history.remove(place);
            assert!(judge(&history).is_err(), "removed {removed} at {place} in {history:#?}");
        }
    }
}

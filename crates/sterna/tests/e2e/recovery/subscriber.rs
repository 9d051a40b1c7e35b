//! A subscriber whose connections are cut; it keeps one position per subject, and resumes from there.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sterna_model::{Kind, Position, Qos, Recovery, Seq, Subject};
use sterna_oracle::{Beginning, ContentId, Delivery, Observation, SubscriberId};

use super::{Run, SUBJECTS};
use crate::http::Http;
use crate::native::{Incoming, Native, upgrade};
use crate::random::Random;
use crate::support::SOON;

/// The longest life of a connection.
const LIFE_MS_MAX: u64 = 60;

/// How a subscriber subscribes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) history: u32,
    pub(crate) conflation_ms: u32,
}

/// One subscriber.
pub(crate) struct Subscriber {
    id: SubscriberId,
    style: Style,
    random: Random,
    /// Where it is, for each subject it has ever been subscribed to.
    positions: BTreeMap<Subject, Position>,
    /// The positions that the present connection's subscribe gave.
    given: BTreeMap<Subject, Position>,
    /// Subjects that the present connection has been told to be subscribed to.
    subscribed: Vec<Subject>,
    /// The last connection: it stays.
    last: Option<Native>,
}

impl Subscriber {
    pub(crate) fn new(number: u64, style: Style, random: Random) -> Self {
        let (positions, given) = (BTreeMap::new(), BTreeMap::new());
        Self { id: SubscriberId(number), style, random, positions, given, subscribed: Vec::new(), last: None }
    }

    /// Connects, resumes, reads and is killed, again and again.
    pub(crate) fn live_and_die(&mut self, run: &Run) {
        let take = |left: u64| left.checked_sub(1);
        while run.kills_left.fetch_update(Relaxed, Relaxed, take).is_ok() {
            self.live(run);
            self.die(run);
        }
    }

    /// One connection up to its random end.
    fn live(&mut self, run: &Run) {
        let end = Instant::now() + Duration::from_micros(self.random.below(LIFE_MS_MAX * 1000));
        if self.random.one_in(20) {
            // Dies with half a handshake.
            let mut http = Http::open(&run.address);
            http.send(&upgrade("")[..20]);
            return;
        }
        let mut client = self.begin(run);
        if self.random.one_in(4) {
            // Busy elsewhere: what comes meanwhile waits in both systems' buffers, and some of it is never read.
            thread::sleep(Duration::from_micros(self.random.below(LIFE_MS_MAX * 1000)));
        }
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.take_next(run, &mut client, left) {
                break;
            }
        }
        match self.random.below(3) {
            0 => client.abort(),
            1 => client.end_output(),
            _ => drop(client),
        }
    }

    /// What is seen of a connection's end: nothing of its subscriptions comes any more.
    fn die(&mut self, run: &Run) {
        for subject in std::mem::take(&mut self.subscribed) {
            run.witness.saw(Observation::Disconnected { subscriber: self.id, subject });
        }
    }

    /// A last connection, until it has everything.
    pub(crate) fn live_to_the_end(&mut self, run: &Run) {
        let mut client = self.begin(run);
        let is_behind = |this: &Self, subject: &&&str| {
            let subject = Subject::parse(subject).expect("a subject");
            this.positions.get(&subject).copied().unwrap_or_default() < run.witness.last(&subject)
        };
        while SUBJECTS.iter().any(|subject| is_behind(self, &subject))
            || self.subscribed.len() < SUBJECTS.len()
        {
            assert!(self.take_next(run, &mut client, SOON), "nothing more came, at {:?}", self.positions);
        }
        self.last = Some(client);
    }

    /// Connects and subscribes to everything, from where it is.
    fn begin(&mut self, run: &Run) -> Native {
        let mut client = Native::connect(&run.address, None);
        self.given = self.positions.clone();
        let items: Vec<Value> = SUBJECTS
            .iter()
            .map(|name| match self.given.get(&Subject::parse(name).expect("a subject")) {
                Some(position) => json!({"subject": name, "epoch": position.epoch.0, "seq": position.seq.0}),
                None => (*name).into(),
            })
            .collect();
        let Style { history, conflation_ms } = self.style;
        client.send(&json!({"op": "subscribe", "id": 1, "subjects": items, "history": history,
            "conflation_ms": conflation_ms}));
        client
    }

    /// Takes what comes next within that time; whether the connection goes on.
    fn take_next(&mut self, run: &Run, client: &mut Native, time: Duration) -> bool {
        match client.next_within(time) {
            Some(Incoming::Frame(frame)) => self.take(run, &frame),
            Some(Incoming::Ping(_) | Incoming::Pong(_)) => {}
            // A client on a busy machine may be slow; it resumes.
            Some(Incoming::Close(4300, _) | Incoming::End) | None => return false,
            Some(Incoming::Close(code, reason)) => panic!("closed with {code} {reason}"),
        }
        true
    }

    fn take(&mut self, run: &Run, frame: &Value) {
        let number = |name: &str| frame[name].as_u64().unwrap_or_else(|| panic!("no {name}: {frame}"));
        let subject = Subject::parse(frame["subject"].as_str().unwrap_or_default()).expect("a subject");
        let position = Position::new(number("epoch"), number("seq"));
        if frame["op"] == "subscribed" {
            let recovery = recovery(frame);
            let missed = frame["missed"].as_object().map(|missed| {
                let seq = |name: &str| Seq(missed[name].as_u64().expect("a number"));
                (seq("from"), seq("to"))
            });
            let conflated = self.style.conflation_ms > 0;
            let resume = self.given.get(&subject).copied();
            let beginning = Beginning { resume, recovery, cut: position, missed, conflated };
            self.subscribed.push(subject.clone());
            if recovery != Recovery::Complete {
                self.positions.insert(subject.clone(), position);
            }
            run.witness.saw(Observation::Subscribed { subscriber: self.id, subject, beginning });
            return;
        }
        assert_eq!(frame["op"], "message", "{frame}");
        let content = frame["content"].as_str().and_then(|content| content.split(' ').next()?.parse().ok());
        let delivery = Delivery {
            kind: kind(frame),
            position,
            qos: Qos::Guaranteed,
            content: ContentId(content.unwrap_or_else(|| panic!("no number in {frame}"))),
            retained: frame["retained"] != false,
        };
        let at = self.positions.entry(subject.clone()).or_default();
        *at = position.max(*at);
        run.witness.saw(Observation::Delivered { subscriber: self.id, subject, delivery });
    }
}

fn recovery(frame: &Value) -> Recovery {
    let known = [Recovery::Fresh, Recovery::Complete, Recovery::Gap, Recovery::Reset];
    known.into_iter().find(|recovery| frame["recovery"] == recovery.name()).expect("a known recovery")
}

fn kind(frame: &Value) -> Kind {
    let known = [Kind::Update, Kind::Snapshot, Kind::Recovered, Kind::Historical];
    known.into_iter().find(|kind| frame["type"] == kind.name()).expect("a known type")
}

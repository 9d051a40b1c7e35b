//! A subscriber whose connections are cut; it keeps one position per subject, or the id of the last event, and resumes
//! from there.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sterna_model::{Kind, Position, Qos, Random, Recovery, Seq, Subject};
use sterna_oracle::{Beginning, ContentId, Delivery, Observation, SubscriberId};
use sterna_wire::sse::ResumeToken;

use super::link::{Link, Seen};
use super::{Run, SUBJECTS};
use crate::event_stream::EventStream;
use crate::http::Http;
use crate::native::{Native, upgrade};
use crate::support::SOON;

/// The longest life of a connection that ends by time.
const LIFE_MS_MAX: u64 = 60;
/// Most frames of a connection that ends by their number.
const FRAMES_MAX: u64 = 200;

/// How a subscriber subscribes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Server-sent events instead of the native protocol.
    pub(super) events: bool,
    pub(super) history: u32,
    pub(super) conflation_ms: u32,
}

/// One subscriber.
pub(super) struct Subscriber {
    id: SubscriberId,
    style: Style,
    random: Random,
    /// Where it is, for each subject it has ever been subscribed to.
    positions: BTreeMap<Subject, Position>,
    /// The positions that the present connection's subscribe gave.
    given: BTreeMap<Subject, Position>,
    /// Subjects that the present connection has been told to be subscribed to.
    subscribed: Vec<Subject>,
    /// Id of the last event.
    last_event_id: Option<String>,
}

impl Subscriber {
    pub(super) fn new(number: u64, style: Style, random: Random) -> Self {
        let (positions, given) = (BTreeMap::new(), BTreeMap::new());
        let (subscribed, last_event_id) = (Vec::new(), None);
        Self { id: SubscriberId(number), style, random, positions, given, subscribed, last_event_id }
    }

    /// Connects, resumes, reads and is killed, again and again.
    pub(super) fn live_and_die(&mut self, run: &Run) {
        let take = |left: u64| left.checked_sub(1);
        while run.kills_left.fetch_update(Relaxed, Relaxed, take).is_ok() {
            self.live(run);
            self.die(run);
        }
    }

    /// One connection up to its random end: a moment, which may come inside the handshake, or a number of frames.
    fn live(&mut self, run: &Run) {
        let by_time = self.random.one_in(3);
        let life_ms_max = if by_time { LIFE_MS_MAX } else { 20 * LIFE_MS_MAX };
        let frames = if by_time { u64::MAX } else { self.random.below(FRAMES_MAX) };
        let end = Instant::now() + Duration::from_micros(self.random.below(life_ms_max * 1000));
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
        for _ in 0..frames {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.take_next(run, &mut client, left) {
                break;
            }
        }
        match self.random.below(3) {
            0 => client.abort(),
            1 => client.end(),
            _ => drop(client),
        }
    }

    /// What is seen of a connection's end: nothing of its subscriptions comes any more.
    fn die(&mut self, run: &Run) {
        for subject in std::mem::take(&mut self.subscribed) {
            run.witness.saw(Observation::Disconnected { subscriber: self.id, subject });
        }
    }

    /// A last connection, which stays: reads until everything is subscribed to.
    pub(super) fn come_back(mut self, run: &Run) -> (Self, Link) {
        let mut client = self.begin(run);
        while self.subscribed.len() < SUBJECTS.len() {
            assert!(self.take_next(run, &mut client, SOON), "subscribed to {:?} only", self.subscribed);
        }
        (self, client)
    }

    /// Reads until the last message of every subject is there.
    pub(super) fn hear_the_last(&mut self, run: &Run, client: &mut Link) {
        for subject in SUBJECTS.map(|name| Subject::parse(name).expect("a subject")) {
            while self.positions[&subject] < run.witness.last(&subject) {
                assert!(self.take_next(run, client, SOON), "nothing more came, at {:?}", self.positions);
            }
        }
    }

    /// Connects and subscribes to everything, from where it is.
    fn begin(&mut self, run: &Run) -> Link {
        if self.style.events { self.begin_events(run) } else { self.begin_native(run) }
    }

    fn begin_events(&mut self, run: &Run) -> Link {
        let id = self.last_event_id.as_deref();
        let token = id.map(|id| ResumeToken::decode(id, &SUBJECTS).expect("the server reads its own ids"));
        self.given.clear();
        for (index, name) in SUBJECTS.iter().enumerate() {
            if let Some(position) = token.as_ref().and_then(|token| token.position(index)) {
                self.given.insert(Subject::parse(name).expect("a subject"), position);
            }
        }
        let Style { history, conflation_ms, .. } = self.style;
        let mut query = format!("history={history}&conflation_ms={conflation_ms}");
        for name in SUBJECTS {
            query.push_str("&subject=");
            query.push_str(name);
        }
        Link::Events(EventStream::open(&run.address, &query, id))
    }

    fn begin_native(&mut self, run: &Run) -> Link {
        let mut client = Native::connect(&run.address, None);
        self.given = self.positions.clone();
        let items: Vec<Value> = SUBJECTS
            .iter()
            .map(|name| match self.given.get(&Subject::parse(name).expect("a subject")) {
                Some(position) => json!({"subject": name, "epoch": position.epoch.0, "seq": position.seq.0}),
                None => (*name).into(),
            })
            .collect();
        let Style { history, conflation_ms, .. } = self.style;
        client.send(&json!({"op": "subscribe", "id": 1, "subjects": items, "history": history,
            "conflation_ms": conflation_ms}));
        Link::Native(client)
    }

    /// Takes what comes next within that time; whether the connection goes on.
    fn take_next(&mut self, run: &Run, client: &mut Link, time: Duration) -> bool {
        match client.next_within(time) {
            Some(Seen::Frame(frame, id)) => {
                self.take(run, &frame);
                self.last_event_id = id.or_else(|| self.last_event_id.take());
            }
            Some(Seen::Other) => {}
            // A client on a busy machine may be slow; it resumes.
            Some(Seen::End(None | Some(4300))) | None => return false,
            Some(Seen::End(Some(code))) => panic!("closed with {code}"),
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

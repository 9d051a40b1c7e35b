//! A publisher whose connections are cut; what was not answered it publishes again, with the same stamp.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sterna_model::{Position, Qos, Random, Subject};
use sterna_oracle::{ContentId, Observation, PublisherId};

use super::{Run, SUBJECTS};
use crate::native::{Incoming, Native};
use crate::support::{SOON, TOKEN};

/// Publishes without a result; below the 512 that a server remembers.
const WINDOW: usize = 100;
/// Bursts of publishes between two kills, on average.
const BURSTS_PER_LIFE: u64 = 30;
/// Most publishes in one go.
const BURST_MAX: u64 = 20;
/// Time between two bursts: together some thousand publishes a second.
const PACE: Duration = Duration::from_millis(2);

/// A publish that has no result yet.
struct Open {
    subject: Subject,
    content: ContentId,
    retained: bool,
}

/// One publisher.
pub(super) struct Publisher {
    number: u64,
    name: String,
    random: Random,
    next: u64,
    /// By publisher sequence.
    open: BTreeMap<u64, Open>,
}

impl Publisher {
    pub(super) fn new(number: u64, mut random: Random) -> Self {
        let name = format!("p-{number}-{:016x}", random.next());
        Self { number, name, random, next: 1, open: BTreeMap::new() }
    }

    /// Publishes until the run is over and every publish has its result.
    pub(super) fn publish_until_over(mut self, run: &Run) {
        while !(run.is_over.load(Relaxed) && self.open.is_empty()) {
            self.live(run);
        }
    }

    /// Publishes one more message to every subject.
    pub(super) fn publish_last(mut self, run: &Run) {
        let mut client = Native::connect(&run.address, Some(TOKEN));
        for subject in SUBJECTS {
            self.begin(subject);
            self.publish(run, &mut client, self.next - 1);
        }
        self.take_results(run, &mut client, 0);
    }

    /// One connection, from its beginning to its cut.
    fn live(&mut self, run: &Run) {
        let mut client = Native::connect(&run.address, Some(TOKEN));
        let retries: Vec<u64> = self.open.keys().copied().collect();
        for sequence in retries {
            self.publish(run, &mut client, sequence);
        }
        for _ in 0..self.random.below(2 * BURSTS_PER_LIFE) {
            if run.is_over.load(Relaxed) {
                self.take_results(run, &mut client, 0);
                return;
            }
            self.take_results(run, &mut client, WINDOW - BURST_MAX as usize);
            for _ in 0..=self.random.below(BURST_MAX) {
                let subject = self.random.below(SUBJECTS.len() as u64);
                self.begin(SUBJECTS[subject as usize]);
                self.publish(run, &mut client, self.next - 1);
            }
        }
        if self.random.one_in(2) {
            client.abort();
        }
        for open in self.open.values() {
            run.witness.saw(Observation::Unknown { content: open.content });
        }
    }

    /// A new message.
    fn begin(&mut self, subject: &str) {
        let open = Open {
            subject: Subject::parse(subject).expect("a subject"),
            content: ContentId(self.number << 32 | self.next),
            retained: !self.random.one_in(4),
        };
        self.open.insert(self.next, open);
        self.next += 1;
    }

    /// Sends a message, for the first time or again.
    fn publish(&mut self, run: &Run, client: &mut Native, sequence: u64) {
        let Open { subject, content, retained } = &self.open[&sequence];
        let padding = "x".repeat(self.random.below(300) as usize);
        run.witness.saw(Observation::Attempt {
            publisher: PublisherId(self.number),
            subject: subject.clone(),
            content: *content,
            qos: Qos::Guaranteed,
            retained: *retained,
        });
        let request = json!({"op": "publish", "id": sequence, "subject": subject.as_str(), "retained": retained,
            "content": format!("{} {padding}", content.0), "publisher": self.name, "publisher_seq": sequence});
        client.send(&request);
    }

    /// Takes results for a moment, and then until at most `open_max` publishes are without one.
    fn take_results(&mut self, run: &Run, client: &mut Native, open_max: usize) {
        let moment = Instant::now() + PACE;
        loop {
            let left = moment.saturating_duration_since(Instant::now());
            let time = match left.is_zero() {
                true if self.open.len() <= open_max => return,
                true => SOON,
                false => left,
            };
            match client.next_within(time) {
                Some(Incoming::Frame(frame)) => self.take_result(run, &frame),
                Some(Incoming::Ping(_)) | None => assert!(time < SOON, "no result came"),
                Some(other) => panic!("{other:?} for a publisher"),
            }
        }
    }

    fn take_result(&mut self, run: &Run, frame: &Value) {
        assert_eq!((&frame["op"], &frame["status"]), (&"published".into(), &"OK".into()), "{frame}");
        let number = |name: &str| frame[name].as_u64().unwrap_or_else(|| panic!("no {name}: {frame}"));
        let open = self.open.remove(&number("id")).unwrap_or_else(|| panic!("answered twice: {frame}"));
        let position = Position::new(number("epoch"), number("seq"));
        let duplicate = frame["duplicate"] == true;
        let acknowledged =
            Observation::Acknowledged { content: open.content, position: Some(position), duplicate };
        run.witness.saw_acknowledged(&open.subject, position, acknowledged);
    }
}

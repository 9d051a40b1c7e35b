//! A publisher: at a steady rate, and whatever happens, until each publish has its result.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use sterna_client::{Client, Event, Published};
use sterna_model::{Message, Qos, Subject};
use sterna_oracle::{ContentId, Observation, PublisherId};

use super::{END_MAX, Shared, TICK, client};

/// Publishes without a result; below the 512 that a server remembers.
const WINDOW: usize = 200;

/// One publisher.
pub(super) struct Publisher {
    id: PublisherId,
    client: Client,
    interval: Duration,
    next: u64,
    /// Those without a result, by publisher sequence.
    open: BTreeMap<u64, Open>,
    /// Since when there is no session, after there was one.
    lost_at: Option<Instant>,
    is_connected: bool,
}

struct Open {
    subject: Subject,
    content: ContentId,
    retained: bool,
    at: Instant,
    is_retried: bool,
}

impl Publisher {
    pub(super) fn new(number: u64, shared: &Shared) -> Self {
        let plan = &shared.plan;
        let share = f64::from(plan.messages_per_second) / plan.publishers as f64;
        Self {
            id: PublisherId(number),
            client: client(&plan.publish_at, number),
            interval: Duration::from_secs_f64(1.0 / share),
            next: 0,
            open: BTreeMap::new(),
            lost_at: None,
            is_connected: false,
        }
    }

    /// Publishes until the load is over and every publish has its result.
    pub(super) fn publish(mut self, shared: &Shared) {
        self.client.connect();
        let mut due = Instant::now();
        let mut over_at = None;
        loop {
            let now = Instant::now();
            if shared.is_over.load(Relaxed) {
                let over_at = *over_at.get_or_insert(now);
                if self.open.is_empty() || shared.witness.is_given_up() {
                    return;
                }
                assert!(now < over_at + END_MAX, "{} publishes have no result", self.open.len());
            } else {
                // What an outage held up is not made good: the rate goes on.
                due = due.max(now - 10 * TICK);
                while due <= now && self.open.len() < WINDOW {
                    self.publish_next(shared);
                    due += self.interval;
                }
            }
            let wait = due.saturating_duration_since(Instant::now()).clamp(Duration::from_millis(1), TICK);
            let mut event = self.client.next_event(wait);
            while let Some(happened) = event {
                self.take(happened, shared);
                event = self.client.queued_event();
            }
        }
    }

    fn publish_next(&mut self, shared: &Shared) {
        let index = (self.next + self.id.0) % shared.plan.subjects;
        let open = Open {
            subject: shared.subjects[index as usize].clone(),
            content: ContentId(self.id.0 << 32 | self.next),
            retained: !self.next.is_multiple_of(4),
            at: Instant::now(),
            is_retried: false,
        };
        self.next += 1;
        shared.witness.saw(self.attempt(&open));
        let mut message = Message::new(open.subject.clone(), open.content.0.to_string().into_bytes());
        message.retained = open.retained;
        let sequence = self.client.publish(message).expect("the window is smaller than the client's");
        self.open.insert(sequence, open);
    }

    fn take(&mut self, event: Event, shared: &Shared) {
        match event {
            Event::Published(published) => self.take_result(&published, shared),
            Event::ConnectOk(_) => {
                self.is_connected = true;
                if let Some(lost_at) = self.lost_at.take() {
                    shared.witness.saw_outage(lost_at.elapsed());
                }
            }
            // The client sends again what has no result.
            Event::ServerDown { .. } if std::mem::take(&mut self.is_connected) => {
                self.lost_at = Some(Instant::now());
                for open in self.open.values() {
                    shared.witness.saw(Observation::Unknown { content: open.content });
                    shared.witness.saw(self.attempt(open));
                }
                self.open.values_mut().for_each(|open| open.is_retried = true);
            }
            Event::ConnectDeny(refusal) => panic!("a publisher was denied: {refusal:?}"),
            _ => {}
        }
    }

    fn take_result(&mut self, published: &Published, shared: &Shared) {
        let open = self.open.remove(&published.publisher_seq).expect("one result for each publish");
        let content = open.content;
        match &published.outcome {
            Ok(accepted) => {
                // The client repeats what a busy server refused, and does not tell.
                if accepted.duplicate && !open.is_retried {
                    shared.witness.saw(self.attempt(&open));
                }
                let (position, duplicate) = (accepted.position, accepted.duplicate);
                let acknowledged = Observation::Acknowledged { content, position, duplicate };
                shared.witness.saw_acknowledged(&open.subject, position, open.at, acknowledged);
            }
            Err(failure) if failure.uncertain => {
                shared.witness.saw_failure(Observation::Unknown { content });
            }
            Err(_) => shared.witness.saw_failure(Observation::Refused { content }),
        }
    }

    fn attempt(&self, open: &Open) -> Observation {
        Observation::Attempt {
            publisher: self.id,
            subject: open.subject.clone(),
            content: open.content,
            qos: Qos::Guaranteed,
            retained: open.retained,
        }
    }
}

//! A subscriber of everything: whatever happens, until it has all that was ever acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use sterna_client::{Client, Event, Subscribed};
use sterna_model::{Kind, Position, Record, Recovery, Subject};
use sterna_oracle::{Beginning, ContentId, Delivery, Observation, SubscriberId};

use super::{END_MAX, Shared, TICK, client};

/// One subscriber.
pub(super) struct Subscriber {
    id: SubscriberId,
    client: Client,
    /// Where it is, and resumes, as its client does.
    positions: BTreeMap<Subject, Position>,
    /// Subscriptions that stand.
    subscribed: BTreeSet<Subject>,
    /// Since when it has not all of its subscriptions, after it had them.
    lost_at: Option<Instant>,
}

impl Subscriber {
    pub(super) fn new(number: u64, servers: &[String]) -> Self {
        Self {
            id: SubscriberId(number),
            client: client(servers, number),
            positions: BTreeMap::new(),
            subscribed: BTreeSet::new(),
            lost_at: None,
        }
    }

    /// Follows until all publishes have their results, and every message of them is here.
    pub(super) fn follow(mut self, history: u32, shared: &Shared) {
        self.client.subscribe_with_history(shared.subjects.iter().map(Subject::as_str), history);
        self.client.connect();
        let mut answered_at = None;
        loop {
            if shared.is_answered.load(Relaxed) {
                let answered_at = *answered_at.get_or_insert_with(Instant::now);
                if self.has_everything(shared) || shared.witness.is_given_up() {
                    return;
                }
                assert!(
                    answered_at.elapsed() < END_MAX,
                    "subscriber {} does not get everything: it is at {:?}, with {} subscriptions",
                    self.id.0,
                    self.positions,
                    self.subscribed.len()
                );
            }
            let mut event = self.client.next_event(TICK);
            while let Some(happened) = event {
                self.take(happened, shared);
                event = self.client.queued_event();
            }
        }
    }

    fn has_everything(&self, shared: &Shared) -> bool {
        let has = |subject| self.positions.get(subject).copied() >= Some(shared.witness.last(subject));
        self.subscribed.len() == shared.subjects.len() && shared.subjects.iter().all(has)
    }

    fn take(&mut self, event: Event, shared: &Shared) {
        match event {
            Event::Subscribed(subscribed) => self.take_subscribed(&subscribed, shared),
            Event::Message { kind, record } => self.take_message(kind, *record, shared),
            Event::ServerDown { .. } => {
                if self.subscribed.len() == shared.subjects.len() {
                    self.lost_at = Some(Instant::now());
                }
                for subject in std::mem::take(&mut self.subscribed) {
                    shared.witness.saw(Observation::Disconnected { subscriber: self.id, subject });
                }
            }
            Event::ConnectDeny(refusal) | Event::SubscribeDeny { refusal, .. } => {
                panic!("a subscriber was denied: {refusal:?}")
            }
            _ => {}
        }
    }

    fn take_subscribed(&mut self, subscribed: &Subscribed, shared: &Shared) {
        let Subscribed { recovery, position: cut, missed, .. } = *subscribed;
        let subject = Subject::parse(&subscribed.subject).expect("we subscribed to it");
        let resume = self.positions.get(&subject).copied().filter(|_| recovery != Recovery::Fresh);
        if recovery != Recovery::Complete {
            self.positions.insert(subject.clone(), cut);
        }
        self.subscribed.insert(subject.clone());
        if self.subscribed.len() == shared.subjects.len()
            && let Some(lost_at) = self.lost_at.take()
        {
            shared.witness.saw_outage(lost_at.elapsed());
        }
        let beginning = Beginning { resume, recovery, cut, missed, conflated: false };
        shared.witness.saw_subscribed(Observation::Subscribed { subscriber: self.id, subject, beginning });
    }

    fn take_message(&mut self, kind: Kind, record: Record, shared: &Shared) {
        let Record { position, message, .. } = record;
        let content = std::str::from_utf8(&message.content).ok().and_then(|text| text.parse().ok());
        let at = self.positions.entry(message.subject.clone()).or_default();
        *at = position.max(*at);
        let delivery = Delivery {
            kind,
            position,
            qos: message.qos,
            content: ContentId(content.expect("publishers write a number")),
            retained: message.retained,
        };
        let subject = message.subject;
        shared.witness.saw(Observation::Delivered { subscriber: self.id, subject, delivery });
    }
}

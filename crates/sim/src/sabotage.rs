//! Broken rules on purpose, at the seams between core, sessions and sockets: proof that the judge would notice.

use std::collections::BTreeMap;
use std::sync::Arc;

use sterna_broker::core::{Effect, Event, PublishEvent};
use sterna_model::{Accepted, Kind, Message, Position, Qos, Record, Recovery, Subject};

use crate::network::SocketId;
use crate::random::Random;

/// One way to break a rule. Done once in a run, at a place that the seed chooses, if not said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// A guaranteed message does not reach one of its subscribers.
    DropDelivery,
    /// It reaches one twice.
    RepeatDelivery,
    /// It reaches one after the next one.
    SwapDeliveries,
    /// A message that nobody published reaches a subscriber in the place of another one.
    Invent,
    /// A resume that has a gap is called complete.
    GapAsComplete,
    /// A resume from another lineage is called complete.
    ResetAsComplete,
    /// A recovered message is left out.
    DropRecovered,
    /// An older retained message is sent as the snapshot.
    StaleSnapshot,
    /// Retries are not recognised, for the whole run.
    ForgetDedup,
    /// A first try is called a retry.
    CallDuplicate,
    /// A refused publish is answered with OK.
    AcknowledgeRefused,
    /// A publish is answered with OK and thrown away.
    AcknowledgeLost,
    /// Two publishes of a connection to a subject are taken in the wrong order.
    SwapPublishes,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::DropDelivery,
        Self::RepeatDelivery,
        Self::SwapDeliveries,
        Self::Invent,
        Self::GapAsComplete,
        Self::ResetAsComplete,
        Self::DropRecovered,
        Self::StaleSnapshot,
        Self::ForgetDedup,
        Self::CallDuplicate,
        Self::AcknowledgeRefused,
        Self::AcknowledgeLost,
        Self::SwapPublishes,
    ];

    /// The way of that name, such as `DropDelivery`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sabotage| format!("{sabotage:?}") == name)
    }
}

/// Does it.
#[derive(Debug)]
pub(crate) struct Saboteur {
    sabotage: Option<Sabotage>,
    /// Opportunities that it lets pass.
    patience: u64,
    /// Last guaranteed position of each subject that somebody hears, to lie plausibly.
    last: BTreeMap<Subject, Position>,
    /// A retained message of each subject that is not the newest.
    stale: BTreeMap<Subject, Arc<Record>>,
    /// A message that waits for the next one of the same socket and subject.
    held: Option<(SocketId, Arc<Record>)>,
}

type Delivered = (Kind, Arc<Record>);

impl Saboteur {
    pub(crate) fn new(sabotage: Option<Sabotage>, mut random: Random) -> Self {
        let patience = random.below(20);
        Self { sabotage, patience, last: BTreeMap::new(), stale: BTreeMap::new(), held: None }
    }

    /// Whether this opportunity is the one.
    fn strikes(&mut self) -> bool {
        let strikes = self.patience == 0;
        self.patience = self.patience.wrapping_sub(1);
        strikes
    }

    /// A batch on its way to the core.
    pub(crate) fn tamper_batch(&mut self, batch: &mut [Event]) {
        if self.sabotage != Some(Sabotage::SwapPublishes) {
            return;
        }
        let place = |event: &Event| match event {
            Event::Publish(publish) if publish.message.qos == Qos::Guaranteed => {
                Some((publish.from, publish.message.subject.clone()))
            }
            _ => None,
        };
        let pair =
            batch.windows(2).position(|pair| place(&pair[0]).is_some() && place(&pair[0]) == place(&pair[1]));
        if let Some(at) = pair.filter(|_| self.strikes()) {
            batch.swap(at, at + 1);
        }
    }

    /// An event on its way to the core. With an effect, the core does not get it.
    pub(crate) fn tamper_event(&mut self, event: &mut Event) -> Option<Effect> {
        let Event::Publish(publish) = event else { return None };
        match self.sabotage {
            Some(Sabotage::ForgetDedup) => publish.stamp = None,
            Some(Sabotage::AcknowledgeLost) => return self.acknowledge_lost(publish),
            _ => {}
        }
        None
    }

    fn acknowledge_lost(&mut self, publish: &PublishEvent) -> Option<Effect> {
        let last = self.last.get(&publish.message.subject).copied()?;
        let meant = publish.wants_result && publish.message.qos == Qos::Guaranteed && self.strikes();
        let position = Some(Position { seq: last.seq.next(), ..last });
        meant.then(|| Effect::PublishResult {
            to: publish.from,
            id: publish.id,
            closure: publish.message.closure.clone(),
            outcome: Ok(Accepted { position, duplicate: false }),
        })
    }

    /// An effect on its way to a shard.
    pub(crate) fn tamper_effect(&mut self, effect: &mut Effect) {
        let Some(sabotage) = self.sabotage else { return };
        match effect {
            Effect::Deliver { record, .. } => self.note(record),
            Effect::PublishResult { outcome, .. } => match (sabotage, &outcome) {
                (Sabotage::CallDuplicate, Ok(Accepted { position, duplicate: false })) if self.strikes() => {
                    *outcome = Ok(Accepted { position: *position, duplicate: true });
                }
                (Sabotage::AcknowledgeRefused, Err(_)) if self.strikes() => {
                    let last = self.last.values().next().copied().unwrap_or(Position::new(1, 1));
                    let position = Some(Position { seq: last.seq.next(), ..last });
                    *outcome = Ok(Accepted { position, duplicate: false });
                }
                _ => {}
            },
            Effect::Subscribed { cut, page, .. } => {
                let lie = match cut.recovery {
                    Recovery::Gap => sabotage == Sabotage::GapAsComplete,
                    Recovery::Reset => sabotage == Sabotage::ResetAsComplete,
                    Recovery::Fresh | Recovery::Complete => false,
                };
                if lie && self.strikes() {
                    (cut.recovery, cut.missed) = (Recovery::Complete, None);
                    page.messages.clear();
                }
            }
            Effect::SubscribeRefused { .. }
            | Effect::Caught { .. }
            | Effect::Unsubscribed { .. }
            | Effect::Answer { .. } => {}
        }
    }

    fn note(&mut self, record: &Arc<Record>) {
        let subject = record.message.subject.clone();
        if record.message.qos == Qos::Guaranteed {
            self.last.insert(subject.clone(), record.position);
            if record.message.retained {
                self.stale.entry(subject).or_insert_with(|| record.clone());
            }
        }
    }

    /// A message on its way to a client.
    pub(crate) fn tamper_message(
        &mut self,
        socket: SocketId,
        message: Delivered,
        mut push: impl FnMut(Delivered),
    ) {
        let (kind, record) = &message;
        let guaranteed = record.message.qos == Qos::Guaranteed;
        let (kind, record) = (*kind, record.clone());
        match self.sabotage.filter(|_| guaranteed) {
            Some(Sabotage::DropDelivery) if kind == Kind::Update && self.strikes() => return,
            Some(Sabotage::DropRecovered) if kind == Kind::Recovered && self.strikes() => return,
            Some(Sabotage::RepeatDelivery) if self.strikes() => push((kind, record)),
            Some(Sabotage::Invent) if self.strikes() => return push((kind, Arc::new(invented(&record)))),
            Some(Sabotage::StaleSnapshot) if kind == Kind::Snapshot => {
                return push((kind, self.stale(record)));
            }
            Some(Sabotage::SwapDeliveries) if kind == Kind::Update => {
                let of_this = |(held_for, held): &mut (SocketId, Arc<Record>)| {
                    *held_for == socket && held.message.subject == record.message.subject
                };
                if let Some((_, held)) = self.held.take_if(of_this) {
                    push(message);
                    return push((kind, held));
                }
                if self.strikes() {
                    self.held = Some((socket, record));
                    return;
                }
            }
            _ => {}
        }
        push(message);
    }

    /// An older retained message instead of the snapshot, if there is one and its time has come.
    fn stale(&mut self, snapshot: Arc<Record>) -> Arc<Record> {
        let stale = self.stale.get(&snapshot.message.subject).cloned();
        match stale.filter(|stale| stale.position < snapshot.position) {
            Some(stale) if self.strikes() => stale,
            _ => snapshot,
        }
    }
}

fn invented(record: &Record) -> Record {
    let mut invented = record.clone();
    invented.message = Message { content: u64::MAX.to_le_bytes().into(), ..record.message.clone() };
    invented
}

//! Broken rules on purpose, at the seams between core, sessions and sockets: proof that the judge would notice.

mod cluster;

use std::collections::BTreeMap;
use std::sync::Arc;

use sterna_broker::core::{Effect, Event, PeerEvent, PeerFrame, PublishEvent, REHEARSAL};
use sterna_model::{Accepted, Epoch, Kind, Message, Position, Qos, Random, Record, Recovery, Subject};
use sterna_replica::Level;

use crate::member::MemberId;
use crate::network::SocketId;

use cluster::Lies;

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
    /// A publish is acknowledged when the leader has it, long before it is committed. This and all that follow need
    /// several members, and are done again and again.
    AcknowledgeEarly,
    /// A message is delivered at the leader before it is committed.
    DeliverEarly,
    /// Publishers are remembered only by the member that they published at.
    ForgetDedupElsewhere,
    /// A batch that was sent before is sent under another number.
    ResendAsNew,
    /// The epoch stays when a majority has lost its memory.
    KeepEpoch,
    /// A member that got the state from another one counts from 1.
    RestartSeqs,
    /// Publishers whose publish has an unknown end are not told.
    ForgetWaiters,
    /// Subscriptions go on although the state was replaced.
    KeepSubscriptions,
    /// A member applies at a level that it knows as soon as it hears that another one knows it, too.
    SwitchEarly,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 22] = [
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
        Self::AcknowledgeEarly,
        Self::DeliverEarly,
        Self::ForgetDedupElsewhere,
        Self::ResendAsNew,
        Self::KeepEpoch,
        Self::RestartSeqs,
        Self::ForgetWaiters,
        Self::KeepSubscriptions,
        Self::SwitchEarly,
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
    lies: Lies,
}

type Delivered = (Kind, Arc<Record>);

impl Saboteur {
    pub(crate) fn new(sabotage: Option<Sabotage>, mut random: Random) -> Self {
        let patience = random.below(20);
        let (last, stale) = (BTreeMap::new(), BTreeMap::new());
        Self { sabotage, patience, last, stale, held: None, lies: Lies::default() }
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

    /// An event on its way to the core of a member, which leads or does not. True if the core does not get it.
    pub(crate) fn tamper_event(
        &mut self,
        at: (MemberId, bool, Epoch),
        event: &mut Event,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(sabotage) = self.sabotage else { return false };
        let Event::Publish(publish) = event else {
            self.lies.tamper_question(sabotage, at, event);
            return false;
        };
        match sabotage {
            Sabotage::ForgetDedup => publish.stamp = None,
            Sabotage::AcknowledgeLost => {
                let acknowledged = self.acknowledge_lost(publish);
                let is_lost = acknowledged.is_some();
                effects.extend(acknowledged);
                return is_lost;
            }
            _ => self.lies.tamper_publish(sabotage, at, publish, effects),
        }
        false
    }

    /// A frame on its way to another member.
    pub(crate) fn tamper_frame(&mut self, frame: &mut PeerFrame) {
        if self.sabotage == Some(Sabotage::ResendAsNew) {
            self.lies.tamper_frame(frame);
        }
    }

    /// Whether a member that knows so much, and hears this, switches by itself.
    pub(crate) fn switches(&self, level_max: Level, event: &PeerEvent) -> bool {
        self.sabotage == Some(Sabotage::SwitchEarly)
            && level_max >= REHEARSAL
            && cluster::level_heard(event).is_some_and(|level| level >= REHEARSAL)
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

    /// An effect on its way to a shard of a member. True if the shard does not get it.
    pub(crate) fn tamper_effect(&mut self, member: MemberId, effect: &mut Effect) -> bool {
        let Some(sabotage) = self.sabotage else { return false };
        if self.lies.tamper_effect(sabotage, member, effect) {
            return true;
        }
        self.tamper_own_effect(sabotage, effect);
        false
    }

    fn tamper_own_effect(&mut self, sabotage: Sabotage, effect: &mut Effect) {
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
            | Effect::ReadRefused { .. }
            | Effect::Disconnect { .. }
            | Effect::Interrupted { .. }
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

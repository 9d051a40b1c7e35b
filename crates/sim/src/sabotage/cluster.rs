//! Broken rules that show only where several members have something in common.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::BytesMut;
use sterna_broker::core::{
    Channel, Cut, Effect, Event, PeerEvent, PeerFrame, PublishEvent, Reading, ShardSet,
};
use sterna_model::{Accepted, Epoch, GroupId, Position, Qos, Record, Seq, Subject, SubjectId};
use sterna_replica::Level;
use sterna_replica::codec::decode;
use sterna_replica::frame::Body;

use super::Sabotage;
use crate::member::MemberId;

/// Where the origin and the number of a batch are in a frame of the forward channel, behind version and kind.
const ORIGIN: std::ops::Range<usize> = 2..18;
const NUMBER: std::ops::Range<usize> = 18..26;

/// What must be remembered to lie plausibly.
#[derive(Debug, Default)]
pub(super) struct Lies {
    /// Last position of each subject that was heard of or promised.
    last: BTreeMap<Subject, Position>,
    /// Where each subject is delivered at a member.
    audiences: BTreeMap<(MemberId, Subject), (SubjectId, ShardSet)>,
    /// What was delivered early there.
    early: BTreeMap<(MemberId, Subject), Position>,
    sent: BTreeSet<Vec<u8>>,
    renamed: u128,
    first_epoch: Option<Epoch>,
    /// Members that got their state from another one, with what each subject is counted from.
    restarted: BTreeMap<MemberId, BTreeMap<Subject, Seq>>,
}

impl Lies {
    pub(super) fn tamper_publish(
        &mut self,
        sabotage: Sabotage,
        (member, leads, _): (MemberId, bool, Epoch),
        publish: &mut PublishEvent,
        effects: &mut Vec<Effect>,
    ) {
        let subject = &publish.message.subject;
        if publish.message.qos != Qos::Guaranteed {
            return;
        }
        match sabotage {
            Sabotage::ForgetDedupElsewhere => {
                if let Some(stamp) = &mut publish.stamp {
                    stamp.publisher = format!("{}@{}", stamp.publisher, member.0).into();
                }
            }
            Sabotage::AcknowledgeEarly if leads && publish.wants_result => {
                let Some(last) = self.last.get_mut(subject) else { return };
                last.seq = last.seq.next();
                publish.wants_result = false;
                effects.push(Effect::PublishResult {
                    to: publish.from,
                    id: publish.id,
                    closure: publish.message.closure.clone(),
                    outcome: Ok(Accepted { position: Some(*last), duplicate: false }),
                });
            }
            Sabotage::DeliverEarly if leads => {
                let key = (member, subject.clone());
                let Some((number, shards)) = self.audiences.get(&key).copied() else { return };
                let Some(last) = self.last.get_mut(subject) else { return };
                last.seq = last.seq.next();
                let (position, message) = (*last, publish.message.clone());
                let record = Arc::new(Record { group: GroupId(0), position, time_ms: 0, message });
                self.early.insert(key, position);
                let received_us = publish.received_us;
                effects.push(Effect::Deliver { subject: number, shards, record, received_us });
            }
            _ => {}
        }
    }

    /// The rules judge as if the epoch of old were that of now.
    pub(super) fn tamper_question(
        &mut self,
        sabotage: Sabotage,
        (_, _, epoch): (MemberId, bool, Epoch),
        event: &mut Event,
    ) {
        if sabotage != Sabotage::KeepEpoch {
            return;
        }
        match event {
            Event::Subscribe(subscribe) => {
                if let Some(resume) = &mut subscribe.start.resume {
                    resume.epoch = epoch;
                }
            }
            Event::Read { reading: Reading::After(position), .. } => position.epoch = epoch,
            _ => {}
        }
    }

    /// A batch that goes out a second time gets another name.
    pub(super) fn tamper_frame(&mut self, frame: &mut PeerFrame) {
        let is_batch = frame.channel == Channel::Forward && frame.bytes.get(1) == Some(&1);
        if !is_batch || self.sent.insert(frame.bytes[ORIGIN.start..NUMBER.end].to_vec()) {
            return;
        }
        self.renamed += 1;
        let mut bytes = BytesMut::from(&frame.bytes[..]);
        bytes[ORIGIN].copy_from_slice(&(u128::MAX - self.renamed).to_be_bytes());
        bytes[NUMBER].copy_from_slice(&1_u64.to_be_bytes());
        frame.bytes = bytes.freeze();
    }

    /// True if the effect is to be lost.
    pub(super) fn tamper_effect(
        &mut self,
        sabotage: Sabotage,
        member: MemberId,
        effect: &mut Effect,
    ) -> bool {
        match (sabotage, &mut *effect) {
            (Sabotage::ForgetWaiters, Effect::Disconnect { .. })
            | (Sabotage::KeepSubscriptions, Effect::Interrupted { .. }) => return true,
            (Sabotage::RestartSeqs, Effect::Interrupted { subject: None, .. }) => {
                self.restarted.entry(member).or_default();
            }
            (_, Effect::Deliver { subject, shards, record, .. }) if record.message.qos == Qos::Guaranteed => {
                let key = (member, record.message.subject.clone());
                let was_early = self.early.get(&key).is_some_and(|early| record.position <= *early);
                self.audiences.insert(key, (*subject, *shards));
                let last = self.last.entry(record.message.subject.clone()).or_default();
                *last = (*last).max(record.position);
                if was_early && record.time_ms != 0 {
                    return true;
                }
            }
            _ => {}
        }
        match sabotage {
            Sabotage::KeepEpoch => {
                let mut keep = |position: &mut Position| {
                    position.epoch = *self.first_epoch.get_or_insert(position.epoch);
                };
                if let Effect::PublishResult {
                    outcome: Ok(Accepted { position: Some(position), .. }), ..
                } = effect
                {
                    keep(position);
                }
                change(effect, |_, position| keep(position));
            }
            Sabotage::RestartSeqs => {
                if let Some(counts) = self.restarted.get_mut(&member) {
                    change(effect, |subject, position| {
                        let from = counts.entry(subject.clone()).or_insert(position.seq);
                        position.seq.0 = position.seq.0.saturating_sub(from.0);
                    });
                }
            }
            _ => {}
        }
        false
    }
}

/// The highest level that another member says it knows.
pub(super) fn level_heard(event: &PeerEvent) -> Option<Level> {
    let PeerEvent::Frame { channel: Channel::Log, bytes, .. } = event else { return None };
    match decode(bytes).ok()?.body {
        Body::Presence(presence) => Some(presence.stance.level_max),
        _ => None,
    }
}

/// Changes every position of an effect that belongs to a subject.
fn change(effect: &mut Effect, mut by: impl FnMut(&Subject, &mut Position)) {
    let mut change_record = |record: &mut Arc<Record>| {
        let mut changed = Record::clone(record);
        by(&record.message.subject, &mut changed.position);
        *record = Arc::new(changed);
    };
    match effect {
        Effect::Deliver { record, .. } => change_record(record),
        Effect::Subscribed { name, cut: Cut { position, .. }, page, .. } => {
            page.messages.iter_mut().for_each(|(_, record)| change_record(record));
            by(name, position);
        }
        Effect::Caught { page: Some(page), .. } => {
            page.messages.iter_mut().for_each(|(_, record)| change_record(record));
        }
        Effect::Answer { name, cut: Cut { position, .. }, messages, .. } => {
            messages.iter_mut().for_each(|(_, record)| change_record(record));
            by(name, position);
        }
        _ => {}
    }
}

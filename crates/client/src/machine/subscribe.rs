//! Subscriptions: what the user wants, where each stands, and how it goes on after a reconnect.

use std::collections::BTreeMap;

use sterna_model::limit::{FRAME_OVERHEAD_BYTES_MAX, SUBJECT_BYTES_MAX};
use sterna_model::{Class, Kind, Position, Record, Recovery, Request, Seq, Start, SubscribeItem};
use sterna_wire::native::Refusal;

use super::Machine;
use super::pause::Pause;
use crate::event::class_of;
use crate::{Event, Subscribed};

/// If nothing of the past came for so long, nothing was still to come: the server sends it at once. Milliseconds.
const BEGINNING_QUIET_MS: u64 = 2_000;
/// Bytes of the subjects of one request: half of what any server takes, because escapes may double a subject.
const REQUEST_BYTES_MAX: usize = FRAME_OVERHEAD_BYTES_MAX / 2;
/// Bytes of one item of a subscribe request besides its subject.
const ITEM_BYTES: usize = 128;

/// All subscriptions, by subject.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    table: BTreeMap<Box<str>, Subscription>,
    /// Whether some may be [`Standing::Wanted`].
    any_wanted: bool,
    /// Held while the server is busy.
    pause: Pause,
}

#[derive(Debug)]
struct Subscription {
    history: u32,
    conflation_ms: u32,
    /// The last position that the user has (C1).
    position: Option<Position>,
    /// Whether it stood before.
    answered: bool,
    beginning: Option<Beginning>,
    standing: Standing,
}

/// The past is still on its way: messages up to the cut.
#[derive(Debug)]
struct Beginning {
    cut: Position,
    /// When its last message came.
    heard_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// To be asked for.
    Wanted,
    /// Asked for, by this request.
    Requested(u64),
    /// Answered.
    Active,
}

impl Subscription {
    fn on_subscribed(&mut self, recovery: Recovery, cut: Position, now_ms: u64) {
        self.standing = Standing::Active;
        self.beginning = None;
        if recovery != Recovery::Complete {
            self.position = Some(cut);
            self.beginning = (cut.seq != Seq(0)).then_some(Beginning { cut, heard_ms: now_ms });
        }
    }

    fn on_message(&mut self, kind: Kind, position: Position, now_ms: u64) {
        self.position = self.position.max(Some(position));
        let is_snapshot_alone = self.history == 0 && kind == Kind::Snapshot;
        self.beginning = self
            .beginning
            .take()
            .filter(|beginning| kind != Kind::Update && !is_snapshot_alone && position < beginning.cut);
        if let Some(beginning) = &mut self.beginning {
            beginning.heard_ms = now_ms;
        }
    }

    /// A subscription that lost some of its past begins anew (C4); the others resume.
    fn on_connection_lost(&mut self, now_ms: u64) {
        self.standing = Standing::Wanted;
        let is_cut_off = |beginning: Beginning| now_ms < beginning.heard_ms + BEGINNING_QUIET_MS;
        if self.beginning.take().is_some_and(is_cut_off) {
            self.position = None;
        }
    }
}

impl Subscriptions {
    pub(super) fn on_connection_lost(&mut self, now_ms: u64) {
        self.pause.reset();
        self.any_wanted = true;
        for subscription in self.table.values_mut() {
            subscription.on_connection_lost(now_ms);
        }
    }

    pub(super) fn pause_until_ms(&self) -> Option<u64> {
        self.pause.until_ms()
    }

    /// Everything that is wanted, in requests of a size that every server takes.
    fn take_wanted(&mut self, last_id: &mut u64) -> Vec<(u64, Vec<SubscribeItem>)> {
        let mut requests: Vec<(u64, Vec<SubscribeItem>)> = Vec::new();
        let mut bytes = 0;
        self.any_wanted = false;
        let wanted = self.table.iter_mut().filter(|(_, entry)| entry.standing == Standing::Wanted);
        for (subject, entry) in wanted {
            let item_bytes = subject.len() + ITEM_BYTES;
            bytes += item_bytes;
            if requests.is_empty() || bytes > REQUEST_BYTES_MAX {
                *last_id += 1;
                requests.push((*last_id, Vec::new()));
                bytes = item_bytes;
            }
            let (id, items) = requests.last_mut().expect("one was pushed above");
            entry.standing = Standing::Requested(*id);
            let start = Start { history: entry.history, resume: entry.position };
            items.push(SubscribeItem { subject: subject.clone(), start, conflation_ms: entry.conflation_ms });
        }
        requests
    }

    /// Subjects that a refusal is about.
    fn refused(&self, id: Option<u64>, subject: Option<&str>) -> Vec<Box<str>> {
        let is_of_request = |subscription: &Subscription| match id {
            Some(id) => subscription.standing == Standing::Requested(id),
            None => subject.is_some(), // the server ended it: a new token does not allow it
        };
        let is_meant = |name: &str| subject.is_none_or(|subject| subject == name);
        let refused =
            self.table.iter().filter(|(name, subscription)| is_meant(name) && is_of_request(subscription));
        refused.map(|(name, _)| name.clone()).collect()
    }
}

impl Machine {
    /// Subscribes; a subject that has a subscription already gets a new one. The items' positions are those from which
    /// to resume.
    pub fn subscribe(&mut self, items: impl IntoIterator<Item = SubscribeItem>, now_ms: u64) {
        for SubscribeItem { subject, start, conflation_ms } in items {
            let subscription = Subscription {
                history: start.history,
                conflation_ms,
                position: start.resume,
                answered: false,
                beginning: None,
                standing: Standing::Wanted,
            };
            self.subscriptions.table.insert(subject, subscription);
        }
        self.subscriptions.any_wanted = true;
        self.request_subscriptions(now_ms);
    }

    /// Ends subscriptions; those of other subjects are not touched.
    pub fn unsubscribe(&mut self, subjects: impl IntoIterator<Item = Box<str>>) {
        let mut asked = Vec::new();
        for subject in subjects {
            match self.subscriptions.table.remove(&subject) {
                Some(Subscription { standing: Standing::Wanted, .. }) => {
                    self.tell(Event::Unsubscribed { subject });
                }
                Some(_) => asked.push(subject),
                None => {}
            }
        }
        for subjects in asked.chunks(REQUEST_BYTES_MAX / SUBJECT_BYTES_MAX) {
            let id = Some(self.next_id());
            self.send(&Request::Unsubscribe { id, subjects: subjects.to_vec() });
        }
    }

    /// Subjects with a subscription, and the last position of each, from which a later client can resume.
    pub fn subjects(&self) -> impl Iterator<Item = (&str, Option<Position>)> {
        self.subscriptions.table.iter().map(|(subject, subscription)| (&**subject, subscription.position))
    }

    /// Asks for what is wanted and was not asked for.
    pub(super) fn request_subscriptions(&mut self, now_ms: u64) {
        let may_ask = self.subscriptions.any_wanted && self.open_session().is_some();
        if may_ask && self.subscriptions.pause.is_over(now_ms) {
            for (id, items) in self.subscriptions.take_wanted(&mut self.last_id) {
                self.send(&Request::Subscribe { id: Some(id), items });
            }
        }
    }

    pub(super) fn on_subscribed(
        &mut self,
        subject: Box<str>,
        recovery: Recovery,
        position: Position,
        missed: Option<(Seq, Seq)>,
        now_ms: u64,
    ) {
        self.subscriptions.pause.succeed();
        let Some(subscription) = self.subscriptions.table.get_mut(&subject) else { return };
        subscription.on_subscribed(recovery, position, now_ms);
        let again = std::mem::replace(&mut subscription.answered, true);
        self.tell(Event::Subscribed(Subscribed { subject, recovery, position, missed, again }));
    }

    pub(super) fn on_message(&mut self, kind: Kind, record: Box<Record>, now_ms: u64) {
        let subject = record.message.subject.as_str();
        // What comes after an unsubscribe is not wanted any more.
        let Some(subscription) = self.subscriptions.table.get_mut(subject) else { return };
        subscription.on_message(kind, record.position, now_ms);
        self.tell(Event::Message { kind, record });
    }

    pub(super) fn on_unsubscribed(&mut self, id: Option<u64>, subject: Box<str>) {
        let ended_by_server = id.is_none() && self.subscriptions.table.remove(&subject).is_some();
        if ended_by_server || id.is_some() {
            self.tell(Event::Unsubscribed { subject });
        }
    }

    /// Whether the refusal was one of subscriptions.
    pub(super) fn on_subscribe_refused(
        &mut self,
        id: Option<u64>,
        subject: Option<&str>,
        refusal: &Refusal,
        now_ms: u64,
    ) -> bool {
        let refused = self.subscriptions.refused(id, subject);
        for subject in &refused {
            if class_of(refusal) == Class::Rejected {
                self.subscriptions.table.remove(subject);
                self.tell(Event::SubscribeDeny { subject: subject.clone(), refusal: refusal.clone() });
            } else if let Some(subscription) = self.subscriptions.table.get_mut(subject) {
                subscription.standing = Standing::Wanted;
                self.subscriptions.any_wanted = true;
            }
        }
        match class_of(refusal) {
            _ if refused.is_empty() => return false,
            Class::Rejected => {}
            Class::Busy => self.subscriptions.pause.begin(now_ms, &mut self.random),
            Class::Unavailable | Class::Broken => self.abandon_for(refusal, now_ms),
        }
        true
    }
}

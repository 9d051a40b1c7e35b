//! Subscribing and unsubscribing: the client's request, and what the core makes of it.

use std::sync::Arc;

use sterna_model::{Code, ConnectionId, Kind, Qos, Record, Reply, Seq, Subject, SubjectId, SubscribeItem};

use super::fetch::{CatchUp, Wish};
use super::{Output, Refusal, Rules, Session, Subscription};
use crate::core::{Cursor, Cut, Event, Page};
use crate::shard::{Audiences, Sessions, Subscriber};

/// Messages for the client, in order.
pub type Messages = Vec<(Kind, Arc<Record>)>;

impl Session {
    pub(super) fn handle_subscribe(
        &mut self,
        rules: &Rules,
        id: Option<u64>,
        items: Vec<SubscribeItem>,
        out: &mut Vec<Output>,
    ) {
        if !self.is_connected() {
            out.push(Output::Reply(Reply::error(id, Code::ConnectRequired)));
            return;
        }
        for item in items {
            match self.judge_subscribe(rules, &item.subject) {
                Ok(name) => {
                    let SubscribeItem { start, conflation_ms, .. } = item;
                    self.wish(Wish::Subscribe { id, name, start, conflation_ms }).subscribing += 1;
                }
                Err((code, detail)) => out.push(refused_because(id, code, item.subject, detail)),
            }
        }
    }

    fn judge_subscribe(&self, rules: &Rules, subject: &str) -> Result<Subject, Refusal> {
        let Some(identity) = &self.identity else { return Err((Code::ConnectRequired, None)) };
        let name = Subject::parse(subject)
            .map_err(|error| (Code::SubjectInvalid, Some(error.to_string().into())))?;
        if !identity.permissions.may_subscribe(&name) {
            return Err((Code::SubscribeDenied, None));
        }
        let pending = self.fetch.as_ref().map_or(0, |fetch| fetch.subscribing + fetch.catching_up.len());
        if self.subscriptions.len() + pending >= rules.subscriptions_max {
            return Err((Code::TooManySubscriptions, None));
        }
        Ok(name)
    }

    pub(super) fn handle_unsubscribe(
        &mut self,
        id: Option<u64>,
        subjects: Vec<Box<str>>,
        out: &mut Vec<Output>,
    ) {
        if !self.is_connected() {
            out.push(Output::Reply(Reply::error(id, Code::ConnectRequired)));
            return;
        }
        for subject in subjects {
            match Subject::parse(&subject) {
                // In line with the subscribes before it, so that the last request wins.
                Ok(name) => {
                    self.wish(Wish::Unsubscribe { id, name });
                }
                Err(_) => out.push(refused(id, Code::SubjectInvalid, subject)),
            }
        }
    }

    /// The core has refused a subscription.
    pub fn on_subscribe_refused(
        &mut self,
        id: Option<u64>,
        name: &Subject,
        code: Code,
        out: &mut Vec<Output>,
    ) {
        self.fetched().subscribing -= 1;
        self.drop_idle_fetch();
        out.push(refused(id, code, name.as_str().into()));
    }

    /// The core has begun a subscription. Returns the first messages, to be sent after the replies. Gives the
    /// subscription up at once if it is no longer allowed.
    pub fn on_subscribed(
        &mut self,
        me: ConnectionId,
        begun: Begun,
        audiences: &mut Audiences,
        sessions: &mut impl Sessions,
        out: &mut Vec<Output>,
    ) -> Messages {
        let Begun { id, conflation_ms, subject, name, cut, page } = begun;
        self.fetched().subscribing -= 1;
        let release = Event::Release { shard: me.shard, subjects: vec![subject] };
        if !self.may_subscribe(&name) {
            // The token was renewed after the request was judged.
            self.drop_idle_fetch();
            out.push(Output::Core(release));
            out.push(refused(id, Code::SubscribeDenied, name.as_str().into()));
            return Messages::new();
        }
        // Subscribing again begins again: the session leaves the audience before it joins anew.
        if self.end_subscription(subject, audiences, sessions) {
            out.push(Output::Core(release));
        }
        out.push(Output::Reply(Reply::Subscribed {
            id,
            subject: name.as_str().into(),
            recovery: cut.recovery,
            position: cut.position,
            missed: cut.missed,
        }));
        self.take_page(me, subject, (name, conflation_ms), cut.position.seq, page, audiences)
    }

    /// The core has answered with a further page. Returns its messages.
    pub fn on_caught(
        &mut self,
        me: ConnectionId,
        (subject, cursor): (SubjectId, Cursor),
        page: Option<Page>,
        audiences: &mut Audiences,
        out: &mut Vec<Output>,
    ) -> Messages {
        let Some(CatchUp { name, conflation_ms, .. }) = self.fetched().take(subject, cursor) else {
            // Unsubscribed, or begun anew, meanwhile.
            self.drop_idle_fetch();
            return Messages::new();
        };
        if let Some(page) = page {
            let last = page.messages.iter().rev().find(|(_, record)| record.message.qos == Qos::Guaranteed);
            let last = last.map_or(Seq(0), |(_, record)| record.position.seq);
            return self.take_page(me, subject, (name, conflation_ms), last, page, audiences);
        }
        out.push(Output::Core(Event::Release { shard: me.shard, subjects: vec![subject] }));
        out.push(Output::Close(Code::SlowConsumer));
        Messages::new()
    }

    fn take_page(
        &mut self,
        me: ConnectionId,
        subject: SubjectId,
        (name, conflation_ms): (Subject, u32),
        last: Seq,
        page: Page,
        audiences: &mut Audiences,
    ) -> Messages {
        if let Some(cursor) = page.next {
            let fetch = self.wish(Wish::Continue { subject, cursor });
            fetch.catching_up.insert(subject, CatchUp { name, conflation_ms, cursor });
        } else {
            let subscriber = Subscriber { connection: me.index, conflation_ms };
            let place = audiences.join(subject, &name, last, subscriber);
            self.subscriptions.insert(Subscription { subject, place });
            self.drop_idle_fetch();
        }
        page.messages
    }

    /// An unsubscribe has reached its place in the order. Returns the subject if a subscription ended.
    pub fn on_unsubscribed(
        &mut self,
        me: ConnectionId,
        ended: Ended,
        audiences: &mut Audiences,
        sessions: &mut impl Sessions,
        out: &mut Vec<Output>,
    ) -> Option<SubjectId> {
        self.fetched();
        let Ended { id, name, subject } = ended;
        let subject = subject.filter(|subject| self.end_subscription(*subject, audiences, sessions));
        self.drop_idle_fetch();
        match subject {
            Some(subject) => {
                out.push(Output::Core(Event::Release { shard: me.shard, subjects: vec![subject] }));
                out.push(Output::Reply(Reply::Unsubscribed { id, subject: name.as_str().into() }));
            }
            None => out.push(refused(id, Code::NotSubscribed, name.as_str().into())),
        }
        subject
    }

    /// Ends a subscription, whether it has caught up or not; false if there is none.
    pub(super) fn end_subscription(
        &mut self,
        subject: SubjectId,
        audiences: &mut Audiences,
        sessions: &mut impl Sessions,
    ) -> bool {
        if let Some(subscription) = self.subscriptions.remove(subject) {
            audiences.leave(subject, subscription.place, sessions);
            return true;
        }
        self.fetch.as_mut().is_some_and(|fetch| fetch.catching_up.remove(&subject).is_some())
    }

    /// The client is gone: leaves all audiences. Returns the subjects that the core must be told to release,
    /// one per subscription.
    pub fn close(self, audiences: &mut Audiences, sessions: &mut impl Sessions) -> Vec<SubjectId> {
        let mut subjects: Vec<SubjectId> = Vec::with_capacity(self.subscriptions.len());
        for Subscription { subject, place } in self.subscriptions.iter() {
            audiences.leave(subject, place, sessions);
            subjects.push(subject);
        }
        subjects.extend(self.fetch.into_iter().flat_map(|fetch| fetch.catching_up.into_keys()));
        subjects
    }
}

/// A subscription that the core has begun: the fields of `Effect::Subscribed`.
#[derive(Debug)]
pub struct Begun {
    /// From the request.
    pub id: Option<u64>,
    /// From the request.
    pub conflation_ms: u32,
    /// Number of the subject.
    pub subject: SubjectId,
    /// Its name.
    pub name: Subject,
    /// What is promised about the past.
    pub cut: Cut,
    /// First messages.
    pub page: Page,
}

/// An unsubscribe that has reached its place in the order: the fields of `Effect::Unsubscribed`.
#[derive(Debug)]
pub struct Ended {
    /// From the request.
    pub id: Option<u64>,
    /// What.
    pub name: Subject,
    /// Its number, if known.
    pub subject: Option<SubjectId>,
}

pub(super) fn refused(id: Option<u64>, code: Code, subject: Box<str>) -> Output {
    refused_because(id, code, subject, None)
}

fn refused_because(id: Option<u64>, code: Code, subject: Box<str>, detail: Option<Box<str>>) -> Output {
    Output::Reply(Reply::Error { id, code, subject: Some(subject), detail })
}

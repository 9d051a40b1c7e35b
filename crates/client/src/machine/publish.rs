//! Publishes: each is kept until it has its one result, and sent again as often as that takes.

use std::collections::BTreeMap;

use sterna_model::limit::PUBLISHER_WINDOW;
use sterna_model::{Accepted, Class, Code, Message, Publish, PublisherStamp, Qos, Request};
use sterna_wire::native::{PublishRefusal, Refusal};

use super::Machine;
use super::pause::Pause;
use crate::event::{class_of, publish_refusal_of, refusal_of};
use crate::{Event, PublishFailure, Published};

/// As many publishes are without a result as may be; wait for an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many publishes are without a result; wait for some")]
pub struct Full;

/// Publishes without a result, by publisher sequence, which is also the id of their requests.
#[derive(Debug)]
pub(super) struct Publishes {
    publisher: Box<str>,
    seq_next: u64,
    unanswered: BTreeMap<u64, Unanswered>,
    content_bytes: usize,
    unsent: usize,
    /// When one was sent while no other was waited for.
    awaited_since_ms: u64,
    /// Held while the server is busy.
    pause: Pause,
}

#[derive(Debug)]
struct Unanswered {
    request: Request,
    content_bytes: usize,
    /// Since all have the same time, an earlier publish has no later deadline.
    deadline_ms: u64,
    sent: bool,
    /// Whether a try was lost with its connection.
    uncertain: bool,
    refusal: Option<PublishRefusal>,
}

/// Results that are waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Awaited {
    pub(super) since_ms: u64,
    /// Silence that is no reason to doubt the connection.
    pub(super) patience_ms: u64,
}

impl Unanswered {
    fn publish(&self) -> &Publish {
        match &self.request {
            Request::Publish { publish, .. } => publish,
            _ => unreachable!("only publishes are kept here"),
        }
    }

    /// The cluster recognises only guaranteed messages when they come again (P7).
    fn can_be_repeated(&self) -> bool {
        self.publish().qos == Qos::Guaranteed
    }

    fn into_failure(self) -> PublishFailure {
        PublishFailure { uncertain: self.uncertain || self.sent, refusal: self.refusal }
    }
}

impl Publishes {
    pub(super) fn new(publisher: Box<str>, seq_first: u64) -> Self {
        Self {
            publisher,
            seq_next: seq_first,
            unanswered: BTreeMap::new(),
            content_bytes: 0,
            unsent: 0,
            awaited_since_ms: 0,
            pause: Pause::default(),
        }
    }

    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.unanswered.first_key_value().map(|(_, first)| first.deadline_ms)
    }

    pub(super) fn pause_until_ms(&self) -> Option<u64> {
        if self.unsent == 0 { None } else { self.pause.until_ms() }
    }

    pub(super) fn none_sent(&self) -> bool {
        self.unanswered.len() == self.unsent
    }

    /// What the server owes, if it owes anything.
    pub(super) fn awaited(&self) -> Option<Awaited> {
        let patience_ms = RESULT_MS_MAX + self.content_bytes as u64 / UPLOAD_BYTES_PER_MS;
        (!self.none_sent()).then_some(Awaited { since_ms: self.awaited_since_ms, patience_ms })
    }

    /// The cluster remembers a window of sequences (P5): a publish that waits must not fall out of it.
    fn window_is_full(&self) -> bool {
        let first = self.unanswered.first_key_value().map_or(self.seq_next, |(first, _)| *first);
        self.seq_next - first >= PUBLISHER_WINDOW as u64
    }

    fn remove(&mut self, publisher_seq: u64) -> Option<Unanswered> {
        let removed = self.unanswered.remove(&publisher_seq)?;
        self.content_bytes -= removed.content_bytes;
        self.unsent -= usize::from(!removed.sent);
        Some(removed)
    }

    fn first_unsent(&self) -> Option<(u64, usize)> {
        if self.unsent == 0 {
            return None;
        }
        let mut all = self.unanswered.iter();
        all.find(|(_, entry)| !entry.sent).map(|(publisher_seq, entry)| (*publisher_seq, entry.content_bytes))
    }
}

impl Machine {
    /// Publishes a message; its one result comes as [`Event::Published`] with the publisher sequence given here.
    ///
    /// # Errors
    /// As many are without a result as may be.
    pub fn publish(&mut self, message: Message, now_ms: u64) -> Result<u64, Full> {
        let publishes = &mut self.publishes;
        let content_bytes = message.content.len();
        let waiting = publishes.unanswered.len();
        let bytes = publishes.content_bytes + content_bytes;
        let too_many = waiting >= self.settings.unanswered_max.clamp(1, PUBLISHER_WINDOW);
        let too_large = waiting > 0 && bytes > self.settings.unanswered_bytes_max;
        if too_many || too_large || publishes.window_is_full() {
            return Err(Full);
        }
        let publisher_seq = publishes.seq_next;
        publishes.seq_next += 1;
        let stamp = PublisherStamp { publisher: publishes.publisher.clone(), seq: publisher_seq };
        let entry = Unanswered {
            request: request(publisher_seq, message, stamp),
            content_bytes,
            deadline_ms: now_ms + self.settings.publish_timeout_ms,
            sent: false,
            uncertain: false,
            refusal: None,
        };
        publishes.unanswered.insert(publisher_seq, entry);
        publishes.content_bytes = bytes;
        publishes.unsent += 1;
        self.send_publishes(now_ms);
        Ok(publisher_seq)
    }

    /// Number of publishes without a result.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.publishes.unanswered.len()
    }

    /// Sends what was not sent on this connection, in the order of the sequences.
    pub(super) fn send_publishes(&mut self, now_ms: u64) {
        let Some(session) = self.open_session() else { return };
        let message_bytes_max = session.message_bytes_max;
        while self.publishes.pause.is_over(now_ms)
            && let Some((publisher_seq, content_bytes)) = self.publishes.first_unsent()
        {
            if content_bytes > message_bytes_max {
                // A frame beyond the server's bound would end the connection.
                let refusal = publish_refusal_of(refusal_of(Code::MessageTooLarge));
                self.refuse_publish(publisher_seq, refusal);
                continue;
            }
            if self.publishes.none_sent() {
                self.publishes.awaited_since_ms = now_ms;
            }
            let entry = self.publishes.unanswered.get_mut(&publisher_seq).expect("it was found just now");
            entry.sent = true;
            self.publishes.unsent -= 1;
            let mut frame = Vec::with_capacity(content_bytes + ENVELOPE_BYTES);
            sterna_wire::native::encode_request(&entry.request, &mut frame);
            self.act(super::Effect::Send(frame));
        }
    }

    pub(super) fn on_published(
        &mut self,
        id: Option<u64>,
        outcome: Result<Accepted, PublishRefusal>,
        now_ms: u64,
    ) {
        // The result of one that has failed for its time is not waited for any more.
        let Some((publisher_seq, entry)) =
            id.and_then(|id| Some((id, self.publishes.unanswered.get_mut(&id)?)))
        else {
            return;
        };
        let refusal = match outcome {
            Ok(accepted) => {
                self.publishes.pause.succeed();
                self.finish_publish(publisher_seq, |_| Ok(accepted));
                return;
            }
            Err(refusal) => refusal,
        };
        let class = class_of(&refusal.refusal);
        if class == Class::Rejected {
            self.refuse_publish(publisher_seq, refusal);
            return;
        }
        self.publishes.unsent += usize::from(std::mem::replace(&mut entry.sent, false));
        let PublishRefusal { refusal, .. } = entry.refusal.insert(refusal).clone();
        match class {
            Class::Busy => self.publishes.pause.begin(now_ms, &mut self.random),
            _ => self.abandon_for(&refusal, now_ms),
        }
    }

    /// Gives those whose time is over their result.
    pub(super) fn expire_publishes(&mut self, now_ms: u64) {
        while let Some((publisher_seq, first)) = self.publishes.unanswered.first_key_value()
            && first.deadline_ms <= now_ms
        {
            self.finish_publish(*publisher_seq, |entry| Err(entry.into_failure()));
        }
    }

    /// The connection is gone: what was sent on it is sent again on the next one, if that can do no harm.
    pub(super) fn requeue_publishes(&mut self) {
        self.publishes.pause.reset();
        let mut lost = Vec::new();
        for (publisher_seq, entry) in &mut self.publishes.unanswered {
            if entry.sent && !entry.can_be_repeated() {
                lost.push(*publisher_seq);
            } else if entry.sent {
                entry.sent = false;
                entry.uncertain = true;
                self.publishes.unsent += 1;
            }
        }
        for publisher_seq in lost {
            self.finish_publish(publisher_seq, |entry| Err(entry.into_failure()));
        }
    }

    /// Gives all their result, with what refused them if it is known.
    pub(super) fn fail_publishes(&mut self, refusal: Option<&Refusal>) {
        while let Some((publisher_seq, _)) = self.publishes.unanswered.first_key_value() {
            self.finish_publish(*publisher_seq, |entry| {
                let PublishFailure { refusal: last, uncertain } = entry.into_failure();
                let refusal = refusal.cloned().map(publish_refusal_of).or(last);
                Err(PublishFailure { refusal, uncertain })
            });
        }
    }

    fn refuse_publish(&mut self, publisher_seq: u64, refusal: PublishRefusal) {
        self.finish_publish(publisher_seq, |entry| {
            Err(PublishFailure { refusal: Some(refusal), uncertain: entry.uncertain })
        });
    }

    fn finish_publish(
        &mut self,
        publisher_seq: u64,
        outcome: impl FnOnce(Unanswered) -> Result<Accepted, PublishFailure>,
    ) {
        let Some(entry) = self.publishes.remove(publisher_seq) else { return };
        let closure = entry.publish().closure.clone();
        self.tell(Event::Published(Published { publisher_seq, closure, outcome: outcome(entry) }));
    }
}

/// Silence after which a result is missed, milliseconds (K3).
const RESULT_MS_MAX: u64 = 3_000;
/// What a slow network takes; results of large contents are missed later.
const UPLOAD_BYTES_PER_MS: u64 = 16;
/// Bytes of a publish request besides its content, as a rule.
const ENVELOPE_BYTES: usize = 256;

fn request(publisher_seq: u64, message: Message, stamp: PublisherStamp) -> Request {
    let Message { subject, content, closure, reply_to, retained, qos, compression } = message;
    let publish = Publish { content, closure, retained, qos, compression, stamp: Some(stamp) };
    Request::Publish {
        id: Some(publisher_seq),
        subject: subject.as_str().into(),
        reply_to: reply_to.map(|reply_to| reply_to.as_str().into()),
        publish: Box::new(publish),
    }
}

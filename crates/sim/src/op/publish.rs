//! Publishing: a new message, the same again when nobody answered, and what the result means.

use std::collections::BTreeMap;

use sterna_model::{Accepted, Class, Code, Position, Publish, PublisherStamp, Qos, Request};
use sterna_oracle::{Observation, PublisherId};

use super::{Operation, subject, subject_text};
use crate::client::{Client, Outstanding, Sending};
use crate::judge::Judge;
use crate::network::Upward;
use crate::stage::Stage;

/// Attempts after which a client gives up.
const ATTEMPTS_MAX: u32 = 6;

/// What one connection has published: how many, and for each subject where what came to be (rule O2).
#[derive(Debug, Default)]
pub(crate) struct Orders {
    sent: u64,
    placed: BTreeMap<u32, BTreeMap<u64, Position>>,
}

impl Orders {
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether the position fits between those of the publishes before and after. A connection outlives a change of the
    /// epoch, after which seqs begin again.
    fn place(&mut self, subject: u32, order: u64, position: Position) -> bool {
        let placed = self.placed.entry(subject).or_default();
        let before = placed.range(..order).next_back().is_none_or(|(_, earlier)| *earlier < position);
        let after = placed.range(order + 1..).next().is_none_or(|(_, later)| position < *later);
        placed.insert(order, position);
        before && after
    }
}

impl Client {
    /// Publishes something new, if not too much is unanswered.
    pub(crate) fn publish(&mut self, stage: &mut Stage, judge: &mut Judge, operation: Operation) {
        if self.outstanding.len() >= self.habits.outstanding_max {
            return;
        }
        let guaranteed = stage.scenario.is_continuous() && operation != Operation::PublishStandard;
        let qos = if guaranteed { Qos::Guaranteed } else { Qos::Standard };
        let stamped = self.habits.stamps && operation == Operation::Publish;
        self.publisher_seq += u64::from(stamped);
        let bytes_max = stage.scenario.content_bytes_max as u64;
        let large = self.random.percent(stage.scenario.large_percent);
        let bytes = self.random.between(8, if large { bytes_max } else { bytes_max.min(64) });
        let mut publish = Outstanding {
            content: judge.new_content(),
            subject: self.any_subject(),
            qos,
            retained: self.random.percent(60),
            bytes: bytes as usize,
            stamp: stamped.then_some(self.publisher_seq),
            begun: (stage.now_us(), stage.latest_ms()),
            attempts: 0,
            state: Sending::Waiting { until_us: 0 },
        };
        let wants_result = operation != Operation::PublishWithoutResult;
        self.send_publish(stage, judge, &mut publish, wants_result);
        if wants_result {
            self.outstanding.push_back(publish);
        }
    }

    fn send_publish(
        &mut self,
        stage: &mut Stage,
        judge: &mut Judge,
        publish: &mut Outstanding,
        wants_result: bool,
    ) {
        let request = self.next_request();
        self.orders.sent += 1;
        publish.attempts += 1;
        publish.state = Sending::Sent { request, order: self.orders.sent };
        judge.observe(Observation::Attempt {
            publisher: PublisherId(u64::from(self.id.0)),
            subject: subject(publish.subject),
            content: publish.content,
            qos: publish.qos,
            retained: publish.retained,
        });
        let mut content = publish.content.0.to_le_bytes().to_vec();
        content.resize(publish.bytes, 0);
        let publisher = format!("client-{}", self.id.0).into();
        let fields = Publish {
            content: content.into(),
            closure: Box::default(),
            retained: publish.retained,
            qos: publish.qos,
            compression: None,
            stamp: publish.stamp.map(|seq| PublisherStamp { publisher, seq }),
        };
        let request = Request::Publish {
            id: wants_result.then_some(request),
            subject: subject_text(publish.subject).into(),
            reply_to: None,
            publish: Box::new(fields),
        };
        self.send(stage, Upward::Request(request));
    }

    /// Publishes again what was not accepted or not answered, as long as the members remember it.
    pub(crate) fn publish_again(&mut self, stage: &mut Stage, judge: &mut Judge) {
        let now_us = stage.now_us();
        for mut publish in std::mem::take(&mut self.outstanding) {
            let due = matches!(publish.state, Sending::Waiting { until_us } if until_us <= now_us);
            if due && (publish.attempts >= ATTEMPTS_MAX || is_too_late(stage, &publish)) {
                stage.tally.abandoned += 1;
                continue;
            }
            if due {
                self.send_publish(stage, judge, &mut publish, true);
            }
            self.outstanding.push_back(publish);
        }
    }

    pub(crate) fn on_published(
        &mut self,
        stage: &mut Stage,
        judge: &mut Judge,
        id: Option<u64>,
        outcome: Result<Accepted, Code>,
    ) {
        // A refusal without an id belongs to a publish that wants no result.
        let Some(id) = id else { return };
        let is_meant =
            |publish: &Outstanding| matches!(publish.state, Sending::Sent { request, .. } if request == id);
        let Some(at) = self.outstanding.iter().position(is_meant) else {
            judge
                .protocol(format!("client {}: a result for request {id}, which has none to come", self.id.0));
            return;
        };
        let mut publish = self.outstanding.remove(at).expect("just found");
        match outcome {
            Ok(Accepted { position, duplicate }) => {
                self.check_order(judge, &publish, position.filter(|_| !duplicate));
                judge.observe(Observation::Acknowledged { content: publish.content, position, duplicate });
            }
            Err(code) => {
                judge.observe(Observation::Refused { content: publish.content });
                if code.class() == Class::Busy {
                    let pause_us = self.random.between(10_000, 100_000) << publish.attempts;
                    publish.state = Sending::Waiting { until_us: stage.now_us() + pause_us };
                    self.outstanding.insert(at, publish);
                } else if code.class() == Class::Unavailable {
                    publish.attempts -= 1;
                    publish.state = Sending::Waiting { until_us: stage.now_us() + 1 };
                    self.outstanding.insert(at, publish);
                    self.move_on(stage, judge);
                }
            }
        }
    }

    /// Rule O2: what one connection publishes to one subject gets its seqs in the order of the requests.
    fn check_order(&mut self, judge: &mut Judge, publish: &Outstanding, position: Option<Position>) {
        let Sending::Sent { order, .. } = publish.state else { return };
        let Some(position) = position else { return };
        if !self.orders.place(publish.subject, order, position) {
            judge.protocol(format!(
                "client {}: content {} is at {position}, out of the order of the requests",
                self.id.0, publish.content.0
            ));
        }
    }
}

/// Whether the publisher may have been forgotten meanwhile (rule P6), by either clock.
fn is_too_late(stage: &Stage, publish: &Outstanding) -> bool {
    let (begun_us, begun_ms) = publish.begun;
    let elapsed_ms = (stage.now_us() - begun_us) / 1000;
    elapsed_ms.max(stage.latest_ms().saturating_sub(begun_ms)) >= stage.scenario.limits.history_expire_ms
}

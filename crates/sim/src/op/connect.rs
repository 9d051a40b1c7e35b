//! Connecting, being closed, losing the connection, coming back.

use sterna_model::{Code, Request};
use sterna_oracle::Observation;

use super::subject;
use crate::client::{Client, Line, Sending};
use crate::judge::Judge;
use crate::member::{MemberId, Token};
use crate::network::Upward;
use crate::stage::Stage;

impl Client {
    /// Opens a connection to one of the members and asks for a session.
    pub(crate) fn dial(&mut self, stage: &mut Stage) {
        let member = self.next_member(stage);
        let socket = self.open(stage, member);
        self.line = Line::Online { socket, connected: false };
        self.token =
            if stage.scenario.has_tokens && !stage.calm { self.new_token(stage) } else { Token::ALL };
        self.renewals.push_back(self.token);
        let token = Some(self.token.text());
        self.send(stage, Upward::Request(Request::Connect { version: 1, token, client: None }));
    }

    /// Any of the members, but rather not the one that was left last.
    fn next_member(&mut self, stage: &Stage) -> MemberId {
        let mut any = || MemberId(self.random.below(u64::from(stage.scenario.cluster.members)) as u16);
        let member = any();
        let member = if Some(member) == self.avoided { any() } else { member };
        self.avoided = Some(member);
        member
    }

    /// Goes to another member, because this one cannot help.
    pub(crate) fn move_on(&mut self, stage: &mut Stage, judge: &mut Judge) {
        stage.tally.moves += 1;
        self.hang_up(stage);
        self.on_end(stage, judge);
    }

    /// The member says that it will be gone: some go at once, others wait until they are closed.
    pub(crate) fn on_going_away(&mut self, stage: &mut Stage, judge: &mut Judge) {
        if self.random.percent(50) {
            self.move_on(stage, judge);
        }
    }

    /// The session stands: resumes what is wanted, and publishes again what was not answered.
    pub(crate) fn on_connected(&mut self, stage: &mut Stage, judge: &mut Judge) {
        let Line::Online { connected, .. } = &mut self.line else { return };
        if std::mem::replace(connected, true) {
            judge.protocol("connected twice");
        }
        self.on_token(judge, true);
        for interest in &mut self.interests {
            (interest.retry_us, interest.refusals) = (0, 0);
        }
        self.settle(stage, judge);
    }

    /// The member says why it will close; the end follows.
    pub(crate) fn on_closed(&mut self, code: Code) {
        if code == Code::TokenExpired {
            self.token = Token::ALL;
        }
    }

    /// A request was refused that has no subject.
    pub(crate) fn on_error(&mut self, judge: &mut Judge, id: Option<u64>, code: Code) {
        match (id, code) {
            // The token of the session, or the one that it was to begin with.
            (None, Code::TokenExpired) => {}
            (Some(_), Code::TokenExpired) => self.on_token(judge, false),
            _ => judge.protocol(format!("client {}, request {id:?}: {code}", self.id.0)),
        }
    }

    /// The connection is gone. What was under way has an unknown end.
    pub(crate) fn on_end(&mut self, stage: &mut Stage, judge: &mut Judge) {
        let until_us = stage.now_us() + self.random.between(100, if stage.calm { 10_000 } else { 1_000_000 });
        self.line = Line::Offline { until_us };
        let subscriber = self.subscriber();
        for (number, interest) in (0..).zip(&mut self.interests) {
            interest.asked.clear();
            if std::mem::take(&mut interest.active) {
                judge.observe(Observation::Disconnected { subscriber, subject: subject(number) });
            }
        }
        self.reads.clear();
        self.renewals.clear();
        self.orders.clear();
        for publish in &mut self.outstanding {
            if matches!(publish.state, Sending::Sent { .. }) {
                judge.observe(Observation::Unknown { content: publish.content });
                publish.state = Sending::Waiting { until_us: 0 };
            }
        }
        // Without a stamp a retry could not be recognised; busy ones were certainly not accepted, but who
        // lost its connection does not know which these are.
        let may_retry = stage.scenario.may_retry();
        self.outstanding.retain(|publish| {
            let is_known = matches!(publish.state, Sending::Waiting { until_us } if until_us > 0);
            is_known || (may_retry && publish.stamp.is_some())
        });
    }

    /// Brings about what is wanted and not there: a token, subscriptions, retries.
    pub(crate) fn settle(&mut self, stage: &mut Stage, judge: &mut Judge) {
        if stage.calm && self.token != Token::ALL {
            self.renew(stage);
        }
        for number in 0..self.interests.len() as u32 {
            self.want(stage, number);
        }
        self.publish_again(stage, judge);
    }

    /// When something that was refused is to be tried again.
    pub(crate) fn next_retry_us(&self, stage: &Stage) -> Option<u64> {
        let now_us = stage.now_us();
        let interests = self.interests.iter().filter(|interest| interest.wanted && !interest.active);
        let interests = interests.map(|interest| interest.retry_us);
        let publishes = self.outstanding.iter().filter_map(|publish| match publish.state {
            Sending::Waiting { until_us } => Some(until_us),
            Sending::Sent { .. } => None,
        });
        interests.chain(publishes).filter(|at_us| *at_us > now_us).min()
    }
}

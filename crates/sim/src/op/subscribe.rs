//! Subscribing fresh, with history or from a position, and what the answer means.

use sterna_model::{Code, Position, Recovery, Request, Seq, Start, SubscribeItem};
use sterna_oracle::{Beginning, Observation};

use super::{subject, subject_number, subject_text};
use crate::client::{Asked, AskedFor, Client, Interest};
use crate::judge::Judge;
use crate::network::Upward;
use crate::stage::Stage;

/// Refusals after which a client gives a subject up.
const REFUSALS_MAX: u32 = 5;

impl Client {
    /// Subscribes to a subject; again, if it is subscribed already.
    pub(crate) fn subscribe(&mut self, stage: &mut Stage) {
        let number = self.any_subject();
        let history = if self.random.percent(50) { self.habits.history } else { 0 };
        let conflation_ms = if self.habits.conflates { self.random.pick(&[1, 20, 300]) } else { 0 };
        let fresh = self.random.percent(20);
        let allowed = self.token.allows(number);
        let interest = self.interest(number);
        if !interest.asked.is_empty() || !allowed {
            return;
        }
        interest.wanted = true;
        (interest.history, interest.conflation_ms) = (history, conflation_ms);
        // Who is subscribed does not know its position for sure: messages are on their way.
        let may_resume = stage.scenario.may_resume();
        let interest = self.interest(number);
        let resume = interest.position.filter(|_| !interest.active && !fresh && may_resume);
        self.ask(stage, number, resume);
    }

    /// Subscribes to what is wanted and not subscribed.
    pub(crate) fn want(&mut self, stage: &mut Stage, number: u32) {
        let now_us = stage.now_us();
        let allowed = self.token.allows(number);
        let interest = self.interest(number);
        let missing = interest.wanted && !interest.active && interest.asked.is_empty();
        if missing && allowed && interest.retry_us <= now_us {
            let resume = interest.position.filter(|_| stage.scenario.may_resume());
            self.ask(stage, number, resume);
        }
    }

    /// Sends the request.
    pub(crate) fn ask(&mut self, stage: &mut Stage, number: u32, resume: Option<Position>) {
        let request = self.next_request();
        let interest = self.interest(number);
        let conflation_ms = interest.conflation_ms;
        let conflated = conflation_ms > 0;
        interest.asked.push(Asked { request, what: AskedFor::Subscription { resume, conflated } });
        let start = Start { history: interest.history, resume };
        let item = SubscribeItem { subject: subject_text(number).into(), start, conflation_ms };
        self.send(stage, Upward::Request(Request::Subscribe { id: Some(request), items: vec![item] }));
    }

    pub(crate) fn on_subscribed(
        &mut self,
        judge: &mut Judge,
        id: Option<u64>,
        text: &str,
        (recovery, cut, missed): (Recovery, Position, Option<(Seq, Seq)>),
    ) {
        let Some((number, AskedFor::Subscription { resume, conflated })) = self.take_asked(text, id) else {
            judge.protocol(format!("client {}: subscribed to {text} without having asked", self.id.0));
            return;
        };
        self.check_allowed(judge, number, "a subscription");
        let subscriber = self.subscriber();
        let interest = self.interest(number);
        interest.active = true;
        interest.refusals = 0;
        // Rule C1.
        if recovery != Recovery::Complete {
            interest.position = Some(cut);
        }
        let beginning = Beginning { resume, recovery, cut, missed, conflated };
        judge.observe(Observation::Subscribed { subscriber, subject: subject(number), beginning });
    }

    /// A request about a subject was refused, or (without an id) a renewed token no longer allows it.
    pub(crate) fn on_refused(
        &mut self,
        stage: &mut Stage,
        judge: &mut Judge,
        id: Option<u64>,
        code: Code,
        text: &str,
    ) {
        if id.is_none() && code == Code::SubscribeDenied {
            return;
        }
        let asked = self.take_asked(text, id);
        let now_us = stage.now_us();
        let pause_us = self.random.between(20_000, 200_000);
        let (id, calm) = (self.id.0, stage.calm);
        let unexpected = || format!("client {id}: {code} for {text}, asked {asked:?}");
        let Some((number, what)) = asked else {
            judge.protocol(unexpected());
            return;
        };
        let interest = self.interest(number);
        match (what, code) {
            (AskedFor::End, Code::NotSubscribed) if !interest.active => {}
            (AskedFor::Subscription { .. }, Code::SubscribeDenied) => stage.tally.denied += 1,
            (AskedFor::Subscription { .. }, Code::MemoryFull) => {
                interest.refusals += 1;
                interest.retry_us = now_us + (pause_us << interest.refusals.min(6));
                // It may be full for ever; to be told so is no fault.
                interest.wanted &= !calm || interest.refusals < REFUSALS_MAX;
            }
            (AskedFor::Subscription { .. }, Code::NoQuorum | Code::MemberBehind) => {
                self.move_on(stage, judge);
            }
            (AskedFor::Subscription { .. }, Code::TooManySubscriptions) => {
                interest.wanted &= interest.active || !interest.asked.is_empty();
            }
            _ => judge.protocol(unexpected()),
        }
    }

    /// The request that is answered, if there was one.
    pub(crate) fn take_asked(&mut self, text: &str, id: Option<u64>) -> Option<(u32, AskedFor)> {
        let number = subject_number(text)?;
        let asked = &mut self.interests.get_mut(number)?.asked;
        let at = asked.iter().position(|asked| Some(asked.request) == id)?;
        Some((number as u32, asked.remove(at).what))
    }

    pub(crate) fn interest(&mut self, number: u32) -> &mut Interest {
        &mut self.interests[number as usize]
    }
}

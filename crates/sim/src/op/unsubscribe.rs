//! Unsubscribing, and the end of a subscription.

use sterna_model::Request;
use sterna_oracle::Observation;

use super::{subject, subject_number, subject_text};
use crate::client::{Asked, AskedFor, Client};
use crate::judge::Judge;
use crate::network::Upward;
use crate::stage::Stage;

impl Client {
    /// Unsubscribes from a subject, now and then from one that is not subscribed.
    pub(crate) fn unsubscribe(&mut self, stage: &mut Stage) {
        let number = self.any_subject();
        let careless = self.random.percent(5);
        let interest = self.interest(number);
        if interest.asked.is_empty() && (interest.active || careless) {
            interest.wanted = false;
            self.ask_for_end(stage, number);
        }
    }

    /// Sends the request.
    pub(crate) fn ask_for_end(&mut self, stage: &mut Stage, number: u32) {
        let request = self.next_request();
        self.interest(number).asked.push(Asked { request, what: AskedFor::End });
        let subjects = vec![subject_text(number).into()];
        self.send(stage, Upward::Request(Request::Unsubscribe { id: Some(request), subjects }));
    }

    pub(crate) fn on_unsubscribed(
        &mut self,
        stage: &mut Stage,
        judge: &mut Judge,
        id: Option<u64>,
        text: &str,
    ) {
        let client = self.id.0;
        let number = match id {
            // After a renewed token no longer allows it.
            None => subject_number(text).map(|number| number as u32),
            Some(_) => self.take_asked(text, id).map(|(number, _)| number),
        };
        let subscriber = self.subscriber();
        let interest = number.map(|number| (number, self.interest(number)));
        let Some((number, interest)) = interest.filter(|(_, interest)| interest.active) else {
            judge.protocol(format!("client {client}: {text} ended, which did not stand"));
            return;
        };
        interest.active = false;
        stage.tally.denied += u64::from(id.is_none());
        judge.observe(Observation::Disconnected { subscriber, subject: subject(number) });
    }
}

//! A message arrives at a subscriber.

use sterna_model::{Kind, Record};
use sterna_oracle::{ContentId, Delivery, Observation};

use super::subject_number;
use crate::client::Client;
use crate::judge::Judge;

impl Client {
    pub(crate) fn on_message(&mut self, judge: &mut Judge, kind: Kind, record: &Record) {
        let name = &record.message.subject;
        let Some(number) = subject_number(name.as_str()).filter(|number| *number < self.interests.len())
        else {
            judge.protocol(format!("client {}: a message of {name}", self.id.0));
            return;
        };
        self.check_allowed(judge, number as u32, "a message");
        // Rule C1.
        let position = &mut self.interests[number].position;
        *position = (*position).max(Some(record.position));
        let subscriber = self.subscriber();
        let delivery = delivery(kind, record);
        judge.observe(Observation::Delivered { subscriber, subject: name.clone(), delivery });
    }
}

/// A message as the oracle sees it: the content begins with its number.
pub(crate) fn delivery(kind: Kind, record: &Record) -> Delivery {
    let message = &record.message;
    let number = message.content.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    Delivery {
        kind,
        position: record.position,
        qos: message.qos,
        content: ContentId(number),
        retained: message.retained,
    }
}

//! The publisher's side: what became of each publish.

use std::collections::BTreeSet;

use sterna_model::{Epoch, Position, Qos, Subject};

use crate::{ContentId, Delivery, Fault, PublisherId};

/// One publish with all its attempts.
#[derive(Debug)]
pub(crate) struct Publication {
    content: ContentId,
    pub(crate) publisher: PublisherId,
    pub(crate) subject: Subject,
    pub(crate) qos: Qos,
    pub(crate) retained: bool,
    attempts: u32,
    refusals: u32,
    acknowledgements: u32,
    /// An acknowledgement said that it is the first.
    accepted: bool,
    /// Epochs that have saved it at the place that it had in an earlier one.
    pub(crate) saved_in: BTreeSet<Epoch>,
    delivered: bool,
    /// Place of a guaranteed message, once anybody has seen it.
    pub(crate) position: Option<Position>,
    /// Highest position known before the first attempt.
    pub(crate) past: Position,
}

impl Publication {
    pub(crate) fn new(
        content: ContentId,
        publisher: PublisherId,
        subject: Subject,
        (qos, retained): (Qos, bool),
        past: Position,
    ) -> Self {
        Self {
            content,
            publisher,
            subject,
            qos,
            retained,
            attempts: 0,
            refusals: 0,
            acknowledgements: 0,
            accepted: false,
            saved_in: BTreeSet::new(),
            delivered: false,
            position: None,
            past,
        }
    }

    pub(crate) fn attempt(&mut self) {
        self.attempts += 1;
    }

    pub(crate) fn is_retried(&self) -> bool {
        self.attempts > 1
    }

    /// Whether an attempt may have been accepted.
    fn is_open(&self) -> bool {
        self.attempts > self.refusals
    }

    /// In how many places that nobody has seen the message may be, if there were so many epochs: at most one in
    /// each, because a retry is recognised as long as its epoch lasts.
    pub(crate) fn unseen_max(&self, epochs: u64) -> u64 {
        if self.qos != Qos::Guaranteed {
            return 0;
        }
        let known = u64::from(self.position.is_some());
        let unanswered = u64::from(self.attempts - self.acknowledgements - self.refusals);
        unanswered.min(epochs.saturating_sub(known))
    }

    pub(crate) fn acknowledge(&mut self, position: Option<Position>, duplicate: bool) -> Result<(), Fault> {
        let content = self.content;
        self.expect_answer()?;
        let guaranteed = self.qos == Qos::Guaranteed;
        if position.is_some() != guaranteed {
            return Err(Fault::PositionUnfit { content });
        }
        if duplicate && !self.is_retried() {
            return Err(Fault::FalseDuplicate { content });
        }
        // Retries of standard messages are not recognised: nobody remembers them.
        if guaranteed && !duplicate && self.accepted {
            return Err(Fault::AcceptedTwice { content });
        }
        self.accepted |= !duplicate;
        self.acknowledgements += 1;
        Ok(())
    }

    pub(crate) fn refuse(&mut self) -> Result<(), Fault> {
        self.expect_answer()?;
        self.refusals += 1;
        if self.delivered && !self.is_open() {
            return Err(Fault::RefusedDelivered { content: self.content });
        }
        Ok(())
    }

    fn expect_answer(&self) -> Result<(), Fault> {
        if self.acknowledgements + self.refusals < self.attempts {
            Ok(())
        } else {
            Err(Fault::AnsweredTwice { content: self.content })
        }
    }

    pub(crate) fn deliver(&mut self, delivery: &Delivery) -> Result<(), Fault> {
        let content = self.content;
        if !self.is_open() {
            return Err(Fault::RefusedDelivered { content });
        }
        if delivery.qos != self.qos {
            return Err(Fault::Altered { content, field: "qos" });
        }
        if delivery.retained != self.retained {
            return Err(Fault::Altered { content, field: "retained flag" });
        }
        self.delivered = true;
        Ok(())
    }
}

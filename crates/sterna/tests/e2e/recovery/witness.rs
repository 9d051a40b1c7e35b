//! What the clients saw, in an order that fits real time, and the checker that judges it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use sterna_model::{Position, Subject};
use sterna_oracle::{Observation, Oracle, Summary};

/// Takes observations of all threads.
#[derive(Debug, Default)]
pub(super) struct Witness(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    oracle: Oracle,
    /// Last accepted position of each subject.
    last: BTreeMap<Subject, Position>,
}

impl Witness {
    /// Takes one observation: an attempt before it is sent, everything else after it was received.
    ///
    /// # Panics
    /// It breaks a promise.
    pub(super) fn saw(&self, observation: Observation) {
        let mut seen = self.0.lock().expect("no thread has panicked");
        if let Observation::Delivered { subject, delivery, .. } = &observation {
            let last = seen.last.entry(subject.clone()).or_default();
            *last = delivery.position.max(*last);
        }
        seen.oracle.observe(observation).unwrap_or_else(|violation| panic!("{violation}"));
    }

    /// An acknowledgement for a message of that subject.
    pub(super) fn saw_acknowledged(&self, subject: &Subject, position: Position, observation: Observation) {
        {
            let mut seen = self.0.lock().expect("no thread has panicked");
            let last = seen.last.entry(subject.clone()).or_default();
            *last = position.max(*last);
        }
        self.saw(observation);
    }

    /// Last position of a subject that any client has seen.
    pub(super) fn last(&self, subject: &Subject) -> Position {
        let seen = self.0.lock().expect("no thread has panicked");
        seen.last.get(subject).copied().unwrap_or_default()
    }

    /// The verdict at the end, when nothing is under way any more.
    ///
    /// # Panics
    /// A promise was not kept.
    pub(super) fn finish(self) -> Summary {
        let seen = self.0.into_inner().expect("no thread has panicked");
        seen.oracle.finish().unwrap_or_else(|violation| panic!("{violation}"))
    }
}

//! The judge: takes observations one by one, remembers what matters, and says when a promise is broken.

use std::collections::{BTreeMap, VecDeque};

use sterna_model::{Qos, Recovery, Subject};

use crate::order::Order;
use crate::publication::Publication;
use crate::subscription::Subscription;
use crate::{Beginning, ContentId, Delivery, Fault, Observation, PublisherId, SubscriberId, Violation};

/// Observations of a subject that a violation shows.
const RECENT_MAX: usize = 16;

/// Judges the history of a cluster as its clients see it. An observation costs a few look-ups, and memory
/// grows with the messages.
#[derive(Debug, Default)]
pub struct Oracle {
    subjects: BTreeMap<Subject, History>,
    publications: BTreeMap<ContentId, Publication>,
    summary: Summary,
    subjects_may_be_forgotten: bool,
    standard_may_repeat: bool,
}

/// What a test went through, so that it can assert that it tested something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Attempts to publish, retries included.
    pub attempts: u64,
    /// Attempts answered with OK.
    pub acknowledged: u64,
    /// Of these, those recognised as retries.
    pub duplicates: u64,
    /// Attempts refused.
    pub refused: u64,
    /// Attempts without an answer.
    pub unknown: u64,
    /// Messages that arrived at subscribers.
    pub delivered: u64,
    /// Subscriptions that began fresh.
    pub fresh: u64,
    /// Subscriptions that were resumed completely.
    pub complete: u64,
    /// Subscriptions that were resumed with a gap.
    pub gaps: u64,
    /// Subscriptions that met another lineage.
    pub resets: u64,
}

/// One subject.
#[derive(Debug, Default)]
struct History {
    order: Order,
    subscriptions: BTreeMap<SubscriberId, Subscription>,
    recent: VecDeque<Observation>,
}

impl Oracle {
    /// An oracle that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For tests in which subjects stay empty long enough to be forgotten: their seqs may go on with a jump, and
    /// a gap need not say what is missed.
    #[must_use]
    pub fn allow_forgotten_subjects(mut self) -> Self {
        self.subjects_may_be_forgotten = true;
        self
    }

    /// For several members: a standard message may come twice, when a state with it overtakes it on its way.
    #[must_use]
    pub fn allow_repeated_standard_messages(mut self) -> Self {
        self.standard_may_repeat = true;
        self
    }

    /// Takes one observation.
    ///
    /// # Errors
    /// The promise that it breaks. After that the oracle's further verdicts mean nothing.
    pub fn observe(&mut self, observation: Observation) -> Result<(), Violation> {
        let subject = self.subject_of(&observation);
        let judged = self.judge(&observation);
        let Some(subject) = subject else {
            return judged.map_err(|fault| Violation { fault, subject: None, recent: vec![observation] });
        };
        let history = self.history(&subject);
        history.remember(observation);
        judged.map_err(|fault| history.violation(fault, subject))
    }

    /// Ends the test: nothing is under way any more.
    ///
    /// # Errors
    /// The first promise, by the order of subjects and subscribers, that was not kept.
    pub fn finish(self) -> Result<Summary, Violation> {
        let mut unplaced: BTreeMap<&Subject, u64> = BTreeMap::new();
        for publication in self.publications.values() {
            let epochs = self.subjects.get(&publication.subject).map_or(0, |history| history.order.epochs());
            *unplaced.entry(&publication.subject).or_default() += publication.unseen_max(epochs);
        }
        for (subject, history) in &self.subjects {
            let unplaced = unplaced.get(subject).copied().unwrap_or(0);
            history.check_end(unplaced).map_err(|fault| history.violation(fault, subject.clone()))?;
        }
        Ok(self.summary)
    }

    fn history(&mut self, subject: &Subject) -> &mut History {
        let history = self.subjects.entry(subject.clone()).or_default();
        history.order.may_be_forgotten = self.subjects_may_be_forgotten;
        history
    }

    fn subject_of(&self, observation: &Observation) -> Option<Subject> {
        match observation {
            Observation::Attempt { subject, .. }
            | Observation::Subscribed { subject, .. }
            | Observation::Delivered { subject, .. }
            | Observation::Disconnected { subject, .. } => Some(subject.clone()),
            Observation::Acknowledged { content, .. }
            | Observation::Refused { content }
            | Observation::Unknown { content } => {
                self.publications.get(content).map(|publication| publication.subject.clone())
            }
        }
    }

    fn judge(&mut self, observation: &Observation) -> Result<(), Fault> {
        match observation {
            Observation::Attempt { publisher, subject, content, qos, retained } => {
                self.summary.attempts += 1;
                self.attempt(*publisher, subject, *content, (*qos, *retained))
            }
            Observation::Acknowledged { content, position, duplicate } => {
                self.summary.acknowledged += 1;
                self.summary.duplicates += u64::from(*duplicate);
                let (history, publication) = self.publication(*content)?;
                if let Some(position) = position.filter(|_| publication.qos == Qos::Guaranteed) {
                    history.order.place(*content, publication, position)?;
                }
                publication.acknowledge(*position, *duplicate)
            }
            Observation::Refused { content } => {
                self.summary.refused += 1;
                self.publication(*content)?.1.refuse()
            }
            Observation::Unknown { content } => {
                self.summary.unknown += 1;
                self.publication(*content).map(|_| ())
            }
            Observation::Subscribed { subscriber, subject, beginning } => {
                self.begin(*subscriber, subject, *beginning)
            }
            Observation::Delivered { subscriber, subject, delivery } => {
                self.summary.delivered += 1;
                self.deliver(*subscriber, subject, delivery)
            }
            Observation::Disconnected { subscriber, subject } => {
                let history = self.subjects.get_mut(subject);
                let subscription = history.and_then(|history| history.subscriptions.get_mut(subscriber));
                subscription.ok_or(Fault::NotSubscribed { subscriber: *subscriber })?.disconnect();
                Ok(())
            }
        }
    }

    fn attempt(
        &mut self,
        publisher: PublisherId,
        subject: &Subject,
        content: ContentId,
        (qos, retained): (Qos, bool),
    ) -> Result<(), Fault> {
        let past = self.history(subject).order.past;
        let publication = self
            .publications
            .entry(content)
            .or_insert_with(|| Publication::new(content, publisher, subject.clone(), (qos, retained), past));
        let same = (publication.publisher, publication.qos, publication.retained)
            == (publisher, qos, retained)
            && publication.subject == *subject;
        if !same {
            return Err(Fault::ContentReused { content });
        }
        publication.attempt();
        Ok(())
    }

    fn publication(&mut self, content: ContentId) -> Result<(&mut History, &mut Publication), Fault> {
        let publication = self.publications.get_mut(&content).ok_or(Fault::Invention { content })?;
        let history = self.subjects.get_mut(&publication.subject).expect("made when it was attempted");
        Ok((history, publication))
    }

    fn begin(
        &mut self,
        subscriber: SubscriberId,
        subject: &Subject,
        beginning: Beginning,
    ) -> Result<(), Fault> {
        match beginning.recovery {
            Recovery::Fresh => self.summary.fresh += 1,
            Recovery::Complete => self.summary.complete += 1,
            Recovery::Gap => self.summary.gaps += 1,
            Recovery::Reset => self.summary.resets += 1,
        }
        let history = self.history(subject);
        let previous = history.subscriptions.get(&subscriber);
        let subscription = Subscription::begin(subscriber, beginning, previous)?;
        history.subscriptions.insert(subscriber, subscription);
        history.order.past = history.order.past.max(beginning.cut);
        Ok(())
    }

    fn deliver(
        &mut self,
        subscriber: SubscriberId,
        subject: &Subject,
        delivery: &Delivery,
    ) -> Result<(), Fault> {
        let content = delivery.content;
        let published = self.publications.get_mut(&content).filter(|published| published.subject == *subject);
        let publication = published.ok_or(Fault::Invention { content })?;
        let history = self.subjects.get_mut(subject).expect("made when it was attempted");
        publication.deliver(delivery)?;
        if delivery.qos == Qos::Guaranteed {
            history.order.place(content, publication, delivery.position)?;
        }
        let subscription = history.subscriptions.get_mut(&subscriber).filter(|s| s.is_connected());
        let subscription = subscription.ok_or(Fault::NotSubscribed { subscriber })?;
        let epoch = subscription.epoch();
        if delivery.qos == Qos::Guaranteed && delivery.position.epoch < epoch {
            publication.saved_in.insert(epoch);
            if let Some(second) = publication.position.filter(|position| position.epoch == epoch) {
                return Err(Fault::Doubled { content, first: delivery.position, second });
            }
        }
        let may_repeat = self.standard_may_repeat || publication.is_retried();
        subscription.deliver(delivery, may_repeat, &history.order)
    }
}

impl History {
    fn remember(&mut self, observation: Observation) {
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(observation);
    }

    fn check_end(&self, unplaced: u64) -> Result<(), Fault> {
        for subscription in self.subscriptions.values() {
            subscription.check_end(&self.order)?;
        }
        let missing = self.order.missing();
        if missing > unplaced {
            return Err(Fault::SeqsLeftOut { missing, unplaced });
        }
        Ok(())
    }

    fn violation(&self, fault: Fault, subject: Subject) -> Violation {
        Violation { fault, subject: Some(subject), recent: self.recent.iter().cloned().collect() }
    }
}

//! What all clients saw, in an order that fits real time, the checker that judges it, and the figures.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sterna_model::{Epoch, Position, Subject};
use sterna_oracle::{Observation, Oracle, SubscriberId, Summary, Violation};

use super::{END_MAX, TICK};

/// Takes observations of all clients.
#[derive(Debug, Default)]
pub(crate) struct Witness(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    oracle: Oracle,
    /// The first broken promise; after it the oracle is not asked any more.
    violation: Option<Violation>,
    is_given_up: bool,
    /// Last known position of each subject.
    last: BTreeMap<Subject, Position>,
    /// Subscriptions that have stood.
    subscriptions: BTreeSet<(SubscriberId, Subject)>,
    /// When the newest acknowledgement came, and when its message was published at the latest.
    acknowledged_at: Option<Instant>,
    published_at: Option<Instant>,
    verdict: Verdict,
}

/// What a load went through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// Counts of the history checker.
    pub(crate) summary: Summary,
    /// Publishes that ended without an acknowledgement.
    pub(crate) failed: u64,
    /// Epochs in which messages were accepted.
    pub(crate) epochs: BTreeSet<Epoch>,
    /// Longest time in which no publish of anybody was acknowledged, from the first acknowledgement to the last.
    pub(crate) acknowledgement_gap_max: Duration,
    /// Longest time from a publish to its acknowledgement, reconnects included.
    pub(crate) publish_max: Duration,
    /// Longest time in which a client had no session, or a subscriber not all of its subscriptions.
    pub(crate) outage_max: Duration,
}

impl Verdict {
    /// What a cluster promises as long as a quorum lives: every publish acknowledged, every resume complete, one epoch.
    ///
    /// # Panics
    /// It was not kept.
    pub(crate) fn expect_no_loss(&self) {
        let Summary { gaps, resets, .. } = self.summary;
        assert_eq!((self.failed, gaps, resets, self.epochs.len()), (0, 0, 0, 1), "{self}");
    }

    /// The bound on every client's time without service.
    ///
    /// # Panics
    /// It was exceeded.
    pub(crate) fn expect_service_within(&self, time: Duration) {
        assert!(
            self.outage_max <= time && self.acknowledgement_gap_max <= time,
            "not within {time:?}: {self}"
        );
    }
}

impl Witness {
    /// Takes one observation: an attempt before it is sent, everything else after it was received.
    pub(super) fn saw(&self, observation: Observation) {
        self.seen().judge(observation);
    }

    /// A publish of that subject, made at `published_at`, was acknowledged.
    pub(super) fn saw_acknowledged(
        &self,
        subject: &Subject,
        position: Option<Position>,
        published_at: Instant,
        observation: Observation,
    ) {
        let mut seen = self.seen();
        let now = Instant::now();
        let gap = seen.acknowledged_at.map_or(Duration::ZERO, |before| now - before);
        seen.acknowledged_at = Some(now);
        seen.published_at = seen.published_at.max(Some(published_at));
        let position = position.unwrap_or_default();
        let last = seen.last.entry(subject.clone()).or_default();
        *last = position.max(*last);
        let verdict = &mut seen.verdict;
        verdict.acknowledgement_gap_max = verdict.acknowledgement_gap_max.max(gap);
        verdict.publish_max = verdict.publish_max.max(now - published_at);
        verdict.epochs.insert(position.epoch);
        seen.judge(observation);
    }

    /// A publish ended without an acknowledgement.
    pub(super) fn saw_failure(&self, observation: Observation) {
        let mut seen = self.seen();
        seen.verdict.failed += 1;
        seen.judge(observation);
    }

    /// A subscription stands.
    pub(super) fn saw_subscribed(&self, observation: Observation) {
        let mut seen = self.seen();
        if let Observation::Subscribed { subscriber, subject, .. } = &observation {
            seen.subscriptions.insert((*subscriber, subject.clone()));
        }
        seen.judge(observation);
    }

    /// A client was without service for that long.
    pub(super) fn saw_outage(&self, time: Duration) {
        let verdict = &mut self.seen().verdict;
        verdict.outage_max = verdict.outage_max.max(time);
    }

    /// Last position of a subject that any publisher knows.
    pub(super) fn last(&self, subject: &Subject) -> Position {
        self.seen().last.get(subject).copied().unwrap_or_default()
    }

    /// Number of publishes acknowledged so far.
    ///
    /// # Panics
    /// A promise was broken.
    pub(super) fn acknowledged(&self) -> u64 {
        let seen = self.checked();
        seen.verdict.summary.acknowledged
    }

    /// Whether something that was published later than that is acknowledged.
    ///
    /// # Panics
    /// A promise was broken.
    pub(super) fn has_acknowledged_since(&self, time: Instant) -> bool {
        self.checked().published_at.is_some_and(|published| published > time)
    }

    /// Waits for that many subscriptions.
    ///
    /// # Panics
    /// There are fewer in time.
    pub(super) fn wait_for_subscriptions(&self, count: u64) {
        let end = Instant::now() + END_MAX;
        while (self.checked().subscriptions.len() as u64) < count {
            assert!(Instant::now() < end, "not within {END_MAX:?}: {count} subscriptions");
            thread::sleep(TICK);
        }
    }

    /// Whether waiting makes no sense any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.seen().is_given_up
    }

    pub(super) fn give_up(&self) {
        self.seen().is_given_up = true;
    }

    /// The verdict, when nothing is under way any more.
    ///
    /// # Panics
    /// A promise was not kept.
    pub(super) fn finish(&self) -> Verdict {
        let mut seen = self.checked();
        let oracle = std::mem::take(&mut seen.oracle);
        let mut verdict = std::mem::take(&mut seen.verdict);
        drop(seen);
        verdict.summary = oracle.finish().unwrap_or_else(|violation| panic!("{violation}"));
        verdict
    }

    fn checked(&self) -> MutexGuard<'_, Seen> {
        let mut seen = self.seen();
        if let Some(violation) = seen.violation.take() {
            panic!("{violation}");
        }
        seen
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // The only panic under the lock is that of the test, about a violation.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn judge(&mut self, observation: Observation) {
        if self.is_given_up {
            return;
        }
        self.verdict.summary.acknowledged +=
            u64::from(matches!(observation, Observation::Acknowledged { .. }));
        if let Err(violation) = self.oracle.observe(observation) {
            self.violation = Some(violation);
            self.is_given_up = true;
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { acknowledged, duplicates, unknown, delivered, complete, gaps, resets, .. } =
            self.summary;
        write!(
            f,
            "{acknowledged} acknowledged ({duplicates} by a retry, {unknown} attempts without an answer), {} failed; \
             {delivered} delivered; {complete} complete resumes, {gaps} gaps, {resets} resets, {} epochs; longest: \
             {} ms between acknowledgements, {} ms for a publish, {} ms without service",
            self.failed,
            self.epochs.len(),
            self.acknowledgement_gap_max.as_millis(),
            self.publish_max.as_millis(),
            self.outage_max.as_millis(),
        )
    }
}

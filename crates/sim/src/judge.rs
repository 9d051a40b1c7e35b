//! The verdict: what the oracle says, and what a client or the world itself finds wrong.

use std::fmt;

use sterna_oracle::{ContentId, Observation, Oracle, Summary, Violation};

use crate::scenario::Scenario;

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A promise to the clients was broken.
    Oracle(Box<Violation>),
    /// A client was told something that the protocol does not provide for here.
    Protocol(String),
    /// Long after the last fault something is still not as it should be.
    Unsettled(String),
    /// After all clients have gone something is left of them.
    LeftOver(String),
    /// An assertion of the rules failed.
    Panic(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oracle(violation) => write!(f, "{violation}"),
            Self::Protocol(what) => write!(f, "against the protocol: {what}"),
            Self::Unsettled(what) => write!(f, "not settled: {what}"),
            Self::LeftOver(what) => write!(f, "left over: {what}"),
            Self::Panic(what) => write!(f, "panic: {what}"),
        }
    }
}

/// Takes what the clients see to the oracle, and keeps the first failure.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    oracle: Oracle,
    contents: u64,
    reads: u64,
    failure: Option<Failure>,
}

impl Judge {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let mut oracle = Oracle::new();
        if scenario.may_forget() {
            oracle = oracle.allow_forgotten_subjects();
        }
        if scenario.cluster.members > 1 {
            oracle = oracle.allow_repeated_standard_messages();
        }
        Self { oracle, ..Self::default() }
    }

    /// A content that was not used before.
    pub(crate) fn new_content(&mut self) -> ContentId {
        self.contents += 1;
        ContentId(self.contents)
    }

    /// A number for a one-time question.
    pub(crate) fn new_read(&mut self) -> u64 {
        self.reads += 1;
        self.reads
    }

    pub(crate) fn observe(&mut self, observation: Observation) {
        if self.failure.is_none()
            && let Err(violation) = self.oracle.observe(observation)
        {
            self.failure = Some(Failure::Oracle(Box::new(violation)));
        }
    }

    pub(crate) fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    /// A client was told something that it cannot understand.
    pub(crate) fn protocol(&mut self, what: impl Into<String>) {
        self.fail(Failure::Protocol(what.into()));
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Nothing is under way any more: has everything arrived?
    pub(crate) fn finish(&mut self) -> Summary {
        match std::mem::take(&mut self.oracle).finish() {
            Ok(summary) => summary,
            Err(violation) => {
                self.fail(Failure::Oracle(Box::new(violation)));
                Summary::default()
            }
        }
    }

    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }
}

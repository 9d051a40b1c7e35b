//! What a run went through, what many runs went through together, and how a failing one is told.

use std::fmt;
use std::ops::AddAssign;

use sterna_oracle::Summary;

use crate::{Failure, Trim};

/// What became of a run.
#[derive(Debug)]
pub struct Report {
    /// Everything follows from it, and from what was left out.
    pub seed: u64,
    /// What was left out.
    pub trim: Trim,
    /// Operations that clients did.
    pub operations: u64,
    /// Faults, with those that were left out.
    pub faults: u32,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// What it went through.
    pub tally: Tally,
    /// A number that is the same for two runs only if they did the same.
    pub digest: u64,
    /// What happened, line by line, if that was wanted.
    pub trace: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, digest, trim, .. } = self;
        match &self.failure {
            None => write!(f, "seed {seed}: good (digest {digest:016x})"),
            Some(failure) => write!(
                f,
                "seed {seed} FAILED (digest {digest:016x})\n{failure}\n\
                 run it again: cargo run -p sterna-sim --release -- --seed {seed}{trim} --trace"
            ),
        }
    }
}

macro_rules! tally {
    ($($(#[doc = $what:literal])* $name:ident,)*) => {
        /// How often what happened.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Tally {
            $($(#[doc = $what])* pub $name: u64,)*
        }

        impl Tally {
            /// Each count with its name.
            #[must_use]
            pub fn counts(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }

        impl AddAssign for Tally {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

tally! {
    /// Runs.
    runs,
    /// Things that happened.
    happenings,
    /// Attempts to publish, retries included.
    attempts,
    /// Attempts answered with OK.
    acknowledged,
    /// Of these, those recognised as retries.
    duplicates,
    /// Attempts refused.
    refused,
    /// Attempts without an answer.
    unknown,
    /// Publishes that were not tried again, because their memory may have gone.
    abandoned,
    /// Messages that arrived at subscribers.
    delivered,
    /// Subscriptions that began fresh.
    fresh,
    /// Subscriptions that were resumed completely.
    complete,
    /// Subscriptions that were resumed with a gap.
    gaps,
    /// Subscriptions that met another lineage.
    resets,
    /// One-time questions that were answered.
    reads,
    /// Messages that a newer one overtook.
    conflated,
    /// Further pages of a catch-up.
    pages,
    /// Catch-ups that fell out of the history.
    overruns,
    /// Clients closed because they read too slowly.
    slow_consumers,
    /// Times a session was not read from because it wanted too much.
    pauses,
    /// Times the core waited for a shard.
    core_waits,
    /// Subscriptions that ended because of a renewed token, or did not begin.
    denied,
    /// Connections cut.
    cuts,
    /// Members killed.
    kills,
    /// Members told to stop.
    leaves,
    /// Of these, those that stopped although somebody still depended on them.
    hasty_leaves,
    /// Members that joined for the first time.
    scaled_up,
    /// Members that left for good.
    scaled_down,
    /// Partitions.
    partitions,
    /// Members that stood still for some time.
    pauses_of_members,
    /// Links between members that broke.
    broken_links,
    /// Epochs.
    epochs,
    /// Of these, those with messages of earlier ones.
    salvages,
    /// Members that got the state from another one.
    installs,
    /// Members that began anew by themselves.
    rebirths,
    /// Members restarted because other software was installed.
    updates,
    /// Members that were not admitted because their software was too old.
    refused_members,
    /// Members that went on to apply the log at another level.
    switches,
    /// Frames that a member did not take from another one.
    suspicions,
    /// Changes of the leader, as each member saw them.
    elections,
    /// Batches sent to the leader.
    forwarded,
    /// Times a client went to another member, because the one it was at could not help.
    moves,
    /// Connections closed because their subscriptions could not go on.
    interrupted,
    /// Jumps of the clock.
    jumps,
    /// Subjects that were forgotten.
    forgotten,
}

impl Tally {
    /// Adds what the oracle has counted.
    pub(crate) fn add_summary(&mut self, summary: &Summary) {
        self.attempts += summary.attempts;
        self.acknowledged += summary.acknowledged;
        self.duplicates += summary.duplicates;
        self.refused += summary.refused;
        self.unknown += summary.unknown;
        self.delivered += summary.delivered;
        self.fresh += summary.fresh;
        self.complete += summary.complete;
        self.gaps += summary.gaps;
        self.resets += summary.resets;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<_> = self.counts().iter().map(|(name, count)| format!("{name} {count}")).collect();
        f.write_str(&shown.join(", "))
    }
}

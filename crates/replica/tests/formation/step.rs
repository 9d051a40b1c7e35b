//! Everything that can happen next.

use crate::member::SEEDS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A process dies and comes back empty.
    Crash(usize),
    /// The first leads with the vote of the second.
    Elect(usize, usize),
    /// A leader appends an entry.
    Write(usize),
    /// A leader's log reaches another member; committed if both vote.
    Replicate(usize, usize),
    /// A leader or founder tells another member that it belongs to the lineage.
    Admit(usize, usize),
    /// A leader replaces the old incarnation of a slot by the new one.
    Replace(usize, usize),
    /// A founder-to-be begins.
    Begin(usize),
    /// Its question reaches another member, and the answer comes back.
    Ask(usize, usize),
    /// It judges the answers of a round.
    Judge(usize),
    /// The lineage begins with the best copy.
    Found(usize),
    /// A founder-to-be gives up, or a promise has waited long enough.
    GiveUp(usize),
}

impl Step {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let alone = [Self::Crash, Self::Write, Self::Begin, Self::Judge, Self::Found, Self::GiveUp];
        let pairs = [Self::Elect, Self::Replicate, Self::Admit, Self::Replace, Self::Ask];
        let others = |one: usize| (0..SEEDS).filter(move |other| *other != one);
        let alone = (0..SEEDS).flat_map(move |one| alone.map(|step| step(one)));
        let pairs = (0..SEEDS)
            .flat_map(move |one| others(one).flat_map(move |other| pairs.map(|step| step(one, other))));
        alone.chain(pairs)
    }
}

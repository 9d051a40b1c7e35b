//! A whole cluster in one thread, from one seed, with an oracle that watches every promise of the crate.

mod agenda;
mod cases;
mod duty;
mod fault;
mod network;
mod oracle;
mod owner;
mod table;
mod version;
mod world;

/// How rough a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// A process dies only when everything has recovered from the last death: no lineage may end.
    Gentle,
    /// Anything goes.
    Rough,
    /// All is well but for one thing that happens to the leader.
    Once(Blow),
}

/// What happens to a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// Its process dies, and its links with it.
    Kill,
    /// Its process leaves in good order and comes back.
    Restart,
    /// Nothing comes from it or to it any more, and its links stay.
    Cut,
}

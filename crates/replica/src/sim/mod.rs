//! A whole cluster in one thread, from one seed, with an oracle that watches every promise of the crate.

mod agenda;
mod cases;
mod fault;
mod network;
mod oracle;
mod owner;
mod world;

/// How rough a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// A process dies only when everything has recovered from the last death: no lineage may end.
    Gentle,
    /// Anything goes.
    Rough,
}

/// A rule that is broken on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// None.
    #[default]
    None,
}

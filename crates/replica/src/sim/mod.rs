//! A whole cluster in one thread, from one seed, with an oracle that watches every promise of the crate.

/// A rule that is broken on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// None.
    #[default]
    None,
}

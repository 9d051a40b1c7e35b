//! Rules that tests break on purpose, to prove that somebody would notice. Outside of tests none ever is.

/// A rule that is broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(test), expect(dead_code, reason = "only tests break rules"))]
pub(crate) enum Sabotage {
    /// None.
    #[default]
    None,
    /// A new incarnation gets the id of its predecessor.
    ReuseIds,
    /// A leader applies what it has only just appended.
    ApplyEarly,
    /// One slot less than a majority forms a lineage.
    WrongQuorum,
    /// Voters change in one step.
    SkipJoint,
    /// A voter that is not heard of is removed.
    ExpelSilent,
    /// A replacement counts as finished when the leader alone has finished it.
    FinishEarly,
    /// A lineage has always the same number.
    KeepEpoch,
    /// A lineage is formed because no leader is heard, whatever the others may hold.
    FormOnSilence,
    /// Promises count without being confirmed after the last one.
    SkipConfirm,
    /// Promises of incarnations that are gone count.
    OutliveNonce,
    /// The word to act in no older lineage is given and not kept.
    ForgetWord,
    /// Salvage leaves out what was not applied.
    DropTail,
    /// The best copy is not fetched.
    OwnCopy,
    /// The old copy is dropped before the new one is there.
    DropCopyEarly,
    /// Frames are taken from whoever says them.
    IgnoreAddress,
    /// The level changes when the entry that raises it is there, and not when it is applied.
    SwitchEarly,
    /// The level rises although somebody does not know it.
    RaiseUnknown,
    /// A lineage begins at the first level, whatever the best copy was.
    ForgetLevel,
}

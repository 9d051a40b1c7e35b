//! Every bound of the agreement that is not a setting, with its unit in the name.

/// Seed slots.
pub const SEEDS_MAX: u16 = 9;
/// Slots in `ClusterMembers`.
pub const MEMBERS_MAX: u16 = 64;
/// Bytes of one command.
pub const COMMAND_BYTES_MAX: usize = 4 << 20;
/// Bytes of one chunk of a state transfer.
pub const CHUNK_BYTES_MAX: usize = 4 << 20;
/// Entries in one frame.
pub const ENTRIES_PER_FRAME_MAX: usize = 4096;
/// Bytes of one frame: a command or a chunk that is just small enough beside a full batch of small entries.
pub const FRAME_BYTES_MAX: usize = 16 << 20;
/// Chunks of a transfer that are on their way.
pub const CHUNKS_IN_FLIGHT_MAX: usize = 4;
/// Ids of a configuration: voters, outgoing voters, learners, old learners of the same slots.
pub const NODES_MAX: usize = 256;
/// Append frames to one member that are not answered yet.
pub const APPENDS_IN_FLIGHT_MAX: usize = 128;
/// A term above this is not believed; one election a millisecond would take 8,900 years.
pub const TERM_MAX: u64 = 1 << 48;
/// An index above this is not believed.
pub const INDEX_MAX: u64 = 1 << 56;
/// A learner this close behind the end of the log has caught up.
pub const CAUGHT_UP_ENTRIES_MAX: u64 = 256;
/// Bytes that the log accounts for an entry besides its command.
pub const ENTRY_OVERHEAD_BYTES: usize = 96;

const _: () = assert!(COMMAND_BYTES_MAX < FRAME_BYTES_MAX / 2 && CHUNK_BYTES_MAX < FRAME_BYTES_MAX / 2);
/// Part of the log tail that may wait for its commit, and that may be proposed while a state is under way. The rest is for
/// what comes while the receiver catches up.
pub(crate) const TAIL_DIVISOR: usize = 2;

//! Frames to bytes and back. Strict, bounded, without panics; the layout is docs/protocol/peer-v1.md.

mod change;
mod read;
mod write;

pub(crate) use change::{decode_change, encode_change};
pub(crate) use read::decode_membership;
pub use read::{DecodeError, decode};
pub use write::encode;
pub(crate) use write::encode_membership;

/// Version of the layout, the first byte of each frame.
pub const VERSION: u8 = 1;
/// Bytes of the header.
pub const HEADER_BYTES: usize = 28;

/// Second byte of a frame.
pub(crate) mod kind {
    pub(crate) const PRESENCE: u8 = 1;
    pub(crate) const ADMIT: u8 = 2;
    pub(crate) const DISMISS: u8 = 3;
    pub(crate) const ASK: u8 = 4;
    pub(crate) const ANSWER: u8 = 5;
    pub(crate) const DECLINE: u8 = 6;
    pub(crate) const FETCH: u8 = 7;
    pub(crate) const OFFER: u8 = 8;
    pub(crate) const CHUNK: u8 = 9;
    pub(crate) const TAKEN: u8 = 10;
    pub(crate) const ABANDON: u8 = 11;
    pub(crate) const APPEND: u8 = 16;
    pub(crate) const APPENDED: u8 = 17;
    pub(crate) const NOT_APPENDED: u8 = 18;
    pub(crate) const ASK_VOTE: u8 = 19;
    pub(crate) const VOTE: u8 = 20;
    pub(crate) const HEARTBEAT: u8 = 21;
    pub(crate) const HEARTBEAT_SEEN: u8 = 22;
    pub(crate) const TIMEOUT_NOW: u8 = 23;
}

/// Kinds of cargo.
pub(crate) mod cargo {
    pub(crate) const CHECKPOINT: u8 = 0;
    pub(crate) const SALVAGE: u8 = 1;
}

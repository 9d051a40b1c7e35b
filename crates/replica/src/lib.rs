//! The agreement: which entries are committed, in which order, on members that may lose their memory. It never looks
//! into the entries.
//!
//! A [`Replica`] takes each [`Input`] with the time and says by [`Output`]s what to do. It is built on the raft crate,
//! one raft per *lineage*; what raft leaves to its users is here: who belongs to a lineage (`membership`, `lead`), how
//! a member that comes back empty gets the state (`transfer`, `install`), and how a lineage begins, also after a
//! majority has lost its memory (`form`, `pledge`, and the rule in `verdict`). The decisions and their proofs are in
//! docs/adr/2026-11-22-replication.md, the frames between members in docs/protocol/peer-v1.md.

#![allow(
    clippy::field_reassign_with_default,
    reason = "the messages of the raft crate are made by setting fields"
)]

pub mod codec;
mod engine;
mod form;
pub mod frame;
mod guard;
mod identity;
mod input;
mod install;
mod lead;
pub mod limit;
mod membership;
mod output;
mod peers;
mod pledge;
mod present;
mod replica;
mod sabotage;
mod settings;
mod status;
mod storage;
mod transfer;
mod translate;
pub mod verdict;

#[cfg(test)]
mod sim;

pub use identity::{Level, Lineage, NodeId, Nonce, Rank, Slot, TransferId};
pub use input::Input;
pub use membership::{Change, Incarnation, Membership};
pub use output::{Channel, Output, Refusal};
pub use replica::Replica;
pub use settings::{Settings, SettingsError};
pub use status::{Phase, Role, Status};

//! The storm: members and their clients in one thread, from one seed, judged by the oracle.
//!
//! Everything a run does follows from its seed: sizes, rates, faults, delays. Time is virtual, and the real rules
//! run unchanged, driven as the server drives them: a core and shards with bounded queues between them. A seed that
//! fails can be run again, step by step, with `--seed N --trace`.

mod agenda;
mod client;
mod fault;
mod judge;
mod member;
mod network;
mod op;
mod random;
mod report;
mod sabotage;
mod scenario;
mod stage;
mod world;

pub use judge::Failure;
pub use report::{Report, Tally};
pub use sabotage::Sabotage;
pub use world::{Options, run};

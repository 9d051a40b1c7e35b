//! The storm: members and their clients in one thread, from one seed, judged by the oracle.
//!
//! Everything a run does follows from its seed: members, sizes, rates, faults, delays. Time is virtual, and the real
//! rules run unchanged, driven as the server drives them: cores and shards with bounded queues between them, links
//! between the members. A seed that fails can be run again, step by step, with `--seed N --trace`.

mod agenda;
mod audit;
mod client;
mod fault;
mod judge;
mod links;
mod lives;
mod member;
mod network;
mod op;
mod report;
mod sabotage;
mod scenario;
mod stage;
mod trim;
mod version;
mod world;

pub use judge::Failure;
pub use report::{Report, Tally};
pub use sabotage::Sabotage;
pub use trim::{Trim, minimise};
pub use world::{Options, run};

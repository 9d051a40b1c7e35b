//! The rules: what a publish, a subscription and a recovery mean. No clock, no socket, no thread: events and
//! the time go in, effects come out, so that the whole member runs in one thread of a test.

pub mod core;
pub mod session;
pub mod shard;
mod store;

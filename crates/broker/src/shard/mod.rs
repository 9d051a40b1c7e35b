//! What an I/O shard must decide: who hears a subject, and what conflation lets through.

mod audience;
mod conflate;

pub use audience::{Audience, Audiences, Sessions, Subscriber};
pub use conflate::{Conflation, Offer};

//! The rules of a client: calls of the user, frames and time in, events and effects out. No socket, no clock.
//!
//! `state.rs` holds the whole and its timers, `connect.rs` the way in and out of a connection, `receive.rs` what
//! the server says; the other files hold one verb each.

mod connect;
mod pause;
mod publish;
mod receive;
mod state;
mod subscribe;
mod token;

pub use connect::Ended;
pub use publish::Full;
pub use state::{Effect, Machine};

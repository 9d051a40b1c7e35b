//! `sterna replay`: recorded messages, at the pace at which they were recorded.

mod player;
mod recording;
mod time;

pub(crate) use player::{ReplayOptions, help, run};

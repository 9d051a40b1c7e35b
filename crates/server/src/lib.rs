//! The body of a member: threads, sockets, timers, signals. It obeys the rules' effects and decides nothing.

mod acceptor;
mod admin;
mod certificates;
mod clock;
mod cluster;
mod container;
mod core_thread;
mod delivery;
mod elsewhere;
mod lifecycle;
mod lineage;
mod listen;
mod mailbox;
mod member;
mod metrics;
mod offload;
mod pages;
mod peers;
mod process;
mod reload;
mod settings;
mod shard;
mod sleep;
mod status;
mod trace;

pub use lifecycle::{ServeError, serve};
pub use listen::BindError;
pub use process::UserError;
pub use reload::SettingsError;

//! Authenticated links between the members of a cluster. They carry frames and never look into them.
//!
//! [`start`] binds the four ports of a member and keeps a link to each other member, whoever dialled; what happens is
//! told by [`LinkEvent`]s, in order, and frames are sent with the [`Link`] that came up. The rules, and the bytes of the
//! handshake, are in docs/protocol/link-v1.md.
//!
//! `links` owns the thread. On it run an acceptor for each port (`accept`) and a task for each other member (`remote`),
//! which dials (`dial`), puts the connections of a link together and runs it (`running`, `carry`). Whoever connects is
//! proved by `authenticate`, with the messages of [`handshake`] and the proofs of `proof`; below that there may be `tls`.

mod accept;
mod admin;
mod authenticate;
mod carry;
mod complaints;
mod context;
mod dial;
mod event;
pub mod handshake;
mod identity;
pub mod limit;
mod link;
mod links;
mod listen;
mod proof;
mod refusal;
mod remote;
mod running;
mod settings;
mod status;
mod stream;
mod tls;

pub use admin::{AdminError, Answer, admin_request};
pub use event::{Channel, LinkEvent, Receipt};
pub use link::Link;
pub use links::{LinkWatch, Links, StartError, start};
pub use proof::ClusterKey;
pub use refusal::Refusal;
pub use settings::{LinkSettings, SettingsError};
pub use status::{LinkStatus, RemoteStatus, Traffic};
pub use tls::{LinkTls, TlsError, TlsPem};

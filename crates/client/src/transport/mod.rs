//! Sockets: TCP, TLS, the WebSocket's handshake and frames. Blocking, with time-outs.

mod error;
mod link;
mod mask;
mod open;
mod stream;
mod tls;

pub(crate) use error::OpenError;
pub(crate) use link::{Incoming, Link};
pub(crate) use open::{Opening, open};
pub(crate) use tls::client_config;

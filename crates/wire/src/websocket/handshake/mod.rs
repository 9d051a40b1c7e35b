//! The opening handshake (RFC 6455, 4): what the headers must say, and the heads of request and answer.

mod client;
mod error;
mod extension;
mod header;
mod server;

pub use client::{UpgradeAnswer, UpgradeOffer, request_key};
pub use error::HandshakeError;
pub use extension::PerMessageDeflate;
pub use server::UpgradeRequest;

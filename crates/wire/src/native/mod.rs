//! The native protocol, version 1: JSON text frames to requests, replies and messages to JSON text frames.
//!
//! `docs/protocol/native-v1.md` is the normative description. A file per verb: each knows how its request is
//! read (server side) and written (client side). `frame.rs` and `value.rs` take client frames apart, `json.rs`
//! writes objects.

mod connect;
mod deliver;
mod frame;
pub(crate) mod json;
mod ping;
mod publish;
mod reply;
mod request;
mod server_frame;
mod subscribe;
mod token;
mod unsubscribe;
mod value;

pub use deliver::{encode_message, encode_message_body};
pub use reply::encode_reply;
pub use request::{Refused, decode, encode_request};
pub use server_frame::{PublishRefusal, Refusal, ServerFrame, Unreadable, decode_server};

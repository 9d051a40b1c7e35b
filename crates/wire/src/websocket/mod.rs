//! The WebSocket protocol (RFC 6455) with permessage-deflate (RFC 7692), sans-IO, for both sides.
//!
//! An idle connection costs one [`Decoder`] of 16 bytes: everything bigger either exists only while a message is
//! incomplete, or belongs to the thread ([`Shared`], [`Deflater`]).

mod close;
mod decode;
mod deflate;
mod encode;
mod event;
mod frame;
mod handshake;
mod mask;
mod partial;
mod violation;

pub use close::{ClosePayload, close_payload};
pub use decode::{Decoder, Role, Shared, Step};
pub use deflate::Deflater;
pub use encode::{HeaderBytes, close, frame, frame_with, header, masked_frame, ping, pong};
pub use event::Event;
pub use frame::Opcode;
pub use handshake::{
    HandshakeError, PerMessageDeflate, UpgradeAnswer, UpgradeOffer, UpgradeRequest, request_key,
};
pub use violation::Violation;

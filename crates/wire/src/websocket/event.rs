//! What a decoder hands out.

use super::{Opcode, Violation, close};

/// Something complete came from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// To be answered with a pong of the same payload, at most 125 bytes.
    Ping(&'a [u8]),
    /// An answer to a ping, or a sign of life, at most 125 bytes.
    Pong(&'a [u8]),
    /// The peer closes: answer with the same code if no close frame was sent yet, then decode no more.
    Close {
        /// Why, if the peer said so; always a code that may be sent.
        code: Option<u16>,
        /// Why, in the peer's words.
        reason: &'a str,
    },
}

impl<'a> Event<'a> {
    /// `opcode` is that of the message, never a continuation.
    pub(super) fn new(opcode: Opcode, payload: &'a [u8]) -> Result<Self, Violation> {
        Ok(match opcode {
            Opcode::Text => {
                Self::Text(simdutf8::basic::from_utf8(payload).map_err(|_| Violation::InvalidUtf8)?)
            }
            Opcode::Binary => Self::Binary(payload),
            Opcode::Ping => Self::Ping(payload),
            Opcode::Pong => Self::Pong(payload),
            Opcode::Close => close::read_close(payload)?,
            Opcode::Continuation => unreachable!("a decoder gives a message the opcode of its first frame"),
        })
    }
}

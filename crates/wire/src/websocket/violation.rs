//! Every way in which a peer can break the WebSocket protocol, and the public code of each.

use sterna_model::Code;

/// A peer broke the protocol, so the connection must be closed with [`Violation::close_code`]. The bytes after
/// a violation have no meaning any more: the decoder must not be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A reserved bit is set that no negotiated extension defines (RFC 6455, 5.2; RFC 7692, 6.1).
    #[error("a reserved bit is set that no negotiated extension defines")]
    ReservedBit,
    /// The opcode has no meaning (RFC 6455, 5.2).
    #[error("opcode {0} is reserved")]
    ReservedOpcode(u8),
    /// A client must mask its frames (RFC 6455, 5.1).
    #[error("a frame of a client is not masked")]
    MaskMissing,
    /// A server must not mask its frames (RFC 6455, 5.1).
    #[error("a frame of a server is masked")]
    MaskUnexpected,
    /// The length is not in the shortest form, or its highest bit is set (RFC 6455, 5.2).
    #[error("the payload length is not in its shortest form")]
    LengthForm,
    /// A control frame must not be fragmented (RFC 6455, 5.5).
    #[error("a control frame is fragmented")]
    ControlFragmented,
    /// A control frame's payload has at most 125 bytes (RFC 6455, 5.5).
    #[error("a control frame has more than 125 bytes of payload")]
    ControlTooLarge,
    /// A continuation frame came, and there is no message to continue (RFC 6455, 5.4).
    #[error("a continuation frame has no message to continue")]
    ContinuationUnexpected,
    /// A new message began before the fragmented one was complete (RFC 6455, 5.4).
    #[error("a message began inside a fragmented message")]
    ContinuationMissing,
    /// A close frame's payload is empty or begins with a code of two bytes (RFC 6455, 5.5.1).
    #[error("a close frame has a payload of one byte")]
    CloseTruncated,
    /// The close code may not be sent (RFC 6455, 7.4).
    #[error("close code {0} must not be sent")]
    CloseCode(u16),
    /// A text message or a close reason is not UTF-8 (RFC 6455, 8.1).
    #[error("a text is not valid UTF-8")]
    InvalidUtf8,
    /// The message is larger than the given bound, as sent or inflated.
    #[error("the message is larger than {bytes_max} bytes")]
    TooLarge {
        /// The bound, bytes.
        bytes_max: usize,
    },
    /// A compressed message is not a DEFLATE stream (RFC 7692, 7.2.2).
    #[error("a compressed message is not a DEFLATE stream")]
    InvalidDeflate,
}

impl Violation {
    /// The public code.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::InvalidUtf8 => Code::InvalidUtf8,
            Self::TooLarge { .. } => Code::FrameTooLarge,
            _ => Code::ProtocolViolation,
        }
    }

    /// The close code to send: 1002, 1007 or 1009.
    #[must_use]
    pub fn close_code(self) -> u16 {
        self.code().websocket_close()
    }
}

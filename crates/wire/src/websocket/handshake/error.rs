//! Why a handshake fails.

use sterna_model::Code;

/// Why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// `Upgrade: websocket` is missing: this is plain HTTP.
    #[error("the Upgrade header does not name websocket")]
    NotWebSocket,
    /// `Connection: Upgrade` is missing.
    #[error("the Connection header does not name Upgrade")]
    ConnectionMissing,
    /// `Sec-WebSocket-Version` is missing or not 13.
    #[error("the Sec-WebSocket-Version header is not 13")]
    VersionUnsupported,
    /// `Sec-WebSocket-Key` is missing, repeated, or not 16 bytes in base64.
    #[error("the Sec-WebSocket-Key header is not 16 bytes in base64")]
    KeyInvalid,
    /// `Sec-WebSocket-Extensions` is not a list of extensions.
    #[error("the Sec-WebSocket-Extensions header is not a list of extensions")]
    ExtensionsMalformed,
    /// The server did not switch protocols; it answered with this HTTP status.
    #[error("the server answered with status {0} instead of 101")]
    StatusUnexpected(u16),
    /// `Sec-WebSocket-Accept` is missing or does not belong to the key.
    #[error("the Sec-WebSocket-Accept header does not belong to the key")]
    AcceptInvalid,
    /// The server chose a subprotocol that was not offered.
    #[error("the server chose a subprotocol that was not offered")]
    ProtocolUnexpected,
    /// The server chose an extension that was not offered, or other parameters.
    #[error("the server chose an extension that was not offered")]
    ExtensionUnexpected,
}

impl HandshakeError {
    /// The public code.
    #[must_use]
    pub fn code(self) -> Code {
        Code::ProtocolViolation
    }

    /// HTTP status of a server's refusal: 426, to go with `Upgrade: websocket` and `Sec-WebSocket-Version: 13`, where
    /// such headers would have helped (RFC 6455, 4.2.2), else 400.
    #[must_use]
    pub fn http_status(self) -> u16 {
        match self {
            Self::NotWebSocket | Self::VersionUnsupported => 426,
            _ => self.code().http_status(),
        }
    }
}

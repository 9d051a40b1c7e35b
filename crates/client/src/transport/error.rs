//! Why a connection cannot be opened.

use std::io;

use sterna_wire::http::Violation;
use sterna_wire::native::Refusal;
use sterna_wire::websocket::HandshakeError;

use crate::machine::Ended;

/// Why a connection cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the name has no address")]
    NoAddress,
    #[error("not opened in time")]
    TimedOut,
    #[error("the name of the host is not valid for TLS")]
    HostName,
    #[error("the server ended the connection before it answered")]
    EarlyEnd,
    #[error("the server does not speak HTTP ({0}); check the address, and whether it needs wss://")]
    Http(#[from] Violation),
    #[error("the server is none of Sterna, or the path is wrong: {0}")]
    Handshake(#[from] HandshakeError),
    #[error("{0:?}")]
    Refused(Refusal),
}

impl From<OpenError> for Ended {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Refused(refusal) => Self::Refused(refusal),
            error => Self::Failed(error.to_string().into()),
        }
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string().into())
    }
}

/// Whether a read or write ran into its time-out, or was interrupted by a signal: nothing is wrong.
pub(super) fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

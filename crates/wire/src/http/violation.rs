//! Why a peer's HTTP bytes cannot be read any further.

use sterna_model::Code;

use super::Request;

/// The peer broke HTTP/1.1 or a limit. What follows in the stream has no meaning any more: answer with
/// [`Response::error`](super::Response::error) if there is somebody to answer, and close the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Violation {
    /// The public code.
    pub code: Code,
    /// What is wrong, for a person.
    pub detail: &'static str,
    /// The request whose body broke a rule or limit, without that body, so that it can be answered in its own
    /// terms.
    pub request: Option<Box<Request>>,
}

impl Violation {
    pub(super) fn new(code: Code, detail: &'static str) -> Self {
        Self { code, detail, request: None }
    }

    pub(super) fn protocol(detail: &'static str) -> Self {
        Self::new(Code::ProtocolViolation, detail)
    }

    /// The same, met in the body of `request`.
    pub(super) fn of(self, request: Request) -> Self {
        Self { request: Some(Box::new(Request { keep_alive: false, ..request })), ..self }
    }
}

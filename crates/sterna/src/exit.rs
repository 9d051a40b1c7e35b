//! Exit codes of the client commands, and words for a person on standard error.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use sterna_client::{ClientError, PublishFailure, Refusal};
use sterna_model::{Code, PublishStatus};

/// The exit codes, as `--help` shows them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed, or not reached in time
  2  wrong usage or input
  3  not allowed: the token, the address or the subject
  4  the message is larger than the server takes";

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Denied = 3,
    TooLarge = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<&Refusal> for Exit {
    fn from(refusal: &Refusal) -> Self {
        match refusal.code() {
            Some(
                Code::TokenMissing
                | Code::TokenInvalid
                | Code::TokenExpired
                | Code::SubscribeDenied
                | Code::PublishDenied
                | Code::AddressDenied
                | Code::OriginDenied,
            ) => Self::Denied,
            Some(Code::MessageTooLarge | Code::FrameTooLarge) => Self::TooLarge,
            _ => Self::Failed,
        }
    }
}

impl From<&PublishFailure> for Exit {
    fn from(failure: &PublishFailure) -> Self {
        match failure.status() {
            PublishStatus::Denied => Self::Denied,
            PublishStatus::MessageSizeLimitExceeded => Self::TooLarge,
            PublishStatus::Ok | PublishStatus::Failed => Self::Failed,
        }
    }
}

impl From<&ClientError> for Exit {
    fn from(error: &ClientError) -> Self {
        match error {
            ClientError::NoServer | ClientError::Tls(_) => Self::Usage,
            ClientError::Random(_) => Self::Failed,
        }
    }
}

/// Tells a person something that is no output. That nobody reads it is no error.
pub(crate) fn tell(command: &str, what: &dyn fmt::Display) {
    let _ = writeln!(io::stderr(), "sterna {command}: {what}");
}

//! The payload of a close frame (RFC 6455, 5.5.1 and 7.4): code and reason.

use std::ops::Deref;

use sterna_model::limit::CONTROL_PAYLOAD_BYTES_MAX;

use super::{Event, Violation};

/// The payload of a close frame.
#[derive(Clone, Copy, Debug)]
pub struct ClosePayload {
    bytes: [u8; CONTROL_PAYLOAD_BYTES_MAX],
    used: usize,
}

impl Deref for ClosePayload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.used]
    }
}

/// Builds the payload of a close frame. A reason above 123 bytes is cut at a character's end.
#[must_use]
pub fn close_payload(code: u16, reason: &str) -> ClosePayload {
    let mut bytes = [0; CONTROL_PAYLOAD_BYTES_MAX];
    let (code_bytes, reason_bytes) = bytes.split_at_mut(2);
    code_bytes.copy_from_slice(&code.to_be_bytes());
    let reason = &reason[..reason.floor_char_boundary(reason_bytes.len())];
    reason_bytes[..reason.len()].copy_from_slice(reason.as_bytes());
    ClosePayload { bytes, used: 2 + reason.len() }
}

/// Reads the payload of a close frame.
///
/// # Errors
/// One byte; a code that may not be sent; a reason that is not UTF-8.
pub(super) fn read_close(payload: &[u8]) -> Result<Event<'_>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() {
            Ok(Event::Close { code: None, reason: "" })
        } else {
            Err(Violation::CloseTruncated)
        };
    };
    let code = u16::from_be_bytes(*code);
    if !may_be_sent(code) {
        return Err(Violation::CloseCode(code));
    }
    let reason = simdutf8::basic::from_utf8(reason).map_err(|_| Violation::InvalidUtf8)?;
    Ok(Event::Close { code: Some(code), reason })
}

/// Whether a code may appear in a frame: those of the protocol, as registered (1012 to 1014 came after the RFC),
/// and the ranges of libraries and applications. 1004 to 1006 and 1015 are for use inside an endpoint only.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_reason_come_back() {
        let payload = close_payload(4300, "slow_consumer");
        assert_eq!(&payload[..2], &4300u16.to_be_bytes());
        assert_eq!(read_close(&payload), Ok(Event::Close { code: Some(4300), reason: "slow_consumer" }));
    }

    #[test]
    fn a_long_reason_is_cut_at_a_characters_end() {
        let payload = close_payload(1000, &"ü".repeat(100));
        assert_eq!(payload.len(), 124, "122 bytes are 61 whole characters");
        assert_eq!(read_close(&payload), Ok(Event::Close { code: Some(1000), reason: &"ü".repeat(61) }));
    }
}

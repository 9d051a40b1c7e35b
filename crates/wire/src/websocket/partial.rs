//! What a connection holds while a frame or a message is incomplete.

use std::mem;

use super::frame::HEADER_BYTES_MAX;
use super::{Opcode, Violation, mask};

/// A frame that was admitted and whose payload is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Of the message, also in a continuation frame.
    pub(super) opcode: Opcode,
    /// Of the message, also in a continuation frame.
    pub(super) compressed: bool,
    pub(super) first: bool,
    pub(super) last: bool,
    pub(super) mask: Option<[u8; 4]>,
    pub(super) payload_bytes: usize,
    pub(super) received_bytes: usize,
}

impl Frame {
    /// Unmasks the next part of the payload in place.
    pub(super) fn unmask(&self, payload: &mut [u8]) {
        if let Some(key) = self.mask {
            mask::apply(payload, key, self.received_bytes);
        }
    }

    pub(super) fn missing_bytes(&self) -> usize {
        self.payload_bytes - self.received_bytes
    }

    /// Whether the frame is a whole message, and `payload`, the part received last, is all of it.
    pub(super) fn is_whole_in(&self, payload: &[u8]) -> bool {
        self.first && self.last && payload.len() == self.payload_bytes
    }
}

/// A data message of which some payload is kept, or the first fragment was empty.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) opcode: Opcode,
    pub(super) compressed: bool,
    /// Grows as bytes arrive, whatever length a header declared.
    pub(super) payload: Vec<u8>,
    /// Valid UTF-8 up to here, if it is text.
    utf8_bytes: usize,
}

impl Message {
    fn new(frame: &Frame) -> Self {
        Self { opcode: frame.opcode, compressed: frame.compressed, payload: Vec::new(), utf8_bytes: 0 }
    }

    /// Adds unmasked payload; text that can no longer become valid is refused at once (RFC 6455, 8.1).
    fn push(&mut self, payload: &[u8]) -> Result<(), Violation> {
        self.payload.extend_from_slice(payload);
        if self.opcode == Opcode::Text && !self.compressed {
            match simdutf8::compat::from_utf8(&self.payload[self.utf8_bytes..]) {
                Ok(text) => self.utf8_bytes += text.len(),
                Err(error) if error.error_len().is_none() => self.utf8_bytes += error.valid_up_to(),
                Err(_) => return Err(Violation::InvalidUtf8),
            }
        }
        Ok(())
    }
}

/// Everything incomplete of one connection; it does not exist while the connection is idle.
#[derive(Debug, Default)]
pub(super) struct Partial {
    /// The beginning of a header.
    pub(super) header: [u8; HEADER_BYTES_MAX],
    pub(super) header_bytes: usize,
    /// The frame whose payload is missing or incomplete.
    pub(super) frame: Option<Frame>,
    pub(super) message: Option<Message>,
    /// Payload of a control frame: apart, because it may come inside a message.
    control: Vec<u8>,
}

impl Partial {
    /// Keeps the part of `frame` that arrived last; gives the payload of what is complete now.
    pub(super) fn keep(&mut self, frame: &Frame, payload: &[u8]) -> Result<Option<Vec<u8>>, Violation> {
        let complete = frame.missing_bytes() == 0;
        self.frame = (!complete).then_some(*frame);
        if frame.received_bytes == 0 && !complete {
            return Ok(None); // no message yet: the payload may still come in one piece and need no copy
        }
        if frame.opcode.is_control() {
            self.control.extend_from_slice(payload);
            return Ok(complete.then(|| mem::take(&mut self.control)));
        }
        let message = self.message.get_or_insert_with(|| Message::new(frame));
        message.push(payload)?;
        let done = self.message.take_if(|_| complete && frame.last);
        Ok(done.map(|message| message.payload))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.header_bytes == 0 && self.frame.is_none() && self.message.is_none()
    }

    pub(super) fn held_bytes(&self) -> usize {
        let message_bytes = self.message.as_ref().map_or(0, |message| message.payload.capacity());
        size_of::<Self>() + message_bytes + self.control.capacity()
    }
}

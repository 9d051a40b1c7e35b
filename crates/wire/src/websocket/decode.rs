//! The decoder: bytes of one connection in, events out.

use std::ops::Range;

use sterna_model::limit::CONTROL_PAYLOAD_BYTES_MAX;

use super::deflate::Inflater;
use super::frame::{HEADER_BYTES_MAX, Header};
use super::partial::{Frame, Partial};
use super::{Event, Opcode, Violation};

/// Which side of the connection the decoder is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We are the server: frames that come in must be masked.
    Server,
    /// We are the client: frames that come in must not be masked.
    Client,
}

/// What the connections of one thread use in turn while they decode: the inflater, and the last message that did not
/// lie in the input in one piece. Its buffers stay within three times the largest
/// `payload_bytes_max`.
#[derive(Debug, Default)]
pub struct Shared {
    inflater: Inflater,
    assembled: Vec<u8>,
}

impl Shared {
    /// Bytes of the buffers, for accounting; the inflater's own state (about 50 KB once used) not included.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.inflater.held_bytes() + self.assembled.capacity()
    }
}

/// What [`Decoder::next`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// Bytes of the input that are done with: all of them if there is no event, at least one if there is.
    pub consumed: usize,
    /// What is complete now; more may follow in the rest of the input.
    pub event: Option<Event<'a>>,
}

/// The receiving state of one connection: no buffer and no allocation while nothing is incomplete.
#[derive(Debug)]
pub struct Decoder {
    partial: Option<Box<Partial>>,
    role: Role,
    deflate: bool,
}

/// Where the payload of something complete lies.
enum Payload {
    Input(Range<usize>),
    Assembled,
}

/// Something complete, before its payload is interpreted.
struct Found {
    opcode: Opcode,
    compressed: bool,
    payload: Payload,
}

impl Found {
    fn new(frame: &Frame, payload: Payload) -> Self {
        Self { opcode: frame.opcode, compressed: frame.compressed, payload }
    }
}

impl Decoder {
    /// A decoder for a connection whose handshake is done; `deflate` says whether permessage-deflate was negotiated
    /// (without context takeover in either direction, as [`UpgradeRequest`](super::UpgradeRequest) and
    /// [`UpgradeOffer`](super::UpgradeOffer) do).
    #[must_use]
    pub fn new(role: Role, deflate: bool) -> Self {
        Self { partial: None, role, deflate }
    }

    /// Decodes up to the next event. The input is used up to [`Step::consumed`]; call again with the rest of it until
    /// there is no event. Payloads are unmasked where they lie; an unfragmented message that lies in the input as a
    /// whole is handed out from there, and nothing is copied or allocated.
    ///
    /// `payload_bytes_max` bounds a message's payload, both as sent and inflated. It is checked on the header, before
    /// any of the payload is kept.
    ///
    /// # Errors
    /// The peer broke the protocol: close the connection, and do not use the decoder again.
    pub fn next<'a>(
        &mut self,
        input: &'a mut [u8],
        shared: &'a mut Shared,
        payload_bytes_max: usize,
    ) -> Result<Step<'a>, Violation> {
        let (consumed, found) = self.advance(input, &mut shared.assembled, payload_bytes_max)?;
        let Some(Found { opcode, compressed, payload }) = found else {
            return Ok(Step { consumed, event: None });
        };
        let Shared { inflater, assembled } = shared;
        let mut payload = match payload {
            Payload::Input(range) => &input[range],
            Payload::Assembled => assembled,
        };
        if compressed {
            payload = inflater.inflate(payload, payload_bytes_max)?;
        }
        Ok(Step { consumed, event: Some(Event::new(opcode, payload)?) })
    }

    /// Heap bytes of what is incomplete, 0 while idle, for accounting.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.held_bytes())
    }

    /// Consumes frames until something is complete or the input is used up.
    fn advance(
        &mut self,
        input: &mut [u8],
        assembled: &mut Vec<u8>,
        payload_bytes_max: usize,
    ) -> Result<(usize, Option<Found>), Violation> {
        let mut at = 0;
        loop {
            let mut frame = match self.partial.as_mut().and_then(|partial| partial.frame.take()) {
                Some(frame) => frame,
                None => {
                    let Some((header, header_bytes)) = self.take_header(&input[at..])? else {
                        return Ok((input.len(), None));
                    };
                    at += header_bytes;
                    self.admit(&header, payload_bytes_max)?
                }
            };
            let here = at..at + frame.missing_bytes().min(input.len() - at);
            at = here.end;
            let payload = &mut input[here.clone()];
            frame.unmask(payload);
            frame.received_bytes += payload.len();
            let found = if frame.is_whole_in(payload) {
                self.settle();
                Some(Found::new(&frame, Payload::Input(here)))
            } else {
                self.keep(&frame, payload, assembled)?
            };
            if found.is_some() || frame.missing_bytes() > 0 {
                return Ok((at, found));
            }
        }
    }

    /// Reads the next header and says how much of the input it took; an incomplete one is kept.
    fn take_header(&mut self, input: &[u8]) -> Result<Option<(Header, usize)>, Violation> {
        let kept = self.partial.as_ref().map_or(0, |partial| partial.header_bytes);
        if kept == 0 {
            let complete = Header::read(input)?;
            if complete.is_some() || input.is_empty() {
                return Ok(complete);
            }
        }
        let partial = self.partial.get_or_insert_default();
        let added = input.len().min(HEADER_BYTES_MAX - kept);
        partial.header[kept..kept + added].copy_from_slice(&input[..added]);
        let complete = Header::read(&partial.header[..kept + added])?;
        partial.header_bytes = if complete.is_some() { 0 } else { kept + added };
        Ok(complete.map(|(header, header_bytes)| (header, header_bytes - kept)))
    }

    /// Checks a header against the role, what was negotiated, the message under way and the bound.
    fn admit(&self, header: &Header, payload_bytes_max: usize) -> Result<Frame, Violation> {
        match (self.role, header.mask) {
            (Role::Server, None) => return Err(Violation::MaskMissing),
            (Role::Client, Some(_)) => return Err(Violation::MaskUnexpected),
            _ => {}
        }
        let message = self.partial.as_ref().and_then(|partial| partial.message.as_ref());
        let (opcode, compressed, bytes_left) = match (header.opcode, message) {
            (control, _) if control.is_control() => (control, false, CONTROL_PAYLOAD_BYTES_MAX),
            (Opcode::Continuation, None) => return Err(Violation::ContinuationUnexpected),
            (Opcode::Continuation, Some(_)) if header.compressed => return Err(Violation::ReservedBit),
            (Opcode::Continuation, Some(message)) => {
                (message.opcode, message.compressed, payload_bytes_max.saturating_sub(message.payload.len()))
            }
            (_, Some(_)) => return Err(Violation::ContinuationMissing),
            (_, None) if header.compressed && !self.deflate => return Err(Violation::ReservedBit),
            (opcode, None) => (opcode, header.compressed, payload_bytes_max),
        };
        let payload_bytes = usize::try_from(header.payload_bytes)
            .ok()
            .filter(|bytes| *bytes <= bytes_left)
            .ok_or(Violation::TooLarge { bytes_max: payload_bytes_max })?;
        Ok(Frame {
            opcode,
            compressed,
            first: header.opcode != Opcode::Continuation,
            last: header.last,
            mask: header.mask,
            payload_bytes,
            received_bytes: 0,
        })
    }

    /// Keeps a part of a frame that is not whole in the input; what it completes moves to `assembled`.
    fn keep(
        &mut self,
        frame: &Frame,
        payload: &[u8],
        assembled: &mut Vec<u8>,
    ) -> Result<Option<Found>, Violation> {
        let partial = self.partial.get_or_insert_default();
        let complete = partial.keep(frame, payload)?;
        Ok(complete.map(|payload| {
            *assembled = payload;
            self.settle();
            Found::new(frame, Payload::Assembled)
        }))
    }

    /// Gives the memory back once nothing is incomplete.
    fn settle(&mut self) {
        if self.partial.as_ref().is_some_and(|partial| partial.is_empty()) {
            self.partial = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_decoder_is_small_and_holds_nothing() {
        assert!(size_of::<Decoder>() <= 16, "{}", size_of::<Decoder>());
        assert_eq!(Decoder::new(Role::Server, true).held_bytes(), 0);
    }
}

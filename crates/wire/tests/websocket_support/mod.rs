//! Runs a decoder over a byte stream, chunk by chunk, and checks what must hold for any bytes at all.
#![allow(dead_code, reason = "each test crate uses a part of it")]

use sterna_wire::websocket::{Decoder, Event, Opcode, Role, Shared, Violation, close_payload, masked_frame};

/// An event that outlives its buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    /// The stream was refused here.
    Refused(Violation),
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.to_owned()),
            Event::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Event::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Event::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Event::Close { code, reason } => Self::Close(code, reason.to_owned()),
        }
    }
}

/// A decoder with what belongs to its thread.
pub(crate) struct Peer {
    pub(crate) decoder: Decoder,
    pub(crate) shared: Shared,
    pub(crate) payload_bytes_max: usize,
}

impl Peer {
    pub(crate) fn new(role: Role, deflate: bool, payload_bytes_max: usize) -> Self {
        Self { decoder: Decoder::new(role, deflate), shared: Shared::default(), payload_bytes_max }
    }

    /// Everything that one read of these bytes gives.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Vec<Seen> {
        let mut input = bytes.to_vec();
        let mut rest = input.as_mut_slice();
        let mut seen = Vec::new();
        loop {
            let bytes_before = rest.len();
            let step = match self.decoder.next(rest, &mut self.shared, self.payload_bytes_max) {
                Ok(step) => step,
                Err(violation) => {
                    seen.push(Seen::Refused(violation));
                    return seen;
                }
            };
            let consumed = step.consumed;
            match step.event {
                Some(event) => {
                    assert!(consumed > 0 && consumed <= bytes_before);
                    seen.push(event.into());
                }
                None => {
                    assert_eq!(consumed, bytes_before, "without an event all of the input is consumed");
                    return seen;
                }
            }
            rest = &mut rest[consumed..];
            self.check_memory();
        }
    }

    /// Everything that the bytes give in chunks of these sizes, the last size repeated.
    pub(crate) fn read_in_chunks(&mut self, mut bytes: &[u8], sizes: &[usize]) -> Vec<Seen> {
        let mut sizes = sizes.iter().copied();
        let (mut size, mut seen) = (usize::MAX, Vec::new());
        while !bytes.is_empty() && !matches!(seen.last(), Some(Seen::Refused(_))) {
            size = sizes.next().unwrap_or(size).clamp(1, bytes.len());
            let (chunk, rest) = bytes.split_at(size);
            seen.extend(self.read(chunk));
            self.check_memory();
            bytes = rest;
        }
        seen
    }

    fn check_memory(&self) {
        let (held, max) = (self.decoder.held_bytes(), self.payload_bytes_max);
        assert!(held <= 2 * max + 1024, "a connection holds {held} bytes with a bound of {max}");
        assert!(self.shared.held_bytes() <= 3 * max + 1024, "a thread holds {}", self.shared.held_bytes());
    }
}

/// A client's frames that say the same as the events, without those that cannot be said.
pub(crate) fn client_frames(seen: &[Seen]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, event) in seen.iter().enumerate() {
        let key = (number as u32).wrapping_mul(0x9E37_79B9).to_le_bytes();
        let mut push = |opcode, payload: &[u8]| masked_frame(opcode, payload, false, key, &mut out);
        match event {
            Seen::Text(text) => push(Opcode::Text, text.as_bytes()),
            Seen::Binary(bytes) => push(Opcode::Binary, bytes),
            Seen::Ping(bytes) => push(Opcode::Ping, bytes),
            Seen::Pong(bytes) => push(Opcode::Pong, bytes),
            Seen::Close(Some(code), reason) => push(Opcode::Close, &close_payload(*code, reason)),
            Seen::Close(None, _) => push(Opcode::Close, &[]),
            Seen::Refused(_) => {}
        }
    }
    out
}

/// What must hold for any bytes that a client may send. The first byte's lowest bit turns compression on, the second
/// byte is the chunk size; the rest is the stream.
pub(crate) fn check_server(data: &[u8]) {
    const PAYLOAD_BYTES_MAX: usize = 4096;
    let [flags, chunk_bytes, stream @ ..] = data else { return };
    let peer = || Peer::new(Role::Server, flags & 1 != 0, PAYLOAD_BYTES_MAX);

    let whole = peer().read(stream);
    let chunked = peer().read_in_chunks(stream, &[usize::from(*chunk_bytes)]);
    assert_eq!(whole, chunked, "the events do not depend on how the bytes are cut");

    let said: Vec<_> = whole.into_iter().filter(|event| !matches!(event, Seen::Refused(_))).collect();
    let mut again = peer();
    assert_eq!(again.read(&client_frames(&said)), said, "what was understood can be said again");
    assert_eq!(again.decoder.held_bytes(), 0, "an idle connection holds nothing");
}

//! An open WebSocket: text frames out and in, pings answered, closed politely.

use std::fmt;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use sterna_wire::websocket::{Decoder, Event, Opcode, Role, Shared, close_payload, masked_frame};

use super::error::is_pause;
use super::mask::MaskKeys;
use super::stream::Stream;
use crate::machine::Ended;

/// Close code of a client that closes (E3).
const NORMAL_CLOSURE: u16 = 1000;
/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;
/// How long one write waits for a socket that takes nothing: then it is time to read.
const WRITE_WAIT: Duration = Duration::from_millis(20);
/// How long a closing client waits for the server's end.
const CLOSE_WAIT: Duration = Duration::from_millis(500);
/// A socket that takes nothing for so long has nobody behind it.
const STUCK: Duration = Duration::from_secs(30);

/// Something came from the server.
pub(crate) enum Incoming<'a> {
    /// A text frame.
    Text(&'a str),
    /// A sign of life.
    Heard,
}

/// An open WebSocket.
pub(crate) struct Link {
    stream: Stream,
    decoder: Decoder,
    shared: Shared,
    mask_keys: MaskKeys,
    /// Bytes that came behind the handshake's answer and were not decoded yet.
    received: Vec<u8>,
    buffer: Box<[u8]>,
    /// Frames that were not written yet. Bounded by the publishes that may be without a result.
    outgoing: Vec<u8>,
    /// How much of them was.
    written: usize,
    /// Since when the socket takes nothing.
    stuck_since: Option<Instant>,
}

impl Link {
    pub(super) fn new(stream: Stream, received: Vec<u8>, deflate: bool) -> Self {
        Self {
            stream,
            decoder: Decoder::new(Role::Client, deflate),
            shared: Shared::default(),
            mask_keys: MaskKeys::new(),
            received,
            buffer: vec![0; READ_BYTES].into(),
            outgoing: Vec::new(),
            written: 0,
            stuck_since: None,
        }
    }

    /// Queues a text frame; [`Link::flush`] writes it.
    pub(crate) fn send(&mut self, text: &[u8]) -> Result<(), Ended> {
        self.push(Opcode::Text, text)
    }

    /// Bytes that wait to be written.
    pub(crate) fn outgoing_bytes(&self) -> usize {
        self.outgoing.len() - self.written
    }

    fn push(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Ended> {
        let key = self.mask_keys.next()?;
        masked_frame(opcode, payload, false, key, &mut self.outgoing);
        Ok(())
    }

    /// Writes what waits, as far as the socket takes it.
    pub(crate) fn flush(&mut self) -> Result<(), Ended> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        self.stream.set_write_timeout(WRITE_WAIT)?;
        let before = self.written;
        while self.written < self.outgoing.len() {
            match self.stream.write(&self.outgoing[self.written..]) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(written) => self.written += written,
                Err(error) if is_pause(&error) => return self.check_stuck(before),
                Err(error) => return Err(error.into()),
            }
        }
        match self.stream.flush() {
            Err(error) if !is_pause(&error) => return Err(error.into()),
            _ => {}
        }
        self.outgoing.clear();
        self.written = 0;
        self.stuck_since = None;
        Ok(())
    }

    fn check_stuck(&mut self, before: usize) -> Result<(), Ended> {
        let now = Instant::now();
        if self.written > before {
            self.stuck_since = None;
        }
        let since = *self.stuck_since.get_or_insert(now);
        if now - since > STUCK { Err(Ended::Failed("the server reads nothing".into())) } else { Ok(()) }
    }

    /// Waits for bytes and hands out what they complete.
    pub(crate) fn receive(
        &mut self,
        wait: Duration,
        frame_bytes_max: usize,
        mut take: impl FnMut(Incoming<'_>),
    ) -> Result<(), Ended> {
        let mut early = std::mem::take(&mut self.received);
        if !early.is_empty() {
            return self.decode(&mut early, frame_bytes_max, &mut take);
        }
        // While frames wait to be written there is no time to wait for others.
        let wait = if self.outgoing.is_empty() { wait } else { Duration::ZERO };
        self.stream.set_read_timeout(wait)?;
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = match self.stream.read(&mut buffer) {
            Ok(0) => Err(Ended::Closed(None, Box::default())),
            Ok(read) => self.decode(&mut buffer[..read], frame_bytes_max, &mut take),
            Err(error) if is_pause(&error) => Ok(()),
            Err(error) => Err(error.into()),
        };
        self.buffer = buffer;
        result
    }

    fn decode(
        &mut self,
        mut input: &mut [u8],
        frame_bytes_max: usize,
        take: &mut impl FnMut(Incoming<'_>),
    ) -> Result<(), Ended> {
        take(Incoming::Heard);
        loop {
            let step = self.decoder.next(input, &mut self.shared, frame_bytes_max).map_err(|violation| {
                Ended::Failed(format!("the server broke the protocol: {violation}").into())
            })?;
            let consumed = step.consumed;
            match step.event {
                None => return Ok(()),
                Some(Event::Text(text)) => take(Incoming::Text(text)),
                Some(Event::Ping(payload)) => {
                    let key = self.mask_keys.next()?;
                    masked_frame(Opcode::Pong, payload, false, key, &mut self.outgoing);
                }
                Some(Event::Pong(_)) => {}
                Some(Event::Binary(_)) => return Err(Ended::Failed("the server sent a binary frame".into())),
                Some(Event::Close { code, reason }) => {
                    let ended = Ended::Closed(code, reason.into());
                    self.finish(code.unwrap_or(NORMAL_CLOSURE));
                    return Err(ended);
                }
            }
            input = &mut input[consumed..];
        }
    }

    /// Closes with code 1000, after what waits was written. Does not fail: the connection is given up anyway.
    pub(crate) fn close(mut self) {
        self.finish(NORMAL_CLOSURE);
        // A socket that is closed with unread bytes would take back what the server has not read yet.
        let until = Instant::now() + CLOSE_WAIT;
        while Instant::now() < until {
            let _ = self.stream.set_read_timeout(CLOSE_WAIT);
            match self.stream.read(&mut self.buffer) {
                Ok(0) => return,
                Err(error) if !is_pause(&error) => return,
                _ => {}
            }
        }
    }

    fn finish(&mut self, close_code: u16) {
        if self.push(Opcode::Close, &close_payload(close_code, "")).is_ok() {
            let until = Instant::now() + CLOSE_WAIT;
            while self.flush().is_ok() && self.outgoing_bytes() > 0 && Instant::now() < until {}
            self.stream.finish();
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("outgoing_bytes", &self.outgoing_bytes()).finish_non_exhaustive()
    }
}

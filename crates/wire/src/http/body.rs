//! Request bodies as they arrive: of a stated length, or in chunks (RFC 9112, 7.1).

use sterna_model::Code;
use sterna_model::limit::HTTP_HEAD_BYTES_MAX;

use super::Violation;
use super::head::Framing;

/// A body of which the end was not seen yet.
#[derive(Debug)]
pub(super) struct Body {
    bytes: Vec<u8>,
    state: State,
    /// Bytes of chunk extensions and trailers so far; they are read over, but not without end.
    ignored_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Content of stated length; this much is left.
    Sized { left: usize },
    /// Hexadecimal digits of a chunk's size.
    Size { value: u64, digits: u8 },
    /// Behind the semicolon after a chunk's size.
    Extension { value: u64 },
    /// Behind the CR after a chunk's size.
    SizeLf { value: u64 },
    /// Content of a chunk; this much is left.
    Chunk { left: usize },
    /// Behind a chunk's content.
    ChunkCr,
    /// Behind the CR after a chunk's content.
    ChunkLf,
    /// At the beginning of a trailer line, or of the empty line that ends the body.
    TrailerStart,
    /// Inside a trailer line.
    Trailer,
    /// Behind the CR of a trailer line.
    TrailerLf,
    /// Behind the CR of the empty line.
    FinalLf,
    /// Behind the body.
    Done,
}

impl Body {
    /// A body that begins now. A stated length above the limit is refused before anything is kept.
    pub(super) fn new(framing: Framing, bytes_max: usize) -> Result<Self, Violation> {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Sized { left: within(length, bytes_max)? },
            Framing::Chunked => State::Size { value: 0, digits: 0 },
        };
        Ok(Self { bytes: Vec::new(), state, ignored_bytes: 0 })
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes from `input` what belongs to the body; gives the number of bytes taken.
    pub(super) fn read(&mut self, input: &[u8], bytes_max: usize) -> Result<usize, Violation> {
        let mut at = 0;
        while at < input.len() && !self.is_done() {
            match self.state {
                State::Sized { left } | State::Chunk { left } => {
                    let part = &input[at..][..left.min(input.len() - at)];
                    self.bytes.extend_from_slice(part);
                    at += part.len();
                    self.state = match (self.state, left - part.len()) {
                        (State::Sized { .. }, 0) => State::Done,
                        (State::Sized { .. }, left) => State::Sized { left },
                        (_, 0) => State::ChunkCr,
                        (_, left) => State::Chunk { left },
                    };
                }
                _ => {
                    self.state = self.step(input[at], bytes_max)?;
                    at += 1;
                }
            }
        }
        Ok(at)
    }

    /// The state after one byte between contents.
    fn step(&mut self, byte: u8, bytes_max: usize) -> Result<State, Violation> {
        let is_text = byte == b'\t' || !byte.is_ascii_control();
        Ok(match (self.state, byte) {
            (State::Size { value, digits }, _) if digits < 16 && byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).expect("it is a hexadecimal digit");
                State::Size { value: value << 4 | u64::from(digit), digits: digits + 1 }
            }
            (State::Size { value, digits: 1.. }, b';') => State::Extension { value },
            (State::Size { value, digits: 1.. } | State::Extension { value }, b'\r') => {
                State::SizeLf { value }
            }
            (State::Extension { .. }, _) if is_text => self.ignore(self.state)?,
            (State::SizeLf { value: 0 }, b'\n') => State::TrailerStart,
            (State::SizeLf { value }, b'\n') => {
                State::Chunk { left: within(value, bytes_max.saturating_sub(self.bytes.len()))? }
            }
            (State::ChunkCr, b'\r') => State::ChunkLf,
            (State::ChunkLf, b'\n') => State::Size { value: 0, digits: 0 },
            (State::TrailerStart, b'\r') => State::FinalLf,
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::TrailerStart | State::Trailer, _) if is_text => self.ignore(State::Trailer)?,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::FinalLf, b'\n') => State::Done,
            _ => return Err(Violation::protocol("the chunked body is not well formed")),
        })
    }

    fn ignore(&mut self, state: State) -> Result<State, Violation> {
        self.ignored_bytes += 1;
        if self.ignored_bytes > HTTP_HEAD_BYTES_MAX {
            return Err(Violation::new(Code::HeadTooLarge, "chunk extensions and trailers are too long"));
        }
        Ok(state)
    }

    /// The content read.
    pub(super) fn into_bytes(self) -> Box<[u8]> {
        self.bytes.into_boxed_slice()
    }

    /// Bytes of memory held.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

fn within(length: u64, bytes_max: usize) -> Result<usize, Violation> {
    usize::try_from(length)
        .ok()
        .filter(|length| *length <= bytes_max)
        .ok_or(Violation::new(Code::MessageTooLarge, "the request body is too large"))
}

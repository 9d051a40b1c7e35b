//! Bytes of a connection to requests, however they were cut on the way.

use std::borrow::Cow;

use sterna_model::limit::HTTP_HEAD_BYTES_MAX;

use super::body::Body;
use super::head::{self, Head};
use super::{Request, Violation};

/// Bounds that depend on the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request body.
    pub body_bytes_max: usize,
}

/// What one call of [`Decoder::next`] did.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes of the input that are dealt with; call again with the rest, if any.
    pub consumed: usize,
    /// What came out.
    pub outcome: Outcome,
}

/// What came out of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was consumed and the request is not complete.
    NeedMore,
    /// The client waits: send [`CONTINUE`](super::Response::CONTINUE) now, then go on.
    Continue100,
    /// A whole request.
    Request(Request),
}

/// The HTTP state of one connection. A single pointer wide and without an allocation between requests; it
/// keeps the bytes of an unfinished request itself, at most the head limit plus the body limit (twice that
/// while it grows).
#[derive(Debug, Default)]
pub struct Decoder {
    partial: Option<Box<Partial>>,
}

#[derive(Debug)]
enum Partial {
    /// Bytes of a head whose end was not seen.
    Head(Vec<u8>),
    /// A head was read, its body is arriving.
    Body(Request, Body),
}

impl Decoder {
    /// Reads up to one request. Calls with the rest of the input give pipelined requests one by one; whoever
    /// switches protocol after a request passes the rest to the new protocol.
    ///
    /// # Errors
    /// The peer broke HTTP or a limit; the decoder must not be used again.
    pub fn next(&mut self, input: &[u8], limits: &Limits) -> Result<Step, Violation> {
        match self.partial.take().map(|partial| *partial) {
            None if input.is_empty() => Ok(Step { consumed: 0, outcome: Outcome::NeedMore }),
            None => self.read_head(Vec::new(), input, limits),
            Some(Partial::Head(held)) => self.read_head(held, input, limits),
            Some(Partial::Body(request, body)) => self.read_body(request, body, input, limits),
        }
    }

    /// Bytes of memory held for an unfinished request.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| {
            size_of::<Partial>()
                + match &**partial {
                    Partial::Head(held) => held.capacity(),
                    Partial::Body(request, body) => request.held_bytes() + body.held_bytes(),
                }
        })
    }

    /// Whether a request has begun to arrive and is not complete.
    #[must_use]
    pub fn is_mid_request(&self) -> bool {
        self.partial.is_some()
    }

    fn read_head(&mut self, held: Vec<u8>, input: &[u8], limits: &Limits) -> Result<Step, Violation> {
        let scanned = held.len();
        let window = &input[..input.len().min(HTTP_HEAD_BYTES_MAX - scanned)];
        let bytes = join(held, window);
        let Some(end) = head::find_end(&bytes, scanned)? else {
            self.partial = Some(Box::new(Partial::Head(bytes.into_owned())));
            return Ok(Step { consumed: input.len(), outcome: Outcome::NeedMore });
        };
        let Head { request, framing, expects_continue } = head::parse(&bytes[..end])?;
        let head_bytes = end - scanned;
        let rest = &input[head_bytes..];
        let body = match Body::new(framing, limits.body_bytes_max) {
            Ok(body) => body,
            Err(violation) => return Err(violation.of(request)),
        };
        if expects_continue && rest.is_empty() && !body.is_done() {
            self.partial = Some(Box::new(Partial::Body(request, body)));
            return Ok(Step { consumed: head_bytes, outcome: Outcome::Continue100 });
        }
        let step = self.read_body(request, body, rest, limits)?;
        Ok(Step { consumed: head_bytes + step.consumed, ..step })
    }

    fn read_body(
        &mut self,
        mut request: Request,
        mut body: Body,
        input: &[u8],
        limits: &Limits,
    ) -> Result<Step, Violation> {
        let consumed = match body.read(input, limits.body_bytes_max) {
            Ok(consumed) => consumed,
            Err(violation) => return Err(violation.of(request)),
        };
        if !body.is_done() {
            self.partial = Some(Box::new(Partial::Body(request, body)));
            return Ok(Step { consumed, outcome: Outcome::NeedMore });
        }
        request.body = body.into_bytes();
        Ok(Step { consumed, outcome: Outcome::Request(request) })
    }
}

/// The held bytes and the new ones in a row, copied only if something was held.
fn join(mut held: Vec<u8>, input: &[u8]) -> Cow<'_, [u8]> {
    if held.is_empty() {
        return Cow::Borrowed(input);
    }
    held.extend_from_slice(input);
    Cow::Owned(held)
}

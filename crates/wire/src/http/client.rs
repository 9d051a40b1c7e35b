//! The client's side of HTTP/1.1, as far as Sterna's own client, tools and tests need it.

use std::ops::Range;

use httparse::Status;
use sterna_model::Code;
use sterna_model::limit::{HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX};

use super::head::{content_length, find_end};
use super::headers::write_line;
use super::{Headers, Violation, percent};

/// Head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// Status code.
    pub status: u16,
    /// Header lines.
    pub headers: Headers,
}

/// A request to encode. Whatever its texts hold, they end up inside their places.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// `GET`, `POST`, ...
    pub method: &'static str,
    /// Value of the Host header.
    pub host: &'a str,
    /// Path, not percent-encoded.
    pub path: &'a str,
    /// Names and values of the query, not percent-encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// Header lines besides Host and Content-Length.
    pub headers: &'a [(&'a str, &'a str)],
}

impl RequestHead<'_> {
    /// Appends the request, with a Content-Length if there is a body.
    pub fn encode(&self, body: Option<&[u8]>, out: &mut Vec<u8>) {
        let mut line = format!("{} ", self.method);
        percent::encode(self.path, &mut line);
        for (index, (name, value)) in self.query.iter().enumerate() {
            line.push(if index == 0 { '?' } else { '&' });
            percent::encode(name, &mut line);
            line.push('=');
            percent::encode(value, &mut line);
        }
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        write_line("Host", self.host, out);
        for (name, value) in self.headers {
            write_line(name, value, out);
        }
        if let Some(body) = body {
            write_line("Content-Length", &body.len().to_string(), out);
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body.unwrap_or_default());
    }
}

/// Reads a response head from the beginning of what was received: the head and its length in bytes, or none
/// as long as it is not complete.
///
/// # Errors
/// It is not a response head, or a too large one.
pub fn decode_head(received: &[u8]) -> Result<Option<(ResponseHead, usize)>, Violation> {
    let window = &received[..received.len().min(HTTP_HEAD_BYTES_MAX)];
    let Some(length) = find_end(window, 0)? else { return Ok(None) };
    let mut lines = [httparse::EMPTY_HEADER; HTTP_HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut lines);
    match parsed.parse(&window[..length]) {
        Ok(Status::Complete(end)) if end == length => {
            let status = parsed.code.expect("a complete head has a status");
            Ok(Some((ResponseHead { status, headers: Headers::of_head(&window[..length]) }, length)))
        }
        Err(httparse::Error::TooManyHeaders) => {
            Err(Violation::new(Code::HeadTooLarge, "the response head has too many header lines"))
        }
        _ => Err(Violation::protocol("the response head is not well formed")),
    }
}

/// Reads a response with a Content-Length, not one to HEAD: its head, and where its body stands in `received`
/// (behind it the next response begins), or none as long as it is not complete.
///
/// # Errors
/// It is not such a response, or a too large one.
pub fn decode(
    received: &[u8],
    body_bytes_max: usize,
) -> Result<Option<(ResponseHead, Range<usize>)>, Violation> {
    let Some((head, start)) = decode_head(received)? else { return Ok(None) };
    let length = match head.headers.all("content-length").next() {
        Some(length) => content_length(length)?,
        None if head.status < 200 || matches!(head.status, 204 | 304) => 0,
        None => return Err(Violation::protocol("the response has no Content-Length")),
    };
    let length = usize::try_from(length)
        .ok()
        .filter(|length| *length <= body_bytes_max)
        .ok_or(Violation::new(Code::MessageTooLarge, "the response body is too large"))?;
    Ok((received.len() - start >= length).then_some((head, start..start + length)))
}

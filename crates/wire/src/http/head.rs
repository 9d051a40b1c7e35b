//! Request heads: where one ends, and what it says about the request and about the length of its body.

use httparse::Status;
use sterna_model::Code;
use sterna_model::limit::{HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX};

use super::request::query_pairs;
use super::{Headers, Method, Request, Violation, percent};

/// A head, read and judged.
pub(super) struct Head {
    /// The request, still without a body.
    pub(super) request: Request,
    /// How long the body is.
    pub(super) framing: Framing,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(super) expects_continue: bool,
}

/// How the end of a body is found (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After this many bytes.
    Length(u64),
    /// After the last chunk.
    Chunked,
}

/// Finds the end of the head in `bytes`, of which the first `scanned` were looked at before.
///
/// Lines end with CRLF and nothing else: where two servers read a lone CR or LF differently, a request can be
/// smuggled past one of them. No other control character is at home in a head, so bytes of another protocol
/// are recognised at once. One empty line before the request line is tolerated (RFC 9112, 2.2).
pub(super) fn find_end(bytes: &[u8], scanned: usize) -> Result<Option<usize>, Violation> {
    for at in scanned..bytes.len() {
        let after_cr = at > 0 && bytes[at - 1] == b'\r';
        match bytes[at] {
            b'\n' if !after_cr => {
                return Err(Violation::protocol("a line feed needs a carriage return before it"));
            }
            b'\n' if at >= 2 && bytes[at - 2] == b'\n' => return Ok(Some(at + 1)),
            b'\n' => {}
            _ if after_cr => return Err(Violation::protocol("a carriage return needs a line feed after it")),
            b'\r' | b'\t' => {}
            byte if byte.is_ascii_control() => {
                return Err(Violation::protocol("a head has no control characters"));
            }
            _ => {}
        }
    }
    if bytes.len() >= HTTP_HEAD_BYTES_MAX {
        return Err(Violation::new(Code::HeadTooLarge, "the head is too long"));
    }
    Ok(None)
}

/// Reads a whole head.
pub(super) fn parse(head: &[u8]) -> Result<Head, Violation> {
    let mut lines = [httparse::EMPTY_HEADER; HTTP_HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut lines);
    match parsed.parse(head) {
        Ok(Status::Complete(end)) if end == head.len() => {}
        Ok(_) => return Err(Violation::protocol("the request line is missing")),
        Err(error) => return Err(refusal_of(error)),
    }
    let whole = "a complete head has all three parts";
    let method = Method::of(parsed.method.expect(whole));
    let is_http_1_0 = parsed.version.expect(whole) == 0;
    let target = origin_form(method, parsed.path.expect(whole))?;
    let headers = Headers::of_head(head);

    check_host(&headers, is_http_1_0)?;
    let framing = framing(&headers, is_http_1_0)?;
    let expects_continue = !is_http_1_0 && headers.has_token("expect", "100-continue");
    let keep_alive = !is_http_1_0 && !headers.has_token("connection", "close");
    let request =
        Request { method, target: target.into(), headers, body: Box::default(), keep_alive, is_http_1_0 };
    Ok(Head { request, framing, expects_continue })
}

fn refusal_of(error: httparse::Error) -> Violation {
    match error {
        httparse::Error::TooManyHeaders => {
            Violation::new(Code::HeadTooLarge, "the request head has too many header lines")
        }
        httparse::Error::HeaderName => Violation::protocol("a header name is not well formed"),
        httparse::Error::HeaderValue => Violation::protocol("a header value is not well formed"),
        httparse::Error::Version => Violation::protocol("the version is neither HTTP/1.1 nor HTTP/1.0"),
        _ => Violation::protocol("the request line is not well formed"),
    }
}

/// The target as path and query (RFC 9112, 3.2); its escapes are known to decode from here on.
fn origin_form(method: Method, target: &str) -> Result<String, Violation> {
    let target = match target {
        "*" if method == Method::Options => return Ok(target.into()),
        _ if target.starts_with('/') => target.to_owned(),
        _ => {
            let rest = without_scheme(target)
                .ok_or(Violation::protocol("the request target is neither a path nor an http URL"))?;
            let path = &rest[rest.find(['/', '?']).unwrap_or(rest.len())..];
            if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
        }
    };
    if target.contains('#') {
        return Err(Violation::protocol("a request target has no fragment"));
    }
    percent::decode_path(target.split('?').next().unwrap_or_default())?;
    for (name, value) in query_pairs(&target) {
        percent::decode_query(name)?;
        percent::decode_query(value)?;
    }
    Ok(target)
}

fn without_scheme(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)).then_some(rest)
}

/// RFC 9112, 3.2: a request with another number of Host lines is refused.
fn check_host(headers: &Headers, is_http_1_0: bool) -> Result<(), Violation> {
    match headers.all("host").count() {
        1 => Ok(()),
        0 if is_http_1_0 => Ok(()),
        0 => Err(Violation::protocol("the Host header is missing")),
        _ => Err(Violation::protocol("there is more than one Host header")),
    }
}

/// How long the body is. Stricter than RFC 9112, 6.3 where servers are known to differ: two statements of the
/// length are refused even if they agree, and `chunked` is the only transfer coding.
fn framing(headers: &Headers, is_http_1_0: bool) -> Result<Framing, Violation> {
    let mut lengths = headers.all("content-length");
    let mut codings = headers.all("transfer-encoding");
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(Framing::Length(0)),
        (Some(_), Some(_)) => {
            Err(Violation::protocol("Content-Length and Transfer-Encoding exclude each other"))
        }
        (Some(length), None) => {
            if lengths.next().is_some() {
                return Err(Violation::protocol("there is more than one Content-Length header"));
            }
            content_length(length).map(Framing::Length)
        }
        (None, Some(coding)) => {
            if is_http_1_0 {
                return Err(Violation::protocol("HTTP/1.0 has no Transfer-Encoding"));
            }
            if codings.next().is_some() || !coding.eq_ignore_ascii_case(b"chunked") {
                return Err(Violation::protocol("the only Transfer-Encoding is chunked"));
            }
            Ok(Framing::Chunked)
        }
    }
}

/// Digits and nothing else: no sign, no list, no number beyond 64 bits.
pub(super) fn content_length(value: &[u8]) -> Result<u64, Violation> {
    std::str::from_utf8(value)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or(Violation::protocol("Content-Length is not a number"))
}

//! Responses: status, headers, body, and the errors of the code table as HTTP shows them.

use std::borrow::Cow;

use serde::Serialize;
use sterna_model::Code;

use super::headers::write_line;
use super::{Method, OriginPolicy, Refusal, Request, Violation};

/// What a refused client is asked to wait before it tries again, seconds.
const RETRY_AFTER_SECONDS: &str = "1";
/// What Sterna's own pages may do: load and run what comes from this server, and connect to any member.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; \
    img-src 'self' data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// A response under construction. Nothing put into it can end a header line, so no response can be split.
#[derive(Clone, Debug)]
pub struct Response {
    status: u16,
    /// Whole header lines besides those of the framing.
    lines: Vec<u8>,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    /// All of it.
    Whole(Cow<'static, [u8]>),
    /// It follows, and ends with the connection.
    Stream,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: u16,
    name: &'a str,
    class: &'a str,
    advice: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl Response {
    /// The interim response to [`Outcome::Continue100`](super::Outcome::Continue100).
    pub const CONTINUE: &'static [u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

    /// A response without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, lines: Vec::new(), content: Content::Whole(Cow::Borrowed(b"")) }
    }

    /// A response with a body. Browsers are told to take the content type at its word.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { content: Content::Whole(body.into()), ..Self::empty(status) }
            .header("Content-Type", content_type)
            .header("X-Content-Type-Options", "nosniff")
    }

    /// A JSON answer of an endpoint: never kept by a cache.
    #[must_use]
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        Self::new(status, "application/json", body).header("Cache-Control", "no-store")
    }

    /// A page of Sterna's own, with a strict content security policy.
    #[must_use]
    pub fn page(content_type: &str, body: impl Into<Cow<'static, [u8]>>) -> Self {
        Self::new(200, content_type, body)
            .header("Content-Security-Policy", PAGE_POLICY)
            .header("Referrer-Policy", "no-referrer")
    }

    /// The head of an event stream. Its end is the end of the connection: events are then the same bytes for
    /// every subscriber, and nothing is lost, since an event counts only once its empty line has arrived.
    #[must_use]
    pub fn event_stream() -> Self {
        Self { content: Content::Stream, ..Self::empty(200) }
            .header("Content-Type", "text/event-stream")
            .header("Cache-Control", "no-cache")
            .header("X-Accel-Buffering", "no")
    }

    /// The error of a code, with the table's status.
    #[must_use]
    pub fn error(code: Code, detail: Option<&str>) -> Self {
        let body = ErrorBody {
            code: code.number(),
            name: code.name(),
            class: code.class().name(),
            advice: code.advice(),
            detail,
        };
        Self::json_for(code, serde_json::to_vec(&body).expect("texts and a number always serialize"))
    }

    /// 405 with the methods that the path takes, as in `"GET, HEAD"`.
    #[must_use]
    pub fn method_not_allowed(methods: &str) -> Self {
        Self::error(Code::MethodNotAllowed, None).header("Allow", methods)
    }

    /// A JSON answer that a code stands behind: the table's status, and what HTTP wants beside it.
    pub(crate) fn json_for(code: Code, body: Vec<u8>) -> Self {
        let status = code.http_status();
        let response = Self::json(status, body);
        match status {
            401 => response.header("WWW-Authenticate", "Bearer"),
            429 | 503 => response.header("Retry-After", RETRY_AFTER_SECONDS),
            _ => response,
        }
    }

    /// Adds a header line. Control characters of the value become spaces.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        write_line(name, value, &mut self.lines);
        self
    }

    /// Lets a page of `origin` read the response, if the policy allows it.
    #[must_use]
    pub fn cors(self, origin: Option<&str>, policy: &OriginPolicy) -> Self {
        policy.add_headers(origin, self)
    }

    /// Status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body, empty for a stream.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        match &self.content {
            Content::Whole(body) => body,
            Content::Stream => b"",
        }
    }

    /// Appends the bytes that answer `request`. `date` is the value of the `Date` header, see [`date`](fn@super::date); it
    /// is left out if it is empty, which RFC 9110, 6.6.1 allows to whoever has no clock. After an event stream's head, and if `request.keep_alive` is
    /// false, the connection has to be closed behind the content.
    pub fn encode(&self, request: &Request, date: &str, out: &mut Vec<u8>) {
        self.encode_as(request.method, request.keep_alive, date, out);
    }

    /// Appends the bytes of the last response of a connection, when no request could be read.
    pub fn encode_last(&self, date: &str, out: &mut Vec<u8>) {
        self.encode_as(Method::Get, false, date, out);
    }

    fn encode_as(&self, method: Method, keep_alive: bool, date: &str, out: &mut Vec<u8>) {
        let body = self.body();
        out.reserve(192 + self.lines.len() + body.len());
        out.extend_from_slice(format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)).as_bytes());
        if !date.is_empty() {
            write_line("Date", date, out);
        }
        out.extend_from_slice(&self.lines);
        let is_stream = matches!(self.content, Content::Stream);
        // RFC 9110, 8.6: no Content-Length with 204. With 304 it may be left out.
        let has_length = !is_stream && !matches!(self.status, 204 | 304);
        if has_length {
            write_line("Content-Length", &body.len().to_string(), out);
        }
        write_line("Connection", if keep_alive && !is_stream { "keep-alive" } else { "close" }, out);
        out.extend_from_slice(b"\r\n");
        if has_length && method != Method::Head {
            out.extend_from_slice(body);
        }
    }
}

impl From<&Violation> for Response {
    fn from(violation: &Violation) -> Self {
        Self::error(violation.code, Some(violation.detail))
    }
}

impl From<&Refusal> for Response {
    fn from(refusal: &Refusal) -> Self {
        Self::error(refusal.code, Some(&refusal.detail))
    }
}

/// Reason phrase; clients ignore it (RFC 9112, 4).
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        426 => "Upgrade Required",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "",
    }
}

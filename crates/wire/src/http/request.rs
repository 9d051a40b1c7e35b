//! One whole HTTP request, owned, and the questions that endpoints ask it.

use std::borrow::Cow;
use std::path::PathBuf;

use super::{Headers, percent};

/// Request method, as far as Sterna tells methods apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// OPTIONS.
    Options,
    /// Any other token.
    Other,
}

impl Method {
    /// Methods are case-sensitive (RFC 9110, 9.1).
    pub(super) fn of(token: &str) -> Self {
        match token {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }
}

/// A request as [`Decoder`](super::Decoder) gives it: its target decodes, its framing was unambiguous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// Path and query as sent; `/...` or, with OPTIONS, `*`.
    pub(super) target: Box<str>,
    /// Header lines.
    pub headers: Headers,
    /// Whole body, without transfer coding.
    pub body: Box<[u8]>,
    /// Whether the connection goes on after the response.
    pub keep_alive: bool,
    /// Whether the client speaks the older version, which knows no upgrade.
    pub(super) is_http_1_0: bool,
}

impl Request {
    /// Path as sent, without the query.
    #[must_use]
    pub fn raw_path(&self) -> &str {
        self.target.split_once('?').map_or(&*self.target, |(path, _)| path)
    }

    /// Path, percent-decoded. It may hold anything, also NUL or `..`: compare it, never open it
    /// (see [`Self::safe_relative_path`]).
    #[must_use]
    pub fn path(&self) -> Cow<'_, str> {
        percent::decode_path(self.raw_path()).expect("the decoder refuses a target that does not decode")
    }

    /// Names and values of the query, percent-decoded, in order; a repeated name comes repeatedly.
    pub fn query(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let decode =
            |text| percent::decode_query(text).expect("the decoder refuses a target that does not decode");
        query_pairs(&self.target).map(move |(name, value)| (decode(name), decode(value)))
    }

    /// Value of the first header line with that name, in any letter case, if it is UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The token of an `Authorization: Bearer` header (RFC 6750, 2.1).
    #[must_use]
    pub fn bearer_token(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_ascii()).filter(|token| !token.is_empty())
    }

    /// Whether the client asks to go on in WebSocket (RFC 6455, 4.2.1); the WebSocket handshake judges the
    /// details.
    #[must_use]
    pub fn is_websocket_upgrade(&self) -> bool {
        self.method == Method::Get
            && !self.is_http_1_0
            && self.headers.has_token("connection", "upgrade")
            && self.headers.has_token("upgrade", "websocket")
    }

    /// Path below a document root: no segment is empty, `.`, `..` or holds a separator, a colon or a control
    /// character, whether plain or percent-encoded. So `root.join(path)` stays below `root` (as far as links
    /// inside it do). `/` gives the empty path; one trailing slash is dropped. None for every other path.
    #[must_use]
    pub fn safe_relative_path(&self) -> Option<PathBuf> {
        let path = self.raw_path().strip_prefix('/')?;
        let path = path.strip_suffix('/').unwrap_or(path);
        if path.is_empty() {
            return (self.raw_path() == "/").then(PathBuf::new);
        }
        let mut whole = PathBuf::new();
        for segment in path.split('/') {
            let segment = percent::decode_path(segment).ok()?;
            if !is_file_name(&segment) {
                return None;
            }
            whole.push(&*segment);
        }
        Some(whole)
    }

    /// Bytes of memory held.
    pub(super) fn held_bytes(&self) -> usize {
        self.target.len() + self.headers.held_bytes() + self.body.len()
    }
}

fn is_file_name(segment: &str) -> bool {
    let is_stray = |c: char| matches!(c, '/' | '\\' | ':') || c.is_control();
    !matches!(segment, "" | "." | "..") && !segment.contains(is_stray)
}

/// Names and values of a target's query, still encoded.
pub(super) fn query_pairs(target: &str) -> impl Iterator<Item = (&str, &str)> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

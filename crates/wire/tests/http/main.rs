//! The HTTP codec seen from outside: bytes in, requests out; responses in, bytes out.

mod client;
mod decoder;
mod response;
mod smuggling;
mod target;

#[path = "../http_support/mod.rs"]
mod http_support;

use sterna_wire::http::{Decoder, Request, Violation};

pub(crate) use http_support::{LIMITS, decode_cut};

/// All requests in `bytes`, which arrive at once.
pub(crate) fn decode(bytes: &[u8]) -> (Vec<Request>, Result<Decoder, Violation>) {
    decode_cut(bytes, &[])
}

/// The one request in `bytes`.
pub(crate) fn one(bytes: &[u8]) -> Request {
    let (mut requests, end) = decode(bytes);
    end.expect("the request is well formed");
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

/// The request for a target.
pub(crate) fn get(target: &str) -> Request {
    one(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())
}

/// Why `bytes` are refused.
pub(crate) fn violation(bytes: &[u8]) -> Violation {
    decode(bytes).1.expect_err("the bytes break a rule")
}

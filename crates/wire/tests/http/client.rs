//! The client's side: its requests are what the server reads, and the other way round.

use sterna_model::Code;
use sterna_wire::http::client::{RequestHead, decode, decode_head};
use sterna_wire::http::{Method, Response};

use super::{get, one};

#[test]
fn request_arrives_as_it_was_meant() {
    let evil = "/a b?c&d=e#f\r\nX: y";
    let head = RequestHead {
        method: "POST",
        host: "localhost:8800",
        path: "/rest/produce",
        query: &[("subject", evil), ("closure", "+%")],
        headers: &[("Authorization", "Bearer t\r\nHost: b")],
    };
    let mut out = Vec::new();
    head.encode(Some(b"142.5"), &mut out);
    let request = one(&out);
    assert_eq!(
        (request.method, &*request.path(), &*request.body),
        (Method::Post, "/rest/produce", b"142.5".as_slice())
    );
    let values: Vec<String> = request.query().map(|(_, value)| value.into_owned()).collect();
    assert_eq!(values, [evil, "+%"]);
    assert_eq!(request.bearer_token(), Some("t  Host: b"));
    assert_eq!(request.header("host"), Some("localhost:8800"));
}

#[test]
fn response_arrives_whole_or_not_yet() {
    let mut out = Vec::new();
    Response::json(200, b"{\"a\":1}".to_vec()).encode(&get("/"), "", &mut out);
    for length in 0..out.len() {
        assert_eq!(decode(&out[..length], 100).unwrap(), None);
    }
    out.extend_from_slice(b"HTTP/1.1");
    let (head, body) = decode(&out, 100).unwrap().unwrap();
    assert_eq!(
        (head.status, &out[body.clone()], &out[body.end..]),
        (200, b"{\"a\":1}".as_slice(), b"HTTP/1.1".as_slice())
    );
    assert_eq!(head.headers.get("content-type"), Some("application/json"));
    assert_eq!(decode(&out, 6).unwrap_err().code, Code::MessageTooLarge);
}

#[test]
fn heads_without_a_body_are_read() {
    let (head, length) =
        decode_head(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nxyz").unwrap().unwrap();
    assert_eq!((head.status, length), (101, 56));
    let (head, body) = decode(Response::CONTINUE, 0).unwrap().unwrap();
    assert_eq!((head.status, body), (100, Response::CONTINUE.len()..Response::CONTINUE.len()));
}

#[test]
fn what_is_no_response_is_refused() {
    let code = |bytes: &[u8]| decode(bytes, 100).unwrap_err().code;
    assert_eq!(code(b"SSH-2.0-x\r\n\r\n"), Code::ProtocolViolation);
    assert_eq!(code(b"HTTP/1.1 200 OK\r\n\r\n"), Code::ProtocolViolation);
    assert_eq!(code(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), Code::ProtocolViolation);
    assert_eq!(code(&[b"HTTP/1.1 200 OK\r\nA: ".as_slice(), &[b'x'; 20_000]].concat()), Code::HeadTooLarge);
}

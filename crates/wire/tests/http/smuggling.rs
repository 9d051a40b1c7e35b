//! Requests that two servers in a row would read differently: each is refused.

use sterna_model::Code;

use super::{decode, one, violation};

#[test]
fn ambiguous_requests_are_refused() {
    let table: &[(&str, &[u8])] = &[
        ("both lengths", b"Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("both, other order", b"Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        ("two lengths that differ", b"Host: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
        ("two lengths that agree", b"Host: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
        ("list of lengths", b"Host: a\r\nContent-Length: 5, 5\r\n\r\nhello"),
        ("length with a sign", b"Host: a\r\nContent-Length: +5\r\n\r\nhello"),
        ("negative length", b"Host: a\r\nContent-Length: -1\r\n\r\nhello"),
        ("hexadecimal length", b"Host: a\r\nContent-Length: 0x5\r\n\r\nhello"),
        ("length with a fraction", b"Host: a\r\nContent-Length: 5.0\r\n\r\nhello"),
        ("empty length", b"Host: a\r\nContent-Length: \r\n\r\n"),
        ("length beyond 64 bits", b"Host: a\r\nContent-Length: 18446744073709551621\r\n\r\nhello"),
        ("space before the colon", b"Host: a\r\nContent-Length : 5\r\n\r\nhello"),
        ("tab before the colon", b"Host: a\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"),
        ("folded line", b"Host: a\r\nX: b\r\n Content-Length: 5\r\n\r\nhello"),
        ("folded coding", b"Host: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
        ("first line with a space", b" Host: a\r\nHost: a\r\n\r\n"),
        ("no colon", b"Host: a\r\nContent-Length 5\r\n\r\nhello"),
        ("empty name", b"Host: a\r\n: b\r\n\r\n"),
        ("lone line feed", b"Host: a\nX: b\r\n\r\n"),
        ("lone line feeds at the end", b"Host: a\r\n\nGET /evil HTTP/1.1\r\n\r\n"),
        ("lone carriage return", b"Host: a\r\nX: b\rContent-Length: 5\r\n\r\nhello"),
        ("NUL in a value", b"Host: a\r\nX: b\0c\r\n\r\n"),
        ("NUL in a name", b"Host: a\r\nContent\0-Length: 5\r\n\r\nhello"),
        ("vertical tab in the coding", b"Host: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
        ("unknown coding", b"Host: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ("identity coding", b"Host: a\r\nTransfer-Encoding: identity\r\n\r\n"),
        ("list of codings", b"Host: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ("chunked twice", b"Host: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        (
            "two coding lines",
            b"Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        ),
        ("quoted coding", b"Host: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
        ("coding that is no UTF-8", b"Host: a\r\nTransfer-Encoding: chunked\xff\r\n\r\n0\r\n\r\n"),
        ("no host", b"X: a\r\n\r\n"),
        ("two hosts", b"Host: a\r\nHost: b\r\n\r\n"),
    ];
    for (trick, rest) in table {
        let bytes = [b"POST / HTTP/1.1\r\n".as_slice(), rest].concat();
        assert_eq!(violation(&bytes).code, Code::ProtocolViolation, "{trick}");
        assert!(decode(&bytes).0.is_empty(), "{trick}");
    }
}

#[test]
fn bad_chunks_are_refused() {
    let table: &[(&str, &[u8])] = &[
        ("no size", b"\r\nhello\r\n0\r\n\r\n"),
        ("no digit", b"g\r\nhello\r\n0\r\n\r\n"),
        ("sign", b"+5\r\nhello\r\n0\r\n\r\n"),
        ("negative", b"-1\r\nhello\r\n0\r\n\r\n"),
        ("prefix", b"0x5\r\nhello\r\n0\r\n\r\n"),
        ("underscore", b"0_5\r\nhello\r\n0\r\n\r\n"),
        ("space before", b" 5\r\nhello\r\n0\r\n\r\n"),
        ("space after", b"5 \r\nhello\r\n0\r\n\r\n"),
        ("space before the extension", b"5 ;a\r\nhello\r\n0\r\n\r\n"),
        ("extension without size", b";a\r\nhello\r\n0\r\n\r\n"),
        ("size that overflows", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("lone line feed after the size", b"5\nhello\r\n0\r\n\r\n"),
        ("lone line feed in the extension", b"5;a\nhello\r\n0\r\n\r\n"),
        ("lone carriage return in the extension", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
        ("content longer than its size", b"4\r\nhello\r\n0\r\n\r\n"),
        ("content shorter than its size", b"6\r\nhello\r\n0\r\n\r\n"),
        ("content without line end", b"5\r\nhello0\r\n\r\n"),
        ("lone line feed after the content", b"5\r\nhello\n0\r\n\r\n"),
        ("lone line feed at the end", b"0\r\n\n"),
        ("lone line feed in a trailer", b"0\r\na: b\n\r\n"),
        ("control character in a trailer", b"0\r\na: \0\r\n\r\n"),
    ];
    for (trick, body) in table {
        let bytes =
            [b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice(), body].concat();
        assert_eq!(violation(&bytes).code, Code::ProtocolViolation, "{trick}");
    }
}

#[test]
fn huge_chunks_are_refused_as_too_large() {
    for size in ["3e9", "ffffffff", "ffffffffffffffff"] {
        let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\n");
        assert_eq!(violation(bytes.as_bytes()).code, Code::MessageTooLarge, "{size}");
    }
}

#[test]
fn bad_request_lines_are_refused() {
    for line in [
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET /  HTTP/1.1",
        "GET / HTTP/2.0",
        "GET / HTTP/0.9",
        "GET / HTTP/1.10",
        "GET / http/1.1",
        "GET /",
        "GET",
        "G(T / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET a HTTP/1.1",
        "GET * HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET /%zz HTTP/1.1",
        "GET /?a=%4 HTTP/1.1",
        "GET ftp://a/ HTTP/1.1",
        "CONNECT a:80 HTTP/1.1",
        "PRI * HTTP/2.0",
    ] {
        let bytes = format!("{line}\r\nHost: a\r\n\r\n");
        assert_eq!(violation(bytes.as_bytes()).code, Code::ProtocolViolation, "{line}");
    }
    assert_eq!(violation(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").code, Code::ProtocolViolation);
    assert_eq!(
        violation(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").code,
        Code::ProtocolViolation
    );
}

#[test]
fn a_body_never_becomes_a_request() {
    let inner = "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n";
    let outer = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{inner}", inner.len());
    assert_eq!(&*one(outer.as_bytes()).body, inner.as_bytes());
}

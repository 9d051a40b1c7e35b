//! Requests out of bytes: shapes, limits, and that the cuts between reads do not matter.

use proptest::prelude::*;
use sterna_model::Code;
use sterna_model::limit::{HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX};
use sterna_wire::http::{Decoder, Limits, Method, Outcome};

use super::{LIMITS, decode, decode_cut, one, violation};

const PIPELINE: &[u8] = b"GET /a?x=1 HTTP/1.1\r\nHost: a\r\n\r\n\
    POST /rest/produce?subject=/s HTTP/1.1\r\nhost: a\r\nContent-Length: 11\r\n\r\nHello there\
    \r\nPOST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nExpect: 100-continue\r\n\r\n\
    5;name=value\r\nHello\r\n006\r\n there\r\n0\r\nTrailer: x\r\n\r\n\
    HEAD / HTTP/1.0\r\n\r\n";

#[test]
fn pipelined_requests_come_one_by_one() {
    let (requests, end) = decode(PIPELINE);
    assert_eq!(end.expect("well formed").held_bytes(), 0);
    let seen: Vec<_> =
        requests.iter().map(|r| (r.method, r.path().into_owned(), &*r.body, r.keep_alive)).collect();
    assert_eq!(
        seen,
        [
            (Method::Get, "/a".into(), b"".as_slice(), true),
            (Method::Post, "/rest/produce".into(), b"Hello there", true),
            (Method::Post, "/c".into(), b"Hello there", true),
            (Method::Head, "/".into(), b"", false),
        ]
    );
}

#[test]
fn bytes_of_the_next_protocol_are_left_to_the_caller() {
    let upgrade =
        b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n";
    let mut bytes = upgrade.to_vec();
    bytes.extend_from_slice(b"\x81\x80\0\0\0\0");
    let step = Decoder::default().next(&bytes, &LIMITS).unwrap();
    assert_eq!(step.consumed, upgrade.len());
    let Outcome::Request(request) = step.outcome else { panic!("the request is complete") };
    assert!(request.is_websocket_upgrade());
    let old = String::from_utf8_lossy(upgrade).replace("HTTP/1.1", "HTTP/1.0");
    assert!(!one(old.as_bytes()).is_websocket_upgrade(), "HTTP/1.0 knows no upgrade");
    assert!(!one(b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n").is_websocket_upgrade());
}

#[test]
fn a_client_that_waits_is_told_to_continue_once() {
    let mut decoder = Decoder::default();
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n";
    let step = decoder.next(head, &LIMITS).unwrap();
    assert_eq!((step.consumed, step.outcome), (head.len(), Outcome::Continue100));
    assert_eq!(decoder.next(b"a", &LIMITS).unwrap().outcome, Outcome::NeedMore);
    assert!(matches!(decoder.next(b"b", &LIMITS).unwrap().outcome, Outcome::Request(r) if *r.body == *b"ab"));
}

#[test]
fn a_client_that_waits_with_a_too_large_body_is_refused_before_it_sends_it() {
    let refused =
        violation(b"POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(refused.code, Code::MessageTooLarge);
    let request = refused.request.expect("the head was read");
    assert_eq!(request.path(), "/big");
    assert!(!request.keep_alive, "what follows cannot be told from a request");
}

#[test]
fn body_limit_holds_for_stated_lengths_and_chunks() {
    let sized =
        |n: usize| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {n}\r\n\r\n{}", "x".repeat(n));
    let chunked = |n: usize| {
        let chunk = format!("{:x}\r\n{}\r\n", n / 2, "x".repeat(n / 2));
        format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n")
    };
    assert_eq!(one(sized(1000).as_bytes()).body.len(), 1000);
    assert_eq!(one(chunked(1000).as_bytes()).body.len(), 1000);
    assert_eq!(violation(sized(1001).as_bytes()).code, Code::MessageTooLarge);
    assert_eq!(violation(chunked(1002).as_bytes()).code, Code::MessageTooLarge);
}

#[test]
fn head_may_be_as_long_as_its_limit_and_no_longer() {
    let head = |bytes: usize| {
        let frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(bytes - frame))
    };
    one(head(HTTP_HEAD_BYTES_MAX).as_bytes());
    for cuts in [vec![], vec![100, 7000], vec![HTTP_HEAD_BYTES_MAX - 1, HTTP_HEAD_BYTES_MAX]] {
        let (requests, end) = decode_cut(head(HTTP_HEAD_BYTES_MAX + 1).as_bytes(), &cuts);
        assert_eq!((requests.len(), end.unwrap_err().code), (0, Code::HeadTooLarge), "{cuts:?}");
    }
}

#[test]
fn header_flood_is_refused() {
    let flood = |lines: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "a: b\r\n".repeat(lines - 1));
    one(flood(HTTP_HEADERS_MAX).as_bytes());
    assert_eq!(violation(flood(HTTP_HEADERS_MAX + 1).as_bytes()).code, Code::HeadTooLarge);
    let endless = "a: b\r\n".repeat(HTTP_HEAD_BYTES_MAX);
    assert_eq!(violation(format!("GET / HTTP/1.1\r\n{endless}").as_bytes()).code, Code::HeadTooLarge);
}

#[test]
fn endless_trailers_and_chunk_extensions_are_refused() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let trailers = format!("{head}0\r\n{}", "a: b\r\n".repeat(HTTP_HEAD_BYTES_MAX));
    assert_eq!(violation(trailers.as_bytes()).code, Code::HeadTooLarge);
    let extensions = format!("{head}{}", "1;abcdefgh\r\nx\r\n".repeat(HTTP_HEAD_BYTES_MAX / 8 + 1));
    let limits = Limits { body_bytes_max: usize::MAX };
    assert_eq!(Decoder::default().next(extensions.as_bytes(), &limits).unwrap_err().code, Code::HeadTooLarge);
}

#[test]
fn only_an_unfinished_request_costs_memory() {
    assert_eq!(size_of::<Decoder>(), size_of::<usize>());
    let mut decoder = Decoder::default();
    assert_eq!(decoder.next(b"", &LIMITS).unwrap().outcome, Outcome::NeedMore);
    assert_eq!((decoder.held_bytes(), decoder.is_mid_request()), (0, false));
    decoder.next(b"GET / HT", &LIMITS).unwrap();
    assert!(decoder.held_bytes() >= 8 && decoder.is_mid_request());
    decoder.next(b"TP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n123", &LIMITS).unwrap();
    assert!(decoder.held_bytes() < 600, "a stated length is not allocated before its bytes arrive");
    decoder.next(&[b'x'; 897], &LIMITS).unwrap();
    assert_eq!((decoder.held_bytes(), decoder.is_mid_request()), (0, false));
}

#[test]
fn another_protocol_is_recognised_by_its_first_bytes() {
    for hello in [b"\x16\x03\x01\x02\x00\x01".as_slice(), b"\x10\x11\0\x04MQTT", b"\0"] {
        assert_eq!(violation(hello).code, Code::ProtocolViolation);
    }
}

#[test]
fn connection_ends_when_the_client_says_so() {
    assert!(!one(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n").keep_alive);
    assert!(!one(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
}

#[test]
fn bearer_token_is_read_from_its_header_only() {
    let token = |line: &str| {
        let request = one(format!("GET /?token=q HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n").as_bytes());
        request.bearer_token().map(str::to_owned)
    };
    assert_eq!(token("authorization: bearer  a.b-c=").as_deref(), Some("a.b-c="));
    for none in ["Authorization: Basic a", "Authorization: Bearer", "Authorization: Bearer ", "X: Bearer a"] {
        assert_eq!(token(none), None, "{none}");
    }
}

proptest! {
    #[test]
    fn cuts_do_not_matter(cuts in proptest::collection::vec(0..PIPELINE.len(), 0..20)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let (requests, end) = decode_cut(PIPELINE, &cuts);
        prop_assert_eq!(end.expect("well formed").held_bytes(), 0);
        prop_assert_eq!(requests, decode(PIPELINE).0);
    }

    #[test]
    fn cuts_do_not_matter_for_damaged_bytes(
        at in 0..PIPELINE.len(),
        byte in any::<u8>(),
        cuts in proptest::collection::vec(0..PIPELINE.len(), 0..20),
    ) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let mut bytes = PIPELINE.to_vec();
        bytes[at] = byte;
        let (requests, end) = decode(&bytes);
        let (requests_cut, end_cut) = decode_cut(&bytes, &cuts);
        prop_assert_eq!(requests, requests_cut);
        prop_assert_eq!(end.err(), end_cut.err());
    }

    #[test]
    fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
    }
}

#[test]
fn every_single_cut_gives_the_same_requests() {
    let expected = decode(PIPELINE).0;
    for cut in 0..PIPELINE.len() {
        assert_eq!(decode_cut(PIPELINE, &[cut]).0, expected, "cut at {cut}");
    }
    let each: Vec<usize> = (0..PIPELINE.len()).collect();
    assert_eq!(decode_cut(PIPELINE, &each).0, expected);
}

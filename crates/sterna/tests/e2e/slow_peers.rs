//! Clients that begin and do not go on, and clients that are gone without a word: their time is bounded.

use std::net::Shutdown;
use std::thread;

use serde_json::json;
use sterna_model::Code;
use sterna_wire::websocket::Opcode;

use crate::http::Http;
use crate::metrics::metric;
use crate::native::{Incoming, Native, masked, upgrade};
use crate::process::open_sockets;
use crate::support::{Member, TOKEN, eventually};

const HASTE: &str = "-DHandshakeTimeout=1";
const REST: &str = "-DRest.Enable=true";

#[test]
fn half_a_request_is_answered_with_its_code_when_its_time_is_over() {
    let member = Member::start(&[HASTE, REST]);
    let body = "POST /rest/produce?subject=/a HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nten bytes.";
    let chunks =
        "POST /rest/produce?subject=/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab";
    let parts = ["G", "GET / HTTP/1.1\r\nHost: a\r\n", body, chunks, &upgrade("")[..100]];
    let clients = parts.map(|part| {
        let mut http = Http::open(&member.address());
        http.send(part);
        http
    });
    for mut http in clients {
        http.answer().assert_refused(Code::RequestTimeout);
        http.assert_end();
    }
}

#[test]
fn dripping_bytes_gain_no_time() {
    let member = Member::start(&[HASTE]);
    let mut http = Http::open(&member.address());
    http.socket().set_nonblocking(false).expect("an open socket");
    let drip = http.socket().try_clone().expect("a descriptor is left");
    let dripping = thread::spawn(move || {
        use std::io::Write;
        let mut bytes = b"GET / HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'x'));
        // Until the server closes.
        while (&drip).write_all(&[*bytes.next().expect("endless")]).is_ok() {
            thread::sleep(std::time::Duration::from_millis(20));
        }
    });
    http.answer().assert_refused(Code::RequestTimeout);
    http.rest();
    drop(http);
    dripping.join().expect("the drip ends");
}

#[test]
fn a_connection_that_says_nothing_is_ended() {
    let member = Member::start(&[HASTE]);
    let mut http = Http::open(&member.address());
    http.assert_end();
}

#[test]
fn an_http_connection_without_a_further_request_is_ended() {
    let member = Member::start(&["-DHttpIdleTimeout=1"]);
    let mut http = Http::open(&member.address());
    assert_eq!(http.get("/health").status, 200);
    http.assert_end();
}

#[test]
fn a_websocket_that_does_not_connect_is_closed_with_4019() {
    let member = Member::start(&[HASTE]);
    let mut silent = Native::open(&member.address());
    let mut half = Native::open(&member.address());
    half.send_bytes(b"\x81\xfe\x00");
    for client in [&mut silent, &mut half] {
        assert_eq!(client.close(), (4019, "request_timeout".to_owned()));
    }
    // Pings are no connect.
    let mut busy = Native::open(&member.address());
    let close = loop {
        let _ = busy.try_send(&masked(Opcode::Text, br#"{"op":"ping"}"#));
        match busy.next() {
            Incoming::Frame(_) => {}
            other => break other,
        }
    };
    assert_eq!(close, Incoming::Close(4019, "request_timeout".to_owned()));
}

#[test]
fn a_client_that_answers_no_ping_is_closed_with_4302_and_one_that_does_stays() {
    let member = Member::start(&["-DKeepAliveInterval=1", "-DKeepAliveTimeout=3"]);
    let mut gone = Native::connect(&member.address(), None);
    let mut half = Native::connect(&member.address(), None);
    half.send_bytes(b"\x81\xff\x00\x00");
    let mut alive = Native::connect(&member.address(), None);
    alive.subscribe("/a");
    // Waits for the message, and answers pings meanwhile.
    let alive = thread::spawn(move || alive.frame_of("message"));
    for client in [&mut gone, &mut half] {
        assert_eq!(client.next(), Incoming::Ping(Vec::new()));
    }
    for client in [&mut gone, &mut half] {
        assert_eq!(client.close(), (4302, "keep_alive_timeout".to_owned()));
    }
    Native::connect(&member.address(), Some(TOKEN)).publish_ok("/a", "x");
    assert_eq!(alive.join().expect("it was pinged, and is there")["content"], "x");
    eventually("the sockets of those who are gone", || (open_sockets(member.id()) < 20).then_some(()));
}

#[test]
fn a_client_that_hears_nothing_is_sent_comments() {
    let member = Member::start(&["-DKeepAliveInterval=1"]);
    let mut http = Http::open(&member.address());
    http.send("GET /sse?subject=/a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(http.head().status, 200);
    assert!(http.receive_text("\n\n").contains("event: subscribed"));
    assert_eq!(http.receive_text("\n\n"), ": keep-alive\n\n");
    let mut publisher = Native::connect(&member.address(), Some(TOKEN));
    publisher.send(&json!({"op": "publish", "id": 1, "subject": "/a", "content": "x"}));
    publisher.frame_of("published");
    while !http.receive_text("\n\n").contains("event: message") {}
}

#[test]
fn a_long_poll_ends_with_its_client() {
    let member = Member::start(&[REST]);
    let ask = || {
        let mut http = Http::open(&member.address());
        http.send("GET /rest/consume?subject=/silent&wait=60 HTTP/1.1\r\nHost: a\r\n\r\n");
        http
    };
    let polls = |expected| {
        eventually("the polls are counted", || {
            (metric(&member, "sterna_subscriptions") == expected).then_some(())
        });
    };
    let gone = ask();
    polls(1);
    drop(gone);
    polls(0);

    // Who has only ended its side gets the answer: nothing came.
    for early in [true, false] {
        let mut half = ask();
        if !early {
            polls(1);
        }
        half.socket().shutdown(Shutdown::Write).expect("an open socket");
        assert_eq!(half.answer().json()["messages"], serde_json::json!([]));
        half.assert_end();
    }
}

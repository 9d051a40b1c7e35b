//! Clients that read slower than their messages come: they are told, they resume, and nobody else notices.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::http::Http;
use crate::metrics::metric;
use crate::native::{Incoming, Native};
use crate::process::resident_bytes;
use crate::stream::Stream;
use crate::support::{Member, TOKEN};

/// Messages of a test, each of [`CONTENT_BYTES`].
const MESSAGES: u64 = 4000;
const CONTENT_BYTES: usize = 8 * 1024;
/// Messages that the publisher may be ahead of a client that reads: half an out-queue.
const AHEAD_MAX: u64 = 64;
/// Far above what a busy machine takes for [`AHEAD_MAX`] messages.
const STUCK: Duration = Duration::from_secs(60);
const OPTIONS: &[&str] = &["-DOutQueueSize=1MB", "-DMaxMessageSize=16KB", "-DIoThreads=1"];

/// A connection on which little fits into the client's own buffer.
fn narrow(address: &str) -> Http {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(16 * 1024).expect("a size");
    let address: std::net::SocketAddr = address.parse().expect("an address");
    socket.connect(&address.into()).expect("the member listens");
    Http::over(Stream::Plain(TcpStream::from(socket)))
}

fn content(number: u64) -> String {
    format!("{number:0>CONTENT_BYTES$}")
}

/// Publishes messages with their numbers, a few at a time; `pace` may wait before the next ones.
fn publish(address: &str, subject: &str, numbers: std::ops::RangeInclusive<u64>, pace: impl Fn(u64)) {
    let mut publisher = Native::connect(address, Some(TOKEN));
    let end = *numbers.end();
    for number in numbers {
        publisher
            .send(&json!({"op": "publish", "id": number, "subject": subject, "content": content(number)}));
        if number % 16 == 0 || number == end {
            while publisher.frame_of("published")["id"] != number {}
            pace(number);
        }
    }
}

/// Number of a message.
fn number(message: &Value) -> u64 {
    message["content"]
        .as_str()
        .and_then(|content| content.parse().ok())
        .unwrap_or_else(|| panic!("{message}"))
}

#[test]
fn a_client_that_stops_reading_is_closed_with_4300_and_resumes_while_others_get_all() {
    let member = Member::start(&[OPTIONS, &["-DMaxCachedMessagesPerSubject=100000"]].concat());
    let address = member.address();
    let mut slow = Native::upgraded(narrow(&address), "");
    slow.begin(None);
    slow.subscribe("/busy");
    let mut stream = narrow(&address);
    stream.send("GET /sse?subject=/busy HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(stream.head().status, 200);
    // What the quick ones have seen: on a busy machine they are no slower than they say.
    let seen_by: [Arc<AtomicU64>; 3] = Default::default();
    let quick = seen_by.clone().map(|seen| {
        let mut client = Native::connect(&address, None);
        client.subscribe("/busy");
        thread::spawn(move || {
            for expected in 1..=MESSAGES {
                assert_eq!(number(&client.frame_of("message")), expected);
                seen.store(expected, Relaxed);
            }
        })
    });
    let pace = |number: u64| {
        let start = Instant::now();
        while seen_by.iter().any(|seen| seen.load(Relaxed) + AHEAD_MAX < number) {
            assert!(start.elapsed() < STUCK, "a quick client gets no further");
            thread::yield_now();
        }
    };
    let before = resident_bytes(member.id());
    let (seen, queued_max) = thread::scope(|scope| {
        let publisher = scope.spawn(|| publish(&address, "/busy", 1..=MESSAGES, pace));
        let mut queued_max = 0;
        loop {
            let is_over = publisher.is_finished();
            if metric(&member, "sterna_slow_consumers_total") == 2 {
                break;
            }
            assert!(!is_over, "32 MB are more than all buffers hold");
            queued_max = queued_max.max(metric(&member, "sterna_queue_bytes"));
        }
        // A client has some seconds to read why it is closed.
        let seen = read_to_close(&mut slow);
        let events = String::from_utf8(stream.rest()).expect("text");
        let (_, error) = events.rsplit_once("event: error\ndata: ").expect("the stream says why it ends");
        assert!(error.contains(r#""code":4300"#), "{error}");
        while !publisher.is_finished() {
            queued_max = queued_max.max(metric(&member, "sterna_queue_bytes"));
        }
        (seen, queued_max)
    });
    for client in quick {
        client.join().expect("a quick client gets all");
    }
    // Two queues, and messages that the quick ones have not taken yet, each counted once.
    assert!(queued_max < (2 << 20) + (1 << 20), "{queued_max} bytes have waited");
    let cached = MESSAGES as usize * (CONTENT_BYTES + 512);
    let grown = resident_bytes(member.id()).saturating_sub(before);
    assert!(grown < cached + (24 << 20), "{grown} bytes more, of which the cache may have {cached}");

    resume(&address, seen);
}

/// Reads what has left the server's queue before it was closed: messages without a hole, then the code. Gives the number
/// of messages.
fn read_to_close(slow: &mut Native) -> u64 {
    let mut seen = 0;
    let close = loop {
        match slow.next() {
            Incoming::Frame(message) => {
                seen += 1;
                assert_eq!(number(&message), seen);
            }
            other => break other,
        }
    };
    assert_eq!(close, Incoming::Close(4300, "slow_consumer".to_owned()));
    assert!((1..MESSAGES).contains(&seen), "{seen} messages");
    seen
}

/// Resumes from a position: what was missed must follow completely.
fn resume(address: &str, seen: u64) {
    let mut again = Native::connect(address, None);
    let epoch = again.subscribe("/elsewhere")["epoch"].clone();
    again.send(&json!({"op": "subscribe", "subjects": [{"subject": "/busy", "epoch": epoch, "seq": seen}]}));
    let subscribed = again.frame_of("subscribed");
    assert_eq!((&subscribed["recovery"], &subscribed["seq"]), (&"complete".into(), &MESSAGES.into()));
    for expected in seen + 1..=MESSAGES {
        let message = again.frame_of("message");
        assert_eq!((number(&message), &message["type"]), (expected, &"recovered".into()));
    }
}

#[test]
fn a_client_that_comes_too_late_is_told_what_it_missed() {
    let member = Member::start(&[OPTIONS, &["-DMaxCachedMessagesPerSubject=10"]].concat());
    publish(&member.address(), "/busy", 1..=100, |_| {});
    let mut client = Native::connect(&member.address(), None);
    let epoch = client.subscribe("/elsewhere")["epoch"].clone();
    client.send(&json!({"op": "subscribe", "history": 100, "subjects": [{"subject": "/busy", "epoch": epoch, "seq": 20}]}));
    let subscribed = client.frame_of("subscribed");
    assert_eq!(subscribed["recovery"], "gap");
    assert_eq!(subscribed["missed"], json!({"from": 21, "to": 90}));
    for expected in 91..=100 {
        let message = client.frame_of("message");
        assert_eq!((number(&message), &message["type"]), (expected, &"historical".into()));
    }
    client.assert_alive();
}

#[test]
fn a_conflated_client_that_stops_reading_stays_and_gets_the_newest() {
    let member = Member::start(OPTIONS);
    let address = member.address();
    let mut slow = Native::upgraded(narrow(&address), "");
    slow.begin(None);
    slow.send(&json!({"op": "subscribe", "subjects": ["/busy"], "conflation_ms": 1}));
    slow.frame_of("subscribed");
    publish(&address, "/busy", 1..=MESSAGES, |_| {});
    assert_eq!(metric(&member, "sterna_slow_consumers_total"), 0);
    let queued = metric(&member, "sterna_queue_bytes");
    assert!(queued < 1 << 20, "{queued} bytes wait");
    let (mut at, mut count) = (0, 0);
    while at < MESSAGES {
        let message = slow.frame_of("message");
        assert!(number(&message) > at, "{at}, and then {message}");
        assert_eq!(message["seq"], number(&message));
        at = number(&message);
        count += 1;
    }
    assert!(count < MESSAGES / 2, "{count} of {MESSAGES} messages came");
    assert!(metric(&member, "sterna_messages_conflated_total") >= MESSAGES - count);
    slow.assert_alive();
}

//! Clients that want too much: each bound holds, memory too, and the others are served meanwhile.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use sterna_wire::websocket::Opcode;

use crate::http::Http;
use crate::metrics::metric;
use crate::native::{Incoming, Native, masked};
use crate::process::resident_bytes;
use crate::support::{Folder, Member, TOKEN, eventually};

/// Subscribes to subjects by number, in requests of 10,000, while it counts the answers by their code (0 is
/// `subscribed`).
fn subscribe_to(client: &mut Native, numbers: std::ops::Range<u64>) -> BTreeMap<u64, u64> {
    let mut answers = BTreeMap::new();
    let requests: Vec<u64> = numbers.clone().step_by(10_000).collect();
    for first in requests {
        let last = (first + 10_000).min(numbers.end);
        let subjects: Vec<String> = (first..last).map(|number| format!("/flood/{number}")).collect();
        client.send(&json!({"op": "subscribe", "id": first, "subjects": subjects}));
        for _ in first..last {
            let answer = client.frame();
            let expected = if answer["op"] == "subscribed" { Value::Null } else { 4012.into() };
            assert_eq!(answer["code"], expected, "{answer}");
            *answers.entry(answer["code"].as_u64().unwrap_or(0)).or_default() += 1;
        }
    }
    answers
}

#[test]
fn a_million_subscriptions_on_one_connection_are_cut_at_the_bound_and_hinder_nobody() {
    let member = Member::start(&[]);
    let address = member.address();
    let mut greedy = Native::connect(&address, None);
    assert_eq!(subscribe_to(&mut greedy, 0..20_000), BTreeMap::from([(0, 20_000)]), "20,000 are normal");

    let before = resident_bytes(member.id());
    let greedy = thread::spawn(move || {
        let answers = subscribe_to(&mut greedy, 20_000..1_000_000);
        (greedy, answers)
    });
    let mut other = Native::connect(&address, Some(TOKEN));
    other.subscribe("/other");
    let mut served = 0;
    while !greedy.is_finished() {
        other.publish_and_hear("/other", "x");
        served += 1;
    }
    let (mut greedy, answers) = greedy.join().expect("the greedy client gets its answers");
    assert_eq!(answers, BTreeMap::from([(0, 80_000), (4012, 900_000)]));
    assert!(served > 100, "the other client was served {served} times");
    let grown = resident_bytes(member.id()).saturating_sub(before);
    assert!(grown < 128 << 20, "{grown} bytes more");

    greedy.send(&json!({"op": "unsubscribe", "id": 1, "subjects": ["/flood/7"]}));
    assert_eq!(greedy.frame_of("unsubscribed")["subject"], "/flood/7");
    assert_eq!(greedy.subscribe("/flood/in-its-place")["recovery"], "fresh");
    other.publish_ok("/flood/99999", "x");
    assert_eq!(greedy.frame_of("message")["subject"], "/flood/99999");
}

/// Sends the same bytes until the server takes no more for a while, or ends the connection.
fn flood(client: &mut Native, bytes: &[u8], bytes_max: usize) -> usize {
    client.socket().set_write_timeout(Some(Duration::from_secs(1))).expect("a time above 0");
    let mut sent = 0;
    while sent < bytes_max {
        match client.try_send(bytes) {
            Ok(()) => sent += bytes.len(),
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => break,
            Err(_) => break,
        }
    }
    sent
}

#[test]
fn a_client_that_asks_and_does_not_read_is_read_no_further() {
    let member = Member::start(&["-DOutQueueSize=1MB"]);
    let refused = json!({"op": "subscribe", "subjects": vec!["no-subject"; 200]}).to_string();
    let floods: [(&str, Vec<u8>); 4] = [
        ("pings of the protocol", masked(Opcode::Text, br#"{"op":"ping","id":9007199254740991}"#)),
        ("pings of WebSocket", masked(Opcode::Ping, &[7; 125])),
        ("requests that are refused", masked(Opcode::Text, refused.as_bytes())),
        (
            "publishes",
            masked(Opcode::Text, br#"{"op":"publish","id":1,"qos":"standard","subject":"/a","content":"x"}"#),
        ),
    ];
    let mut other = Native::connect(&member.address(), Some(TOKEN));
    for (name, frame) in floods {
        let before = resident_bytes(member.id());
        let mut client = Native::connect(&member.address(), Some(TOKEN));
        let sent = flood(&mut client, &frame.repeat(1 + 64 * 1024 / frame.len()), 256 << 20);
        let grown = resident_bytes(member.id()).saturating_sub(before);
        println!("{name}: {sent} bytes sent, {grown} bytes more");
        assert!(grown < 24 << 20, "{name}: {grown} bytes more after {sent} bytes");
        other.assert_alive();
    }
}

#[test]
fn pipelined_requests_wait_until_the_answers_before_them_are_read() {
    let folder = Folder::new();
    folder.write("large.txt", &"x".repeat(4 << 20));
    let root = format!("-DDocumentRoot={}", folder.path().display());
    let member = Member::start_in(folder, &[&root]);
    let before = resident_bytes(member.id());
    let mut http = Http::open(&member.address());
    http.send("GET /large.txt HTTP/1.1\r\nHost: a\r\n\r\n".repeat(200));
    http.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut other = Http::open(&member.address());
    for _ in 0..100 {
        assert_eq!(other.get("/health").status, 200);
    }
    let grown = resident_bytes(member.id()).saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more");
    for _ in 0..200 {
        assert_eq!(http.answer().body.len(), 4 << 20);
    }
    assert_eq!(http.answer().json()["status"], "ok");
}

#[test]
fn a_connection_that_asks_again_and_again_costs_no_more_than_at_first() {
    let member = Member::start(&["-DIoThreads=1", "-DRest.Enable=true"]);
    let mut http = Http::open(&member.address());
    for _ in 0..30 {
        http.send("GET /rest/consume?subject=/a HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000));
        for _ in 0..1000 {
            assert_eq!(http.answer().status, 200);
        }
    }
    let held = eventually("the count of sessions", || {
        Some(metric(&member, "sterna_session_bytes")).filter(|held| *held > 0)
    });
    assert!(held < 200_000, "{held} bytes for one connection and its tables");
}

#[test]
fn answers_of_a_client_that_reads_late_are_all_there() {
    let member = Member::start(&["-DOutQueueSize=64KB", "-DMaxMessageSize=1KB"]);
    let mut client = Native::connect(&member.address(), Some(TOKEN));
    let socket = client.socket().try_clone().expect("a descriptor is left");
    let pings = thread::spawn(move || {
        use std::io::Write;
        for id in 0..200_000_u64 {
            let ping = json!({"op": "ping", "id": id}).to_string();
            (&socket).write_all(&masked(Opcode::Text, ping.as_bytes())).expect("the server takes it");
        }
    });
    for id in 0..200_000_u64 {
        assert_eq!(client.frame()["id"], id);
    }
    pings.join().expect("all pings are taken");
}

#[test]
fn connections_that_begin_a_large_message_hold_no_more_than_their_share() {
    let member = Member::start(&["-DMemory=16MB", "-DMaxMessageSize=64KB"]);
    let before = resident_bytes(member.id());
    // Each says that 400,000 bytes will come and sends 300,000: together 60 MB, of the 4 MB for connections.
    let mut clients: Vec<Native> = (0..200).map(|_| Native::connect(&member.address(), None)).collect();
    let half = [&[0x81, 0xff][..], &400_000_u64.to_be_bytes(), &[0; 4], &[b' '; 300_000]].concat();
    for client in &mut clients {
        // It may be closed before all is taken.
        let _ = client.try_send(&half);
    }
    let grown = resident_bytes(member.id()).saturating_sub(before);
    assert!(grown < 24 << 20, "{grown} bytes more");
    let next = |client: &mut Native| client.next_within(Duration::from_millis(1));
    let closed = clients.iter_mut().map(next).filter(|next| matches!(next, Some(Incoming::Close(4200, _))));
    assert!(closed.count() > 100, "those beyond the share are closed as busy");
    drop(clients);
    eventually("room for another client", || {
        (Http::open(&member.address()).get("/health").status == 200).then_some(())
    });
    Native::connect(&member.address(), Some(TOKEN)).publish_ok("/a", "x");
}

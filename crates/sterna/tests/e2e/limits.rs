//! What time, number and memory bound: the bound holds, what is within its promise stays, and the client is told.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sterna_model::Code;

use crate::http::Http;
use crate::metrics::metric;
use crate::native::Native;
use crate::process::resident_bytes;
use crate::support::{Member, TOKEN, eventually};

/// Subscribes on a connection of its own, and reads up to the cut; gives the answer and the messages.
fn look(member: &Member, item: &Value, history: u32) -> (Value, Vec<Value>) {
    let mut client = Native::connect(&member.address(), None);
    client.send(&json!({"op": "subscribe", "subjects": [item], "history": history}));
    let subscribed = client.frame_of("subscribed");
    client.send(&json!({"op": "ping", "id": 1}));
    let mut messages = Vec::new();
    loop {
        let frame = client.frame();
        match frame["op"].as_str() {
            Some("message") => messages.push(frame),
            _ => return (subscribed, messages),
        }
    }
}

fn kinds(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["type"].as_str().expect("a type")).collect()
}

#[test]
fn history_expires_by_time_and_the_snapshot_stays() {
    let member = Member::start(&["-DCacheExpireTime=2"]);
    let mut publisher = Native::connect(&member.address(), Some(TOKEN));
    let epoch = publisher.publish_ok("/a", "first")["epoch"].clone();
    let start = Instant::now();
    publisher.publish_ok("/a", "second");
    let resumed = json!({"subject": "/a", "epoch": epoch, "seq": 0});
    loop {
        let (subscribed, messages) = look(&member, &resumed, 0);
        let age = start.elapsed();
        if subscribed["recovery"] == "complete" {
            assert_eq!(kinds(&messages), ["recovered", "recovered"]);
            assert!(age < Duration::from_secs(10), "it should have expired");
            continue;
        }
        assert!(age >= Duration::from_secs(2), "a message stays at least its time, not {age:?}");
        // One second may lie between the two.
        if kinds(&look(&member, &json!("/a"), 9).1) == ["snapshot"] {
            break;
        }
    }
    let (subscribed, messages) = look(&member, &resumed, 9);
    assert_eq!((&subscribed["recovery"], &subscribed["seq"]), (&"gap".into(), &2.into()));
    assert_eq!(subscribed["missed"], json!({"from": 1, "to": 1}), "the second follows as the snapshot");
    assert_eq!((kinds(&messages), &messages[0]["content"]), (vec!["snapshot"], &"second".into()));
    let (subscribed, messages) = look(&member, &json!({"subject": "/a", "epoch": epoch, "seq": 2}), 0);
    assert_eq!((&subscribed["recovery"], messages.len()), (&"complete".into(), 0));
    assert_eq!(publisher.publish_ok("/a", "third")["seq"], 3, "positions go on");
}

#[test]
fn history_is_bounded_by_number() {
    let member = Member::start(&["-DMaxCachedMessagesPerSubject=3"]);
    let mut publisher = Native::connect(&member.address(), Some(TOKEN));
    for content in 1..=5 {
        publisher.publish_ok("/a", &content.to_string());
    }
    let (_, messages) = look(&member, &json!("/a"), 1000);
    assert_eq!(kinds(&messages), ["historical"; 3]);
    assert_eq!(messages[0]["content"], "3");
}

#[test]
fn a_snapshot_expires_if_it_is_told_to() {
    let member = Member::start(&["-DSnapshotExpireTime=1", "-DCacheExpireTime=1"]);
    let mut publisher = Native::connect(&member.address(), Some(TOKEN));
    publisher.publish_ok("/a", "x");
    let start = Instant::now();
    assert_eq!(kinds(&look(&member, &json!("/a"), 0).1), ["snapshot"]);
    eventually("the end of the snapshot", || look(&member, &json!("/a"), 0).1.is_empty().then_some(()));
    assert!(start.elapsed() >= Duration::from_millis(900), "not before its time");
    assert_eq!(publisher.publish_ok("/a", "y")["seq"], 2, "positions go on");
}

#[test]
fn connections_beyond_the_bound_are_refused_with_503() {
    let mut member = Member::start(&["-DMaxConnections=5"]);
    member.allow("new connections are refused");
    let mut clients: Vec<Native> = Vec::new();
    // The member's readiness was asked for over a connection that may still be counted.
    eventually("five connections", || {
        let mut http = Http::open(&member.address());
        let _ = http.try_send(crate::native::upgrade(""));
        clients.extend(Native::answered(http));
        (clients.len() == 5).then_some(())
    });
    for _ in 0..20 {
        let mut http = Http::open(&member.address());
        let answer = http.answer();
        answer.assert_refused(Code::TooManyConnections);
        assert_eq!((answer.header("retry-after"), answer.header("connection")), (Some("1"), Some("close")));
        http.assert_end();
    }
    for client in &mut clients {
        client.begin(None);
        client.assert_alive();
    }
    assert!(metric(&member, "sterna_connections_refused_total") >= 20);
    clients.pop();
    eventually("a place for another one", || {
        let mut http = Http::open(&member.address());
        let _ = http.try_send(crate::native::upgrade(""));
        Native::answered(http).ok()
    })
    .begin(None);
}

#[test]
fn a_full_memory_refuses_publishes_until_something_expires_and_loses_nothing() {
    let options = [
        "-DMemory=16MB",
        "-DCacheExpireTime=8",
        "-DMaxCachedMessagesPerSubject=100000",
        "-DRest.Enable=true",
    ];
    let member = Member::start(&options);
    let mut publisher = Native::connect(&member.address(), Some(TOKEN));
    let content = "x".repeat(15 * 1024);
    let mut accepted = 0_u64;
    let refusal = loop {
        let result = publisher.publish(&format!("/full/{}", accepted % 7), &format!("{accepted} {content}"));
        if result["status"] != "OK" {
            break result;
        }
        accepted += 1;
        assert!(accepted < 2000, "30 MB fit into 16 MB");
    };
    assert_eq!((&refusal["status"], &refusal["class"]), (&"FAILED".into(), &"busy".into()));
    assert_eq!((&refusal["code"], &refusal["name"]), (&4200.into(), &"memory_full".into()));
    assert!(accepted > 500, "{accepted} messages in 12 MB");
    let mut http = Http::open(&member.address());
    assert_eq!(http.produce("/another", TOKEN, &content).status, 503);

    let (used, limit) =
        (metric(&member, "sterna_memory_used_bytes"), metric(&member, "sterna_memory_limit_bytes"));
    assert!(used <= limit && limit == 16 << 20, "{used} of {limit}");
    let resident = resident_bytes(member.id());
    assert!(resident < 64 << 20, "{resident} bytes resident");

    // Everything that was accepted is within its time, and all there.
    let mut client = Native::connect(&member.address(), None);
    let mut recovered: Vec<u64> = Vec::new();
    let epoch = client.subscribe("/elsewhere")["epoch"].clone();
    for subject in 0..7 {
        let item = json!({"subject": format!("/full/{subject}"), "epoch": epoch, "seq": 0});
        client.send(&json!({"op": "subscribe", "subjects": [item]}));
        let subscribed = client.frame_of("subscribed");
        assert_eq!(subscribed["recovery"], "complete", "{subscribed}");
        for _ in 0..subscribed["seq"].as_u64().expect("a number") {
            let message = client.frame_of("message");
            let content = message["content"].as_str().expect("text");
            recovered
                .push(content.split(' ').next().and_then(|number| number.parse().ok()).expect("a number"));
        }
    }
    recovered.sort_unstable();
    assert_eq!(recovered, (0..accepted).collect::<Vec<u64>>());

    let mut tries = 0;
    eventually("room after expiry", || {
        tries += 1;
        (publisher.publish("/again", &content)["status"] == "OK").then_some(())
    });
    assert!(tries > 1, "it was full before");
}

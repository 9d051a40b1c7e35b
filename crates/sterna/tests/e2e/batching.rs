//! Several messages in one write, and of several messages the newest: told by the member's own counts.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use sterna_wire::websocket::Opcode;

use crate::metrics::metric;
use crate::native::{Incoming, Native, masked};
use crate::support::{Member, TOKEN};

const MESSAGES: u64 = 2000;

/// Publishes without results; the last one is answered.
fn publish_at_once(address: &str) {
    let mut publisher = Native::connect(address, Some(TOKEN));
    let mut requests = Vec::new();
    for number in 1..=MESSAGES {
        let mut request = json!({"op": "publish", "subject": "/many", "content": number.to_string()});
        if number == MESSAGES {
            request["id"] = 1.into();
        }
        requests.extend(masked(Opcode::Text, request.to_string().as_bytes()));
    }
    publisher.send_bytes(&requests);
    publisher.frame_of("published");
}

/// Publishes one message after the other, each when the one before was accepted.
fn publish_one_by_one(address: &str, count: u64) {
    let mut publisher = Native::connect(address, Some(TOKEN));
    for number in 1..=count {
        publisher.publish_ok("/many", &number.to_string());
    }
}

#[test]
fn messages_that_meet_are_written_together_and_all_arrive_in_order() {
    for options in
        [&["-DIoThreads=1"][..], &["-DIoThreads=1", "-DMaxBatchingTime=20", "-DMaxBatchingSpace=16KB"]]
    {
        let member = Member::start(options);
        let mut client = Native::connect(&member.address(), None);
        client.subscribe("/many");
        let before = metric(&member, "sterna_writes_total");
        publish_at_once(&member.address());
        for number in 1..=MESSAGES {
            assert_eq!(client.frame_of("message")["seq"], number);
        }
        let writes = metric(&member, "sterna_writes_total") - before;
        println!("{options:?}: {writes} writes for {MESSAGES} messages");
        assert!(writes < MESSAGES / 4, "{writes} writes");
    }
}

#[test]
fn batching_collects_messages_for_its_time_and_no_longer() {
    let member = Member::start(&["-DIoThreads=1", "-DMaxBatchingTime=1000"]);
    let mut client = Native::connect(&member.address(), None);
    client.subscribe("/many");
    let before = metric(&member, "sterna_writes_total");
    let start = Instant::now();
    let address = member.address();
    let publisher = thread::spawn(move || publish_one_by_one(&address, 200));
    assert_eq!(client.frame_of("message")["seq"], 1);
    let first = start.elapsed();
    assert!(first >= Duration::from_millis(900), "the first message waits for others, {first:?}");
    for number in 2..=200_u64 {
        assert_eq!(client.frame_of("message")["seq"], number);
    }
    publisher.join().expect("all are accepted");
    // Each publish is one write for its result; those for the subscriber come on top.
    let writes = metric(&member, "sterna_writes_total") - before;
    assert!(writes < 200 + 50, "{writes} writes");
    // What is not a message does not wait.
    let start = Instant::now();
    client.assert_alive();
    assert!(start.elapsed() < Duration::from_millis(900));
}

#[test]
fn a_full_batch_does_not_wait_for_its_time() {
    let member = Member::start(&["-DIoThreads=1", "-DMaxBatchingTime=60000", "-DMaxBatchingSpace=4KB"]);
    let mut client = Native::connect(&member.address(), None);
    client.subscribe("/many");
    publish_at_once(&member.address());
    // All but the last batch, which is not full, come long before the time is over.
    let mut last = 0;
    while let Some(Incoming::Frame(message)) = client.next_within(Duration::from_secs(2)) {
        last = message["seq"].as_u64().expect("a number");
    }
    assert!((MESSAGES - 60..=MESSAGES).contains(&last), "up to {last}");
}

#[test]
fn conflation_brings_at_most_one_message_of_a_subject_per_interval_and_always_the_newest() {
    let member = Member::start(&["-DIoThreads=1"]);
    let mut conflated = Native::connect(&member.address(), None);
    conflated.send(&json!({"op": "subscribe", "subjects": ["/many"], "conflation_ms": 100}));
    conflated.frame_of("subscribed");
    let mut plain = Native::connect(&member.address(), None);
    plain.subscribe("/many");
    let start = Instant::now();
    let address = member.address();
    let publisher = thread::spawn(move || publish_one_by_one(&address, MESSAGES));
    let (mut at, mut count) = (0, 0);
    while at < MESSAGES {
        let seq = conflated.frame_of("message")["seq"].as_u64().expect("a number");
        assert!(seq > at, "{seq} after {at}");
        at = seq;
        count += 1;
    }
    let intervals = u64::try_from(start.elapsed().as_millis()).expect("not so long") / 100;
    assert!(count <= intervals + 2, "{count} messages in {intervals} intervals");
    for number in 1..=MESSAGES {
        assert_eq!(plain.frame_of("message")["seq"], number, "who does not conflate gets all");
    }
    publisher.join().expect("all are accepted");
    assert_eq!(metric(&member, "sterna_messages_conflated_total"), MESSAGES - count);
}

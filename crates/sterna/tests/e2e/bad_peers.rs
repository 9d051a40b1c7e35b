//! What knocks at the ports between members and does not belong there is refused with a reason, and disturbs nobody.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::listening::Listening;
use crate::members::Network;
use crate::native::Native;
use crate::support::{Folder, TOKEN};

/// What is sent to each port of a member: another protocol, which reads as a length beyond all bounds; a message without
/// sense; and nothing at all.
const GARBAGE: [&[u8]; 3] = [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", &[0, 2, 9, 9], &[]];

/// Ports of a member, beginning with that of `ClusterMemberListen`.
const PORTS: std::ops::RangeInclusive<u16> = 8801..=8804;

/// Sends garbage to all ports of a member, which must end each connection.
fn knock(host: &str) {
    for (port, garbage) in PORTS.flat_map(|port| GARBAGE.map(|garbage| (port, garbage))) {
        let mut stream = TcpStream::connect((host, port)).unwrap();
        // The member may have ended the connection before it was asked to.
        let _ = stream.write_all(garbage);
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

/// The log has a warning with that text.
fn assert_warned(member: &Listening, text: &str) {
    let line = member.running.stdout.find(text).expect("it lives");
    assert!(line.contains(" WARN "), "{line}");
}

#[test]
fn strangers_are_refused_with_a_reason_while_the_cluster_goes_on() {
    let network = Network::new();
    let mut seeds = network.start_seeds(Folder::new, &[]);
    let mut subscriber = Native::connect(&network.address(2), None);
    subscriber.subscribe("/a");
    let mut publisher = Native::connect(&network.address(1), Some(TOKEN));
    let first = publisher.publish_ok("/a", "first");
    subscriber.frame_of("message");

    let guesser = network.begin(4, Folder::new(), &["-DClusterPassword=a-guess"]);
    let list: Vec<_> = (1..=5).rev().map(|number| network.entry(number)).collect();
    let list = format!("-DClusterMembers={}", list.join(","));
    let other = network.begin(5, Folder::new(), &[&list]);
    for number in 1..=3 {
        knock(&network.host(number));
    }
    for seed in &seeds {
        assert_warned(seed, "it does not know the password");
        assert_warned(seed, "its ClusterMembers or ClusterSeedMemberCount differs");
        assert_warned(seed, "it announced more bytes than allowed");
        assert_warned(seed, "what it sent is no handshake of a member");
    }
    assert_warned(&guesser, "it does not know the password");
    assert_warned(&other, "its ClusterMembers or ClusterSeedMemberCount differs");

    let last = publisher.publish_ok("/a", "last");
    let message = subscriber.frame_of("message");
    assert_eq!((&message["content"], &message["epoch"]), (&"last".into(), &first["epoch"]));
    assert_eq!(last["seq"].as_u64(), first["seq"].as_u64().map(|seq| seq + 1), "{first} {last}");
    for seed in &seeds {
        let lines = seed.running.stdout.lines();
        assert!(!lines.iter().any(|line| line.contains("link is down")), "{lines:#?}");
    }
    for seed in &mut seeds {
        seed.stop(0);
    }
}

//! The client library against real members: what no test without a socket can show.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use sterna_client::{Client, Event, Full, Published, Settings, Subscribed};
use sterna_model::{Message, Recovery, Subject};

use crate::support::{Member, SOON, TOKEN};

/// Waits for an event that `pick` takes.
fn wait_for<T>(client: &mut Client, what: &str, mut pick: impl FnMut(Event) -> Option<T>) -> T {
    let end = Instant::now() + SOON;
    let mut others = Vec::new();
    while Instant::now() < end {
        match client.next_event(Duration::from_millis(100)) {
            None => {}
            Some(event) => {
                let shown = format!("{event:?}");
                match pick(event) {
                    Some(picked) => return picked,
                    None => others.push(shown),
                }
            }
        }
    }
    panic!("no {what}, but {others:#?}");
}

fn content(event: Event) -> Option<String> {
    match event {
        Event::Message { record, .. } => Some(String::from_utf8_lossy(&record.message.content).into_owned()),
        _ => None,
    }
}

fn subscribed(event: Event) -> Option<Subscribed> {
    match event {
        Event::Subscribed(subscribed) => Some(subscribed),
        _ => None,
    }
}

fn result(event: Event) -> Option<Published> {
    match event {
        Event::Published(published) => Some(published),
        _ => None,
    }
}

fn message(subject: &str, content: impl Into<Box<[u8]>>) -> Message {
    Message::new(Subject::parse(subject).unwrap(), content)
}

#[test]
fn a_client_gets_its_own_messages_and_their_results() {
    let member = Member::start(&[]);
    let mut client = member.client();
    client.connect();
    client.subscribe(["/a"]);
    let number = client.publish(message("/a", *b"hello")).unwrap();
    let mut results = Vec::new();
    let heard = wait_for(&mut client, "message", |event| match event {
        Event::Published(published) => {
            results.push(published);
            None
        }
        event => content(event),
    });
    assert_eq!(heard, "hello");
    let published = results.pop().unwrap_or_else(|| wait_for(&mut client, "result", result));
    assert_eq!(published.publisher_seq, number);
    assert_eq!(published.outcome.unwrap().position.unwrap().seq.0, 1);
}

#[test]
fn thousands_of_publishes_with_large_contents_flow_while_their_messages_come_back() {
    let member = Member::start(&["-DOutQueueSize=8MB"]);
    let settings = Settings { compression: true, ..member.settings() };
    let mut client = Client::new(settings).unwrap();
    client.connect();
    client.subscribe(["/a"]);
    wait_for(&mut client, "subscription", subscribed);
    let (mut sent, mut results, mut messages) = (0, 0, 0);
    let end = Instant::now() + SOON;
    while results < 2_000 || messages < 2_000 {
        assert!(Instant::now() < end, "{sent} sent, {results} results, {messages} messages");
        while sent < 2_000 {
            match client.publish(message("/a", vec![b'x'; 10_000])) {
                Ok(_) => sent += 1,
                Err(Full) => break,
            }
        }
        match client.next_event(Duration::from_millis(100)) {
            Some(Event::Published(published)) => {
                published.outcome.expect("accepted");
                results += 1;
            }
            Some(Event::Message { record, .. }) => {
                messages += 1;
                assert_eq!(record.position.seq.0, messages);
            }
            _ => {}
        }
    }
}

#[test]
fn a_lost_connection_is_resumed_completely() {
    let member = Member::start(&[]);
    let (relay, address) = Relay::to(&member.address());
    let settings = Settings { servers: vec![address.parse().unwrap()], ..member.settings() };
    let mut client = Client::new(settings).unwrap();
    client.connect();
    client.subscribe(["/a"]);
    wait_for(&mut client, "subscription", subscribed);
    let mut publisher = member.client();
    publisher.connect();
    for (round, missed) in ["one", "two", "three"].into_iter().enumerate() {
        relay.cut();
        // It comes back only while events are waited for: not before the message is published.
        wait_for(&mut client, "loss", |event| matches!(event, Event::ServerDown { .. }).then_some(()));
        publisher.publish(message("/a", missed.as_bytes())).unwrap();
        wait_for(&mut publisher, "result", result).outcome.unwrap();
        let again = wait_for(&mut client, "subscription", subscribed);
        assert_eq!((again.again, again.recovery), (true, Recovery::Complete), "round {round}");
        assert_eq!(wait_for(&mut client, "message", content), missed);
    }
}

#[test]
fn publishes_of_a_lost_connection_are_neither_lost_nor_doubled() {
    let member = Member::start(&[]);
    let (relay, address) = Relay::to(&member.address());
    let settings = Settings { servers: vec![address.parse().unwrap()], ..member.settings() };
    let mut client = Client::new(settings).unwrap();
    client.connect();
    let (mut sent, mut accepted) = (0, 0);
    while accepted < 600 {
        while sent < 600 && client.publish(message("/a", sent.to_string().into_bytes())).is_ok() {
            sent += 1;
            if sent % 100 == 0 {
                relay.cut();
            }
        }
        if let Some(published) = client.next_event(SOON).and_then(result) {
            published.outcome.expect("accepted");
            accepted += 1;
        }
    }
    let mut subscriber = member.client();
    subscriber.connect();
    subscriber.subscribe_with_history(["/a"], 1_000);
    for number in 0..600 {
        assert_eq!(wait_for(&mut subscriber, "message", content), number.to_string());
    }
}

#[test]
fn a_token_is_renewed_and_a_bad_one_refused() {
    let member = Member::start(&[]);
    let mut client = Client::new(Settings { token: None, ..member.settings() }).unwrap();
    client.connect();
    client.publish(message("/a", *b"x")).unwrap();
    let refused = wait_for(&mut client, "result", result).outcome.unwrap_err();
    assert_eq!(refused.code(), Some(sterna_model::Code::PublishDenied));
    client.set_entitlement_token(TOKEN);
    wait_for(&mut client, "renewal", |event| matches!(event, Event::TokenRenewed { .. }).then_some(()));
    client.publish(message("/a", *b"x")).unwrap();
    wait_for(&mut client, "result", result).outcome.unwrap();
}

#[test]
fn a_peer_that_is_no_sterna_is_told_as_such() {
    for (answer, said) in [
        (&b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"[..], "answered with status 404"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "does not speak HTTP"),
        (b"", "ended the connection before it answered"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut head = [0; 1_000];
            let _ = socket.read(&mut head);
            let _ = socket.write_all(answer);
        });
        let mut client = Client::new(Settings::new(vec![address.parse().unwrap()])).unwrap();
        client.connect();
        let reason = wait_for(&mut client, "failure", |event| match event {
            Event::ServerDown { reason, .. } => Some(reason),
            _ => None,
        });
        assert!(reason.contains(said), "{reason}");
    }
}

/// A relay between a client and a member, whose connections can be cut.
struct Relay(std::sync::mpsc::Sender<()>);

impl Relay {
    fn to(member: &str) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, cuts) = std::sync::mpsc::channel();
        let member = member.to_owned();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = std::net::TcpStream::connect(&member).unwrap();
                let ends = [client.try_clone().unwrap(), server.try_clone().unwrap()];
                for (mut from, mut to) in
                    [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
                {
                    thread::spawn(move || std::io::copy(&mut from, &mut to));
                }
                if cuts.recv().is_err() {
                    return;
                }
                for end in ends {
                    let _ = end.shutdown(std::net::Shutdown::Both);
                }
            }
        });
        (Self(sender), address)
    }

    /// Cuts the connection, or the next one if there is none.
    fn cut(&self) {
        self.0.send(()).unwrap();
    }
}

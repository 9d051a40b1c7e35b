//! Clients of a member that stops go to the members that it names, which are not in their own list, and miss nothing.

use std::time::{Duration, Instant};

use serde_json::json;
use sterna_client::{Client, Event};
use sterna_model::{Message, Recovery, Subject};

use crate::members::Network;
use crate::native::Native;
use crate::support::{Folder, SOON, TOKEN};

const CLIENTS: usize = 12;
const SUBJECT: &str = "/directed";

/// A subscriber that knows one member only.
struct Subscriber {
    client: Client,
    /// Messages so far: their contents count from 0.
    heard: usize,
    /// Where it was connected, one after the other.
    servers: Vec<String>,
}

impl Subscriber {
    fn start(network: &Network) -> Self {
        let mut client = network.client(&[1]);
        client.subscribe([SUBJECT]);
        client.connect();
        let mut subscriber = Self { client, heard: 0, servers: Vec::new() };
        subscriber.hear_until("a subscription", |event| matches!(event, Event::Subscribed(_)));
        subscriber
    }

    fn hear_until(&mut self, what: &str, is_it: impl Fn(&Event) -> bool) {
        let end = Instant::now() + SOON;
        while Instant::now() < end {
            let Some(event) = self.client.next_event(Duration::from_millis(100)) else { continue };
            match &event {
                Event::ServerUp { server } => self.servers.push(server.to_string()),
                Event::Subscribed(subscribed) if subscribed.again => {
                    assert_eq!(subscribed.recovery, Recovery::Complete);
                }
                Event::Message { record, .. } => {
                    let content = String::from_utf8_lossy(&record.message.content);
                    assert_eq!(content, self.heard.to_string(), "in order, without a hole");
                    self.heard += 1;
                }
                _ => {}
            }
            if is_it(&event) {
                return;
            }
        }
        panic!("no {what}; connected to {:?}, {} messages", self.servers, self.heard);
    }
}

/// Publishes the next message, by a client that is never asked to leave.
fn publish(publisher: &mut Client, number: usize) {
    let subject = Subject::parse(SUBJECT).unwrap();
    let content = number.to_string().into_bytes();
    publisher.publish(Message::new(subject, content)).expect("few are on their way");
    let end = Instant::now() + SOON;
    while Instant::now() < end {
        if let Some(Event::Published(published)) = publisher.next_event(Duration::from_millis(100)) {
            published.outcome.expect("the cluster takes it");
            return;
        }
    }
    panic!("no result of message {number}");
}

#[test]
fn clients_of_a_member_that_stops_come_back_where_it_says_and_miss_nothing() {
    let network = Network::new();
    let advertised: Vec<_> =
        (1..=3).map(|number| format!("-DAdvertisedAddress={}", network.address(number))).collect();
    let mut members: Vec<_> = (1..=3)
        .map(|number| {
            let own = &advertised[usize::from(number) - 1];
            network.begin(number, Folder::new(), &[own, "-DLogLevel=DEBUG", "-DDrainTime=2"])
        })
        .collect();
    for member in &members {
        member.wait_ready();
    }
    let [second, third] = [2, 3].map(|number| network.address(number));
    // It has heard that both take clients.
    let is_told = |line: &str| line.contains(&second) && line.contains(&third);
    crate::support::eventually("two members to go to", || {
        let lines = members[0].running.stdout.lines();
        lines.iter().any(|line| line.contains("clients can go elsewhere") && is_told(line)).then_some(())
    });

    let mut publisher = network.client(&[2]);
    publisher.connect();
    let mut subscribers: Vec<_> = (0..CLIENTS).map(|_| Subscriber::start(&network)).collect();
    let mut witness = Native::connect(&network.address(1), Some(TOKEN));
    publish(&mut publisher, 0);
    members[0].running.signal("TERM");
    let notice = witness.frame_of("notice");
    let mut servers: Vec<_> = notice["servers"].as_array().unwrap().clone();
    servers.sort_by_key(ToString::to_string);
    assert_eq!(servers, [json!(second), json!(third)], "{notice}");
    for number in 1..20 {
        publish(&mut publisher, number);
    }
    for subscriber in &mut subscribers {
        while subscriber.heard < 20 {
            subscriber.hear_until("message", |event| matches!(event, Event::Message { .. }));
        }
        while subscriber.servers.len() < 2 {
            subscriber.hear_until("new connection", |event| matches!(event, Event::Subscribed(_)));
        }
    }
    drop(witness);
    members.remove(0).stop(0);
    publish(&mut publisher, 20);
    let mut went = Vec::new();
    for subscriber in &mut subscribers {
        subscriber.hear_until("the last message", |event| matches!(event, Event::Message { .. }));
        assert_eq!((subscriber.heard, subscriber.servers.len()), (21, 2), "{:?}", subscriber.servers);
        went.push(subscriber.servers[1].clone());
    }
    went.sort_unstable();
    went.dedup();
    assert_eq!(went, [second, third], "they spread");
}

//! SIGTERM and SIGHUP: a member goes in order, and takes up what is new without a pause.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use sterna_wire::websocket::Opcode;

use crate::http::Http;
use crate::listening::Listening;
use crate::metrics::monitor;
use crate::native::{Incoming, Native, masked};
use crate::process::allow_files;
use crate::support::{Folder, Member, SOON, TOKEN, eventually};

const CONNECTIONS: usize = 1000;
/// Of these, those that hear the load.
const LOADED: usize = 50;
const DRAIN_MS: u64 = 3000;
const CONFIGURATION: &str = "Listen = 127.0.0.1:0\nEntitlementAllowTokenFile = token\n";

/// A publisher that goes on until its connection is closed.
struct Publisher {
    client: Native,
    /// Publishes so far.
    sent: u64,
    /// Results so far: those of the first publishes, without a hole.
    answered: u64,
    /// The member has said that it goes away.
    told: bool,
}

impl Publisher {
    /// Publishes bursts to a subject, each when the one before is answered and the pause is over, until the connection
    /// is closed. Gives the number of accepted publishes.
    fn publish_until_closed(
        address: &str,
        subject: &str,
        burst: u64,
        pause: Duration,
        begun: &AtomicBool,
    ) -> u64 {
        let client = Native::connect(address, Some(TOKEN));
        let mut publisher = Self { client, sent: 0, answered: 0, told: false };
        loop {
            for _ in 0..burst {
                publisher.publish(subject);
            }
            let mut time = SOON;
            loop {
                match publisher.client.next_within(time) {
                    Some(Incoming::Close(4301, _)) => {
                        assert!(publisher.told, "it was told before");
                        return publisher.answered;
                    }
                    Some(incoming) => publisher.take(&incoming),
                    None => break,
                }
                if publisher.answered == publisher.sent {
                    begun.store(true, Relaxed);
                    time = pause;
                }
            }
            assert_eq!(publisher.answered, publisher.sent, "no result came");
        }
    }

    fn publish(&mut self, subject: &str) {
        self.sent += 1;
        let request =
            json!({"op": "publish", "id": self.sent, "subject": subject, "content": "x".repeat(500)});
        // Once it is closed, the server takes nothing more.
        let _ = self.client.try_send(&masked(Opcode::Text, request.to_string().as_bytes()));
    }

    fn take(&mut self, incoming: &Incoming) {
        let Incoming::Frame(frame) = incoming else {
            panic!("{incoming:?} after {} results of {}", self.answered, self.sent);
        };
        if frame["op"] == "published" {
            self.answered += 1;
            assert_eq!((&frame["id"], &frame["status"]), (&self.answered.into(), &"OK".into()), "{frame}");
        } else {
            assert_eq!(frame["notice"], "going_away", "{frame}");
            self.told = true;
        }
    }
}

/// Reads until the close; gives the time after which the client is to come back, and the number of messages.
fn read_until_closed(client: &mut Native) -> (u64, u64) {
    let mut messages = 0;
    let mut after_ms = None;
    loop {
        match client.next() {
            Incoming::Frame(frame) if frame["op"] == "message" => messages += 1,
            Incoming::Frame(frame) => {
                assert_eq!(
                    (&frame["notice"], &frame["servers"]),
                    (&"going_away".into(), &json!([])),
                    "{frame}"
                );
                after_ms = frame["reconnect_after_ms"].as_u64();
            }
            Incoming::Close(4301, reason) => {
                assert_eq!(reason, "going_away");
                return (after_ms.expect("it was told when to come back"), messages);
            }
            other => panic!("{other:?} in a drain"),
        }
    }
}

/// Begins a session while the member drains: it is told at once, and has its own time like all others. None if its time
/// was over before.
fn begin_in_drain(client: &mut Native) -> Option<u64> {
    let connect = masked(Opcode::Text, br#"{"op":"connect"}"#);
    // It may be closed already.
    let _ = client.try_send(&connect);
    match client.next() {
        Incoming::Frame(frame) => {
            assert_eq!(frame["op"], "connected", "{frame}");
            Some(read_until_closed(client).0)
        }
        other => {
            assert_eq!(other, Incoming::Close(4301, "going_away".to_owned()));
            None
        }
    }
}

fn subscribers(address: &str, count: usize, subject: &str) -> Vec<Native> {
    let mut clients: Vec<Native> = (0..count).map(|_| Native::connect(address, None)).collect();
    for client in &mut clients {
        client.subscribe(subject);
    }
    clients
}

/// The times at which clients were told to go fill the drain evenly.
fn assert_spread(times: &[u64]) {
    assert!(times.iter().all(|ms| *ms <= DRAIN_MS), "{times:?}");
    for quarter in 0..4 {
        let within = quarter * DRAIN_MS / 4..=(quarter + 1) * DRAIN_MS / 4;
        let count = times.iter().filter(|ms| within.contains(ms)).count();
        assert!((150..400).contains(&count), "{count} of {CONNECTIONS} in quarter {quarter} of the time");
    }
}

#[test]
fn a_member_under_load_drains_within_its_time() {
    allow_files(8192);
    let drain = format!("-DDrainTime={}", DRAIN_MS / 1000);
    let mut member = Member::start(&[&drain, "-DRest.Enable=true", "-DIoThreads=2"]);
    let address = member.address();
    let mut loaded = subscribers(&address, LOADED, "/load");
    let mut calm = subscribers(&address, CONNECTIONS - LOADED, "/calm");
    let mut idle = Http::open(&address);
    assert_eq!(idle.get("/health").status, 200);
    let mut stream = Http::open(&address);
    stream.send("GET /sse?subject=/calm HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(stream.receive_text("\n\n").contains("200 OK"));
    let mut poll = Http::open(&address);
    poll.send("GET /rest/consume?subject=/calm&wait=60 HTTP/1.1\r\nHost: a\r\n\r\n");

    let mut late: Vec<Native> = (0..10).map(|_| Native::open(&address)).collect();

    let begun: [AtomicBool; 3] = Default::default();
    thread::scope(|scope| {
        let publish = |at: usize, subject, burst, pause_ms| {
            let (address, begun) = (&address, &begun[at]);
            let pause = Duration::from_millis(pause_ms);
            scope.spawn(move || Publisher::publish_until_closed(address, subject, burst, pause, begun))
        };
        // One that many hear, and two that nearly always have publishes without a result.
        let heard = publish(0, "/load", 5, 10);
        let unheard = [publish(1, "/unheard", 100, 1), publish(2, "/unheard", 100, 1)];
        let loaded: Vec<_> =
            loaded.iter_mut().map(|client| scope.spawn(|| read_until_closed(client))).collect();
        let calm = scope.spawn(|| calm.iter_mut().map(read_until_closed).collect::<Vec<_>>());
        eventually("the load", || begun.iter().all(|begun| begun.load(Relaxed)).then_some(()));
        let start = Instant::now();
        member.signal("TERM");
        eventually("the port is closed", || TcpStream::connect(&address).is_err().then_some(()));
        let ready = monitor(&member, "/health/ready");
        assert_eq!((ready.status, &ready.json()["status"]), (503, &"draining".into()));
        assert_eq!(monitor(&member, "/health/live").status, 200);

        let began = late.iter_mut().filter_map(begin_in_drain).collect::<Vec<_>>();
        assert!(!began.is_empty() && began.iter().all(|ms| *ms <= DRAIN_MS + 250), "{began:?}");

        let mut told = calm.join().expect("every subscriber is told and closed");
        assert!(told.iter().all(|(_, messages)| *messages == 0));
        for client in loaded {
            let (after_ms, messages) = client.join().expect("every subscriber is told and closed");
            assert!(messages > 0);
            told.push((after_ms, messages));
        }
        let published = heard.join().expect("all its publishes are answered");
        for publisher in unheard {
            assert!(publisher.join().expect("all its publishes are answered") > 0);
        }
        assert_spread(&told.iter().map(|(after_ms, _)| *after_ms).collect::<Vec<_>>());
        assert!(told.iter().all(|(_, messages)| *messages <= published), "of {published} that were accepted");
        assert_eq!(member.wait(), Some(0));
        let took = start.elapsed();
        assert!(took < Duration::from_secs(10), "it took {took:?}");
    });
    idle.assert_end();
    let events = String::from_utf8(stream.rest()).expect("text");
    assert!(events.contains("retry: "), "{events}");
    assert_eq!(poll.answer().status, 503);
    poll.assert_end();
}

#[test]
fn sighup_changes_the_token_and_a_broken_configuration_changes_nothing() {
    let folder = Folder::new();
    folder.write("sterna.conf", CONFIGURATION);
    folder.write("token", "first");
    let mut member = Listening::start(folder, &[]);
    let address = member.address("Listen");
    let status = |token: &str| Native::connect(&address, Some(token)).publish("/a", "x")["status"].clone();
    assert_eq!((status("first"), status("second")), ("OK".into(), "DENIED".into()));
    let mut standing = Native::connect(&address, Some("first"));

    member.folder().write("token", "second");
    member.running.signal("HUP");
    eventually("the new token", || (status("second") == "OK").then_some(()));
    assert_eq!(status("first"), "DENIED");
    // What a session was granted, it keeps.
    standing.publish_ok("/a", "x");

    member.folder().write("token", "third");
    member.folder().write("sterna.conf", &format!("{CONFIGURATION}Memroy = 1GB\n"));
    member.running.signal("HUP");
    let line = member.running.stdout.find("ERROR").expect("the member lives");
    assert!(line.contains("Memroy") && line.contains("sterna.conf"), "{line}");
    assert_eq!((status("second"), status("third")), ("OK".into(), "DENIED".into()));

    member.folder().write("sterna.conf", CONFIGURATION);
    member.running.signal("HUP");
    eventually("the third token", || (status("third") == "OK").then_some(()));
    member.stop(1);
}

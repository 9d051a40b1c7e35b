//! What operators rely on: metrics, logs, signals, start errors, another user, a supervisor.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::time::Instant;

use support::{Finished, Folder, Running, SOON, eventually, sterna};

/// A member on ports that the system chose.
struct Served {
    running: Running,
    clients: String,
    metrics: String,
    folder: Folder,
}

impl Served {
    fn start(folder: Folder, options: &[&str]) -> Self {
        let mut command = sterna(&["-DListen=127.0.0.1:0", "-DMonitorPrometheus.Listen=127.0.0.1:0"]);
        let running = Running::start(command.args(options).current_dir(folder.path()));
        let address = |parameter: &str| {
            let line = running.stdout.find(&format!("parameter={parameter}")).expect("it listens");
            let words = line.split_whitespace();
            words.filter_map(|word| word.strip_prefix("address=")).next().unwrap().to_owned()
        };
        let (clients, metrics) = (address("Listen"), address("MonitorPrometheus.Listen"));
        running.stdout.find(" ready ").expect("it is ready");
        Self { running, clients, metrics, folder }
    }

    /// The metrics now.
    fn scrape(&self) -> BTreeMap<String, f64> {
        let page = ask(&self.metrics, "GET", "/metrics", "");
        let samples = page.lines().filter(|line| line.starts_with("sterna_"));
        let pair =
            |line: &str| line.rsplit_once(' ').map(|(id, value)| (id.to_owned(), value.parse().unwrap()));
        samples.filter_map(pair).collect()
    }

    /// Publishes over REST; gives the status in the answer.
    fn publish(&self, subject: &str, token: &str) -> String {
        let path = format!("/rest/produce?subject={subject}&token={token}");
        let answer = ask(&self.clients, "POST", &path, "content");
        answer.split("\"status\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned()
    }

    /// Opens an event stream, and waits until it is subscribed.
    fn subscribe(&self, subject: &str) -> BufReader<TcpStream> {
        let mut stream = connect(&self.clients);
        write!(stream, "GET /sse?subject={subject}&token=secret-token HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let mut events = BufReader::new(stream);
        wait_for(&mut events, "event: subscribed");
        events
    }
}

fn connect(address: &str) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket
}

/// One request on a connection of its own; gives the whole answer.
fn ask(address: &str, method: &str, path: &str, body: &str) -> String {
    let mut socket = connect(address);
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close");
    write!(socket, "{head}\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

fn wait_for(events: &mut BufReader<TcpStream>, line: &str) {
    let mut read = String::new();
    while read.trim_end() != line {
        read.clear();
        assert!(events.read_line(&mut read).unwrap() > 0, "the stream ended before {line}");
    }
}

/// Whether the tests run as root.
fn is_root() -> bool {
    uid_of("self") == "0"
}

/// Effective user of a process.
fn uid_of(process: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("Uid:")).unwrap().to_owned();
    line.split_whitespace().nth(2).unwrap().to_owned()
}

#[test]
fn counters_move_exactly_as_clients_do() {
    let served = Served::start(
        Folder::new(),
        &["-DIoThreads=1", "-DRest.Enable=true", "-DEntitlementAllowToken=secret-token"],
    );
    let before = served.scrape();
    let mut events = served.subscribe("/a/b");
    for _ in 0..3 {
        assert_eq!(served.publish("/a/b", "secret-token"), "OK");
        wait_for(&mut events, "event: message");
    }
    assert_eq!(served.publish("/a/b", "wrong"), "DENY");
    let expected = BTreeMap::from([
        ("sterna_connections_accepted_total", 5.0),
        ("sterna_connections_closed_total", 4.0),
        ("sterna_connections{protocol=\"sse\"}", 1.0),
        ("sterna_connections{protocol=\"http\"}", 0.0),
        ("sterna_shard_connections{shard=\"0\"}", 1.0),
        ("sterna_messages_received_total", 3.0),
        ("sterna_deliveries_total", 3.0),
        ("sterna_publishes_total{result=\"accepted\"}", 3.0),
        ("sterna_publishes_total{result=\"refused\"}", 0.0),
        ("sterna_delivery_seconds_count", 3.0),
        ("sterna_requests_refused_total", 1.0),
        ("sterna_subjects", 1.0),
        ("sterna_subscriptions", 1.0),
    ]);
    // Sizes and the core's counters follow within a tenth of a second.
    let end = Instant::now() + SOON;
    let mut moved = BTreeMap::new();
    while moved != expected && Instant::now() < end {
        let now = served.scrape();
        moved = expected.keys().map(|id| (*id, now[*id] - before[*id])).collect();
    }
    assert_eq!(moved, expected);
    assert!(served.scrape()["sterna_allocator_bytes{state=\"resident\"}"] > 0.0, "jemalloc is the allocator");
}

#[test]
fn sighup_takes_up_what_may_change_and_names_the_rest() {
    let folder = Folder::new();
    folder.write("token", "old");
    folder.write("password", "first");
    let options = [
        "-DRest.Enable=true",
        "-DEntitlementAllowTokenFile=token",
        "-DMonitorUsername=admin",
        "-DMonitorPasswordFile=password",
    ];
    let served = Served::start(folder, &options);
    assert_eq!(served.publish("/a", "new"), "DENY");

    served.folder.write("token", "new");
    served.folder.write("password", "second");
    served.running.signal("HUP");
    let log = &served.running.stdout;
    log.find("WARN  changed, but in force only after a restart parameters=MonitorPassword").unwrap();
    assert!(log.lines().iter().any(|line| line.contains("INFO  reloaded")));
    assert_eq!(served.publish("/a", "new"), "OK");
    assert_eq!(served.publish("/a", "old"), "DENY");

    fs::remove_file(served.folder.path().join("token")).unwrap();
    served.running.signal("HUP");
    let line = log.find("ERROR reload: ").unwrap();
    assert!(line.contains("EntitlementAllowToken") && line.contains("nothing was changed"), "{line}");
    assert_eq!(served.publish("/a", "new"), "OK");
}

#[test]
fn a_taken_port_ends_the_start_and_names_the_parameter() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("-DMonitorPrometheus.Listen={}", taken.local_addr().unwrap());
    let finished = Finished::of(&mut sterna(&["-DListen=127.0.0.1:0", &listen]));
    assert_ne!(finished.code, Some(0));
    assert!(finished.error_text().contains("(MonitorPrometheus.Listen)"), "{}", finished.error_text());
}

#[test]
fn a_drain_is_seen_and_a_second_signal_cuts_it_short() {
    let mut served = Served::start(Folder::new(), &["-DDrainTime=9"]);
    // Each gets a time of its own within the nine seconds, so one of them is late.
    let _streams: Vec<_> = (0..20).map(|_| served.subscribe("/a")).collect();
    served.running.signal("TERM");
    served.running.stdout.find("draining").unwrap();
    let health = ask(&served.metrics, "GET", "/health/ready", "");
    assert!(health.starts_with("HTTP/1.1 503 ") && health.contains(r#""status":"draining""#), "{health}");
    assert_eq!(served.scrape()["sterna_ready"], 0.0);
    served.running.signal("TERM");
    assert_eq!(served.running.wait(), None, "ended by the signal");
}

#[test]
fn logs_and_audits_have_files_of_their_own_without_tokens() {
    let options = [
        "-DEntitlementAllowToken=secret-token",
        "-DLogFolder=logs",
        "-DStats.LogInterval=1",
        "-DExtension.Audit.Access=true",
        "-DExtension.Audit.Stats=true",
    ];
    let folder = Folder::new();
    let mut command = sterna(&["-DListen=127.0.0.1:0", "-DMonitor="]);
    let mut running = Running::start(command.args(options).current_dir(folder.path()));
    let read = |name: &str| fs::read_to_string(folder.path().join("logs").join(name)).unwrap_or_default();
    let address = eventually("a ready member", || {
        let log = read("sterna.log");
        let line = log.lines().find(|line| line.contains("parameter=Listen"))?.to_owned();
        let address = line.split("address=").nth(1)?.split(' ').next()?.to_owned();
        log.contains(" ready ").then_some(address)
    });
    let mut stream = connect(&address);
    write!(stream, "GET /sse?subject=/a/%0A&token=secret-token HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut events = BufReader::new(stream);
    wait_for(&mut events, "");
    let mut stream = connect(&address);
    write!(stream, "GET /sse?subject=/a/b&token=secret-token HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let peer = stream.local_addr().unwrap();
    let mut events = BufReader::new(stream);
    wait_for(&mut events, "event: subscribed");
    drop(events);
    let lines = eventually("an audited disconnect", || {
        let log = read("access.log");
        let lines: Vec<_> = log.lines().filter(|line| line.contains(&format!("peer={peer} "))).collect();
        let lines: Vec<_> =
            lines.iter().map(|line| line.split_once("access: ").unwrap().1.to_owned()).collect();
        (lines.len() == 3).then_some(lines)
    });
    assert!(lines[0].starts_with("connect session=") && lines[0].ends_with("code=0"), "{lines:?}");
    assert!(lines[1].ends_with("subject=\"/a/b\" recovery=\"fresh\" code=0"), "{lines:?}");
    assert!(lines[2].starts_with("disconnect session=") && lines[2].ends_with("code=0"), "{lines:?}");
    eventually("a line of statistics", || read("stats.log").contains("connected_sessions=").then_some(()));
    running.signal("TERM");
    assert_eq!(running.wait(), Some(0));
    let logs = ["sterna.log", "access.log", "stats.log"].map(read).concat();
    assert!(!logs.contains("secret-token"), "{logs}");
    assert!(!read("sterna.log").contains("access:") && !read("sterna.log").contains("connected_sessions"));
    assert!(read("sterna.log").contains("INFO  stopped\n"), "everything is written before the end");
    assert!(read("access.log").lines().all(|line| line.contains("INFO  access: ")), "{}", read("access.log"));
}

#[test]
fn json_lines_are_objects() {
    let mut running =
        Running::start(&mut sterna(&["-DListen=127.0.0.1:0", "-DMonitor=", "-DLogFormat=json"]));
    running.stdout.find("\"message\":\"ready\"").unwrap();
    running.signal("TERM");
    assert_eq!(running.wait(), Some(0));
    for line in running.stdout.all() {
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(object["timestamp"].is_string() && object["level"].is_string(), "{line}");
    }
}

#[test]
fn the_supervisor_is_told_of_start_and_stop() {
    let folder = Folder::new();
    let path = folder.path().join("notify");
    let supervisor = UnixDatagram::bind(&path).unwrap();
    supervisor.set_read_timeout(Some(SOON)).unwrap();
    let hear = || {
        let mut buffer = [0; 64];
        let count = supervisor.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    };
    let mut command = sterna(&["-DListen=127.0.0.1:0", "-DMonitor="]);
    let mut running = Running::start(command.env("NOTIFY_SOCKET", &path));
    assert_eq!(hear(), "READY=1");
    running.signal("TERM");
    assert_eq!(hear(), "STOPPING=1");
    assert_eq!(running.wait(), Some(0));
}

#[test]
fn the_server_becomes_another_user_or_says_why_not() {
    let options = ["-DListen=127.0.0.1:0", "-DMonitor=", "-DRunAsUser=nobody"];
    if is_root() {
        let running = Running::start(&mut sterna(&options));
        running.stdout.find(" ready ").unwrap();
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let nobody = passwd.lines().find(|line| line.starts_with("nobody:")).unwrap();
        assert_eq!(uid_of(&running.id().to_string()), nobody.split(':').nth(2).unwrap());
    } else {
        let error = Finished::of(&mut sterna(&options)).error_text();
        assert!(error.contains("RunAsUser: only root can become nobody"), "{error}");
    }
}

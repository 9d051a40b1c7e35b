//! A stop leaves no thread behind. Alone in its process, so that it can count.

#![allow(clippy::unwrap_used, reason = "the functions that the tests share fail with the test")]

use std::fs;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use sterna_link::{ClusterKey, LinkEvent, LinkSettings, start};

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// Waits until so many threads are left: the kernel lists one that was joined for a moment longer. Only a failing test waits
/// until the end.
fn wait_for_threads(count: usize) {
    let end = Instant::now() + Duration::from_secs(20);
    while threads() != count {
        assert!(Instant::now() < end, "{} threads are left, not {count}", threads());
        thread::yield_now();
    }
}

#[test]
fn stop_leaves_no_thread() {
    let before = threads();
    let free = (20_000..30_000_u16)
        .step_by(4)
        .find(|port| (*port..port + 4).all(|port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()));
    let port = free.unwrap();
    // One member is there, one is absent, and one has no address, so that names are looked up all the time.
    let members: Vec<_> =
        ["127.0.0.1", "127.0.0.2", "127.0.0.3", "absent.invalid"].map(|host| format!("{host}:{port}")).into();
    for round in 0..5 {
        let (sender, events) = channel();
        let links = [0, 1].map(|slot| {
            let sender = sender.clone();
            let key = ClusterKey::new(b"secret");
            let settings = LinkSettings::new(slot, round, members.clone(), 1, key);
            start(settings, move |event| drop(sender.send(event))).unwrap()
        });
        for _ in 0..2 {
            let event = events.recv_timeout(Duration::from_secs(20)).unwrap();
            assert!(matches!(event, LinkEvent::Up { .. }), "{event:?}");
        }
        assert!(threads() > before);
        for running in links {
            running.stop();
        }
        wait_for_threads(before);
    }
}

//! Members on loopback addresses, and what they are told.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sterna_link::{Channel, ClusterKey, Link, LinkEvent, LinkSettings, LinkWatch, Links, Receipt, start};

/// How long anything may take that should happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// First of four ports that nobody listens on, different for each call.
pub(crate) fn free_ports() -> u16 {
    // Below the ports that the system chooses itself.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = u16::try_from(std::process::id() % 1000).unwrap() * 8;
    loop {
        let base = 10_000 + (offset + NEXT.fetch_add(4, Ordering::Relaxed)) % 20_000;
        if (base..base + 4).all(|port| std::net::TcpListener::bind(("0.0.0.0", port)).is_ok()) {
            return base;
        }
    }
}

/// A list of members on `127.0.0.1`, `127.0.0.2`, ...
pub(crate) fn members(count: u8) -> Vec<String> {
    (1..=count).map(|last| format!("127.0.0.{last}:{}", free_ports())).collect()
}

/// Settings of the member of a slot; its nonce is the slot plus one.
pub(crate) fn settings(slot: u16, members: &[String]) -> LinkSettings {
    LinkSettings::new(slot, u128::from(slot) + 1, members.to_vec(), 1, ClusterKey::new(b"secret"))
}

/// A member and what it is told.
pub(crate) struct Member {
    pub(crate) links: Links,
    pub(crate) watch: LinkWatch,
    pub(crate) events: Receiver<LinkEvent>,
}

impl Member {
    pub(crate) fn start(settings: LinkSettings) -> Self {
        let (sender, events) = channel();
        Self::start_with(settings, events, move |event| drop(sender.send(event)))
    }

    pub(crate) fn start_with(
        settings: LinkSettings,
        events: Receiver<LinkEvent>,
        on_event: impl Fn(LinkEvent) + Send + Sync + 'static,
    ) -> Self {
        let links = start(settings, on_event).unwrap();
        let watch = links.watch();
        Self { links, watch, events }
    }

    pub(crate) fn next(&self) -> LinkEvent {
        self.events.recv_timeout(PATIENCE).expect("an event in time")
    }

    /// The next event must be that the link to a slot is up.
    pub(crate) fn up(&self, expected: u16) -> (u128, Link) {
        match self.next() {
            LinkEvent::Up { slot, nonce, link, .. } if slot == expected => (nonce, link),
            other => panic!("{other:?} instead of Up of {expected}"),
        }
    }

    /// The next event must be that the link to a slot is down.
    pub(crate) fn down(&self, expected: u16) {
        match self.next() {
            LinkEvent::Down { slot } if slot == expected => {}
            other => panic!("{other:?} instead of Down of {expected}"),
        }
    }

    /// The next event must be a frame.
    pub(crate) fn frame(&self) -> (u16, Channel, Bytes, Receipt) {
        match self.next() {
            LinkEvent::Frame { slot, channel, bytes, receipt } => (slot, channel, bytes, receipt),
            other => panic!("{other:?} instead of a frame"),
        }
    }

    /// Nothing has been told that was not asked for.
    pub(crate) fn assert_quiet(&self) {
        if let Ok(event) = self.events.try_recv() {
            panic!("{event:?} came of itself");
        }
    }
}

/// Two members with a link between them.
pub(crate) fn linked_pair() -> ([Member; 2], [Link; 2]) {
    let members = members(2);
    linked([settings(0, &members), settings(1, &members)])
}

/// Members of two settings with a link between them.
pub(crate) fn linked(settings: [LinkSettings; 2]) -> ([Member; 2], [Link; 2]) {
    let [low, high] = settings.map(Member::start);
    let links = [low.up(1).1, high.up(0).1];
    ([low, high], links)
}

/// A frame goes each way on each channel.
pub(crate) fn assert_linked([low, high]: &[Member; 2], [to_high, to_low]: &[Link; 2]) {
    for channel in Channel::ALL {
        for (link, from, to) in [(to_high, 0, high), (to_low, 1, low)] {
            link.send(channel, Bytes::from_static(b"ping"));
            let (slot, arrived, bytes, _) = to.frame();
            assert_eq!((slot, arrived, &bytes[..]), (from, channel, &b"ping"[..]));
        }
    }
}

/// Waits until something holds that is told by no event.
pub(crate) fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

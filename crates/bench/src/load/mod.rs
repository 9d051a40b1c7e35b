//! The load: thousands of clients in one thread with its own epoll loop, a few dozen bytes each.

mod connection;
mod counts;
pub(crate) mod frames;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};
use rustls::ClientConfig;
use sterna_wire::websocket;

use crate::error::{Failure, Result, system};
use crate::system::raise_descriptors;
use connection::{Connection, Scratch};
pub(crate) use counts::Counts;

/// Connections that are being opened at the same time: less than a server's usual backlog.
const OPENING_MAX: usize = 256;
/// Bytes read from one socket in one call.
const READ_BUFFER_BYTES: usize = 256 * 1024;
/// Poll events taken at once.
const POLL_EVENTS: usize = 4096;
/// A run in which nothing happens for this long is broken.
const STALL: Duration = Duration::from_secs(20);
/// Largest message that the load takes.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Where the load connects, and what it speaks there.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// For an encrypted address.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// Whether WebSocket begins with a handshake; the baseline sends frames at once.
    pub(crate) handshake: bool,
}

/// The clients.
pub(crate) struct Load {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    scratch: Scratch,
    buffer: Box<[u8]>,
    counts: Counts,
}

impl Load {
    pub(crate) fn new() -> Result<Self> {
        raise_descriptors();
        Ok(Self {
            poll: Poll::new().map_err(system("open a poll"))?,
            events: Events::with_capacity(POLL_EVENTS),
            connections: Vec::new(),
            scratch: Scratch { websocket: websocket::Shared::default(), plain: Vec::new() },
            buffer: vec![0; READ_BUFFER_BYTES].into(),
            counts: Counts::default(),
        })
    }

    /// What has happened so far, on all connections together.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Begins to open a connection, on which `first` is sent as soon as it stands; returns its place.
    pub(crate) fn open(&mut self, target: &Target, first: Vec<u8>) -> Result<usize> {
        let place = self.connections.len();
        let connection = Connection::open(target, place, first, self.poll.registry())?;
        self.connections.push(connection);
        Ok(place)
    }

    /// Opens `count` connections and waits until they all stand; `first` says what each begins with.
    pub(crate) fn open_many(
        &mut self,
        target: &Target,
        count: usize,
        mut first: impl FnMut(usize) -> Vec<u8>,
    ) -> Result<()> {
        let ready_before = self.counts.ready as usize;
        for number in 0..count {
            self.open(target, first(number))?;
            let enough = ready_before + (number + 1).saturating_sub(OPENING_MAX);
            if (self.counts.ready as usize) < enough {
                self.run_until("open connections", |counts| counts.ready as usize >= enough)?;
            }
        }
        self.run_until("open connections", |counts| counts.ready as usize >= ready_before + count)
    }

    /// Sends on a connection, now or as soon as its socket takes it.
    pub(crate) fn send(&mut self, place: usize, bytes: &[u8]) -> Result<()> {
        self.connections[place].send(bytes).map_err(system(format!("write to connection {place}")))
    }

    /// Takes what has come in, after waiting for it at most `timeout`. `hear` gets the text of each message and
    /// reply with the place of its connection.
    pub(crate) fn turn(&mut self, timeout: Duration, mut hear: impl FnMut(usize, &str)) -> Result<()> {
        if let Err(error) = self.poll.poll(&mut self.events, Some(timeout))
            && error.kind() != std::io::ErrorKind::Interrupted
        {
            return Err(system("wait for sockets")(error));
        }
        for event in &self.events {
            let Token(place) = event.token();
            let connection = &mut self.connections[place];
            if event.is_writable() {
                connection.on_writable().map_err(|error| error.at(place))?;
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                connection
                    .read(&mut self.buffer, &mut self.scratch, &mut self.counts, |text| hear(place, text))
                    .map_err(|error| error.at(place))?;
            }
        }
        Ok(())
    }

    /// Turns until `done`, as long as something still happens and no publish is refused.
    pub(crate) fn run_until(&mut self, what: &str, done: impl Fn(&Counts) -> bool) -> Result<()> {
        self.hear_until(what, done, |_, _| {})
    }

    /// The same; `hear` as in [`Self::turn`].
    pub(crate) fn hear_until(
        &mut self,
        what: &str,
        done: impl Fn(&Counts) -> bool,
        mut hear: impl FnMut(usize, &str),
    ) -> Result<()> {
        let mut seen = self.counts;
        let mut progress = Instant::now();
        while !done(&self.counts) {
            self.turn(Duration::from_millis(100), &mut hear)?;
            if self.counts.refused > 0 {
                return Err(Failure::broken(format!("{what}: the server refuses publishes")));
            }
            if self.counts != seen {
                seen = self.counts;
                progress = Instant::now();
            } else if progress.elapsed() > STALL {
                let counts = &self.counts;
                return Err(Failure::broken(format!("{what}: nothing happens any more; so far {counts:?}")));
            }
        }
        Ok(())
    }

    /// Lets time pass, answering pings.
    pub(crate) fn idle(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.turn(left, |_, _| {})?;
        }
    }

    /// Ends all connections at once, and begins to count anew.
    pub(crate) fn close_all(&mut self) {
        self.connections.clear();
        self.counts = Counts::default();
    }
}

//! The acceptor: one thread that takes connections and hands them to the shards in turn.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::Socket;
use sterna_model::Code;

use crate::listen::BACKLOG;
use crate::mailbox::{Accepted, ShardMailbox};
use crate::metrics::{Gauge, ShardMetrics};
use crate::shard::refuse;

const WAKER: Token = Token(usize::MAX);
/// How long to wait when the process has no descriptor left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// A bound address that does not listen yet.
pub(crate) struct Listener {
    pub(crate) socket: Socket,
    pub(crate) encrypted: bool,
}

/// The thread's state.
pub(crate) struct Acceptor {
    poll: Poll,
    listeners: Vec<(TcpListener, bool)>,
    shards: Vec<ShardMailbox>,
    metrics: Vec<Arc<ShardMetrics>>,
    connections_max: u64,
    stop: Arc<AtomicBool>,
    next: usize,
    refused: Arc<Gauge>,
    /// Connections that the shards took.
    handed: u64,
    /// Whether the last connection found every place taken.
    full: bool,
}

/// Stops an acceptor from another thread.
#[derive(Clone)]
pub(crate) struct StopAcceptor {
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
}

impl StopAcceptor {
    pub(crate) fn stop(&self) {
        self.stop.store(true, Relaxed);
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake the acceptor");
        }
    }
}

impl Acceptor {
    /// Begins to listen.
    pub(crate) fn new(
        listeners: Vec<Listener>,
        shards: Vec<ShardMailbox>,
        metrics: Vec<Arc<ShardMetrics>>,
        connections_max: u64,
        refused: Arc<Gauge>,
    ) -> io::Result<(Self, StopAcceptor)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let mut registered = Vec::new();
        for (at, listener) in listeners.into_iter().enumerate() {
            listener.socket.listen(BACKLOG)?;
            let mut socket = TcpListener::from_std(listener.socket.into());
            poll.registry().register(&mut socket, Token(at), Interest::READABLE)?;
            registered.push((socket, listener.encrypted));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopper = StopAcceptor { stop: stop.clone(), waker };
        let acceptor = Self {
            poll,
            listeners: registered,
            shards,
            metrics,
            connections_max,
            stop,
            next: 0,
            refused,
            handed: 0,
            full: false,
        };
        Ok((acceptor, stopper))
    }

    /// Runs until stopped; then the addresses are free.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(64);
        let mut exhausted = false;
        while !self.stop.load(Relaxed) {
            let timeout = exhausted.then_some(EXHAUSTED_PAUSE);
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the acceptor cannot poll its sockets; restart the server");
                return;
            }
            let ready = |at| exhausted || events.iter().any(|event| event.token() == Token(at));
            let ready: Vec<usize> = (0..self.listeners.len()).filter(|at| ready(*at)).collect();
            let was_exhausted = exhausted;
            exhausted = false;
            for at in ready {
                exhausted |= self.accept_all(at);
            }
            if exhausted && !was_exhausted {
                tracing::warn!("no file descriptor is left for new connections; raise the open-files limit");
            }
        }
    }

    /// Accepts what waits; whether descriptors have run out.
    fn accept_all(&mut self, at: usize) -> bool {
        loop {
            let (listener, encrypted) = &self.listeners[at];
            match listener.accept() {
                Ok((socket, peer)) => {
                    let accepted = Accepted { socket, peer, encrypted: *encrypted };
                    self.hand_over(accepted);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) => {
                    let out_of = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
                    if error.raw_os_error().is_some_and(|number| out_of.contains(&number)) {
                        return true;
                    }
                    // Else the peer gave up before we came to it.
                }
            }
        }
    }

    fn hand_over(&mut self, mut accepted: Accepted) {
        let full = self.connections() >= self.connections_max;
        let was_full = std::mem::replace(&mut self.full, full);
        if full {
            if !was_full {
                let connections_max = self.connections_max;
                tracing::warn!(
                    connections_max,
                    "new connections are refused; raise MaxConnections or the open-files limit"
                );
            }
            self.refuse(&accepted);
            return;
        }
        for _ in 0..self.shards.len() {
            let shard = &self.shards[self.next];
            self.next = (self.next + 1) % self.shards.len();
            match shard.try_send_socket(accepted) {
                Ok(()) => {
                    self.handed += 1;
                    return;
                }
                Err(back) => accepted = back,
            }
        }
        self.refuse(&accepted);
    }

    fn refuse(&self, accepted: &Accepted) {
        self.refused.add(1);
        if !accepted.encrypted {
            refuse(&accepted.socket, Code::TooManyConnections);
        }
    }

    /// Connections that exist: handed over, and neither refused by the shard nor closed.
    fn connections(&self) -> u64 {
        let gone = |metrics: &Arc<ShardMetrics>| metrics.refused.value() + metrics.closed.value();
        self.handed.saturating_sub(self.metrics.iter().map(gone).sum())
    }
}

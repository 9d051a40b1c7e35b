//! One publisher at each NATS server, in one thread with its own epoll loop, as those at Sterna's members.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::client::Client;
use super::cluster::{NatsCluster, STREAM};
use super::protocol::{self, PONG, Word};
use crate::error::{Failure, Result, system};
use crate::publishing::{Publish, Publishers};

/// Bytes read from one socket in one call.
const READ_BUFFER_BYTES: usize = 256 * 1024;
/// What an acknowledgement begins with; a refusal begins with the error.
const ACKNOWLEDGED: &[u8] = b"{\"stream\":";

/// The publishers.
pub(crate) struct NatsPublishers {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    buffer: Box<[u8]>,
}

struct Connection {
    socket: TcpStream,
    /// Where the acknowledgements come.
    inbox: String,
    /// The beginning of a word.
    received: Vec<u8>,
    /// What the socket has not taken yet.
    unsent: Vec<u8>,
    /// Bytes of it that the socket has taken.
    sent: usize,
}

impl NatsPublishers {
    pub(crate) fn open(cluster: &NatsCluster) -> Result<Self> {
        let poll = Poll::new().map_err(system("open a poll"))?;
        let mut connections = Vec::new();
        for (number, address) in cluster.addresses().enumerate() {
            let (socket, inbox) = Client::open(address, format!("_INBOX.{number}"))?.into_parts();
            socket.set_nonblocking(true).map_err(system("connect to a NATS server"))?;
            let mut socket = TcpStream::from_std(socket);
            poll.registry()
                .register(&mut socket, Token(number), Interest::READABLE | Interest::WRITABLE)
                .map_err(system("watch a connection"))?;
            let [received, unsent] = [Vec::new(), Vec::new()];
            connections.push(Connection { socket, inbox, received, unsent, sent: 0 });
        }
        let events = Events::with_capacity(connections.len());
        Ok(Self { poll, events, connections, buffer: vec![0; READ_BUFFER_BYTES].into() })
    }
}

impl Publishers for NatsPublishers {
    fn count(&self) -> usize {
        self.connections.len()
    }

    fn encode(&self, publisher: usize, publish: &Publish<'_>, out: &mut Vec<u8>) {
        let subject = format!("{STREAM}.{:07}", publish.subject);
        protocol::publish(&subject, &self.connections[publisher].inbox, publish.content, out);
    }

    fn send(&mut self, publisher: usize, bytes: &[u8]) -> Result<()> {
        self.connections[publisher].send(bytes)
    }

    fn turn(&mut self, timeout: Duration, acknowledged: &mut dyn FnMut(usize)) -> Result<()> {
        if let Err(error) = self.poll.poll(&mut self.events, Some(timeout))
            && error.kind() != ErrorKind::Interrupted
        {
            return Err(system("wait for sockets")(error));
        }
        for event in &self.events {
            let Token(number) = event.token();
            let connection = &mut self.connections[number];
            if event.is_writable() {
                connection.flush()?;
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                connection.read(&mut self.buffer, &mut || acknowledged(number))?;
            }
        }
        Ok(())
    }
}

impl Connection {
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.unsent.extend_from_slice(bytes);
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        while self.sent < self.unsent.len() {
            match self.socket.write(&self.unsent[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(system("write to a NATS server")(error)),
            }
        }
        self.unsent.clear();
        self.sent = 0;
        Ok(())
    }

    /// Reads until the socket is empty.
    fn read(&mut self, buffer: &mut [u8], acknowledged: &mut dyn FnMut()) -> Result<()> {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err(Failure::broken("the NATS server closed the connection")),
                Ok(count) => {
                    self.received.extend_from_slice(&buffer[..count]);
                    self.take(acknowledged)?;
                    if count < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(system("read from a NATS server")(error)),
            }
        }
    }

    /// Takes every word that is whole.
    fn take(&mut self, acknowledged: &mut dyn FnMut()) -> Result<()> {
        let mut taken = 0;
        let mut is_pinged = false;
        while let Some((word, length)) = protocol::next(&self.received[taken..])? {
            match word {
                Word::Message(payload) if payload.starts_with(ACKNOWLEDGED) => acknowledged(),
                Word::Message(payload) => return Err(protocol::unexpected(payload)),
                Word::Ping => is_pinged = true,
                Word::Pong | Word::Other => {}
            }
            taken += length;
        }
        self.received.drain(..taken);
        if is_pinged {
            self.send(PONG)?;
        }
        Ok(())
    }
}

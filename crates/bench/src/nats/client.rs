//! A connection to a NATS server that waits for each answer: what a stream is set up with.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::protocol::{self, GREETING, PONG, Word};
use crate::error::{Failure, Result, system};

/// How long a read waits; a request that nobody takes gets no answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// An open connection with a subscription to its inbox.
pub(super) struct Client {
    socket: TcpStream,
    inbox: String,
    received: Vec<u8>,
}

impl Client {
    /// Connects, and waits until the subscription stands.
    pub(super) fn open(address: SocketAddr, inbox: String) -> Result<Self> {
        let open = || {
            let socket = TcpStream::connect(address)?;
            socket.set_nodelay(true)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            Ok(socket)
        };
        let socket = open().map_err(system("connect to a NATS server"))?;
        let mut client = Self { socket, inbox, received: Vec::new() };
        let mut out = GREETING.to_vec();
        protocol::subscribe(&client.inbox, &mut out);
        out.extend_from_slice(b"PING\r\n");
        client.send(&out)?;
        match client.wait_for(|word| matches!(word, Word::Pong).then_some(()))? {
            Some(()) => Ok(client),
            None => Err(Failure::broken("the NATS server does not answer")),
        }
    }

    /// Asks, and returns the answer if one comes in time.
    pub(super) fn request(&mut self, subject: &str, payload: &[u8]) -> Result<Option<Value>> {
        let mut out = Vec::new();
        protocol::publish(subject, &self.inbox, payload, &mut out);
        self.send(&out)?;
        self.wait_for(|word| match word {
            Word::Message(payload) => serde_json::from_slice(payload).ok(),
            _ => None,
        })
    }

    /// The socket, on which nothing is under way, and the name of its inbox.
    pub(super) fn into_parts(self) -> (TcpStream, String) {
        (self.socket, self.inbox)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.socket.write_all(bytes).map_err(system("write to a NATS server"))
    }

    /// Reads until `pick` takes a word, or nothing comes for a while.
    fn wait_for<T>(&mut self, mut pick: impl FnMut(&Word<'_>) -> Option<T>) -> Result<Option<T>> {
        let end = Instant::now() + PATIENCE;
        let mut buffer = [0; 4096];
        loop {
            while let Some((word, length)) = protocol::next(&self.received)? {
                let is_ping = word == Word::Ping;
                let picked = pick(&word);
                self.received.drain(..length);
                if is_ping {
                    self.send(PONG)?;
                }
                if picked.is_some() {
                    return Ok(picked);
                }
            }
            match self.socket.read(&mut buffer) {
                Ok(0) => return Err(Failure::broken("the NATS server closed the connection")),
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(system("read from a NATS server")(error)),
            }
            if Instant::now() > end {
                return Ok(None);
            }
        }
    }
}

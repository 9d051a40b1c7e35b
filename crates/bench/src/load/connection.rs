//! One client's connection: handshake, frames in, frames out.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use socket2::{Domain, SockRef, Socket, Type};
use sterna_wire::http::client::decode_head;
use sterna_wire::websocket::{self, Event, Opcode, Role, UpgradeOffer};

use super::frames::MASK;
use super::{Counts, MESSAGE_BYTES_MAX, Target};
use crate::error::{Failure, Result, system};

/// Connections from one source address; Linux offers about 28,000 ports for each.
const CONNECTIONS_PER_SOURCE: usize = 20_000;

const OFFER: UpgradeOffer<'_> = UpgradeOffer {
    host: "localhost",
    path: "/ws",
    key: "dGhlIHNhbXBsZSBub25jZQ==",
    protocol: None,
    deflate: false,
};

/// What the connections use in turn.
pub(super) struct Scratch {
    pub(super) websocket: websocket::Shared,
    pub(super) plain: Vec<u8>,
}

/// A connection's state; what is not idle is behind a pointer.
pub(super) struct Connection {
    socket: TcpStream,
    decoder: websocket::Decoder,
    /// Until the WebSocket stands.
    opening: Option<Box<Opening>>,
    tls: Option<Box<ClientConnection>>,
    /// What the socket has not taken yet.
    unsent: Option<Box<Unsent>>,
    /// The socket is connected.
    connected: bool,
}

struct Opening {
    /// The beginning of the server's answer.
    received: Vec<u8>,
    /// What to send when the WebSocket stands.
    first: Vec<u8>,
}

#[derive(Default)]
struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
}

/// What happened to a connection.
pub(super) enum Ended {
    /// The socket or TLS failed, or the server closed.
    Io(io::Error),
    /// The server said something that no run expects.
    Failure(Failure),
}

impl Ended {
    /// The failure of the connection in that place.
    pub(super) fn at(self, place: usize) -> Failure {
        match self {
            Self::Io(source) => system(format!("go on with connection {place}"))(source),
            Self::Failure(failure) => Failure::broken(format!("connection {place}: {failure}")),
        }
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

fn broken(what: impl Into<String>) -> Ended {
    Ended::Failure(Failure::broken(what))
}

impl Connection {
    pub(super) fn open(target: &Target, place: usize, first: Vec<u8>, registry: &Registry) -> Result<Self> {
        let mut socket = connect(target.address, place).map_err(system("open a connection"))?;
        registry
            .register(&mut socket, Token(place), Interest::READABLE | Interest::WRITABLE)
            .map_err(system("watch a connection"))?;
        let tls = target.tls.clone().map(|config| {
            let name = ServerName::try_from("localhost").expect("localhost is a host name");
            ClientConnection::new(config, name).map(Box::new)
        });
        let tls = tls.transpose().map_err(|error| Failure::broken(format!("TLS: {error}")))?;
        let opening = target.handshake.then(|| Box::new(Opening { received: Vec::new(), first }));
        let decoder = websocket::Decoder::new(Role::Client, false);
        Ok(Self { socket, decoder, opening, tls, unsent: None, connected: false })
    }

    /// The poll says that the socket takes bytes.
    pub(super) fn on_writable(&mut self) -> Result<(), Ended> {
        if !self.connected {
            if let Some(error) = self.socket.take_error()? {
                return Err(error.into());
            }
            self.connected = true;
            if self.opening.is_some() {
                let mut request = Vec::new();
                OFFER.write(&mut request);
                self.send(&request)?;
            }
        }
        Ok(self.flush()?)
    }

    /// Sends, now or as soon as the socket takes it.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => tls.writer().write_all(bytes)?,
            None => self.unsent.get_or_insert_default().bytes.extend_from_slice(bytes),
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = match &mut self.tls {
            Some(tls) => flush_tls(tls, &mut self.socket),
            None => self.unsent.as_mut().map_or(Ok(()), |unsent| unsent.write(&mut self.socket)),
        };
        match done {
            Ok(()) => self.unsent = None,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads until the socket is empty.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        scratch: &mut Scratch,
        counts: &mut Counts,
        mut hear: impl FnMut(&str),
    ) -> Result<(), Ended> {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err(broken("the server closed it")),
                Ok(count) => {
                    self.take(&mut buffer[..count], scratch, counts, &mut hear)?;
                    if count < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn take(
        &mut self,
        mut input: &mut [u8],
        scratch: &mut Scratch,
        counts: &mut Counts,
        hear: &mut impl FnMut(&str),
    ) -> Result<(), Ended> {
        let Some(tls) = &mut self.tls else {
            return self.take_plain(input, &mut scratch.websocket, counts, hear);
        };
        let mut plain = std::mem::take(&mut scratch.plain);
        while !input.is_empty() {
            let count = tls.read_tls(&mut &*input)?;
            input = &mut input[count..];
            let state = tls.process_new_packets().map_err(|error| broken(format!("TLS: {error}")))?;
            let decrypted = plain.len();
            plain.resize(decrypted + state.plaintext_bytes_to_read(), 0);
            tls.reader().read_exact(&mut plain[decrypted..])?;
        }
        self.flush()?;
        self.take_plain(&mut plain, &mut scratch.websocket, counts, hear)?;
        plain.clear();
        scratch.plain = plain;
        Ok(())
    }

    fn take_plain(
        &mut self,
        input: &mut [u8],
        shared: &mut websocket::Shared,
        counts: &mut Counts,
        hear: &mut impl FnMut(&str),
    ) -> Result<(), Ended> {
        let Some(opening) = &mut self.opening else {
            return self.take_frames(input, shared, counts, hear);
        };
        opening.received.extend_from_slice(input);
        let head = decode_head(&opening.received).map_err(|violation| broken(format!("{violation:?}")))?;
        let Some((head, length)) = head else { return Ok(()) };
        OFFER.verify(head.status, head.headers.iter()).map_err(|error| broken(error.to_string()))?;
        let mut opening = self.opening.take().expect("it was there above");
        self.send(&opening.first)?;
        self.take_frames(&mut opening.received[length..], shared, counts, hear)
    }

    fn take_frames(
        &mut self,
        mut input: &mut [u8],
        shared: &mut websocket::Shared,
        counts: &mut Counts,
        hear: &mut impl FnMut(&str),
    ) -> Result<(), Ended> {
        loop {
            let step = self
                .decoder
                .next(input, shared, MESSAGE_BYTES_MAX)
                .map_err(|violation| broken(violation.to_string()))?;
            let consumed = step.consumed;
            match step.event {
                None => return Ok(()),
                Some(Event::Text(text)) => {
                    counts.hear(text)?;
                    hear(text);
                }
                Some(Event::Ping(payload)) => {
                    let mut pong = Vec::new();
                    websocket::masked_frame(Opcode::Pong, payload, false, MASK, &mut pong);
                    self.send(&pong)?;
                }
                Some(Event::Close { code, reason }) => {
                    return Err(broken(format!("the server closed it with {code:?} {reason}")));
                }
                Some(Event::Binary(_) | Event::Pong(_)) => return Err(broken("an unexpected frame")),
            }
            input = &mut input[consumed..];
        }
    }
}

impl Unsent {
    fn write(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        while self.sent < self.bytes.len() {
            self.sent += socket.write(&self.bytes[self.sent..])?;
        }
        Ok(())
    }
}

fn flush_tls(tls: &mut ClientConnection, socket: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(socket)?;
    }
    Ok(())
}

/// Begins to connect; each source address serves so many connections as there are ports.
fn connect(address: SocketAddr, place: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let source = u8::try_from(place / CONNECTIONS_PER_SOURCE).map_err(|_| ErrorKind::AddrNotAvailable)?;
    if source > 0 {
        let source = Ipv4Addr::new(127, 0, 0, 1 + source);
        socket.bind(&SocketAddrV4::new(source, 0).into())?;
    }
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
        _ => {}
    }
    let socket = TcpStream::from_std(socket.into());
    // Closing resets the connection, so that its port can be used again at once.
    SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

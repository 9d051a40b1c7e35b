//! Opening a connection: name, TCP, TLS, upgrade to WebSocket; all within one time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use serde_json::Value;
use sterna_model::limit::{FRAME_OVERHEAD_BYTES_MAX, HTTP_HEAD_BYTES_MAX};
use sterna_wire::http::client::{ResponseHead, decode, decode_head};
use sterna_wire::native::Refusal;
use sterna_wire::websocket::{HandshakeError, UpgradeOffer, request_key};

use super::error::is_pause;
use super::stream::Stream;
use super::{Link, OpenError};
use crate::Server;

/// How long one address may take to answer: the first packet is repeated after 1 s and 3 s. A load balancer that still
/// offers a dead member may choose a living one the next time.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(4);
const PROTOCOL: &str = "sterna.v1";
const SWITCHING_PROTOCOLS: u16 = 101;

/// How a connection is opened.
pub(crate) struct Opening<'a> {
    pub(crate) server: &'a Server,
    /// For a server with TLS.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) compression: bool,
    /// When to give up.
    pub(crate) until: Instant,
}

/// Opens a connection.
///
/// # Errors
/// It cannot be opened, or not in time.
pub(crate) fn open(opening: &Opening<'_>) -> Result<Link, OpenError> {
    let Opening { server, .. } = opening;
    let socket = dial((&*server.host, server.port).to_socket_addrs()?, opening.until)?;
    let tls = opening.tls.clone().filter(|_| server.encrypted);
    let tls = tls.map(|config| client_connection(config, &server.host)).transpose()?;
    let mut stream = Stream::new(socket, tls)?;
    upgrade(&mut stream, opening).map(|(received, deflate)| Link::new(stream, received, deflate))
}

fn dial(addresses: impl Iterator<Item = SocketAddr>, until: Instant) -> Result<TcpStream, OpenError> {
    let mut last = OpenError::NoAddress;
    for address in addresses {
        match TcpStream::connect_timeout(&address, left(until)?.min(ADDRESS_TIMEOUT)) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

fn client_connection(config: Arc<ClientConfig>, host: &str) -> Result<ClientConnection, OpenError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| OpenError::HostName)?;
    ClientConnection::new(config, name).map_err(|error| io::Error::other(error).into())
}

/// Asks for the WebSocket; gives what came behind the answer, and whether messages may be compressed.
fn upgrade(stream: &mut Stream, opening: &Opening<'_>) -> Result<(Vec<u8>, bool), OpenError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(io::Error::from)?;
    let (host, key) = (opening.server.authority(), request_key(random));
    let offer = UpgradeOffer {
        host: &host,
        path: &opening.server.path,
        key: &key,
        protocol: Some(PROTOCOL),
        deflate: opening.compression,
    };
    let mut request = Vec::new();
    offer.write(&mut request);
    stream.set_write_timeout(left(opening.until)?)?;
    stream.write_all(&request)?;
    stream.flush()?;

    let mut received = Vec::new();
    let (head, head_bytes) = loop {
        if let Some(head) = decode_head(&received)? {
            break head;
        }
        receive(stream, &mut received, opening.until)?;
    };
    if head.status != SWITCHING_PROTOCOLS {
        return Err(refusal(stream, received, &head, opening.until));
    }
    let answer = offer.verify(head.status, head.headers.iter())?;
    Ok((received.split_off(head_bytes), answer.deflate))
}

/// What a server that does not switch protocols says of it (E4).
fn refusal(stream: &mut Stream, mut received: Vec<u8>, head: &ResponseHead, until: Instant) -> OpenError {
    let unexpected = || HandshakeError::StatusUnexpected(head.status).into();
    let body = loop {
        match decode(&received, FRAME_OVERHEAD_BYTES_MAX) {
            Ok(Some((_, body))) => break body,
            Ok(None) if receive(stream, &mut received, until).is_ok() => {}
            _ => return unexpected(),
        }
    };
    let body: Value = serde_json::from_slice(&received[body]).unwrap_or_default();
    let text = |name: &str| body[name].as_str().unwrap_or_default().into();
    match body["code"].as_u64().and_then(|number| u16::try_from(number).ok()) {
        Some(number) => OpenError::Refused(Refusal { number, name: text("name"), advice: text("advice") }),
        None => unexpected(),
    }
}

/// Waits for more bytes. Heads and bodies are bounded by those who decode them.
fn receive(stream: &mut Stream, received: &mut Vec<u8>, until: Instant) -> Result<(), OpenError> {
    let mut buffer = [0; HTTP_HEAD_BYTES_MAX];
    loop {
        stream.set_read_timeout(left(until)?)?;
        match stream.read(&mut buffer) {
            Ok(0) => return Err(OpenError::EarlyEnd),
            Ok(read) => {
                received.extend_from_slice(&buffer[..read]);
                return Ok(());
            }
            Err(error) if is_pause(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn left(until: Instant) -> Result<Duration, OpenError> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(OpenError::TimedOut) } else { Ok(left) }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use socket2::{Domain, Socket, Type};

    use super::*;

    #[test]
    fn an_address_that_does_not_answer_leaves_time_for_the_next_one() {
        // A full queue: the system drops what else would connect, as the network does with packets to a dead machine.
        let silent = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        silent.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        silent.listen(0).unwrap();
        let silent_address = silent.local_addr().unwrap().as_socket().unwrap();
        let _in_the_queue = TcpStream::connect(silent_address).unwrap();

        let living = TcpListener::bind("127.0.0.1:0").unwrap();
        let addresses = [silent_address, living.local_addr().unwrap()];
        let within = |seconds| Instant::now() + Duration::from_secs(seconds);
        let socket = dial(addresses.into_iter(), within(60)).unwrap();
        assert_eq!(socket.peer_addr().unwrap(), addresses[1]);
        assert!(dial([silent_address].into_iter(), within(1)).is_err(), "it was silent");
    }
}

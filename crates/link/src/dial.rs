//! Opens a link: finds the member, connects and proves itself on each of its three ports.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::authenticate::{self, HandshakeError, Proved};
use crate::complaints::Complaint;
use crate::context::Context;
use crate::handshake::{LinkId, Purpose};
use crate::limit::{ADDRESSES_MAX, CONNECT_TIMEOUT, RESOLVE_TIMEOUT};
use crate::refusal::Refusal;
use crate::remote::Candidate;
use crate::settings::Entry;
use crate::stream::{self, Stream};

/// First byte on the log connection, from the side that decides: this link counts.
pub(crate) const CHOSEN: u8 = 0xC1;

/// Why a member was not reached. All of it is normal while members come and go.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("its name has no address: {0}")]
    Name(io::Error),
    #[error("it cannot be connected to: {0}")]
    Connect(io::Error),
    #[error("{1} on the port for {0:?}")]
    Handshake(Purpose, HandshakeError),
    #[error("it was started anew meanwhile")]
    Restarted,
    #[error("it did not choose this link: {0}")]
    NotChosen(io::Error),
}

impl DialError {
    /// Whether the member is not running, as far as anybody can say: what is only slow may be there.
    pub(crate) fn is_absence(&self) -> bool {
        match self {
            Self::Name(error) => error.kind() != ErrorKind::TimedOut,
            Self::Connect(error) => matches!(
                error.kind(),
                ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
            ),
            Self::Handshake(..) | Self::Restarted | Self::NotChosen(_) => false,
        }
    }
}

/// The addresses of an entry, looked up anew.
pub(crate) async fn resolve(entry: &Entry) -> io::Result<Vec<SocketAddr>> {
    let found = timeout(RESOLVE_TIMEOUT, lookup_host((entry.host.as_str(), entry.port))).await??;
    let found: Vec<_> = found.take(ADDRESSES_MAX).collect();
    if found.is_empty() { Err(ErrorKind::NotFound.into()) } else { Ok(found) }
}

/// Connects to the first address that answers.
pub(crate) async fn connect(addresses: &[SocketAddr]) -> io::Result<(TcpStream, SocketAddr)> {
    let mut failed = io::Error::from(ErrorKind::NotFound);
    for address in addresses {
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(*address)).await {
            Ok(Ok(tcp)) => return Ok((tcp, *address)),
            Ok(Err(error)) => failed = error,
            Err(elapsed) => failed = elapsed.into(),
        }
    }
    Err(failed)
}

/// Opens a link to a slot, up to the point where it counts.
pub(crate) async fn dial(context: &Context, slot: u16) -> Result<Candidate, DialError> {
    let entry = &context.entries[usize::from(slot)];
    let addresses = resolve(entry).await.map_err(DialError::Name)?;
    let (tcp, address) = connect(&addresses).await.map_err(DialError::Connect)?;
    let (mut log, proved) = open(context, slot, tcp, address.ip(), Purpose::Log, LinkId::default()).await?;
    let further = async |purpose: Purpose| {
        let address = SocketAddr::new(address.ip(), entry.port + purpose as u16);
        let (tcp, _) = connect(&[address]).await.map_err(DialError::Connect)?;
        let (stream, again) = open(context, slot, tcp, address.ip(), purpose, proved.link).await?;
        if again.process.nonce == proved.process.nonce { Ok(stream) } else { Err(DialError::Restarted) }
    };
    let forward = further(Purpose::Forward).await?;
    let transfer = further(Purpose::Transfer).await?;
    if !context.decides_over(slot) {
        be_chosen(context, &mut log).await.map_err(DialError::NotChosen)?;
    }
    let process = proved.process;
    Ok(Candidate { process, address, dialled: true, streams: [log, forward, transfer] })
}

/// Waits until the side that decides has chosen the link.
pub(crate) async fn be_chosen(context: &Context, log: &mut Stream) -> io::Result<()> {
    match timeout(context.settings.handshake, log.read_u8()).await?? {
        CHOSEN => Ok(()),
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

async fn open(
    context: &Context,
    slot: u16,
    tcp: TcpStream,
    address: IpAddr,
    purpose: Purpose,
    link: LinkId,
) -> Result<(Stream, Proved), DialError> {
    let shake = async {
        let host = &context.entries[usize::from(slot)].host;
        let mut stream = stream::dialled(tcp, host, context.tls().as_ref()).await?;
        let proved = authenticate::dial(&mut stream, &context.identity, purpose, slot, link).await?;
        Ok((stream, proved))
    };
    let shaken = timeout(context.settings.handshake, shake).await;
    shaken.unwrap_or_else(|_| Err(Refusal::TooSlow.into())).map_err(|error| {
        complain(context, address, &error);
        DialError::Handshake(purpose, error)
    })
}

fn complain(context: &Context, address: IpAddr, error: &HandshakeError) {
    let (refusal, refused_there) = match error {
        HandshakeError::Refused(refusal) => (*refusal, false),
        HandshakeError::RefusedThere(refusal) => (*refusal, true),
        HandshakeError::Lost(_) => return,
    };
    context.complaints.add(Complaint { address, refusal, refused_there });
}

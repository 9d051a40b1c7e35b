//! A TCP connection as the links use it, with or without TLS.

use std::io;

use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::limit::TCP_IDLE;
use crate::tls::LinkTls;

/// What bytes can be read from and written to.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Io for T {}

/// A connection.
pub(crate) type Stream = Box<dyn Io>;

/// The stream of a connection that was accepted.
pub(crate) async fn accepted(tcp: TcpStream, tls: Option<&LinkTls>) -> io::Result<Stream> {
    prepare(&tcp)?;
    match tls {
        None => Ok(Box::new(tcp)),
        Some(tls) => Ok(Box::new(TlsAcceptor::from(tls.server.clone()).accept(tcp).await?)),
    }
}

/// The stream of a connection to a host.
pub(crate) async fn dialled(tcp: TcpStream, host: &str, tls: Option<&LinkTls>) -> io::Result<Stream> {
    prepare(&tcp)?;
    match tls {
        None => Ok(Box::new(tcp)),
        Some(tls) => {
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            Ok(Box::new(TlsConnector::from(tls.client.clone()).connect(name, tcp).await?))
        }
    }
}

fn prepare(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let keep_alive = TcpKeepalive::new().with_time(TCP_IDLE).with_interval(TCP_IDLE / 4);
    SockRef::from(tcp).set_tcp_keepalive(&keep_alive)
}

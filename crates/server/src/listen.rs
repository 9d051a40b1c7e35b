//! Listening sockets: bound before anything else happens, so that a taken port is told at once.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};
use sterna_config::{Address, Host};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// Binds an address. `*` is every interface: IPv6 and IPv4 in one socket, or IPv4 alone where there is no IPv6.
pub(crate) fn bind(address: &Address) -> io::Result<Vec<std::net::TcpListener>> {
    let port = address.port;
    match &address.host {
        Host::Any => {
            let both = bind_one(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port), false);
            let one = both.or_else(|error| match error.kind() {
                io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
                _ => bind_one(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port), false),
            })?;
            Ok(vec![one])
        }
        Host::Ip(ip) => Ok(vec![bind_one(SocketAddr::new(*ip, port), true)?]),
        Host::Name(name) => {
            let addresses: Vec<_> = (name.as_str(), port).to_socket_addrs()?.collect();
            if addresses.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
            }
            addresses.into_iter().map(|address| bind_one(address, true)).collect()
        }
    }
}

fn bind_one(address: SocketAddr, only_v6: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

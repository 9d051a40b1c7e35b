//! The four listening sockets of a member.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::limit::BACKLOG;
use crate::settings::Entry;

/// Binds the port of the own entry and the next three. `resolved` is what the host of the entry leads to now: nothing,
/// if the name has no address yet, as with a pod that is not ready.
pub(crate) fn bind(entry: &Entry, resolved: Option<IpAddr>) -> io::Result<Vec<TcpListener>> {
    let ports = entry.port..=entry.port + 3;
    let everywhere = |ports| bind_everywhere(ports, resolved.is_some_and(|ip| ip.is_ipv4()));
    match resolved.filter(|ip| !ip.is_loopback() || is_loopback_on_purpose(&entry.host)) {
        // Behind address translation the entry's address is none of this machine's.
        Some(ip) => match bind_all(ip, ports.clone()) {
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => everywhere(ports),
            bound => bound,
        },
        None => everywhere(ports),
    }
}

/// Some systems resolve their own name to a loopback address, which is of no use to the other members.
fn is_loopback_on_purpose(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok() || host == "localhost"
}

/// IPv6 and IPv4 in one socket, unless there is no IPv6 or the entry is an IPv4 address.
fn bind_everywhere(ports: impl Iterator<Item = u16> + Clone, only_v4: bool) -> io::Result<Vec<TcpListener>> {
    let v4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    if only_v4 {
        return bind_all(v4, ports);
    }
    bind_all(IpAddr::V6(Ipv6Addr::UNSPECIFIED), ports.clone()).or_else(|error| match error.kind() {
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
        _ => bind_all(v4, ports),
    })
}

fn bind_all(ip: IpAddr, ports: impl Iterator<Item = u16>) -> io::Result<Vec<TcpListener>> {
    ports.map(|port| bind_one(SocketAddr::new(ip, port))).collect()
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let told = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
    let socket =
        Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)).map_err(told)?;
    if address.is_ipv6() {
        socket.set_only_v6(false).map_err(told)?;
    }
    socket.set_reuse_address(true).map_err(told)?;
    socket.set_nonblocking(true).map_err(told)?;
    socket.bind(&address.into()).map_err(told)?;
    socket.listen(BACKLOG).map_err(told)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_address_counts_only_if_it_was_written() {
        assert!(is_loopback_on_purpose("127.0.0.7"));
        assert!(is_loopback_on_purpose("::1"));
        assert!(is_loopback_on_purpose("localhost"));
        assert!(!is_loopback_on_purpose("pod-0.service"));
    }

    #[test]
    fn a_taken_port_is_told() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().min(u16::MAX - 3);
        let entry = Entry { host: "127.0.0.1".to_owned(), port };
        let error = bind(&entry, Some(IpAddr::V4(Ipv4Addr::LOCALHOST))).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&format!("127.0.0.1:{port}: ")), "{error}");
    }
}

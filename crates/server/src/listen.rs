//! Listening sockets: bound before anything else happens, so that a taken port is told at once.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};
use sterna_config::{Address, Config, Endpoint, Host};

use crate::acceptor::Listener;
use crate::admin::{Interface, Kind};

/// Connections that may wait to be accepted.
pub(crate) const BACKLOG: i32 = 4096;

/// An address cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} ({parameter}): {source}; free the port or change the parameter")]
pub struct BindError {
    /// As configured.
    pub address: String,
    /// Where it is configured.
    pub parameter: &'static str,
    /// What the system says.
    pub source: io::Error,
}

/// Every socket that the configuration asks for. Nobody listens for clients yet: a member that
/// joins a cluster is not to be found before it is of use.
#[derive(Default)]
pub(crate) struct Bound {
    pub(crate) clients: Vec<Listener>,
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) places: Places,
}

/// Where the sockets are.
#[derive(Default)]
pub(crate) struct Places(Vec<Place>);

/// Where a socket is.
struct Place {
    address: SocketAddr,
    encrypted: bool,
    parameter: &'static str,
}

impl Bound {
    /// Binds everything, or says what cannot be bound.
    pub(crate) fn new(config: &Config) -> Result<Self, BindError> {
        let mut bound = Self::default();
        for (addresses, encrypted, parameter) in
            [(&config.listen.plain, false, "Listen"), (&config.listen.encrypted, true, "ListenEncrypted")]
        {
            for address in addresses {
                for socket in bound.bind(address, encrypted, parameter)? {
                    bound.clients.push(Listener { socket, encrypted });
                }
            }
        }
        let monitor = &config.monitor;
        for (endpoint, kind, parameter) in [
            (&monitor.prometheus, Kind::Prometheus, "MonitorPrometheus.Listen"),
            (&monitor.http, Kind::Http, "MonitorHTTP.Listen"),
        ] {
            let Some(Endpoint { listen, encrypted, credentials }) = endpoint else { continue };
            for socket in bound.bind(listen, *encrypted, parameter)? {
                let failed = |source| BindError { address: listen.to_string(), parameter, source };
                socket.listen(BACKLOG).map_err(failed)?;
                let socket = socket.into();
                let (encrypted, credentials) = (*encrypted, credentials.clone());
                bound.interfaces.push(Interface { kind, socket, encrypted, credentials });
            }
        }
        Ok(bound)
    }

    fn bind(
        &mut self,
        address: &Address,
        encrypted: bool,
        parameter: &'static str,
    ) -> Result<Vec<Socket>, BindError> {
        let failed = |source| BindError { address: address.to_string(), parameter, source };
        let sockets = bind(address).map_err(failed)?;
        for socket in &sockets {
            let address = socket.local_addr().map_err(failed)?.as_socket().expect("an IP socket");
            self.places.0.push(Place { address, encrypted, parameter });
        }
        Ok(sockets)
    }
}

impl Places {
    /// Port of the first plain client address.
    pub(crate) fn plain_port(&self) -> Option<u16> {
        self.0.iter().find(|place| place.parameter == "Listen").map(|place| place.address.port())
    }

    /// One line for each socket for clients, or for each other one, with the port that the system chose where the
    /// configuration says 0.
    pub(crate) fn announce(&self, for_clients: bool) {
        for Place { address, encrypted, parameter } in &self.0 {
            if parameter.starts_with("Listen") == for_clients {
                tracing::info!(%address, encrypted, %parameter, "listening");
            }
        }
    }
}

/// Binds an address. `*` is every interface: IPv6 and IPv4 in one socket, or IPv4 alone where there is no IPv6.
fn bind(address: &Address) -> io::Result<Vec<Socket>> {
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

fn bind_one(address: SocketAddr, only_v6: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn config(options: &[String]) -> Config {
        let sources = sterna_config::Sources { command_line: options.to_vec(), ..Default::default() };
        sterna_config::load(&sources).unwrap().config
    }

    #[test]
    fn the_system_may_choose_every_port() {
        let listens = ["Listen", "MonitorHTTP.Listen", "MonitorPrometheus.Listen"];
        let mut options: Vec<String> = listens.map(|name| format!("{name}=127.0.0.1:0")).into();
        options.extend(["Monitor=HTTP,PROMETHEUS".into(), "MonitorHTTP.Authentication=false".into()]);
        let bound = Bound::new(&config(&options)).unwrap();
        assert_eq!((bound.clients.len(), bound.interfaces.len()), (1, 2));
        assert!(bound.places.plain_port().is_some_and(|port| port > 0));
    }

    #[test]
    fn a_taken_port_is_told_with_the_parameter() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let options = ["Listen=127.0.0.1:0".into(), format!("MonitorPrometheus.Listen={address}")];
        let error = Bound::new(&config(&options)).err().unwrap().to_string();
        assert!(
            error.starts_with(&format!("cannot listen on {address} (MonitorPrometheus.Listen): Address")),
            "{error}"
        );
        assert!(error.ends_with("free the port or change the parameter"), "{error}");
    }
}

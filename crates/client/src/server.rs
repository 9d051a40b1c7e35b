//! Addresses of servers, and the choice among them.

use std::fmt;
use std::str::FromStr;

use sterna_model::Random;

/// Port of an address without one.
const PORT_DEFAULT: u16 = 8800;
/// Ports of `ws://` and `wss://` without one (RFC 6455, 3).
const WS_PORT: u16 = 80;
const WSS_PORT: u16 = 443;
/// Weight of a server that was given none; also the largest.
const WEIGHT_DEFAULT: u8 = 100;

/// Where a client can connect. Written as `host`, `host:port`, `ws://host:port/path` or `wss://host:port/path`; the
/// port is 8800, or that of the scheme, the path `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Name or IP address, without brackets.
    pub host: Box<str>,
    /// Port.
    pub port: u16,
    /// Whether to use TLS.
    pub encrypted: bool,
    /// Path of the WebSocket, with its slash.
    pub path: Box<str>,
    /// 0 to 100: how often it is chosen compared with the others. One with 0 is chosen only if all have 0.
    pub weight: u8,
}

/// A text is no address of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no server; write host:port, ws://host:port or wss://host:port")]
pub struct ServerError(Box<str>);

impl FromStr for Server {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        let (encrypted, port_default, rest) = match text.split_once("://") {
            None => (false, PORT_DEFAULT, text),
            Some(("ws", rest)) => (false, WS_PORT, rest),
            Some(("wss", rest)) => (true, WSS_PORT, rest),
            Some(_) => return Err(ServerError(text.into())),
        };
        let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        let (host, port) = split_port(authority).ok_or_else(|| ServerError(text.into()))?;
        let port = port.map_or(Ok(port_default), str::parse).map_err(|_| ServerError(text.into()))?;
        let is_token = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if host.is_empty() || port == 0 || host.contains('@') || !is_token(host) || !is_token(path) {
            return Err(ServerError(text.into()));
        }
        Ok(Self { host: host.into(), port, encrypted, path: path.into(), weight: WEIGHT_DEFAULT })
    }
}

/// Host without brackets, and port if there is one.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return if rest.is_empty() {
            Some((host, None))
        } else {
            Some((host, Some(rest.strip_prefix(':')?)))
        };
    }
    match authority.split_once(':') {
        None => Some((authority, None)),
        Some((_, port)) if port.contains(':') => None, // an IPv6 address needs its brackets
        Some((host, port)) => Some((host, Some(port))),
    }
}

impl Server {
    /// Host and port, as a Host header has them.
    #[must_use]
    pub fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// Another member of the same cluster, named by `host:port`: reached in the same way as this one.
    #[must_use]
    pub(crate) fn sibling(&self, address: &str) -> Option<Self> {
        let Self { host, port, .. } = address.parse().ok()?;
        Some(Self { host, port, ..self.clone() })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.encrypted {
            f.write_str("wss://")?;
        }
        f.write_str(&self.authority())?;
        f.write_str(if &*self.path == "/" { "" } else { &self.path })
    }
}

/// One of the servers at random, by weight. `avoid` is taken only if there is no other.
pub(crate) fn choose<'a>(
    servers: &'a [Server],
    avoid: Option<&Server>,
    random: &mut Random,
) -> Option<&'a Server> {
    let others: Vec<&Server> = servers.iter().filter(|server| Some(*server) != avoid).collect();
    let candidates = if others.is_empty() { servers.iter().collect() } else { others };
    let total: u64 = candidates.iter().map(|server| u64::from(server.weight)).sum();
    if total == 0 {
        let index = random.below(candidates.len() as u64) as usize;
        return candidates.get(index).copied();
    }
    let mut ticket = random.below(total);
    candidates.into_iter().find(|server| {
        let weight = u64::from(server.weight);
        let is_it = ticket < weight;
        ticket = ticket.saturating_sub(weight);
        is_it
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weighted(address: &str, weight: u8) -> Server {
        Server { weight, ..address.parse().unwrap() }
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, authority, encrypted, path) in [
            ("localhost", "localhost:8800", false, "/"),
            ("localhost:9000", "localhost:9000", false, "/"),
            ("[::1]:9000", "[::1]:9000", false, "/"),
            ("ws://a", "a:80", false, "/"),
            ("ws://a:8800/", "a:8800", false, "/"),
            ("wss://a.example", "a.example:443", true, "/"),
            ("wss://[::1]/ws", "[::1]:443", true, "/ws"),
            ("wss://a:8843/some/ws", "a:8843", true, "/some/ws"),
        ] {
            let server: Server = text.parse().unwrap();
            assert_eq!((&*server.authority(), server.encrypted, &*server.path), (authority, encrypted, path));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            ":8800",
            "a:",
            "a:0",
            "a:70000",
            "a:b",
            "::1",
            "[::1",
            "[::1]8800",
            "http://a",
            "ws://",
            "a b",
            "user@a",
            "ws://a/b\r\nX: y",
        ] {
            assert!(text.parse::<Server>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_address_shows_as_it_can_be_given_again() {
        for text in ["localhost:8800", "wss://a.example:443", "wss://[::1]:8843/ws"] {
            assert_eq!(text.parse::<Server>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_sibling_is_reached_in_the_same_way() {
        let server: Server = "wss://a:8843/ws".parse().unwrap();
        assert_eq!(server.sibling("b:8844").unwrap().to_string(), "wss://b:8844/ws");
        assert_eq!(server.sibling("b:x"), None);
    }

    #[test]
    fn servers_are_chosen_by_weight_and_one_that_failed_only_if_there_is_no_other() {
        let servers = [weighted("a", 75), weighted("b", 25), weighted("c", 0)];
        let mut random = Random::new(1);
        let mut counts = [0; 3];
        for _ in 0..4_000 {
            let chosen = choose(&servers, None, &mut random).unwrap();
            counts[servers.iter().position(|server| server == chosen).unwrap()] += 1;
        }
        assert!((2_850..3_150).contains(&counts[0]) && counts[2] == 0, "{counts:?}");
        let other = choose(&servers, Some(&servers[0]), &mut random).unwrap();
        assert_eq!(other, &servers[1]);
        assert_eq!(choose(&servers[..1], Some(&servers[0]), &mut random), Some(&servers[0]));
        assert_eq!(choose(&servers[2..], None, &mut random), Some(&servers[2]));
        assert_eq!(choose(&[], None, &mut random), None);
    }
}

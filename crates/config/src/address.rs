//! Addresses to listen on or to connect to, and ranges of addresses.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Host.
    pub host: Host,
    /// TCP port; 0 lets the system choose.
    pub port: u16,
}

/// The host part of an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// Every interface (`*`).
    Any,
    /// A numeric address.
    Ip(IpAddr),
    /// A name to resolve.
    Name(String),
}

/// Bytes of a domain name (RFC 1035, 2.3.4).
const NAME_BYTES_MAX: usize = 253;

impl Address {
    /// Reads `host:port`, `[v6]:port`, `*:port` or `:port`; without a default the port must be there.
    pub(crate) fn parse(text: &str, default_port: Option<u16>) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let (ip, rest) = rest.split_once(']')?;
            let port = match rest.strip_prefix(':') {
                Some(port) => parse_port(port)?,
                None if rest.is_empty() => default_port?,
                None => return None,
            };
            return Some(Self { host: Host::Ip(IpAddr::V6(ip.parse::<Ipv6Addr>().ok()?)), port });
        }
        match text.split_once(':') {
            Some(("", port)) => Some(Self { host: Host::Any, port: parse_port(port)? }),
            Some((host, port)) => Some(Self { host: Host::parse(host)?, port: parse_port(port)? }),
            None => Some(Self { host: Host::parse(text)?, port: default_port? }),
        }
    }

    /// Whether listening on both cannot work.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.port != 0
            && self.port == other.port
            && (self.host.is_every_interface() || other.host.is_every_interface() || self.host == other.host)
    }
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        if let Ok(ip) = text.parse() {
            return Some(Self::Ip(ip));
        }
        let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        // A last label of digits is a mistyped address or a lone port, never a name.
        let last_label = text.trim_end_matches('.').rsplit('.').next()?;
        let named = last_label.bytes().any(|byte| !byte.is_ascii_digit());
        (named && text.len() <= NAME_BYTES_MAX && text.bytes().all(in_alphabet))
            .then(|| Self::Name(text.to_owned()))
    }

    fn is_every_interface(&self) -> bool {
        matches!(self, Self::Any) || matches!(self, Self::Ip(ip) if ip.is_unspecified())
    }
}

fn parse_port(text: &str) -> Option<u16> {
    // `u16::from_str` would take a sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A range of addresses: one address, or a prefix (CIDR).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u32,
}

impl Network {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(parse_port(prefix)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = prefix.map_or(bits, u32::from);
        (prefix_bits <= bits).then_some(Self { address, prefix_bits })
    }

    /// Whether the address is in the range. An IPv4 address that came over an IPv6 socket counts as IPv4.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let differing = match (self.address, ip.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => (ours.to_bits() ^ theirs.to_bits()).leading_zeros(),
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => (ours.to_bits() ^ theirs.to_bits()).leading_zeros(),
            _ => return false,
        };
        differing >= self.prefix_bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        Address::parse(text, Some(80)).map(|address| address.to_string())
    }

    #[test]
    fn addresses_in_every_documented_form_are_read() {
        assert_eq!(shown("*:8800").as_deref(), Some("*:8800"));
        assert_eq!(shown(":9900").as_deref(), Some("*:9900"));
        assert_eq!(shown("127.0.0.1:1").as_deref(), Some("127.0.0.1:1"));
        assert_eq!(shown("[::1]:8800").as_deref(), Some("[::1]:8800"));
        assert_eq!(shown("push.example.com").as_deref(), Some("push.example.com:80"));
        assert_eq!(shown("[2001:db8::1]").as_deref(), Some("[2001:db8::1]:80"));
        assert_eq!(
            shown("pod-0.hs.ns.svc.cluster.local:8801").as_deref(),
            Some("pod-0.hs.ns.svc.cluster.local:8801")
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", ":", "8800", "a:", "a:70000", "a:+8", "::1:8800", "[::1", "[::1]x", "300.1.1.1:80", "a b:1"]
        {
            assert_eq!(shown(text), None, "{text}");
        }
        assert_eq!(Address::parse("host", None), None);
    }

    #[test]
    fn every_interface_overlaps_with_each_host_of_the_same_port() {
        let address = |text| Address::parse(text, None).unwrap();
        assert!(address("*:1").overlaps(&address("10.0.0.1:1")));
        assert!(address("0.0.0.0:1").overlaps(&address("a:1")));
        assert!(!address("*:1").overlaps(&address("*:2")));
        assert!(!address("a:1").overlaps(&address("b:1")));
        assert!(!address("*:0").overlaps(&address("*:0")), "the system chooses two ports");
    }

    #[test]
    fn a_network_contains_what_shares_its_prefix() {
        let contains = |network, ip: &str| Network::parse(network).unwrap().contains(ip.parse().unwrap());
        assert!(contains("10.1.2.3", "10.1.2.3"));
        assert!(!contains("10.1.2.3", "10.1.2.4"));
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("0.0.0.0/0", "1.2.3.4"));
        assert!(contains("10.0.0.0/8", "::ffff:10.0.0.1"));
        assert!(contains("2001:db8::/32", "2001:db8:1::1"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
        for text in ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "host", "10.0.0.0/-1"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}

//! What the links are started with.

use std::time::Duration;

use crate::handshake::is_version_text;
use crate::limit::{
    ADVERTISED_BYTES_MAX, ADVERTISED_MAX, FRAME_BYTES_MAX, FRAME_OVERHEAD_BYTES, MEMBERS_MAX,
};
use crate::proof::ClusterKey;
use crate::tls::LinkTls;

/// What the links are started with.
#[derive(Clone, Debug)]
pub struct LinkSettings {
    /// Place of this member in `members`.
    pub slot: u16,
    /// Random number of this process.
    pub nonce: u128,
    /// `ClusterMembers`, each `host:port` or `[v6]:port`, in order. A member listens on the port of its own entry and on
    /// the next three.
    pub members: Vec<String>,
    /// `ClusterSeedMemberCount`. Members with another list or another count are another cluster.
    pub seed_count: u16,
    /// From `ClusterPassword`.
    pub key: ClusterKey,
    /// Name and version of this software, told to the other members: at most 64 visible ASCII characters.
    pub version: String,
    /// Where clients reach this member, `host:port` each, told to the other members: at most `limit::ADVERTISED_MAX`
    /// addresses of `limit::ADVERTISED_BYTES_MAX` bytes together.
    pub advertised: Vec<String>,
    /// TLS on all four ports, below the handshake; every member has it, or none.
    pub tls: Option<LinkTls>,
    /// A link on which nothing was heard for this long is down.
    pub silence: Duration,
    /// Time for a handshake, and for a link's connections to come together.
    pub handshake: Duration,
    /// Bytes that may wait to be sent on one channel of a link; more ends the link.
    pub queue_bytes_max: usize,
    /// Bytes of one channel of a link that may wait to be handled by the owner; with more the channel is not read.
    pub unhandled_bytes_max: usize,
}

impl LinkSettings {
    /// Settings with the usual bounds, without TLS.
    #[must_use]
    pub fn new(slot: u16, nonce: u128, members: Vec<String>, seed_count: u16, key: ClusterKey) -> Self {
        Self {
            slot,
            nonce,
            members,
            seed_count,
            key,
            version: concat!("sterna/", env!("CARGO_PKG_VERSION")).to_owned(),
            advertised: Vec::new(),
            tls: None,
            silence: Duration::from_secs(2),
            handshake: Duration::from_secs(5),
            queue_bytes_max: 2 * FRAME_BYTES_MAX,
            unhandled_bytes_max: 8 << 20,
        }
    }

    /// Checks what the types leave open.
    pub(crate) fn check(&self) -> Result<Vec<Entry>, SettingsError> {
        if self.members.is_empty() || self.members.len() > MEMBERS_MAX {
            return Err(SettingsError::MemberCount { count: self.members.len() });
        }
        if usize::from(self.slot) >= self.members.len() {
            return Err(SettingsError::Slot { slot: self.slot, count: self.members.len() });
        }
        if !is_version_text(self.version.as_bytes()) {
            return Err(SettingsError::Version);
        }
        if !are_client_addresses(&self.advertised) {
            return Err(SettingsError::Advertised);
        }
        let in_permits = 1..=u32::MAX as usize >> 4;
        if self.queue_bytes_max < FRAME_OVERHEAD_BYTES
            || !in_permits.contains(&self.unhandled_bytes_max)
            || self.silence.is_zero()
            || self.handshake.is_zero()
        {
            return Err(SettingsError::Bound);
        }
        self.members.iter().map(|text| Entry::parse(text)).collect()
    }
}

/// A member's entry in the list, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    /// The first of four.
    pub(crate) port: u16,
}

/// Ports that a member uses.
const PORTS: u16 = 4;

impl Entry {
    /// Reads `host:port` or `[v6]:port`.
    pub(crate) fn parse(text: &str) -> Result<Self, SettingsError> {
        match host_and_port(text) {
            Some((host, port)) if port <= u16::MAX - (PORTS - 1) => Ok(Self { host: host.to_owned(), port }),
            _ => Err(SettingsError::Entry { entry: text.to_owned() }),
        }
    }
}

/// Reads `host:port` or `[v6]:port`; the host is without brackets, the port not 0.
fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let port: u16 = port.parse().ok()?;
    (!host.is_empty() && port != 0).then_some((host, port))
}

/// Whether clients may be sent to these addresses, and nothing else is in them.
pub(crate) fn are_client_addresses(list: &[String]) -> bool {
    let in_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    let is_address = |text: &str| host_and_port(text).is_some_and(|(host, _)| host.bytes().all(in_host));
    let bytes: usize = list.iter().map(|text| text.len() + 1).sum();
    list.len() <= ADVERTISED_MAX && bytes <= ADVERTISED_BYTES_MAX && list.iter().all(|text| is_address(text))
}

/// The settings contradict each other or a bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No members, or too many.
    #[error("ClusterMembers has {count} entries; give 1 to {MEMBERS_MAX}")]
    MemberCount {
        /// Entries in the list.
        count: usize,
    },
    /// The own slot is outside the list.
    #[error("slot {slot} is outside ClusterMembers with its {count} entries")]
    Slot {
        /// The own slot.
        slot: u16,
        /// Entries in the list.
        count: usize,
    },
    /// An entry is not `host:port`.
    #[error("{entry} is not host:port with three more ports after it")]
    Entry {
        /// As given.
        entry: String,
    },
    /// The version is too long or not visible ASCII.
    #[error("the version is not 1 to 64 visible ASCII characters")]
    Version,
    /// The addresses for clients are too many, too long, or no addresses.
    #[error(
        "AdvertisedAddress is not a list of at most {ADVERTISED_MAX} host:port with {ADVERTISED_BYTES_MAX} bytes in all"
    )]
    Advertised,
    /// A time or a number of bytes is zero or too large.
    #[error("a bound of the links is zero or too large")]
    Bound,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(host: &str, port: u16) -> Entry {
        Entry { host: host.to_owned(), port }
    }

    #[test]
    fn entries_are_a_host_and_four_ports() {
        assert_eq!(Entry::parse("a.b.local:8801"), Ok(entry("a.b.local", 8801)));
        assert_eq!(Entry::parse("[::1]:65532"), Ok(entry("::1", 65532)));
        for text in ["", "a", "a:", "a:0", ":1", "a:65533", "::1:5", "[::1:5", "a:b"] {
            assert_eq!(Entry::parse(text), Err(SettingsError::Entry { entry: text.to_owned() }), "{text}");
        }
    }

    #[test]
    fn settings_must_fit_together() {
        let good = LinkSettings::new(1, 5, vec!["a:1".into(), "b:1".into()], 1, ClusterKey::new(b"x"));
        assert_eq!(good.check().map(|entries| entries.len()), Ok(2));
        let outside = LinkSettings { slot: 2, ..good.clone() };
        assert_eq!(outside.check(), Err(SettingsError::Slot { slot: 2, count: 2 }));
        let nameless = LinkSettings { version: "a b".into(), ..good.clone() };
        assert_eq!(nameless.check(), Err(SettingsError::Version));
        let named =
            |advertised: &[String]| LinkSettings { advertised: advertised.into(), ..good.clone() }.check();
        assert!(named(&["a.example:80".to_owned(), "[::1]:8800".to_owned()]).is_ok());
        let long = format!("{}:80", "a".repeat(ADVERTISED_BYTES_MAX - 3));
        for bad in ["a", "a:0", "a b:1", "a\"b:1", "ws://a:1", &long] {
            assert_eq!(named(&[bad.to_owned()]), Err(SettingsError::Advertised), "{bad}");
        }
        assert_eq!(named(&vec!["a:1".to_owned(); ADVERTISED_MAX + 1]), Err(SettingsError::Advertised));
        let hasty = LinkSettings { silence: Duration::ZERO, ..good };
        assert_eq!(hasty.check(), Err(SettingsError::Bound));
    }
}

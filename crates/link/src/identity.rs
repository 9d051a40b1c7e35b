//! Who this member is in a handshake, and whom it takes for a member of its cluster.

use crate::handshake::{HASH_BYTES, Hello, LinkId, NO_SLOT, Purpose, VERSIONS, Welcome};
use crate::proof::{ClusterKey, fingerprint};
use crate::refusal::Refusal;
use crate::settings::{LinkSettings, are_client_addresses};

/// What a member says of itself, and holds others against.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) key: ClusterKey,
    fingerprint: [u8; HASH_BYTES],
    pub(crate) slot: u16,
    slots: u16,
    nonce: u128,
    software: String,
    advertised: Vec<String>,
}

impl Identity {
    /// A member.
    pub(crate) fn member(settings: &LinkSettings) -> Self {
        Self {
            key: settings.key.clone(),
            fingerprint: fingerprint(&settings.members, settings.seed_count),
            slot: settings.slot,
            slots: u16::try_from(settings.members.len()).expect("checked against MEMBERS_MAX"),
            nonce: settings.nonce,
            software: settings.version.clone(),
            advertised: settings.advertised.clone(),
        }
    }

    /// A client of administration.
    pub(crate) fn admin(key: ClusterKey) -> Self {
        let software = concat!("sterna/", env!("CARGO_PKG_VERSION")).to_owned();
        let (fingerprint, advertised) = ([0; HASH_BYTES], Vec::new());
        Self { key, fingerprint, slot: NO_SLOT, slots: 0, nonce: 0, software, advertised }
    }

    /// The first message.
    pub(crate) fn hello(
        &self,
        purpose: Purpose,
        to: u16,
        link: LinkId,
        challenge: [u8; HASH_BYTES],
    ) -> Hello {
        Hello {
            versions: VERSIONS,
            purpose,
            from: self.slot,
            to,
            nonce: self.nonce,
            link,
            challenge,
            fingerprint: self.fingerprint,
            software: self.software.clone(),
            advertised: self.advertised.clone(),
        }
    }

    /// The second message.
    pub(crate) fn welcome(&self, version: u8, challenge: [u8; HASH_BYTES]) -> Welcome {
        Welcome {
            version,
            slot: self.slot,
            nonce: self.nonce,
            challenge,
            fingerprint: self.fingerprint,
            software: self.software.clone(),
            advertised: self.advertised.clone(),
        }
    }

    /// Whether a hello on the port of that purpose is welcome, and with which version.
    pub(crate) fn check_hello(&self, purpose: Purpose, hello: &Hello) -> Result<u8, Refusal> {
        let (oldest, newest) = hello.versions;
        let version = newest.min(VERSIONS.1);
        if version < oldest.max(VERSIONS.0) {
            return Err(Refusal::Version);
        }
        if hello.purpose != purpose {
            return Err(Refusal::WrongPort);
        }
        if purpose == Purpose::Admin {
            return Ok(version);
        }
        if hello.fingerprint != self.fingerprint {
            return Err(Refusal::OtherCluster);
        }
        if hello.from == self.slot {
            return Err(Refusal::OwnSlot);
        }
        if hello.from >= self.slots || hello.to != self.slot {
            return Err(Refusal::WrongSlot);
        }
        if !are_client_addresses(&hello.advertised) {
            return Err(Refusal::Advertised);
        }
        Ok(version)
    }

    /// Whether the member that answered a hello is the one that was meant.
    pub(crate) fn check_welcome(&self, hello: &Hello, welcome: &Welcome) -> Result<(), Refusal> {
        if !(hello.versions.0..=hello.versions.1).contains(&welcome.version) {
            return Err(Refusal::Version);
        }
        if hello.purpose == Purpose::Admin {
            return Ok(());
        }
        if welcome.fingerprint != self.fingerprint {
            return Err(Refusal::OtherCluster);
        }
        if welcome.slot != hello.to {
            return Err(Refusal::WrongSlot);
        }
        if !are_client_addresses(&welcome.advertised) {
            return Err(Refusal::Advertised);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(slot: u16, seed_count: u16) -> Identity {
        let members = ["a:1", "b:1", "c:1"].map(str::to_owned).to_vec();
        Identity::member(&LinkSettings::new(slot, 7, members, seed_count, ClusterKey::new(b"x")))
    }

    fn hello() -> Hello {
        member(1, 3).hello(Purpose::Log, 0, [0; 16], [1; HASH_BYTES])
    }

    #[test]
    fn only_a_member_of_the_cluster_with_another_slot_is_welcome() {
        let check = |hello: Hello| member(0, 3).check_hello(Purpose::Log, &hello);
        assert_eq!(check(hello()), Ok(1));
        assert_eq!(check(Hello { versions: (2, 9), ..hello() }), Err(Refusal::Version));
        assert_eq!(check(Hello { versions: (0, 9), ..hello() }), Ok(1));
        assert_eq!(check(Hello { purpose: Purpose::Transfer, ..hello() }), Err(Refusal::WrongPort));
        assert_eq!(check(Hello { from: 0, ..hello() }), Err(Refusal::OwnSlot));
        assert_eq!(check(Hello { from: 3, ..hello() }), Err(Refusal::WrongSlot));
        assert_eq!(check(Hello { to: 2, ..hello() }), Err(Refusal::WrongSlot));
        let named = |address: &str| Hello { advertised: vec![address.to_owned()], ..hello() };
        assert_eq!(check(named("a:8800")), Ok(1));
        assert_eq!(check(named("a:8800/x")), Err(Refusal::Advertised));
        assert_eq!(member(0, 1).check_hello(Purpose::Log, &hello()), Err(Refusal::OtherCluster));
    }

    #[test]
    fn only_the_member_that_was_meant_is_believed() {
        let check = |welcome: Welcome| member(1, 3).check_welcome(&hello(), &welcome);
        let welcome = member(0, 3).welcome(1, [2; HASH_BYTES]);
        assert_eq!(check(welcome.clone()), Ok(()));
        assert_eq!(check(Welcome { slot: 2, ..welcome.clone() }), Err(Refusal::WrongSlot));
        assert_eq!(check(Welcome { version: 2, ..welcome.clone() }), Err(Refusal::Version));
        assert_eq!(check(Welcome { fingerprint: [0; HASH_BYTES], ..welcome }), Err(Refusal::OtherCluster));
    }
}

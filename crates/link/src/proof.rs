//! What proves knowledge of the cluster's password, and what is derived from it.

use std::fmt;

use aws_lc_rs::{digest, hmac};

use crate::handshake::{HASH_BYTES, LinkId};

/// The cluster's password, as a key that is never shown.
#[derive(Clone)]
pub struct ClusterKey(hmac::Key);

impl ClusterKey {
    /// The key of `ClusterPassword`; with an empty password everybody can prove that they know it.
    #[must_use]
    pub fn new(password: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, password))
    }
}

impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(set)")
    }
}

/// Whose proof it is: a proof of one side is none of the other, so that it cannot be sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The side that dialled.
    Dialler = 1,
    /// The side that accepted.
    Acceptor = 2,
}

const PROOF_LABEL: &[u8] = b"sterna link v1 proof";
const LINK_LABEL: &[u8] = b"sterna link v1 link id";
const CLUSTER_LABEL: &[u8] = b"sterna link v1 cluster";

/// The first two messages of a handshake, byte for byte. They hold both challenges, slots and nonces, the purpose, the
/// link and the versions, so that a proof over them holds for this connection only.
pub(crate) struct Transcript<'a> {
    pub(crate) hello: &'a [u8],
    pub(crate) welcome: &'a [u8],
}

impl Transcript<'_> {
    /// The proof of one side.
    pub(crate) fn prove(&self, key: &ClusterKey, role: Role) -> [u8; HASH_BYTES] {
        let tag = hmac::sign(&key.0, &self.labelled(PROOF_LABEL, role as u8));
        tag.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// Whether the proof is that of one side; takes the same time whatever is wrong.
    pub(crate) fn is_proved(&self, key: &ClusterKey, role: Role, proof: &[u8; HASH_BYTES]) -> bool {
        hmac::verify(&key.0, &self.labelled(PROOF_LABEL, role as u8), proof).is_ok()
    }

    /// Identity of the link whose log connection was opened by this handshake.
    pub(crate) fn link_id(&self, key: &ClusterKey) -> LinkId {
        let tag = hmac::sign(&key.0, &self.labelled(LINK_LABEL, 0));
        let (id, _) = tag.as_ref().split_first_chunk().expect("SHA-256 has 32 bytes");
        *id
    }

    /// With lengths, so that no two transcripts give the same bytes.
    fn labelled(&self, label: &[u8], role: u8) -> Vec<u8> {
        let mut bytes = [label, &[role]].concat();
        for message in [self.hello, self.welcome] {
            bytes.extend_from_slice(&(message.len() as u64).to_be_bytes());
            bytes.extend_from_slice(message);
        }
        bytes
    }
}

/// Hash of the member list and the seed count: members of one cluster agree on both.
pub(crate) fn fingerprint(members: &[String], seed_count: u16) -> [u8; HASH_BYTES] {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(CLUSTER_LABEL);
    hash.update(&seed_count.to_be_bytes());
    for member in members {
        hash.update(&(member.len() as u64).to_be_bytes());
        hash.update(member.as_bytes());
    }
    hash.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSCRIPT: Transcript<'_> = Transcript { hello: b"hello", welcome: b"welcome" };

    #[test]
    fn a_proof_holds_for_its_key_role_and_transcript_only() {
        let key = ClusterKey::new(b"secret");
        let proof = TRANSCRIPT.prove(&key, Role::Dialler);
        assert!(TRANSCRIPT.is_proved(&key, Role::Dialler, &proof));
        assert!(!TRANSCRIPT.is_proved(&key, Role::Acceptor, &proof));
        assert!(!TRANSCRIPT.is_proved(&ClusterKey::new(b"Secret"), Role::Dialler, &proof));
        let shifted = Transcript { hello: b"hellow", welcome: b"elcome" };
        assert!(!shifted.is_proved(&key, Role::Dialler, &proof));
    }

    #[test]
    fn an_empty_password_is_a_key_too() {
        let key = ClusterKey::new(b"");
        let proof = TRANSCRIPT.prove(&key, Role::Acceptor);
        assert!(TRANSCRIPT.is_proved(&key, Role::Acceptor, &proof));
    }

    #[test]
    fn the_key_is_never_shown() {
        assert_eq!(format!("{:?}", ClusterKey::new(b"secret")), "(set)");
    }

    #[test]
    fn a_cluster_is_its_list_in_order_and_its_seed_count() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let all = [
            fingerprint(&list(&["a:1", "b:1"]), 2),
            fingerprint(&list(&["b:1", "a:1"]), 2),
            fingerprint(&list(&["a:1", "b:1"]), 1),
            fingerprint(&list(&["a:1b:1"]), 2),
            fingerprint(&list(&["a:1", "b:1", ""]), 2),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one), "{at}");
        }
    }
}

//! Why a connection is refused, and what an operator should do about it.

use crate::handshake::Malformed;

/// Why a connection is refused. The number goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[repr(u8)]
pub enum Refusal {
    /// The bytes are no handshake.
    #[error(
        "what it sent is no handshake of a member; see what else connects to this port, or whether one side has TLS"
    )]
    Malformed = 1,
    /// A message of the handshake, or a frame, is longer than allowed.
    #[error(
        "it announced more bytes than allowed; see what else connects to this port, or whether one side has TLS"
    )]
    Oversized = 2,
    /// No protocol version in common.
    #[error("no protocol version in common; upgrade in smaller steps")]
    Version = 3,
    /// Another member list or seed count.
    #[error(
        "its ClusterMembers or ClusterSeedMemberCount differs; make both equal on every member, in the same order"
    )]
    OtherCluster = 4,
    /// The slot is outside the list, or the connection was meant for another slot.
    #[error(
        "it is not the member that this address should lead to; an address that moves settles by itself, else correct ClusterMembers or the names"
    )]
    WrongSlot = 5,
    /// The slot is the own one.
    #[error(
        "it says that it is this very member; each member needs its own ClusterMemberListen, and a name that leads to itself only"
    )]
    OwnSlot = 6,
    /// The channel does not belong to the port.
    #[error(
        "it uses the wrong port of the four; four ports from ClusterMemberListen on must lead to the same member"
    )]
    WrongPort = 7,
    /// The proof is wrong: another password, or a replay.
    #[error("it does not know the password; make ClusterPassword equal on every member")]
    Password = 8,
    /// The handshake took too long.
    #[error(
        "it did not finish the handshake in time; see whether the network loses packets, or what else connects to this port"
    )]
    TooSlow = 9,
    /// Too many handshakes at once.
    #[error("too many handshakes at once; see who connects to this port")]
    TooMany = 10,
    /// No TLS, or another one.
    #[error(
        "it does not speak TLS as this member does; give ClusterTlsCertificate, ClusterTlsKey and ClusterTlsAuthority to every member, or to none"
    )]
    NoTls = 11,
    /// No certificate, or one of another authority.
    #[error("it shows no certificate that ClusterTlsAuthority has signed for both ends of a connection")]
    Certificate = 12,
    /// The certificate has expired, or is not valid yet.
    #[error("its certificate is not valid at this time; renew it, or set the clocks")]
    CertificateTime = 13,
    /// The certificate names another host.
    #[error("its certificate does not name the host of its entry in ClusterMembers")]
    CertificateName = 14,
    /// Addresses for clients that are none.
    #[error(
        "the addresses that it wants clients to be sent to are no addresses, or too many; correct its AdvertisedAddress"
    )]
    Advertised = 15,
}

impl Refusal {
    /// All, in the order of their numbers.
    pub(crate) const ALL: [Self; 15] = [
        Self::Malformed,
        Self::Oversized,
        Self::Version,
        Self::OtherCluster,
        Self::WrongSlot,
        Self::OwnSlot,
        Self::WrongPort,
        Self::Password,
        Self::TooSlow,
        Self::TooMany,
        Self::NoTls,
        Self::Certificate,
        Self::CertificateTime,
        Self::CertificateName,
        Self::Advertised,
    ];

    /// The reason with that number; one that this version does not know counts as `Malformed`.
    pub(crate) fn from_number(number: u8) -> Self {
        Self::ALL.into_iter().find(|refusal| *refusal as u8 == number).unwrap_or(Self::Malformed)
    }
}

impl From<Malformed> for Refusal {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

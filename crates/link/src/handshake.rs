//! The messages of the handshake and their bytes (docs/protocol/link-v1.md, H1 to H9).

use crate::limit::VERSION_BYTES_MAX;

/// How every handshake begins.
pub const MAGIC: [u8; 4] = *b"STLK";
/// Oldest and newest version of the protocol that this code speaks.
pub const VERSIONS: (u8, u8) = (1, 1);
/// The slot of a client of administration.
pub const NO_SLOT: u16 = u16::MAX;

/// Bytes of a challenge, a proof, a fingerprint.
pub const HASH_BYTES: usize = 32;

/// The bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a message of the handshake")]
pub struct Malformed;

/// What a connection is for; the number is also its distance from the member's first port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// The log.
    Log = 0,
    /// Forwarded publishes.
    Forward = 1,
    /// Bulk state.
    Transfer = 2,
    /// Administration.
    Admin = 3,
}

/// Identity of a link, from the handshake of its log connection.
pub type LinkId = [u8; 16];

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The first, from the side that dialled.
    Hello(Hello),
    /// The second, from the side that accepted.
    Welcome(Welcome),
    /// The third, from the side that dialled, and the fourth, from the side that accepted.
    Proof([u8; HASH_BYTES]),
    /// Instead of any other: the number of the reason.
    Refuse(u8),
}

/// Who dials, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Oldest and newest version of the protocol.
    pub versions: (u8, u8),
    /// What the connection is for.
    pub purpose: Purpose,
    /// The own slot; `NO_SLOT` for administration.
    pub from: u16,
    /// The slot that is meant; `NO_SLOT` for administration.
    pub to: u16,
    /// The process; 0 for administration.
    pub nonce: u128,
    /// The link that the connection belongs to; zeros on the log connection, and for administration.
    pub link: LinkId,
    /// Random.
    pub challenge: [u8; HASH_BYTES],
    /// Hash of the member list and the seed count; not looked at for administration.
    pub fingerprint: [u8; HASH_BYTES],
    /// Name and version of the software.
    pub software: String,
    /// Where clients reach the member, `host:port` each; not checked yet.
    pub advertised: Vec<String>,
}

/// Who accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The version that both speak from now on.
    pub version: u8,
    /// The own slot.
    pub slot: u16,
    /// The process.
    pub nonce: u128,
    /// Random.
    pub challenge: [u8; HASH_BYTES],
    /// Hash of the member list and the seed count.
    pub fingerprint: [u8; HASH_BYTES],
    /// Name and version of the software.
    pub software: String,
    /// Where clients reach the member, `host:port` each; not checked yet.
    pub advertised: Vec<String>,
}

const HELLO: u8 = 1;
const WELCOME: u8 = 2;
const PROOF: u8 = 3;
const REFUSE: u8 = 4;

impl Message {
    /// The bytes of the message, without their length.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello(hello) => hello.encode(),
            Self::Welcome(welcome) => welcome.encode(),
            Self::Proof(proof) => [&[PROOF][..], proof].concat(),
            Self::Refuse(reason) => vec![REFUSE, *reason],
        }
    }

    /// Reads a message. What follows the known fields of a hello or a welcome belongs to later versions and is passed
    /// over; proofs cover it all the same.
    ///
    /// # Errors
    /// The bytes are not a message.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields(bytes);
        match fields.byte()? {
            HELLO => Ok(Self::Hello(Hello::decode(&mut fields)?)),
            WELCOME => Ok(Self::Welcome(Welcome::decode(&mut fields)?)),
            PROOF => Ok(Self::Proof(fields.last()?)),
            REFUSE => Ok(Self::Refuse(u8::from_be_bytes(fields.last()?))),
            _ => Err(Malformed),
        }
    }
}

impl Hello {
    fn encode(&self) -> Vec<u8> {
        let (oldest, newest) = self.versions;
        [
            &[HELLO][..],
            &MAGIC,
            &[oldest, newest, self.purpose as u8],
            &self.from.to_be_bytes(),
            &self.to.to_be_bytes(),
            &self.nonce.to_be_bytes(),
            &self.link,
            &self.challenge,
            &self.fingerprint,
            &text(&self.software),
            &texts(&self.advertised),
        ]
        .concat()
    }

    fn decode(fields: &mut Fields<'_>) -> Result<Self, Malformed> {
        if fields.array()? != MAGIC {
            return Err(Malformed);
        }
        Ok(Self {
            versions: (fields.byte()?, fields.byte()?),
            purpose: match fields.byte()? {
                0 => Purpose::Log,
                1 => Purpose::Forward,
                2 => Purpose::Transfer,
                3 => Purpose::Admin,
                _ => return Err(Malformed),
            },
            from: u16::from_be_bytes(fields.array()?),
            to: u16::from_be_bytes(fields.array()?),
            nonce: u128::from_be_bytes(fields.array()?),
            link: fields.array()?,
            challenge: fields.array()?,
            fingerprint: fields.array()?,
            software: fields.version_text()?,
            advertised: fields.trailing_texts()?,
        })
    }
}

impl Welcome {
    fn encode(&self) -> Vec<u8> {
        [
            &[WELCOME, self.version][..],
            &self.slot.to_be_bytes(),
            &self.nonce.to_be_bytes(),
            &self.challenge,
            &self.fingerprint,
            &text(&self.software),
            &texts(&self.advertised),
        ]
        .concat()
    }

    fn decode(fields: &mut Fields<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            version: fields.byte()?,
            slot: u16::from_be_bytes(fields.array()?),
            nonce: u128::from_be_bytes(fields.array()?),
            challenge: fields.array()?,
            fingerprint: fields.array()?,
            software: fields.version_text()?,
            advertised: fields.trailing_texts()?,
        })
    }
}

/// Whether the bytes may be the name and version of a software: short, and harmless in a line of a log.
#[must_use]
pub fn is_version_text(text: &[u8]) -> bool {
    (1..=VERSION_BYTES_MAX).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic)
}

fn text(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("bounded when the settings were checked");
    [&[length][..], text.as_bytes()].concat()
}

fn texts(list: &[String]) -> Vec<u8> {
    let count = u8::try_from(list.len()).expect("bounded when the settings were checked");
    list.iter().fold(vec![count], |bytes, one| [bytes, text(one)].concat())
}

/// What is left of a message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (field, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(field)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Malformed> {
        self.take(LENGTH)?.try_into().map_err(|_| Malformed)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_be_bytes)
    }

    /// The field with which the message must end.
    fn last<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Malformed> {
        self.0.try_into().map_err(|_| Malformed)
    }

    fn text(&mut self) -> Result<String, Malformed> {
        let length = self.byte()?;
        String::from_utf8(self.take(length.into())?.to_vec()).map_err(|_| Malformed)
    }

    fn version_text(&mut self) -> Result<String, Malformed> {
        self.text().and_then(|text| if is_version_text(text.as_bytes()) { Ok(text) } else { Err(Malformed) })
    }

    /// A list that members have not always sent.
    fn trailing_texts(&mut self) -> Result<Vec<String>, Malformed> {
        let count = if self.0.is_empty() { 0 } else { self.byte()? };
        (0..count).map(|_| self.text()).collect()
    }
}

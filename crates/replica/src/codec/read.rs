//! Reading: any bytes give a frame or an error, and nothing is allocated before its bound is checked.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sterna_model::Code;

use super::{VERSION, cargo, kind};
use crate::frame::{Body, Cargo, Entry, EntryKind, Frame, Presence, RaftMessage, Round, Stance, VoteRequest};
use crate::identity::{Level, Lineage, NodeId, Nonce, Rank, Slot, TransferId};
use crate::limit::{
    CHUNK_BYTES_MAX, COMMAND_BYTES_MAX, ENTRIES_PER_FRAME_MAX, FRAME_BYTES_MAX, INDEX_MAX, MEMBERS_MAX,
    NODES_MAX, SEEDS_MAX, TERM_MAX,
};
use crate::membership::{Incarnation, Membership};

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They end too early.
    #[error("the frame ends inside its {0}")]
    Short(&'static str),
    /// They go on after the end.
    #[error("the frame has {0} bytes too many")]
    Trailing(usize),
    /// Another version of the protocol.
    #[error("version {0} of the peer protocol is not spoken here")]
    Version(u8),
    /// A kind of frame that is not known.
    #[error("a frame of kind {0} is not known")]
    Kind(u8),
    /// A group that does not exist.
    #[error("group {0} does not exist")]
    Group(u16),
    /// A value that nothing can have.
    #[error("the {0} is out of bounds")]
    Value(&'static str),
}

impl DecodeError {
    /// The public code of the fault: the peer broke the protocol, or speaks another version of it.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Version(_) => Code::VersionUnsupported,
            _ => Code::ProtocolViolation,
        }
    }
}

/// Reads one whole frame, and passes over what a later version has appended. Large parts share the memory of `bytes`.
///
/// # Errors
/// The bytes are not a frame of version 1.
pub fn decode(bytes: &Bytes) -> Result<Frame, DecodeError> {
    if bytes.len() > FRAME_BYTES_MAX {
        return Err(DecodeError::Value("length"));
    }
    let mut reader = Reader { bytes, at: 0 };
    let version = reader.byte("header")?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let kind = reader.byte("header")?;
    let group = reader.two("header")?;
    if group != 0 {
        return Err(DecodeError::Group(group));
    }
    let lineage = reader.lineage()?;
    let from = NodeId(reader.eight("header")?);
    let to = NodeId(reader.eight("header")?);
    let body = reader.body(kind, lineage, from)?;
    Ok(Frame { lineage, from, to, body })
}

/// Reads a membership that `encode_membership` wrote.
pub(crate) fn decode_membership(bytes: &Bytes) -> Result<Membership, DecodeError> {
    let mut reader = Reader { bytes, at: 0 };
    let membership = reader.membership()?;
    reader.end()?;
    Ok(membership)
}

pub(super) struct Reader<'a> {
    pub(super) bytes: &'a Bytes,
    pub(super) at: usize,
}

impl Reader<'_> {
    pub(super) fn end(&self) -> Result<(), DecodeError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            left => Err(DecodeError::Trailing(left)),
        }
    }

    fn take<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], DecodeError> {
        let rest = &self.bytes[self.at..];
        let (taken, _) = rest.split_first_chunk::<N>().ok_or(DecodeError::Short(part))?;
        self.at += N;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self, part: &'static str) -> Result<u8, DecodeError> {
        self.take::<1>(part).map(|[byte]| byte)
    }

    pub(super) fn two(&mut self, part: &'static str) -> Result<u16, DecodeError> {
        self.take(part).map(u16::from_be_bytes)
    }

    fn four(&mut self, part: &'static str) -> Result<usize, DecodeError> {
        self.take(part).map(|bytes| u32::from_be_bytes(bytes) as usize)
    }

    pub(super) fn eight(&mut self, part: &'static str) -> Result<u64, DecodeError> {
        self.take(part).map(u64::from_be_bytes)
    }

    /// A number up to `max`.
    fn number(&mut self, part: &'static str, max: u64) -> Result<u64, DecodeError> {
        let number = self.eight(part)?;
        if number <= max { Ok(number) } else { Err(DecodeError::Value(part)) }
    }

    fn index(&mut self) -> Result<u64, DecodeError> {
        self.number("index", INDEX_MAX)
    }

    fn term(&mut self) -> Result<u64, DecodeError> {
        self.number("term", TERM_MAX)
    }

    fn lineage(&mut self) -> Result<Lineage, DecodeError> {
        self.number("lineage", Lineage::MAX.0).map(Lineage)
    }

    pub(super) fn nonce(&mut self) -> Result<Nonce, DecodeError> {
        self.take("nonce").map(|bytes| Nonce(u128::from_be_bytes(bytes)))
    }

    pub(super) fn level(&mut self) -> Result<Level, DecodeError> {
        let level = Level(self.two("level")?);
        if level >= Level::FIRST { Ok(level) } else { Err(DecodeError::Value("level")) }
    }

    /// Flags in the lowest bits of a byte; the others are 0.
    fn flags<const N: usize>(&mut self) -> Result<[bool; N], DecodeError> {
        let byte = self.byte("flags")?;
        if u32::from(byte) >> N != 0 {
            return Err(DecodeError::Value("flags"));
        }
        Ok(std::array::from_fn(|bit| byte >> bit & 1 == 1))
    }

    fn flag(&mut self) -> Result<bool, DecodeError> {
        self.flags::<1>().map(|[flag]| flag)
    }

    /// A part with its length before it, in the memory of the frame.
    fn part(&mut self, part: &'static str, bytes_max: usize) -> Result<Bytes, DecodeError> {
        let length = self.four(part)?;
        if length > bytes_max {
            return Err(DecodeError::Value(part));
        }
        let end = self.at + length;
        if end > self.bytes.len() {
            return Err(DecodeError::Short(part));
        }
        let taken = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(taken)
    }

    fn body(&mut self, kind: u8, lineage: Lineage, from: NodeId) -> Result<Body, DecodeError> {
        Ok(match kind {
            kind::PRESENCE => Body::Presence(self.presence(lineage, from)?),
            kind::ADMIT => Body::Admit { nonce: self.nonce()? },
            kind::DISMISS => Body::Dismiss { nonce: self.nonce()? },
            kind::ASK => Body::Ask { round: self.round()?, number: self.lineage()?, nonce: self.nonce()? },
            kind::ANSWER => {
                let (round, number) = (self.round()?, self.lineage()?);
                Body::Answer { round, number, stance: self.stance(lineage, from)? }
            }
            kind::DECLINE => Body::Decline { number: self.lineage()?, seen: self.lineage()? },
            kind::FETCH => Body::Fetch { number: self.lineage()?, nonce: self.nonce()? },
            kind::OFFER => Body::Offer { transfer: self.transfer()?, cargo: self.cargo()? },
            kind::CHUNK => Body::Chunk {
                transfer: self.transfer()?,
                number: self.eight("chunk")?,
                last: self.flag()?,
                bytes: self.part("chunk", CHUNK_BYTES_MAX)?,
            },
            kind::TAKEN => Body::Taken { transfer: self.transfer()?, next: self.eight("chunk")? },
            kind::ABANDON => Body::Abandon { transfer: self.transfer()?, by_sender: self.flag()? },
            _ => {
                let message = |reader: &mut Self| {
                    let term = reader.term()?;
                    Ok(Body::Raft { term, message: reader.raft(kind)? })
                };
                return if (kind::APPEND..=kind::TIMEOUT_NOW).contains(&kind) {
                    message(self)
                } else {
                    Err(DecodeError::Kind(kind))
                };
            }
        })
    }

    fn raft(&mut self, kind: u8) -> Result<RaftMessage, DecodeError> {
        Ok(match kind {
            kind::APPEND => RaftMessage::Append {
                log_term: self.term()?,
                index: self.index()?,
                commit: self.index()?,
                entries: self.entries()?,
            },
            kind::APPENDED => RaftMessage::Appended { index: self.index()?, commit: self.index()? },
            kind::NOT_APPENDED => RaftMessage::NotAppended {
                index: self.index()?,
                commit: self.index()?,
                hint: self.index()?,
                hint_term: self.term()?,
            },
            kind::ASK_VOTE => {
                let [trial, handed_over] = self.flags()?;
                RaftMessage::AskVote(VoteRequest {
                    trial,
                    handed_over,
                    log_term: self.term()?,
                    index: self.index()?,
                    commit: self.index()?,
                    commit_term: self.term()?,
                })
            }
            kind::VOTE => {
                let [trial, granted] = self.flags()?;
                RaftMessage::Vote { trial, granted, commit: self.index()?, commit_term: self.term()? }
            }
            kind::HEARTBEAT => RaftMessage::Heartbeat { commit: self.index()? },
            kind::HEARTBEAT_SEEN => RaftMessage::HeartbeatSeen { commit: self.index()? },
            kind::TIMEOUT_NOW => RaftMessage::TimeoutNow,
            _ => return Err(DecodeError::Kind(kind)),
        })
    }

    fn entries(&mut self) -> Result<Vec<Entry>, DecodeError> {
        let count = self.four("entries")?;
        if count > ENTRIES_PER_FRAME_MAX {
            return Err(DecodeError::Value("number of entries"));
        }
        (0..count)
            .map(|_| {
                let term = self.term()?;
                let kind = match self.byte("entry")? {
                    0 => EntryKind::Command,
                    1 => EntryKind::Change,
                    _ => return Err(DecodeError::Value("kind of entry")),
                };
                Ok(Entry { term, kind, bytes: self.part("entry", COMMAND_BYTES_MAX)? })
            })
            .collect()
    }

    fn round(&mut self) -> Result<Round, DecodeError> {
        match self.byte("round")? {
            0 => Ok(Round::Promise),
            1 => Ok(Round::Confirm),
            _ => Err(DecodeError::Value("round")),
        }
    }

    fn transfer(&mut self) -> Result<TransferId, DecodeError> {
        self.eight("transfer").map(TransferId)
    }

    fn presence(&mut self, lineage: Lineage, from: NodeId) -> Result<Presence, DecodeError> {
        let revision = self.eight("presence")?;
        let stance = self.stance(lineage, from)?;
        let (seen, joins, forming) = (self.lineage()?, self.lineage()?, self.lineage()?);
        let (applied, leader) = (self.index()?, NodeId(self.eight("leader")?));
        let [settled, leaving] = self.flags()?;
        Ok(Presence { revision, stance, seen, joins, forming, applied, leader, settled, leaving })
    }

    fn stance(&mut self, lineage: Lineage, node: NodeId) -> Result<Stance, DecodeError> {
        let (nonce, level_max) = (self.nonce()?, self.level()?);
        let floor = self.lineage()?;
        let copy = if self.flag()? { Some(self.rank()?) } else { None };
        let (voters, outgoing) = (self.voters()?, self.voters()?);
        Ok(Stance { nonce, level_max, lineage, node, floor, copy, voters, outgoing })
    }

    fn voters(&mut self) -> Result<Vec<(Slot, NodeId)>, DecodeError> {
        let count = self.byte("voters")?;
        if u16::from(count) > SEEDS_MAX {
            return Err(DecodeError::Value("number of voters"));
        }
        (0..count).map(|_| Ok((self.slot()?, NodeId(self.eight("voters")?)))).collect()
    }

    pub(super) fn slot(&mut self) -> Result<Slot, DecodeError> {
        let slot = self.two("slot")?;
        if slot < MEMBERS_MAX { Ok(Slot(slot)) } else { Err(DecodeError::Value("slot")) }
    }

    fn rank(&mut self) -> Result<Rank, DecodeError> {
        let (lineage, term, index) = (self.lineage()?, self.term()?, self.index()?);
        Ok(Rank { lineage, term, index, level: self.level()? })
    }

    fn cargo(&mut self) -> Result<Cargo, DecodeError> {
        Ok(match self.byte("cargo")? {
            cargo::CHECKPOINT => {
                let (term, index, log_term) = (self.term()?, self.index()?, self.term()?);
                let membership = self.membership()?;
                if index == 0 || log_term == 0 || log_term > term {
                    return Err(DecodeError::Value("checkpoint"));
                }
                Cargo::Checkpoint { term, index, log_term, membership }
            }
            cargo::SALVAGE => Cargo::Salvage { number: self.lineage()?, rank: self.rank()? },
            _ => return Err(DecodeError::Value("cargo")),
        })
    }

    fn membership(&mut self) -> Result<Membership, DecodeError> {
        let (changed_at, level) = (self.index()?, self.level()?);
        let count = self.two("membership")?;
        if usize::from(count) > NODES_MAX {
            return Err(DecodeError::Value("number of members"));
        }
        let mut incarnations = BTreeMap::new();
        for _ in 0..count {
            let (node, slot) = (NodeId(self.eight("membership")?), self.slot()?);
            let (nonce, level_max) =
                if self.flag()? { (Some(self.nonce()?), self.level()?) } else { (None, Level::default()) };
            if incarnations.last_key_value().is_some_and(|(last, _)| *last >= node) {
                return Err(DecodeError::Value("order of members"));
            }
            incarnations.insert(node, Incarnation { slot, nonce, level_max });
        }
        let (voters, outgoing, learners) = (self.nodes()?, self.nodes()?, self.nodes()?);
        let membership = Membership { voters, outgoing, learners, incarnations, level, changed_at };
        if membership.is_sound() { Ok(membership) } else { Err(DecodeError::Value("membership")) }
    }

    fn nodes(&mut self) -> Result<BTreeSet<NodeId>, DecodeError> {
        let count = self.two("membership")?;
        if usize::from(count) > NODES_MAX {
            return Err(DecodeError::Value("number of members"));
        }
        let mut nodes = BTreeSet::new();
        for _ in 0..count {
            let node = NodeId(self.eight("membership")?);
            if nodes.last().is_some_and(|last| *last >= node) {
                return Err(DecodeError::Value("order of members"));
            }
            nodes.insert(node);
        }
        Ok(nodes)
    }
}

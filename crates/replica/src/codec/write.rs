//! Writing: every frame that this program makes is within the bounds that `read` checks.

use std::collections::BTreeSet;

use bytes::{BufMut, Bytes, BytesMut};
use sterna_model::GroupId;

use super::{HEADER_BYTES, VERSION, cargo, kind};
use crate::frame::{Body, Cargo, Entry, EntryKind, Frame, Presence, RaftMessage, Round, Stance};
use crate::identity::{NodeId, Nonce, Rank, Slot};
use crate::membership::Membership;

/// The one group of today.
const GROUP: GroupId = GroupId(0);

/// The bytes of a frame.
#[must_use]
pub fn encode(frame: &Frame) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER_BYTES + body_bytes(&frame.body));
    out.put_u8(VERSION);
    out.put_u8(kind_of(&frame.body));
    out.put_u16(GROUP.0);
    out.put_u64(frame.lineage.0);
    out.put_u64(frame.from.0);
    out.put_u64(frame.to.0);
    put_body(&mut out, &frame.body);
    out.freeze()
}

/// A guess that spares large frames a second allocation.
fn body_bytes(body: &Body) -> usize {
    match body {
        Body::Raft { message: RaftMessage::Append { entries, .. }, .. } => {
            40 + entries.iter().map(|entry| 16 + entry.bytes.len()).sum::<usize>()
        }
        Body::Chunk { bytes, .. } => 24 + bytes.len(),
        _ => 256,
    }
}

fn kind_of(body: &Body) -> u8 {
    match body {
        Body::Presence(_) => kind::PRESENCE,
        Body::Admit { .. } => kind::ADMIT,
        Body::Dismiss { .. } => kind::DISMISS,
        Body::Ask { .. } => kind::ASK,
        Body::Answer { .. } => kind::ANSWER,
        Body::Decline { .. } => kind::DECLINE,
        Body::Fetch { .. } => kind::FETCH,
        Body::Offer { .. } => kind::OFFER,
        Body::Chunk { .. } => kind::CHUNK,
        Body::Taken { .. } => kind::TAKEN,
        Body::Abandon { .. } => kind::ABANDON,
        Body::Raft { message, .. } => match message {
            RaftMessage::Append { .. } => kind::APPEND,
            RaftMessage::Appended { .. } => kind::APPENDED,
            RaftMessage::NotAppended { .. } => kind::NOT_APPENDED,
            RaftMessage::AskVote(_) => kind::ASK_VOTE,
            RaftMessage::Vote { .. } => kind::VOTE,
            RaftMessage::Heartbeat { .. } => kind::HEARTBEAT,
            RaftMessage::HeartbeatSeen { .. } => kind::HEARTBEAT_SEEN,
            RaftMessage::TimeoutNow => kind::TIMEOUT_NOW,
        },
    }
}

fn put_body(out: &mut BytesMut, body: &Body) {
    match body {
        Body::Presence(presence) => put_presence(out, presence),
        Body::Raft { term, message } => {
            out.put_u64(*term);
            put_raft(out, message);
        }
        Body::Admit { nonce } | Body::Dismiss { nonce } => out.put_u128(nonce.0),
        Body::Ask { round, number, nonce } => {
            put_round(out, *round);
            out.put_u64(number.0);
            out.put_u128(nonce.0);
        }
        Body::Answer { round, number, stance } => {
            put_round(out, *round);
            out.put_u64(number.0);
            put_stance(out, stance);
        }
        Body::Decline { number, seen } => {
            out.put_u64(number.0);
            out.put_u64(seen.0);
        }
        Body::Fetch { number, nonce } => {
            out.put_u64(number.0);
            out.put_u128(nonce.0);
        }
        Body::Offer { transfer, cargo } => {
            out.put_u64(transfer.0);
            put_cargo(out, cargo);
        }
        Body::Chunk { transfer, number, last, bytes } => {
            out.put_u64(transfer.0);
            out.put_u64(*number);
            out.put_u8(u8::from(*last));
            put_bytes(out, bytes);
        }
        Body::Taken { transfer, next } => {
            out.put_u64(transfer.0);
            out.put_u64(*next);
        }
        Body::Abandon { transfer, by_sender } => {
            out.put_u64(transfer.0);
            out.put_u8(u8::from(*by_sender));
        }
    }
}

fn put_raft(out: &mut BytesMut, message: &RaftMessage) {
    match message {
        RaftMessage::Append { log_term, index, commit, entries } => {
            out.put_u64(*log_term);
            out.put_u64(*index);
            out.put_u64(*commit);
            out.put_u32(entries.len() as u32);
            for entry in entries {
                put_entry(out, entry);
            }
        }
        RaftMessage::Appended { index, commit } => {
            out.put_u64(*index);
            out.put_u64(*commit);
        }
        RaftMessage::NotAppended { index, commit, hint, hint_term } => {
            for number in [index, commit, hint, hint_term] {
                out.put_u64(*number);
            }
        }
        RaftMessage::AskVote(request) => {
            out.put_u8(u8::from(request.trial) | u8::from(request.handed_over) << 1);
            for number in [request.log_term, request.index, request.commit, request.commit_term] {
                out.put_u64(number);
            }
        }
        RaftMessage::Vote { trial, granted, commit, commit_term } => {
            out.put_u8(u8::from(*trial) | u8::from(*granted) << 1);
            out.put_u64(*commit);
            out.put_u64(*commit_term);
        }
        RaftMessage::Heartbeat { commit } | RaftMessage::HeartbeatSeen { commit } => out.put_u64(*commit),
        RaftMessage::TimeoutNow => {}
    }
}

fn put_entry(out: &mut BytesMut, entry: &Entry) {
    out.put_u64(entry.term);
    out.put_u8(match entry.kind {
        EntryKind::Command => 0,
        EntryKind::Change => 1,
    });
    put_bytes(out, &entry.bytes);
}

fn put_bytes(out: &mut BytesMut, bytes: &Bytes) {
    out.put_u32(bytes.len() as u32);
    out.put_slice(bytes);
}

fn put_round(out: &mut BytesMut, round: Round) {
    out.put_u8(match round {
        Round::Promise => 0,
        Round::Confirm => 1,
    });
}

fn put_presence(out: &mut BytesMut, presence: &Presence) {
    out.put_u64(presence.revision);
    put_stance(out, &presence.stance);
    for lineage in [presence.seen, presence.joins, presence.forming] {
        out.put_u64(lineage.0);
    }
    out.put_u64(presence.applied);
    out.put_u64(presence.leader.0);
    out.put_u8(u8::from(presence.settled) | u8::from(presence.leaving) << 1);
}

/// Lineage and node are those of the header.
fn put_stance(out: &mut BytesMut, stance: &Stance) {
    out.put_u128(stance.nonce.0);
    out.put_u16(stance.level_max.0);
    out.put_u64(stance.floor.0);
    out.put_u8(u8::from(stance.copy.is_some()));
    if let Some(rank) = &stance.copy {
        put_rank(out, rank);
    }
    for voters in [&stance.voters, &stance.outgoing] {
        put_voters(out, voters);
    }
}

fn put_voters(out: &mut BytesMut, voters: &[(Slot, NodeId)]) {
    out.put_u8(voters.len() as u8);
    for (slot, node) in voters {
        out.put_u16(slot.0);
        out.put_u64(node.0);
    }
}

fn put_rank(out: &mut BytesMut, rank: &Rank) {
    out.put_u64(rank.lineage.0);
    out.put_u64(rank.term);
    out.put_u64(rank.index);
    out.put_u16(rank.level.0);
}

fn put_cargo(out: &mut BytesMut, cargo: &Cargo) {
    match cargo {
        Cargo::Checkpoint { term, index, log_term, membership } => {
            out.put_u8(cargo::CHECKPOINT);
            out.put_u64(*term);
            out.put_u64(*index);
            out.put_u64(*log_term);
            put_membership(out, membership);
        }
        Cargo::Salvage { number, rank } => {
            out.put_u8(cargo::SALVAGE);
            out.put_u64(number.0);
            put_rank(out, rank);
        }
    }
}

/// The bytes of a membership, as it travels in a checkpoint.
pub(crate) fn encode_membership(membership: &Membership) -> Bytes {
    let mut out = BytesMut::new();
    put_membership(&mut out, membership);
    out.freeze()
}

fn put_membership(out: &mut BytesMut, membership: &Membership) {
    out.put_u64(membership.changed_at);
    out.put_u16(membership.level.0);
    out.put_u16(membership.incarnations.len() as u16);
    for (node, incarnation) in &membership.incarnations {
        out.put_u64(node.0);
        out.put_u16(incarnation.slot.0);
        out.put_u8(u8::from(incarnation.nonce.is_some()));
        if let Some(Nonce(nonce)) = incarnation.nonce {
            out.put_u128(nonce);
            out.put_u16(incarnation.level_max.0);
        }
    }
    for nodes in [&membership.voters, &membership.outgoing, &membership.learners] {
        put_nodes(out, nodes);
    }
}

fn put_nodes(out: &mut BytesMut, nodes: &BTreeSet<NodeId>) {
    out.put_u16(nodes.len() as u16);
    for node in nodes {
        out.put_u64(node.0);
    }
}

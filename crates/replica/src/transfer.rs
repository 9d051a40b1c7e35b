//! Sending a state: offer, chunks as the receiver takes them, until it has all or one side gives up. One at a time.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::engine::Checkpoint;
use crate::frame::{Body, Cargo};
use crate::identity::{Lineage, NodeId, Nonce, Slot, TransferId};
use crate::limit::{CHUNKS_IN_FLIGHT_MAX, TAIL_DIVISOR};
use crate::output::Output;
use crate::replica::Replica;

/// The transfer at its sender.
#[derive(Debug)]
pub(crate) struct Outgoing {
    transfer: TransferId,
    to: Slot,
    cargo: Cargo,
    /// The receiver in the leader's lineage; none for salvage.
    node: NodeId,
    /// What the leader had proposed when the state was marked.
    proposed_bytes: u64,
    is_accepted: bool,
    /// The next chunk to be read.
    next: u64,
    /// Whether the owner was asked for it.
    is_asked: bool,
    is_read: bool,
    /// Chunks that the receiver has not taken yet.
    unconfirmed: VecDeque<Chunk>,
    heard_ms: u64,
    sent_ms: u64,
}

#[derive(Clone, Debug)]
struct Chunk {
    number: u64,
    last: bool,
    bytes: Bytes,
}

/// Rounds of silence after which the other side is given up, here and at the receiver.
pub(crate) const SILENCE_ROUNDS: u64 = 3;
/// Repetitions of what was not confirmed within a round.
const REPEATS_PER_ROUND: u64 = 4;

impl Replica {
    /// A member needs a checkpoint. The raft waits until it is told how that went, and asks again if it went badly:
    /// now, because another transfer is under way, or later.
    pub(crate) fn offer_checkpoint(&mut self, to: NodeId) {
        self.end_unwanted_transfer();
        let slot = self.slot_of(to).filter(|_| self.outgoing.is_none());
        let Some(seat) = &mut self.seat else { return };
        let Some(slot) = slot else {
            seat.engine.report_checkpoint(to, false);
            return;
        };
        let Checkpoint { term, index, log_term, membership } = seat.engine.checkpoint();
        self.begin_transfer(slot, to, Cargo::Checkpoint { term, index, log_term, membership });
    }

    /// A founder wants this member's copy.
    pub(crate) fn on_fetch(&mut self, slot: Slot, number: Lineage, nonce: Nonce) {
        let is_bound = self
            .pledge
            .is_some_and(|p| p.is_confirmed && p.number == number && p.to == slot && p.nonce == nonce);
        let Some(rank) = self.salvage.filter(|_| is_bound) else { return };
        self.end_unwanted_transfer();
        if self.outgoing.is_none() {
            self.begin_transfer(slot, NodeId::NONE, Cargo::Salvage { number, rank });
        }
    }

    /// Offers the state as it is now: the owner marks it when it is asked for chunk 0, before it applies anything else.
    fn begin_transfer(&mut self, to: Slot, node: NodeId, cargo: Cargo) {
        let transfer = TransferId(self.next_transfer);
        self.next_transfer += 1;
        self.send(to, Body::Offer { transfer, cargo: cargo.clone() });
        let proposed_bytes = self.seat.as_ref().map_or(0, |seat| seat.engine.proposed_bytes());
        self.outgoing = Some(Outgoing {
            transfer,
            to,
            cargo,
            node,
            proposed_bytes,
            is_accepted: false,
            next: 0,
            is_asked: true,
            is_read: false,
            unconfirmed: VecDeque::new(),
            heard_ms: self.now_ms,
            sent_ms: self.now_ms,
        });
        let bytes_max = self.settings.chunk_bytes_max;
        self.outputs.push(Output::ChunkWanted { transfer, number: 0, bytes_max });
    }

    /// Whether the log has grown so much since the state was marked that what the receiver needs next would soon be cut
    /// off, and the transfer have been in vain: proposals wait.
    pub(crate) fn outruns_transfer(&self, proposed_bytes: u64) -> bool {
        let tail_bytes = (self.settings.log_tail_bytes_max / TAIL_DIVISOR) as u64;
        self.outgoing.as_ref().is_some_and(|outgoing| {
            outgoing.node != NodeId::NONE && proposed_bytes - outgoing.proposed_bytes >= tail_bytes
        })
    }

    /// The transfer, if it is this one with that slot: words about an earlier one may be late.
    fn outgoing_to(&mut self, slot: Slot, transfer: TransferId) -> Option<&mut Outgoing> {
        self.outgoing.as_mut().filter(|outgoing| outgoing.to == slot && outgoing.transfer == transfer)
    }

    pub(crate) fn on_taken(&mut self, slot: Slot, transfer: TransferId, next: u64) {
        let now_ms = self.now_ms;
        let Some(outgoing) = self.outgoing_to(slot, transfer).filter(|outgoing| next <= outgoing.next) else {
            return;
        };
        let is_news = !outgoing.is_accepted;
        outgoing.is_accepted = true;
        outgoing.heard_ms = now_ms;
        while outgoing.unconfirmed.front().is_some_and(|chunk| chunk.number < next) {
            outgoing.unconfirmed.pop_front();
        }
        if outgoing.is_read && outgoing.unconfirmed.is_empty() {
            self.end_transfer(true);
            return;
        }
        if is_news {
            self.send_unconfirmed();
        }
        self.ask_for_chunk();
    }

    /// Asks the owner for the next chunk, as far as receiver and budget allow.
    fn ask_for_chunk(&mut self) {
        let bytes_max = self.settings.chunk_bytes_max;
        let Some(outgoing) = &mut self.outgoing else { return };
        let is_open = outgoing.is_accepted && !outgoing.is_asked && !outgoing.is_read;
        let has_room = outgoing.unconfirmed.len() < CHUNKS_IN_FLIGHT_MAX;
        if is_open && has_room && self.transfer_budget_bytes > 0 {
            outgoing.is_asked = true;
            let (transfer, number) = (outgoing.transfer, outgoing.next);
            self.outputs.push(Output::ChunkWanted { transfer, number, bytes_max });
        }
    }

    pub(crate) fn on_chunk_read(&mut self, transfer: TransferId, number: u64, last: bool, bytes: Bytes) {
        let Some(outgoing) = self.outgoing.as_mut().filter(|outgoing| outgoing.transfer == transfer) else {
            return;
        };
        if !outgoing.is_asked || outgoing.next != number || bytes.len() > self.settings.chunk_bytes_max {
            return;
        }
        outgoing.is_asked = false;
        outgoing.is_read = last;
        outgoing.next += 1;
        self.transfer_budget_bytes = self.transfer_budget_bytes.saturating_sub(bytes.len());
        let (to, is_accepted) = (outgoing.to, outgoing.is_accepted);
        outgoing.unconfirmed.push_back(Chunk { number, last, bytes: bytes.clone() });
        if is_accepted {
            outgoing.sent_ms = self.now_ms;
            self.send(to, Body::Chunk { transfer, number, last, bytes });
            self.ask_for_chunk();
        }
    }

    pub(crate) fn watch_transfers(&mut self) {
        self.transfer_budget_bytes = self.settings.transfer_bytes_per_tick;
        self.end_unwanted_transfer();
        self.send_again();
        self.ask_for_chunk();
        self.watch_install();
    }

    /// Gives up a transfer whose receiver is silent, or whose cargo nobody needs any more.
    fn end_unwanted_transfer(&mut self) {
        let silence_ms = SILENCE_ROUNDS * self.settings.round_ms;
        let Some(outgoing) = &self.outgoing else { return };
        if self.now_ms - outgoing.heard_ms > silence_ms || !self.is_still_wanted(&outgoing.cargo) {
            let (to, transfer) = (outgoing.to, outgoing.transfer);
            self.send(to, Body::Abandon { transfer, by_sender: true });
            self.end_transfer(false);
        }
    }

    /// A checkpoint is the word of one leader; salvage is for one formation.
    fn is_still_wanted(&self, cargo: &Cargo) -> bool {
        match cargo {
            Cargo::Checkpoint { term, .. } => {
                self.seat.as_ref().is_some_and(|seat| seat.engine.is_leader() && seat.engine.term() == *term)
            }
            Cargo::Salvage { number, .. } => self.floor == *number && self.salvage.is_some(),
        }
    }

    fn send_again(&mut self) {
        let pause_ms = self.settings.round_ms / REPEATS_PER_ROUND;
        let Some(outgoing) = &mut self.outgoing else { return };
        if self.now_ms - outgoing.sent_ms.max(outgoing.heard_ms) < pause_ms {
            return;
        }
        outgoing.sent_ms = self.now_ms;
        if outgoing.is_accepted {
            self.send_unconfirmed();
        } else {
            let (to, transfer, cargo) = (outgoing.to, outgoing.transfer, outgoing.cargo.clone());
            self.send(to, Body::Offer { transfer, cargo });
        }
    }

    fn send_unconfirmed(&mut self) {
        let Some(outgoing) = &self.outgoing else { return };
        let (to, transfer) = (outgoing.to, outgoing.transfer);
        for Chunk { number, last, bytes } in outgoing.unconfirmed.clone() {
            self.send(to, Body::Chunk { transfer, number, last, bytes });
        }
    }

    /// Forgets the transfer and tells the raft and the owner.
    fn end_transfer(&mut self, arrived: bool) {
        let Some(outgoing) = self.outgoing.take() else { return };
        if outgoing.node != NodeId::NONE
            && let Some(seat) = &mut self.seat
        {
            seat.engine.report_checkpoint(outgoing.node, arrived);
        }
        self.outputs.push(Output::TransferEnded { transfer: outgoing.transfer });
    }

    pub(crate) fn on_abandon(&mut self, slot: Slot, transfer: TransferId, by_sender: bool) {
        if by_sender {
            self.on_abandoned_by_sender(slot, transfer);
        } else if self.outgoing_to(slot, transfer).is_some() {
            self.end_transfer(false);
        }
    }

    /// The link is down, or another incarnation is at its end: a transfer begins anew from its beginning.
    pub(crate) fn end_transfers_with(&mut self, slot: Slot) {
        if self.outgoing.as_ref().is_some_and(|outgoing| outgoing.to == slot) {
            self.end_transfer(false);
        }
        if self.incoming.as_ref().is_some_and(|incoming| incoming.from == slot) {
            self.drop_install();
        }
    }

    pub(crate) fn end_all_transfers(&mut self) {
        self.end_transfer(false);
        self.drop_install();
    }
}

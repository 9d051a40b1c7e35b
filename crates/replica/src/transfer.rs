//! Sending a state: offer, chunks as the receiver takes them, until it has all or one side gives up.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::engine::Checkpoint;
use crate::frame::{Body, Cargo};
use crate::identity::{Lineage, NodeId, Nonce, Slot, TransferId};
use crate::limit::{CHUNKS_IN_FLIGHT_MAX, TRANSFERS_MAX};
use crate::output::Output;
use crate::replica::Replica;

/// A transfer at its sender.
#[derive(Debug)]
pub(crate) struct Outgoing {
    to: Slot,
    cargo: Cargo,
    /// The receiver in the leader's lineage; none for salvage.
    node: NodeId,
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
    /// A member needs a checkpoint: the raft waits until it is told how that went.
    pub(crate) fn offer_checkpoint(&mut self, checkpoint: Checkpoint) {
        let Some(seat) = &mut self.seat else { return };
        let slot = checkpoint.membership.slot_of(checkpoint.to).filter(|slot| self.peers.is_up(*slot));
        let Some(slot) = slot.filter(|_| self.outgoing.len() < TRANSFERS_MAX) else {
            seat.engine.report_checkpoint(checkpoint.to, false);
            return;
        };
        let Checkpoint { to, term, index, log_term, membership } = checkpoint;
        self.begin_transfer(slot, to, Cargo::Checkpoint { term, index, log_term, membership });
    }

    /// A founder wants this member's copy.
    pub(crate) fn on_fetch(&mut self, slot: Slot, number: Lineage, nonce: Nonce) {
        let is_bound = self
            .pledge
            .is_some_and(|p| p.is_confirmed && p.number == number && p.to == slot && p.nonce == nonce);
        let Some(rank) = self.salvage.filter(|_| is_bound) else { return };
        let cargo = Cargo::Salvage { number, rank };
        let is_known = self.outgoing.values().any(|outgoing| outgoing.to == slot && outgoing.cargo == cargo);
        if !is_known && self.outgoing.len() < TRANSFERS_MAX {
            self.begin_transfer(slot, NodeId::NONE, cargo);
        }
    }

    fn begin_transfer(&mut self, to: Slot, node: NodeId, cargo: Cargo) {
        let transfer = TransferId(self.next_transfer);
        self.next_transfer += 1;
        self.send_offer(to, transfer, cargo.clone());
        let outgoing = Outgoing {
            to,
            cargo,
            node,
            is_accepted: false,
            next: 0,
            is_asked: false,
            is_read: false,
            unconfirmed: VecDeque::new(),
            heard_ms: self.now_ms,
            sent_ms: self.now_ms,
        };
        self.outgoing.insert(transfer, outgoing);
    }

    fn send_offer(&mut self, to: Slot, transfer: TransferId, cargo: Cargo) {
        self.send(to, Body::Offer { transfer, cargo });
    }

    pub(crate) fn on_taken(&mut self, slot: Slot, transfer: TransferId, next: u64) {
        let Some(outgoing) = self.outgoing.get_mut(&transfer).filter(|outgoing| outgoing.to == slot) else {
            return;
        };
        if next > outgoing.next {
            return;
        }
        outgoing.is_accepted = true;
        outgoing.heard_ms = self.now_ms;
        while outgoing.unconfirmed.front().is_some_and(|chunk| chunk.number < next) {
            outgoing.unconfirmed.pop_front();
        }
        let is_done = outgoing.is_read && outgoing.unconfirmed.is_empty();
        if is_done {
            self.end_transfer(transfer, true);
        } else {
            self.ask_for_chunks();
        }
    }

    /// Asks the owner for chunks, as far as receivers and budget allow; in turn, so that no receiver starves.
    fn ask_for_chunks(&mut self) {
        let bytes_max = self.settings.chunk_bytes_max;
        for (transfer, outgoing) in &mut self.outgoing {
            let is_open = outgoing.is_accepted && !outgoing.is_asked && !outgoing.is_read;
            let has_room = outgoing.unconfirmed.len() < CHUNKS_IN_FLIGHT_MAX;
            if is_open && has_room && self.transfer_budget_bytes > 0 {
                // Reserved now, and given back as far as the chunk is smaller.
                self.transfer_budget_bytes = self.transfer_budget_bytes.saturating_sub(bytes_max);
                outgoing.is_asked = true;
                let (transfer, number) = (*transfer, outgoing.next);
                self.outputs.push(Output::ChunkWanted { transfer, number, bytes_max });
            }
        }
    }

    pub(crate) fn on_chunk_read(&mut self, transfer: TransferId, number: u64, last: bool, bytes: Bytes) {
        let Some(outgoing) = self.outgoing.get_mut(&transfer) else { return };
        if !outgoing.is_asked || outgoing.next != number || bytes.len() > self.settings.chunk_bytes_max {
            return;
        }
        outgoing.is_asked = false;
        outgoing.is_read = last;
        outgoing.next += 1;
        outgoing.sent_ms = self.now_ms;
        self.transfer_budget_bytes += self.settings.chunk_bytes_max - bytes.len();
        self.transfer_budget_bytes = self.transfer_budget_bytes.min(self.settings.transfer_bytes_per_tick);
        let to = outgoing.to;
        outgoing.unconfirmed.push_back(Chunk { number, last, bytes: bytes.clone() });
        self.send(to, Body::Chunk { transfer, number, last, bytes });
        self.ask_for_chunks();
    }

    pub(crate) fn watch_transfers(&mut self) {
        self.transfer_budget_bytes = self.settings.transfer_bytes_per_tick;
        let silence_ms = SILENCE_ROUNDS * self.settings.round_ms;
        let over: Vec<TransferId> = self
            .outgoing
            .iter()
            .filter(|(_, one)| self.now_ms - one.heard_ms > silence_ms || !self.is_still_wanted(&one.cargo))
            .map(|(transfer, _)| *transfer)
            .collect();
        for transfer in over {
            if let Some(to) = self.outgoing.get(&transfer).map(|outgoing| outgoing.to) {
                self.send(to, Body::Abandon { transfer, by_sender: true });
            }
            self.end_transfer(transfer, false);
        }
        self.send_again();
        self.ask_for_chunks();
        self.watch_install();
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
        let mut offers = Vec::new();
        let mut chunks = Vec::new();
        for (transfer, outgoing) in &mut self.outgoing {
            let is_waiting = !outgoing.is_accepted || !outgoing.unconfirmed.is_empty();
            if !is_waiting || self.now_ms - outgoing.sent_ms.max(outgoing.heard_ms) < pause_ms {
                continue;
            }
            outgoing.sent_ms = self.now_ms;
            if outgoing.is_accepted {
                let again = outgoing.unconfirmed.iter().cloned();
                chunks.extend(again.map(|chunk| (outgoing.to, *transfer, chunk)));
            } else {
                offers.push((outgoing.to, *transfer, outgoing.cargo.clone()));
            }
        }
        for (to, transfer, cargo) in offers {
            self.send_offer(to, transfer, cargo);
        }
        for (to, transfer, Chunk { number, last, bytes }) in chunks {
            self.send(to, Body::Chunk { transfer, number, last, bytes });
        }
    }

    /// Forgets a transfer and tells the raft and the owner.
    fn end_transfer(&mut self, transfer: TransferId, arrived: bool) {
        let Some(outgoing) = self.outgoing.remove(&transfer) else { return };
        if outgoing.node != NodeId::NONE
            && let Some(seat) = &mut self.seat
        {
            seat.engine.report_checkpoint(outgoing.node, arrived);
        }
        self.outputs.push(Output::TransferEnded { transfer });
    }

    pub(crate) fn on_abandon(&mut self, slot: Slot, transfer: TransferId, by_sender: bool) {
        if by_sender {
            self.on_abandoned_by_sender(slot, transfer);
        } else if self.outgoing.get(&transfer).is_some_and(|outgoing| outgoing.to == slot) {
            self.end_transfer(transfer, false);
        }
    }

    /// The link is down, or another incarnation is at its end: a transfer begins anew from its beginning.
    pub(crate) fn end_transfers_with(&mut self, slot: Slot) {
        let over = self.outgoing.iter().filter(|(_, outgoing)| outgoing.to == slot);
        let over: Vec<TransferId> = over.map(|(transfer, _)| *transfer).collect();
        for transfer in over {
            self.end_transfer(transfer, false);
        }
        if self.incoming.as_ref().is_some_and(|incoming| incoming.from == slot) {
            self.drop_install();
        }
    }

    pub(crate) fn end_all_transfers(&mut self) {
        for transfer in std::mem::take(&mut self.outgoing).into_keys() {
            self.outputs.push(Output::TransferEnded { transfer });
        }
        self.drop_install();
    }
}

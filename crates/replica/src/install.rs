//! Receiving a state: chunks in order, and at the end the log goes on from there.

use bytes::Bytes;

use crate::engine::{Checkpoint, Impossible};
use crate::form::Stage;
use crate::frame::{Body, Cargo};
use crate::identity::{NodeId, Slot, TransferId};
use crate::output::Output;
use crate::replica::{Address, Replica};
use crate::transfer::SILENCE_ROUNDS;

/// A transfer at its receiver.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) from: Slot,
    leader: NodeId,
    transfer: TransferId,
    cargo: Cargo,
    next: u64,
    pub(crate) heard_ms: u64,
}

impl Replica {
    pub(crate) fn on_offer(
        &mut self,
        address: Address,
        transfer: TransferId,
        cargo: Cargo,
    ) -> Result<(), Impossible> {
        let slot = address.slot;
        if let Some(incoming) = &self.incoming
            && incoming.from == slot
            && incoming.transfer == transfer
        {
            let next = incoming.next;
            self.send(slot, Body::Taken { transfer, next });
            return Ok(());
        }
        let is_wanted = match &cargo {
            Cargo::Checkpoint { .. } => self.wants_checkpoint(address, transfer, &cargo)?,
            Cargo::Salvage { number, .. } => self.formation.as_ref().is_some_and(|formation| {
                formation.number == *number && formation.stage == Stage::Fetching(slot)
            }),
        };
        if is_wanted {
            self.drop_install();
            let (leader, heard_ms) = (address.from, self.now_ms);
            self.incoming = Some(Incoming { from: slot, leader, transfer, cargo, next: 0, heard_ms });
            self.outputs.push(Output::InstallBegun);
            self.send(slot, Body::Taken { transfer, next: 0 });
        }
        Ok(())
    }

    /// Whether a leader's checkpoint brings what the own log does not have. If it does not, the raft is told of it all
    /// the same, so that the leader learns how far the log is.
    fn wants_checkpoint(
        &mut self,
        address: Address,
        transfer: TransferId,
        cargo: &Cargo,
    ) -> Result<bool, Impossible> {
        if !self.is_addressed(address) {
            self.tell_soon(address.slot);
            return Ok(false);
        }
        let Some(checkpoint) = Self::checkpoint(cargo) else { return Ok(false) };
        let Some(seat) = &mut self.seat else { return Ok(false) };
        let is_member = checkpoint.membership.slot_of(seat.engine.node()).is_some();
        if !is_member || checkpoint.term < seat.engine.term() {
            self.send(address.slot, Body::Abandon { transfer, by_sender: false });
            return Ok(false);
        }
        seat.leader_heard_ms = self.now_ms;
        let is_wanted = seat.engine.wants(checkpoint.index, checkpoint.log_term);
        self.thaw();
        if !is_wanted {
            if let Some(seat) = &mut self.seat {
                seat.engine.restore(&checkpoint, address.from);
            }
            self.settle()?;
            self.send(address.slot, Body::Abandon { transfer, by_sender: false });
        }
        Ok(is_wanted)
    }

    fn checkpoint(cargo: &Cargo) -> Option<Checkpoint> {
        let Cargo::Checkpoint { term, index, log_term, membership } = cargo else { return None };
        let membership = membership.clone();
        Some(Checkpoint { term: *term, index: *index, log_term: *log_term, membership })
    }

    pub(crate) fn on_chunk(
        &mut self,
        slot: Slot,
        transfer: TransferId,
        number: u64,
        last: bool,
        bytes: Bytes,
    ) -> Result<(), Impossible> {
        let incoming = self.incoming.as_mut().filter(|one| one.from == slot && one.transfer == transfer);
        let Some(incoming) = incoming else {
            // The end was confirmed, but the confirmation lost; or this transfer was dropped.
            self.send(slot, Body::Abandon { transfer, by_sender: false });
            return Ok(());
        };
        incoming.heard_ms = self.now_ms;
        if number == incoming.next {
            incoming.next += 1;
            self.outputs.push(Output::InstallChunk { bytes });
            if last {
                return self.finish_install();
            }
        }
        if let Some(incoming) = &self.incoming {
            let next = incoming.next;
            self.send(slot, Body::Taken { transfer, next });
        }
        Ok(())
    }

    fn finish_install(&mut self) -> Result<(), Impossible> {
        let Some(incoming) = self.incoming.take() else { return Ok(()) };
        let done = match &incoming.cargo {
            Cargo::Checkpoint { .. } => self.finish_checkpoint(&incoming)?,
            Cargo::Salvage { rank, .. } => {
                self.outputs.push(Output::InstallDone { lineage: rank.lineage, index: rank.index });
                self.salvage = Some(*rank);
                true
            }
        };
        let (slot, transfer, next) = (incoming.from, incoming.transfer, incoming.next);
        if !done {
            self.outputs.push(Output::InstallDropped);
            self.send(slot, Body::Abandon { transfer, by_sender: false });
            return Ok(());
        }
        self.send(slot, Body::Taken { transfer, next });
        if matches!(incoming.cargo, Cargo::Salvage { .. }) { self.found() } else { Ok(()) }
    }

    /// Hands the checkpoint to the raft, unless the log has come as far by itself, or another leader rules.
    fn finish_checkpoint(&mut self, incoming: &Incoming) -> Result<bool, Impossible> {
        let Some(checkpoint) = Self::checkpoint(&incoming.cargo) else { return Ok(false) };
        let lineage = self.place().0;
        let Some(seat) = &mut self.seat else { return Ok(false) };
        let is_wanted =
            checkpoint.term >= seat.engine.term() && seat.engine.wants(checkpoint.index, checkpoint.log_term);
        if !is_wanted {
            return Ok(false);
        }
        self.outputs.push(Output::InstallDone { lineage, index: checkpoint.index });
        seat.engine.restore(&checkpoint, incoming.leader);
        self.salvage = None;
        self.settle()?;
        let applied = self.seat.as_ref().map_or(0, |seat| seat.engine.applied());
        if applied < checkpoint.index {
            return Err(Impossible(format!("the checkpoint at {} was not taken", checkpoint.index)));
        }
        self.tell_all();
        Ok(true)
    }

    pub(crate) fn on_abandoned_by_sender(&mut self, slot: Slot, transfer: TransferId) {
        if self.incoming.as_ref().is_some_and(|one| one.from == slot && one.transfer == transfer) {
            self.drop_install();
        }
    }

    pub(crate) fn watch_install(&mut self) {
        let silence_ms = SILENCE_ROUNDS * self.settings.round_ms;
        if self.incoming.as_ref().is_some_and(|incoming| self.now_ms - incoming.heard_ms > silence_ms) {
            self.drop_install();
        }
    }

    pub(crate) fn drop_install(&mut self) {
        if self.incoming.take().is_some() {
            self.outputs.push(Output::InstallDropped);
        }
    }
}

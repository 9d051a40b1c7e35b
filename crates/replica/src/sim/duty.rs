//! What the owner of a replica does with its outputs.

use std::fmt::Write;

use bytes::Bytes;

use super::agenda::Event;
use super::owner::{Owner, number_of};
use super::world::{Return, World};
use crate::identity::Slot;
use crate::output::{Channel, Output};

impl World {
    pub(super) fn obey(&mut self, slot: Slot, output: Output) {
        if self.options.is_traced
            && !matches!(
                output,
                Output::Send { .. } | Output::ChunkWanted { .. } | Output::InstallChunk { .. }
            )
        {
            self.trace(|out| write!(out, "{slot} -> {output:?}"));
        }
        self.report.digest = mix(self.report.digest, self.now_us);
        let problem = match output {
            Output::Send { to, channel, frame } => {
                self.send(slot, to, channel, &frame);
                Ok(())
            }
            Output::Founded { lineage, salvaged, founders, .. } => {
                if let Some(process) = self.processes.get_mut(&slot) {
                    process.lineage = lineage;
                }
                self.oracle.founded(slot, lineage, salvaged, &founders, &self.processes)
            }
            other => self.obey_locally(slot, other),
        };
        self.note(slot, problem);
    }

    fn obey_locally(&mut self, slot: Slot, output: Output) -> Result<(), String> {
        let Some(process) = self.processes.get_mut(&slot) else { return Ok(()) };
        match output {
            Output::Proposed { ticket, index, term } => {
                process.pending.insert((index, term), ticket);
            }
            Output::Apply { index, term, level, command } => {
                let number = number_of(&command);
                self.report.digest = mix(self.report.digest, index ^ number << 32);
                process.owner.apply(index, number)?;
                let acknowledged = process.pending.remove(&(index, term)) == Some(number);
                if acknowledged {
                    let first_us = *self.report.first_us.get_or_insert(self.now_us);
                    let gap_us = self.now_us - self.acknowledged_us.max(first_us);
                    self.report.gap_us = self.report.gap_us.max(gap_us);
                    self.acknowledged_us = self.now_us;
                }
                let nonce = process.replica.status().nonce;
                let place = (process.lineage, index);
                return self.oracle.applied(nonce, place, (term, number, level), acknowledged);
            }
            Output::Salvage { index, command, .. } => process.owner.apply(index, number_of(&command))?,
            Output::Admitted { .. } | Output::Bound { .. } => process.pending.clear(),
            Output::ChunkWanted { transfer, number, .. } => {
                if number == 0 {
                    process.owner.begin_read(transfer)?;
                }
                let at_us = self.now_us + self.random.below(3_000);
                let process = process.id;
                self.agenda.plan(at_us, Event::Read { slot, process, transfer, number });
            }
            Output::TransferEnded { transfer } => process.owner.end_read(transfer),
            Output::InstallBegun => process.owner.begin_install(),
            Output::InstallChunk { bytes } => process.owner.install(bytes),
            Output::InstallDone { lineage, .. } => {
                self.report.installs += 1;
                process.lineage = lineage;
                process.owner.finish_install();
            }
            Output::InstallDropped => process.owner.drop_install(),
            Output::Reborn { .. } => {
                self.report.deaths += 1;
                process.owner = Owner::new(self.is_marking);
                process.pending.clear();
            }
            Output::Left => match process.leaving.take() {
                Some(Return::Never) => {
                    self.wanted.remove(&slot);
                    self.kill(slot);
                }
                Some(Return::After(pause_us)) => {
                    self.kill(slot);
                    self.agenda.plan(self.now_us + pause_us, Event::Start(slot));
                }
                None => {}
            },
            Output::Suspicious { slot: from, why } => return Err(format!("suspects {from}: {why}")),
            Output::Broken { why } => return Err(format!("is broken: {why}")),
            Output::Refused { .. }
            | Output::Outdated { .. }
            | Output::Send { .. }
            | Output::Founded { .. } => {}
        }
        Ok(())
    }

    /// Chunks keep their order. So does everything else in truth, but nothing may depend on it except speed.
    fn send(&mut self, from: Slot, to: Slot, channel: Channel, frame: &Bytes) {
        let Some(link) = self.network.end(from, to) else { return };
        let is_stream = channel == Channel::Transfer || self.is_calm();
        let copies = if is_stream { 1 } else { 2 };
        for delay_us in self.network.delays_us(from, to, &mut self.random).into_iter().take(copies) {
            let mut at_us = self.now_us + delay_us;
            if is_stream {
                at_us = self.network.in_order(from, to, channel, at_us);
            }
            let frame = frame.clone();
            self.agenda.plan(at_us, Event::Deliver { from, to, link, frame });
        }
    }
}

fn mix(digest: u64, value: u64) -> u64 {
    (digest ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

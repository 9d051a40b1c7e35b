//! What the agreement says is done: frames sent, commands applied, states read, installed and begun.

use std::collections::VecDeque;

use sterna_model::{Code, Epoch};
use sterna_replica::{Input, Level, Output, Refusal};

use super::log::Log;
use super::{Channel, Effect, Notice, Outputs, PeerFrame};
use crate::session::Now;
use crate::store::{Store, Waiter};

impl Log {
    /// Gives an input to the agreement and does what it says.
    pub(super) fn step(&mut self, now: Now, input: Input, store: &mut Store, out: &mut Outputs) {
        let mut inputs = VecDeque::from([input]);
        let mut outputs = Vec::new();
        while let Some(input) = inputs.pop_front() {
            self.replica.handle(now.monotonic_us / 1000, input, &mut outputs);
            for output in outputs.drain(..) {
                if let Err(why) = self.obey(now, output, &mut inputs, store, out) {
                    out.notices.push(Notice::Broken { why });
                    return;
                }
            }
        }
        self.watch_leader(now, out);
    }

    fn obey(
        &mut self,
        now: Now,
        output: Output,
        inputs: &mut VecDeque<Input>,
        store: &mut Store,
        out: &mut Outputs,
    ) -> Result<(), String> {
        match output {
            Output::Send { to, channel, frame: bytes } => {
                let channel = match channel {
                    sterna_replica::Channel::Log => Channel::Log,
                    sterna_replica::Channel::Transfer => Channel::Transfer,
                };
                out.frames.push(PeerFrame { to, channel, bytes });
            }
            Output::Proposed { .. } => self.stalled = None,
            Output::Refused { refusal, .. } => self.on_refused(refusal)?,
            Output::Apply { index, level, command, .. } => {
                self.note_level(level, out);
                let before = self.batches.waiting.len();
                let (received_us, effects) = (now.monotonic_us, &mut out.effects);
                let applied = store.apply(index, level, &command, received_us, &mut self.batches, effects);
                applied.map_err(|malformed| format!("cannot apply the command at {index}: {malformed}"))?;
                if self.batches.waiting.len() < before {
                    self.moved_us = now.monotonic_us;
                }
            }
            Output::Salvage { index, level, command, .. } => {
                // What is put into the state from here on was promised to nobody.
                if std::mem::replace(&mut self.has_state, false) {
                    store.interrupt_all(&mut out.effects);
                }
                self.salvage.push((index, level, command));
            }
            Output::Bound { below } => {
                self.keep_salvage(Epoch(below.0), store)?;
                if self.has_state {
                    out.notices.push(Notice::Bound);
                }
            }
            Output::Founded { lineage, .. } => {
                self.keep_salvage(Epoch(lineage.0), store)?;
                self.live(&output, store, out);
            }
            Output::ChunkWanted { transfer, number, bytes_max } => {
                let (bytes, last) = store.read_chunk(transfer.0, number, bytes_max);
                inputs.push_back(Input::Chunk { transfer, number, last, bytes });
            }
            Output::TransferEnded { transfer } => store.end_transfer(transfer.0),
            Output::InstallBegun => store.begin_install(),
            Output::InstallChunk { bytes } => {
                let taken = store.install_chunk(&bytes);
                taken.map_err(|malformed| format!("cannot install a part of the state: {malformed}"))?;
            }
            Output::InstallDropped => store.drop_install(),
            Output::Broken { why } => return Err(why),
            Output::Suspicious { slot, why } => out.notices.push(Notice::Suspicious { slot, why }),
            Output::Outdated { level } => out.notices.push(Notice::Outdated { level }),
            Output::Left => out.notices.push(Notice::Left),
            life => self.live(&life, store, out),
        }
        Ok(())
    }

    /// Says so when the log is applied in another way than before.
    fn note_level(&mut self, level: Level, out: &mut Outputs) {
        if level != self.level {
            self.level = level;
            out.notices.push(Notice::Switched { level });
        }
    }

    /// What stood in the log of a lineage that has ended, and was perhaps never committed, becomes part of the state
    /// under the number of the lineage to come: in the old one, another message may have had its place.
    fn keep_salvage(&mut self, epoch: Epoch, store: &mut Store) -> Result<(), String> {
        for (index, level, command) in self.salvage.drain(..) {
            let kept = store.salvage(index, level, &command, epoch);
            kept.map_err(|malformed| format!("cannot salvage the command at {index}: {malformed}"))?;
        }
        Ok(())
    }

    /// The turns in the life of this member's state.
    fn live(&mut self, turn: &Output, store: &mut Store, out: &mut Outputs) {
        match *turn {
            Output::Founded { lineage, index, salvaged, .. } => {
                let (epoch, is_salvaged) = (Epoch(lineage.0), salvaged.is_some());
                store.found(epoch, index, is_salvaged, &mut out.effects);
                self.begin(store, out);
                out.notices.push(Notice::Founded { epoch, is_salvaged });
            }
            Output::InstallDone { lineage, index } => {
                let epoch = Epoch(lineage.0);
                self.salvage.clear();
                store.finish_install(epoch, index, &mut out.effects);
                self.begin(store, out);
                out.notices.push(Notice::Installed { epoch, subjects: store.sizes().subjects });
            }
            Output::Reborn { nonce } => {
                store.forget_all(&mut out.effects);
                self.has_state = false;
                self.salvage.clear();
                self.drop_up_to(u64::MAX, out);
                self.batches.rename(nonce.0);
                out.notices.push(Notice::Reborn { nonce });
            }
            // A member without a state is bound by nothing, and being admitted changes nothing yet.
            _ => {}
        }
    }

    /// A command was not appended: too much waits, and it is tried again; or this member leads no longer.
    fn on_refused(&mut self, refusal: Refusal) -> Result<(), String> {
        match refusal {
            Refusal::Busy => {}
            Refusal::Size => return Err("a command is too large for the log".to_owned()),
            Refusal::NotLeader { .. } | Refusal::Stopped => {
                self.stalled = None;
                self.batches.unsend();
            }
        }
        Ok(())
    }

    /// Another state is in place: batches that it has are done, and if it lacks some that were done before, what nobody
    /// was given begins anew under another name. The rest may be in a copy that has yet to be found: under two names it
    /// could be done twice.
    fn begin(&mut self, store: &Store, out: &mut Outputs) {
        self.has_state = true;
        let last = store.last_batch(self.batches.origin);
        // Accepted for sure, but nobody remembers where.
        self.drop_up_to(last, out);
        if self.batches.next_number - self.batches.waiting.len() as u64 != last + 1 {
            self.drop_up_to(self.batches.given, out);
            self.batches.rename(self.batches.origin.wrapping_add(1));
        }
    }

    /// Lets batches go whose publishers will not hear what became of them.
    fn drop_up_to(&mut self, number: u64, out: &mut Outputs) {
        while self.batches.waiting.front().is_some_and(|first| first.number <= number) {
            if let Some(mut pending) = self.batches.pop() {
                disconnect(&mut pending.waiters, out);
            }
        }
    }

    fn watch_leader(&mut self, now: Now, out: &mut Outputs) {
        let leader = self.replica.leader();
        if leader.is_some() {
            self.led_us = now.monotonic_us;
        }
        if leader == self.leader {
            return;
        }
        self.leader = leader;
        self.elections += u64::from(leader.is_some());
        self.batches.unsend();
        self.collected.clear();
        self.collected_bytes = 0;
        self.stalled = None;
        let (leader, term) = leader.map_or((None, 0), |(slot, term)| (Some(slot), term));
        out.notices.push(Notice::Leads { leader, term });
    }
}

/// Lets publishers go whose publish has an unknown end.
pub(super) fn disconnect(waiters: &mut [Option<Waiter>], out: &mut Outputs) {
    for waiter in waiters.iter_mut().filter_map(Option::take) {
        out.effects.push(Effect::Disconnect { to: waiter.to, code: Code::NoQuorum });
    }
}

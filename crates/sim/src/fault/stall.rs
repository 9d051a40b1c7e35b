//! Somebody does nothing for a time, and then goes on: a client, a thread, a whole process; or is slow.

use crate::agenda::Happening;
use crate::world::World;

/// Silence after which the other end of a link gives it up, microseconds.
pub(super) const SILENCE_US: u64 = 2_000_000;

impl World {
    pub(super) fn stall_client(&mut self) {
        let client = self.any_client();
        let until_us = self.soon_us();
        self.clients[client.0 as usize].stall(until_us);
    }

    pub(super) fn stall_core(&mut self) {
        let until_us = self.soon_us();
        let member = usize::from(self.any_member().0);
        if let Some(running) = self.members[member].running_mut() {
            running.stall_core(until_us);
        }
    }

    pub(super) fn stall_shard(&mut self) {
        let until_us = self.soon_us();
        let member = usize::from(self.any_member().0);
        if let Some(running) = self.members[member].running_mut() {
            let shard = self.fault_random.index(running.shards.len());
            running.shards[shard].stall(until_us);
        }
    }

    /// The whole process stands still. Its links break if that lasts.
    pub(super) fn pause(&mut self) {
        self.stage.tally.pauses_of_members += 1;
        let member = self.any_member();
        let now_us = self.stage.now_us();
        let until_us = now_us + self.fault_random.between(50_000, 4_000_000);
        let Some(running) = self.members[usize::from(member.0)].running_mut() else { return };
        running.pause(until_us);
        for other in self.stage.members().filter(|other| *other != member) {
            if let Some(link) = self.stage.links.link(member, other) {
                let at_us = now_us + SILENCE_US + self.fault_random.between(0, 500_000);
                self.stage.agenda.at(at_us, Happening::Starve(member, other, link));
            }
        }
    }

    /// Each turn of the member takes long, for some time.
    pub(super) fn slow_down(&mut self) {
        let member = self.any_member();
        let until_us = self.stage.now_us() + self.fault_random.between(100_000, 3_000_000);
        let turn_us = self.fault_random.pick(&[5_000, 30_000, 100_000]);
        if let Some(running) = self.members[usize::from(member.0)].running_mut() {
            running.slow_down(until_us, turn_us);
        }
    }
}

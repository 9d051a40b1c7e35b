//! Links break, are slow, or let nothing through: then they break too if that lasts.

use super::stall::SILENCE_US;
use crate::agenda::Happening;
use crate::member::MemberId;
use crate::world::World;

impl World {
    fn any_pair(&mut self) -> (MemberId, MemberId) {
        let a = self.any_member();
        let further = self.fault_random.between(1, self.members.len() as u64 - 1) as u16;
        (a, MemberId((a.0 + further) % self.members.len() as u16))
    }

    pub(super) fn cut_link(&mut self) {
        let (a, b) = self.any_pair();
        self.sever(a, b);
    }

    pub(super) fn slow_link(&mut self) {
        let (a, b) = self.any_pair();
        let by_us = self.fault_random.pick(&[5_000, 50_000, 300_000]);
        self.stage.links.slow(a, b, by_us);
        let for_us = self.fault_random.between(100_000, 3_000_000);
        self.stage.agenda.after(for_us, Happening::Quicken(a, b));
    }

    pub(super) fn block_one_way(&mut self) {
        let (from, to) = self.any_pair();
        let for_us = self.fault_random.between(50_000, 5_000_000);
        self.block(from, to, for_us);
    }

    /// Some members are apart from all others.
    pub(super) fn partition(&mut self) {
        self.stage.tally.partitions += 1;
        let count = self.members.len() as u16;
        let side = self.fault_random.between(1, (1 << count) - 2);
        let for_us = self.fault_random.between(50_000, 5_000_000);
        let is_in = |member: MemberId| side & (1 << member.0) != 0;
        for a in self.stage.members().filter(|member| is_in(*member)) {
            for b in self.stage.members().filter(|member| !is_in(*member)) {
                self.block(a, b, for_us);
                self.block(b, a, for_us);
            }
        }
    }

    fn block(&mut self, from: MemberId, to: MemberId, for_us: u64) {
        self.stage.links.block(from, to);
        self.stage.agenda.after(for_us, Happening::Unblock(from, to));
        if let Some(link) = self.stage.links.link(from, to) {
            let at_us = SILENCE_US + self.fault_random.between(0, 500_000);
            self.stage.agenda.after(at_us, Happening::Starve(from, to, link));
        }
    }
}

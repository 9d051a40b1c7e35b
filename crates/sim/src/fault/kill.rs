//! Members die without a word, one or several, and come back without a memory.

use crate::agenda::Happening;
use crate::member::MemberId;
use crate::world::World;

impl World {
    /// Kills members at about the same time; each comes back after its own.
    pub(super) fn kill_members(&mut self, members: &[MemberId]) {
        let apart_us = self.fault_random.pick(&[0, 0, 100_000, 1_000_000]);
        if !self.may_lose_memory(members) {
            return;
        }
        for (order, member) in members.iter().enumerate() {
            let down_us = self.fault_random.pick(&[1_000, 300_000, 3_000_000]);
            if order == 0 || apart_us == 0 {
                self.kill(*member);
                self.stage.agenda.after(down_us, Happening::Start(*member));
            } else {
                let process = self.members[usize::from(member.0)].process();
                let later_us = apart_us * order as u64;
                self.doomed_us = self.doomed_us.max(self.stage.now_us() + later_us);
                self.stage.agenda.after(later_us, Happening::Quit(*member, process));
                self.stage.agenda.after(later_us + down_us, Happening::Start(*member));
            }
        }
    }

    /// A gentle run loses the memory of a minority of the seeds at most, and only when all is settled.
    pub(super) fn may_lose_memory(&mut self, members: &[MemberId]) -> bool {
        let cluster = self.stage.scenario.cluster;
        let mut seeds: Vec<_> = members.iter().filter(|member| member.0 < cluster.seeds).collect();
        seeds.sort_unstable();
        seeds.dedup();
        let may = !cluster.is_gentle || (2 * seeds.len() < usize::from(cluster.seeds) && self.is_whole());
        if !may {
            self.stage.say(|| "not now".to_owned());
        }
        may
    }

    /// Whether all members are as they should be, and none of them is about to be killed.
    pub(crate) fn is_whole(&mut self) -> bool {
        self.stage.now_us() > self.doomed_us && self.unsettled_member().is_none()
    }
}

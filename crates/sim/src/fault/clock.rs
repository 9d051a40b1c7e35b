//! The wall clock of a member jumps.

use crate::world::World;

impl World {
    pub(super) fn slip_clock(&mut self) {
        let by_ms = self.fault_random.between(0, 6_000) as i64 - 2_000;
        self.jump(by_ms);
    }

    pub(super) fn leap_clock(&mut self) {
        let by_ms = self.fault_random.between(200_000, 900_000) as i64;
        self.jump(by_ms);
    }

    fn jump(&mut self, by_ms: i64) {
        // A cluster that is not settled may still begin an epoch, by the clock of a member.
        if self.members.len() > 1 && !self.was_settled {
            return;
        }
        self.stage.tally.jumps += 1;
        let member = self.any_member();
        self.stage.say(|| format!("the clock of member {} jumps by {by_ms} ms", member.0));
        self.stage.jump(member, by_ms);
    }
}

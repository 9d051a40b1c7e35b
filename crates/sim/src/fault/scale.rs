//! Members leave in good order: to come back, or for good; and join for the first time.

use crate::agenda::Happening;
use crate::member::MemberId;
use crate::world::World;

impl World {
    /// A member is told to stop, and starts again.
    pub(super) fn restart(&mut self) {
        let member = self.any_member();
        if self.may_lose_memory(&[member]) {
            self.leave(member);
        }
    }

    /// The highest member that does not vote stops for good, or the one after it starts.
    pub(super) fn scale(&mut self) {
        let cluster = self.stage.scenario.cluster;
        let wanted = self.wanted;
        let up = wanted == cluster.seeds || (wanted < cluster.members && self.fault_random.percent(50));
        if up {
            self.stage.tally.scaled_up += 1;
            let member = MemberId(wanted);
            self.wanted += 1;
            self.stage.say(|| format!("scales up to {}", wanted + 1));
            self.stage.agenda.after(1_000, Happening::Start(member));
        } else {
            self.stage.tally.scaled_down += 1;
            self.wanted -= 1;
            self.stage.say(|| format!("scales down to {}", wanted - 1));
            self.leave(MemberId(wanted - 1));
        }
    }
}

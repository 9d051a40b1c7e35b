//! Members start, stop, are linked and lose their links; and whether all of them are as they should be.

use sterna_broker::core::{Notice, Outputs};
use sterna_broker::session::Now;

use crate::agenda::Happening;
use crate::judge::Failure;
use crate::links::LinkId;
use crate::member::{HAND_OVER_US, MemberId};
use crate::world::World;

/// Bits of an epoch below its milliseconds. Who has lost everything within the millisecond in which the last epoch began
/// cannot know that there was one, so nobody starts within it.
const EPOCH_FOUNDER_BITS: u32 = 11;

impl World {
    pub(crate) fn now(&self, member: MemberId) -> Now {
        Now { unix_ms: self.stage.unix_ms(member), monotonic_us: self.stage.now_us() }
    }

    /// A member starts, unless it runs or is not wanted any more; the others find it.
    pub(crate) fn start(&mut self, member: MemberId) {
        if self.members[usize::from(member.0)].is_running() || member.0 >= self.wanted {
            return;
        }
        self.stage.set_clock(member);
        let now_ms = self.stage.unix_ms(member);
        if let Some(epoch) = self.epoch.filter(|epoch| epoch.0 >> EPOCH_FOUNDER_BITS >= now_ms) {
            let later_ms = (epoch.0 >> EPOCH_FOUNDER_BITS) + 1 - now_ms;
            self.stage.agenda.after(later_ms * 1000, Happening::Start(member));
            return;
        }
        self.members[usize::from(member.0)].start(&mut self.stage);
        for other in self.stage.members().filter(|other| *other != member) {
            let after_us = self.stage.random.between(500, 30_000);
            self.stage.agenda.after(after_us, Happening::Dial(member, other));
        }
    }

    /// A member dies: its sockets are closed, its links break; now and then its host dies with it, and says nothing.
    pub(crate) fn kill(&mut self, member: MemberId) {
        if !self.members[usize::from(member.0)].is_running() {
            return;
        }
        self.stage.tally.kills += 1;
        let sockets = self.members[usize::from(member.0)].stop(&mut self.stage);
        sockets.into_iter().for_each(|socket| self.cut(socket));
        let notice_us = self.stage.random.pick(&[5_000, 5_000, 5_000, 2_500_000]);
        for other in self.stage.members().filter(|other| *other != member) {
            self.sever_within(member, other, notice_us);
        }
        self.stage.links.forget(member);
    }

    /// A member is told to stop. It comes back if it is wanted.
    pub(crate) fn leave(&mut self, member: MemberId) {
        let running = self.members[usize::from(member.0)].running_mut();
        let Some(running) = running.filter(|running| !running.is_leaving()) else { return };
        self.stage.tally.leaves += 1;
        self.stage.say(|| format!("member {} is told to stop", member.0));
        let mut out = Outputs::default();
        running.leave(&mut self.stage, &mut out);
        running.send(&mut self.stage, &mut out);
        let process = self.members[usize::from(member.0)].process();
        self.stage.agenda.after(HAND_OVER_US, Happening::Quit(member, process));
        self.notice(member, std::mem::take(&mut out.notices));
        self.stage.wake_core_soon(member);
    }

    /// A member has not been able to hand over in time, or has drained.
    pub(crate) fn quit(&mut self, member: MemberId, process: u64) {
        let is_current = self.members[usize::from(member.0)].process() == process;
        let running = self.members[usize::from(member.0)].running().filter(|_| is_current);
        let Some(running) = running else { return };
        self.stage.tally.hasty_leaves += u64::from(running.is_leaving() && !running.is_draining());
        self.kill(member);
        let down_us = self.stage.random.pick(&[1_000, 300_000, 2_000_000]);
        self.stage.agenda.after(down_us, Happening::Start(member));
    }

    /// What a core tells its operator, and what the process has to do.
    pub(crate) fn notice(&mut self, member: MemberId, notices: Vec<Notice>) {
        for notice in notices {
            self.stage.say(|| format!("member {}: {notice:?}", member.0));
            match notice {
                Notice::Founded { epoch, is_salvaged } => {
                    self.stage.tally.epochs += 1;
                    self.stage.tally.salvages += u64::from(is_salvaged);
                    if let Some(before) = self.epoch.replace(epoch)
                        && self.stage.scenario.cluster.is_gentle
                        && self.was_settled
                    {
                        let what =
                            format!("epoch {} follows {}, though no majority was lost", epoch.0, before.0);
                        self.judge.fail(Failure::Unsettled(what));
                    }
                }
                Notice::Installed { .. } => self.stage.tally.installs += 1,
                Notice::Reborn { .. } => self.stage.tally.rebirths += 1,
                Notice::Broken { why } => {
                    self.judge.fail(Failure::Panic(format!("member {} is broken: {why}", member.0)));
                }
                // A leader may hand over just when another one is found.
                Notice::Suspicious { .. } => self.stage.tally.suspicions += 1,
                Notice::Left => self.drain(member),
                Notice::Outdated { .. } => self.stage.tally.refused_members += 1,
                Notice::Switched { .. } => self.stage.tally.switches += 1,
                Notice::Leads { .. } | Notice::Bound => {}
            }
        }
    }

    fn drain(&mut self, member: MemberId) {
        let process = self.members[usize::from(member.0)].process();
        let Some(running) = self.members[usize::from(member.0)].running_mut() else { return };
        if let Some(end_us) = running.drain(&mut self.stage) {
            self.stage.agenda.at(end_us, Happening::Quit(member, process));
        }
    }

    /// Two members try to link up, until they are or one of them is gone.
    pub(crate) fn dial(&mut self, a: MemberId, b: MemberId) {
        let are_running = [a, b].iter().all(|member| self.members[usize::from(member.0)].is_running());
        if !are_running {
            return;
        }
        let now_us = self.stage.now_us();
        let are_paused = [a, b].into_iter().any(|member| self.is_paused(member));
        if !are_paused && self.stage.links.connect(a, b, now_us) {
            self.wake_ends(a, b);
        } else {
            let after_us = self.stage.random.between(100_000, 500_000);
            self.stage.agenda.after(after_us, Happening::Dial(a, b));
        }
    }

    fn is_paused(&self, member: MemberId) -> bool {
        self.members[usize::from(member.0)].running().is_some_and(|running| running.is_paused(&self.stage))
    }

    /// Both ends look when something arrives for them.
    fn wake_ends(&mut self, a: MemberId, b: MemberId) {
        for member in [a, b] {
            if let Some(at_us) = self.stage.links.next_us(member) {
                self.stage.wake_core(member, at_us);
            }
        }
    }

    /// A link breaks, and each end notices soon.
    pub(crate) fn sever(&mut self, a: MemberId, b: MemberId) {
        let notice_us = self.stage.random.pick(&[1_000, 100_000, 1_000_000]);
        self.sever_within(a, b, notice_us);
    }

    fn sever_within(&mut self, a: MemberId, b: MemberId, notice_us: u64) {
        let now_us = self.stage.now_us();
        if self.stage.links.sever(a, b, now_us, [notice_us; 2]) {
            self.stage.tally.broken_links += 1;
            self.wake_ends(a, b);
            let after_us = self.stage.random.between(1_000, 300_000);
            self.stage.agenda.after(after_us, Happening::Dial(a, b));
        }
    }

    /// A link over which nothing came for long breaks.
    pub(crate) fn starve(&mut self, a: MemberId, b: MemberId, link: LinkId) {
        let is_silent = self.stage.links.is_blocked(a, b) || self.is_paused(a) || self.is_paused(b);
        if is_silent && self.stage.links.link(a, b) == Some(link) {
            self.sever(a, b);
        }
    }

    pub(crate) fn unblock(&mut self, from: MemberId, to: MemberId) {
        let now_us = self.stage.now_us();
        self.stage.links.unblock(from, to, now_us);
        self.wake_ends(from, to);
    }

    /// From here on all members that are wanted run and reach each other.
    pub(crate) fn mend(&mut self) {
        let now_us = self.stage.now_us();
        self.stage.links.heal(now_us);
        for member in self.stage.members() {
            self.start(member);
            if let Some(at_us) = self.stage.links.next_us(member) {
                self.stage.wake_core(member, at_us);
            }
        }
    }

    /// The member that leads, as it thinks.
    pub(crate) fn leader(&self) -> Option<MemberId> {
        let leads = |member: &MemberId| {
            let running = self.members[usize::from(member.0)].running();
            running.is_some_and(|running| running.core.leader().is_some_and(|slot| slot.0 == member.0))
        };
        self.stage.members().find(leads)
    }

    /// What is not as it should be with the members, if anything.
    pub(crate) fn unsettled_member(&mut self) -> Option<String> {
        let mut agreed = None;
        for member in self.stage.members() {
            let running = self.members[usize::from(member.0)].running();
            let is_wanted = member.0 < self.wanted;
            let Some(running) = running.filter(|running| is_wanted && !running.is_leaving()) else {
                if is_wanted || running.is_some() {
                    return Some(format!("member {} is not where it should be", member.0));
                }
                continue;
            };
            let status = running.status();
            let Some(replica) = &status.replica else { continue };
            let state = (replica.lineage, replica.leader, replica.applied);
            let is_good = status.has_state && replica.is_settled && replica.leader.is_some();
            if !is_good || *agreed.get_or_insert(state) != state || status.batches_waiting > 0 {
                let (role, phase) = (replica.role, replica.phase);
                let rest = (status.has_state, replica.is_settled, status.batches_waiting);
                return Some(format!("member {}: {role:?} {phase:?} {state:?} {rest:?}", member.0));
            }
        }
        self.unlinked()
    }

    fn unlinked(&mut self) -> Option<String> {
        for a in (0..self.wanted).map(MemberId) {
            for b in (a.0 + 1..self.wanted).map(MemberId) {
                if !self.stage.links.is_whole(a, b) || self.stage.links.is_blocked(a, b) {
                    return Some(format!("members {} and {} are not linked", a.0, b.0));
                }
            }
        }
        None
    }
}

//! What goes wrong, besides what clients do on purpose: one file per kind of misfortune.

mod clock;
mod cut;
mod kill;
mod partition;
mod scale;
mod stall;

use crate::client::ClientId;
use crate::member::MemberId;
use crate::scenario::Cluster;
use crate::world::World;

/// One kind of misfortune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A connection is cut, at any point, and each side notices in its own time.
    Cut,
    /// All connections are cut.
    CutAll,
    /// A client does nothing for some time.
    ClientStalls,
    /// A member's core does nothing for some time: queues fill up.
    CoreStalls,
    /// A shard does nothing for some time.
    ShardStalls,
    /// A whole member does nothing for some time, and then goes on.
    Pause,
    /// A member is slow for some time.
    Slow,
    /// A clock goes forward a little, or back.
    ClockSlips,
    /// A clock goes forward far: everything expires, and what is idle is forgotten.
    ClockLeaps,
    /// A member is killed, and starts again without a memory.
    Kill,
    /// The member that leads is killed.
    KillLeader,
    /// Two members are killed, at once or shortly after each other.
    KillTwo,
    /// All members are killed.
    KillAll,
    /// A member is told to stop, and starts again without a memory.
    Restart,
    /// A member is started for the first time, or told to stop for good.
    Scale,
    /// A link breaks.
    CutLink,
    /// A link is slow for some time.
    SlowLink,
    /// Nothing gets through from one member to another.
    BlockOneWay,
    /// Nothing gets through between some members and the others.
    Partition,
}

impl Fault {
    /// What may go wrong, with how often.
    pub(crate) fn of(cluster: &Cluster) -> Vec<(u32, Self)> {
        let mut faults = vec![
            (2, Self::Cut),
            (1, Self::CutAll),
            (1, Self::ClientStalls),
            (1, Self::CoreStalls),
            (1, Self::ShardStalls),
            (1, Self::Kill),
        ];
        // After a total loss the next epoch is later only as far as all clocks agree.
        if cluster.members == 1 || cluster.is_gentle {
            faults.extend([(1, Self::ClockSlips), (1, Self::ClockLeaps)]);
        }
        if cluster.members > 1 {
            faults.extend([
                (1, Self::Pause),
                (1, Self::Slow),
                (2, Self::KillLeader),
                (2, Self::Restart),
                (1, Self::CutLink),
                (1, Self::SlowLink),
                (1, Self::BlockOneWay),
                (2, Self::Partition),
            ]);
            let extra = u32::from(cluster.members > cluster.seeds);
            faults.push((2 * extra, Self::Scale));
            let rough = u32::from(!cluster.is_gentle);
            faults
                .extend([(u32::from(cluster.seeds > 3 || rough > 0), Self::KillTwo), (rough, Self::KillAll)]);
        }
        faults
    }
}

impl World {
    /// Something goes wrong, by the weights of the scenario.
    pub(crate) fn go_wrong(&mut self) {
        let number = self.faults;
        self.faults += 1;
        let mut random = self.fault_random.fork();
        std::mem::swap(&mut random, &mut self.fault_random);
        if !self.trim.faults_skipped.contains(&number) {
            let fault = self.fault_random.weighted(&self.stage.scenario.faults);
            if let Some(fault) = fault {
                self.stage.say(|| format!("fault {number}: {fault:?}"));
                self.strike(fault);
            }
        }
        std::mem::swap(&mut random, &mut self.fault_random);
    }

    fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::Cut => self.cut_any(),
            Fault::CutAll => self.cut_all(),
            Fault::ClientStalls => self.stall_client(),
            Fault::CoreStalls => self.stall_core(),
            Fault::ShardStalls => self.stall_shard(),
            Fault::Pause => self.pause(),
            Fault::Slow => self.slow_down(),
            Fault::ClockSlips => self.slip_clock(),
            Fault::ClockLeaps => self.leap_clock(),
            Fault::Kill => {
                let member = self.any_member();
                self.kill_members(&[member]);
            }
            Fault::KillLeader => {
                let leader = self.leader().unwrap_or(MemberId(0));
                self.kill_members(&[leader]);
            }
            Fault::KillTwo => {
                let pair = [self.any_member(), self.any_member()];
                self.kill_members(&pair);
            }
            Fault::KillAll => {
                let all: Vec<_> = self.stage.members().collect();
                self.kill_members(&all);
            }
            Fault::Restart => self.restart(),
            Fault::Scale => self.scale(),
            Fault::CutLink => self.cut_link(),
            Fault::SlowLink => self.slow_link(),
            Fault::BlockOneWay => self.block_one_way(),
            Fault::Partition => self.partition(),
        }
    }

    fn any_client(&mut self) -> ClientId {
        ClientId(self.fault_random.index(self.clients.len()) as u32)
    }

    fn any_member(&mut self) -> MemberId {
        MemberId(self.fault_random.index(self.members.len()) as u16)
    }

    /// A time that is not far away, microseconds.
    fn soon_us(&mut self) -> u64 {
        let far_us = self.fault_random.pick(&[5_000, 100_000, 2_000_000]);
        self.stage.now_us() + self.fault_random.between(1, far_us)
    }
}

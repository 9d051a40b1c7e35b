//! What goes wrong, besides what clients do on purpose.

use crate::client::ClientId;
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
    /// The clock goes forward a little, or back.
    ClockSlips,
    /// The clock goes forward far: everything expires, and what is idle is forgotten.
    ClockLeaps,
    /// A member stops, and starts again without a memory.
    Restart,
}

impl Fault {
    pub(crate) const ALL: [Self; 8] = [
        Self::Cut,
        Self::CutAll,
        Self::ClientStalls,
        Self::CoreStalls,
        Self::ShardStalls,
        Self::ClockSlips,
        Self::ClockLeaps,
        Self::Restart,
    ];
}

impl World {
    /// Something goes wrong, by the weights of the scenario.
    pub(crate) fn go_wrong(&mut self) {
        let Some(fault) = self.stage.random.weighted(&self.stage.scenario.faults) else { return };
        self.stage.say(|| format!("fault: {fault:?}"));
        match fault {
            Fault::Cut => {
                let client = self.any_client();
                self.cut_client(client);
            }
            Fault::CutAll => {
                (0..self.clients.len() as u32).for_each(|client| self.cut_client(ClientId(client)));
            }
            Fault::ClientStalls => {
                let client = self.any_client();
                let until_us = self.soon_us();
                self.clients[client.0 as usize].stall(until_us);
            }
            Fault::CoreStalls => {
                let until_us = self.soon_us();
                let member = self.stage.random.index(self.members.len());
                if let Some(running) = self.members[member].running_mut() {
                    running.stall_core(until_us);
                }
            }
            Fault::ShardStalls => {
                let until_us = self.soon_us();
                let member = self.stage.random.index(self.members.len());
                if let Some(running) = self.members[member].running_mut() {
                    let shard = self.stage.random.index(running.shards.len());
                    running.shards[shard].stall(until_us);
                }
            }
            Fault::ClockSlips => {
                self.stage.tally.jumps += 1;
                self.stage.clock_ahead_ms += self.stage.random.between(0, 6_000) as i64 - 2_000;
            }
            Fault::ClockLeaps => {
                self.stage.tally.jumps += 1;
                self.stage.clock_ahead_ms += self.stage.random.between(200_000, 900_000) as i64;
            }
            Fault::Restart => self.restart(),
        }
    }

    fn any_client(&mut self) -> ClientId {
        ClientId(self.stage.random.index(self.clients.len()) as u32)
    }

    /// A time that is not far away, microseconds.
    fn soon_us(&mut self) -> u64 {
        let far_us = self.stage.random.pick(&[5_000, 100_000, 2_000_000]);
        self.stage.now_us() + self.stage.random.between(1, far_us)
    }

    fn cut_client(&mut self, client: ClientId) {
        if let Some(socket) = self.clients[client.0 as usize].socket() {
            self.cut(socket);
        }
    }
}

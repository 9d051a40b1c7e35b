//! Members, clients, and one thing happening after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::agenda::Happening;
use crate::client::{Client, ClientId};
use crate::judge::{Failure, Judge};
use crate::member::{Member, MemberId};
use crate::network::SocketId;
use crate::random::Random;
use crate::report::Report;
use crate::sabotage::{Sabotage, Saboteur};
use crate::scenario::Scenario;
use crate::stage::Stage;

/// How often the world looks whether it is settled, microseconds.
const LOOK_US: u64 = 300_000;
/// How long it may take to settle after the last fault, microseconds.
const SETTLE_US: u64 = 120_000_000;

/// Things that happen in a run, at most.
const HAPPENINGS_MAX: u64 = 1_000_000;

/// What is wanted of a run besides its seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Keep a trace.
    pub trace: bool,
    /// Break a rule, to see whether that is noticed.
    pub sabotage: Option<Sabotage>,
}

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Things go wrong until the agenda says calm; then all is brought to an end.
    Living,
    /// The oracle has spoken; the clients have gone.
    Leaving,
    Over,
}

/// Everything. Several members are a list; what they will tell each other goes through the agenda.
pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) members: Vec<Member>,
    pub(crate) clients: Vec<Client>,
    judge: Judge,
    phase: Phase,
    /// Settled at the last look.
    settled: bool,
    /// By then it must be settled, microseconds.
    settle_by_us: u64,
}

/// Runs a seed from the beginning to the end.
#[must_use]
pub fn run(seed: u64, options: Options) -> Report {
    let mut world = World::new(seed, options);
    let lived = catch_unwind(AssertUnwindSafe(|| world.live()));
    if let Err(panic) = lived {
        let what = panic.downcast_ref::<String>().cloned();
        let what = what.or_else(|| panic.downcast_ref::<&str>().map(|what| (*what).to_owned()));
        world.judge.fail(Failure::Panic(what.unwrap_or_default()));
    }
    world.stage.tally.runs = 1;
    world.stage.tally.happenings = world.stage.agenda.count();
    Report {
        seed,
        failure: world.judge.take_failure(),
        tally: world.stage.tally,
        digest: world.stage.agenda.digest(),
        trace: world.stage.take_trace(),
    }
}

impl World {
    fn new(seed: u64, options: Options) -> Self {
        let mut random = Random::new(seed);
        let scenario = Scenario::of(&mut random.fork());
        let saboteur = Saboteur::new(options.sabotage, random.fork());
        let judge = Judge::new(scenario.may_forget());
        let mut stage = Stage::new(random.fork(), scenario, saboteur, options.trace);
        let scenario = stage.scenario.clone();
        stage.say(|| format!("{scenario:?}"));
        let members = (0..scenario.members).map(|id| Member::new(MemberId(id), random.next())).collect();
        let clients =
            (0..scenario.clients).map(|id| Client::new(ClientId(id), random.fork(), &stage)).collect();
        let settle_by_us = scenario.chaos_us + SETTLE_US;
        let mut world =
            Self { stage, members, clients, judge, phase: Phase::Living, settled: false, settle_by_us };
        world.begin(&scenario);
        world
    }

    fn begin(&mut self, scenario: &Scenario) {
        for member in &mut self.members {
            member.start(&mut self.stage);
        }
        for client in &self.clients {
            self.stage.wake_client(client.id, 0);
        }
        self.stage.agenda.at(scenario.fault_us, Happening::Fault);
        self.stage.agenda.at(scenario.chaos_us, Happening::Calm);
        self.stage.agenda.at(scenario.chaos_us + LOOK_US, Happening::Look);
    }

    fn live(&mut self) {
        while self.phase != Phase::Over && !self.judge.has_failed() {
            let Some(happening) = self.stage.agenda.next() else { return };
            self.happen(happening);
            if self.stage.agenda.count() > HAPPENINGS_MAX {
                self.judge.fail(Failure::Unsettled("it runs in circles".to_owned()));
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::CoreTurn(member) => {
                let running = self.members[usize::from(member.0)].running_mut();
                let cut = running.map(|running| running.core_turn(&mut self.stage, member));
                cut.unwrap_or_default().into_iter().for_each(|socket| self.cut(socket));
            }
            Happening::ShardTurn(member, shard) => {
                if let Some(running) = self.members[usize::from(member.0)].running_mut() {
                    running.shard_turn(&mut self.stage, shard);
                }
            }
            Happening::ClientTurn(client) => self.client_turn(client),
            Happening::Dialled(socket) => self.dialled(socket),
            Happening::Start(member) => {
                let member = &mut self.members[usize::from(member.0)];
                if !member.is_running() {
                    member.start(&mut self.stage);
                }
            }
            Happening::Fault if self.stage.calm => {}
            Happening::Fault => {
                self.go_wrong();
                let pause_us = self.stage.random.between(1, 2 * self.stage.scenario.fault_us);
                self.stage.agenda.after(pause_us, Happening::Fault);
            }
            Happening::Calm => {
                self.stage.say(|| "calm".to_owned());
                self.stage.calm = true;
                let now_us = self.stage.now_us();
                self.clients.iter().for_each(|client| self.stage.wake_client(client.id, now_us));
            }
            Happening::Look => self.look(),
        }
    }

    fn client_turn(&mut self, client: ClientId) {
        let client = &mut self.clients[client.0 as usize];
        client.turn(&mut self.stage, &mut self.judge);
        let touched = client.take_touched();
        touched.into_iter().for_each(|socket| self.wake_shard(socket));
    }

    /// A client did something on a socket: its shard will see it.
    fn wake_shard(&mut self, socket: SocketId) {
        let stage = &mut self.stage;
        let soon_us = stage.now_us() + stage.random.between(1, 300);
        let at_us = stage.network.next_up_us(socket).map_or(soon_us, |at_us| at_us.min(soon_us));
        let (member, shard) = (stage.network.get(socket).member, stage.network.get(socket).shard);
        self.members[usize::from(member.0)].wake_shard(stage, shard, at_us);
    }

    fn dialled(&mut self, socket: SocketId) {
        let member = self.stage.network.get(socket).member;
        if self.members[usize::from(member.0)].accept(&mut self.stage, socket) {
            self.wake_shard(socket);
        } else {
            self.cut(socket);
        }
    }

    /// Cuts a socket; both sides will notice.
    pub(crate) fn cut(&mut self, socket: SocketId) {
        let stage = &mut self.stage;
        stage.tally.cuts += 1;
        let now_us = stage.now_us();
        let (member_us, client_us) = stage.network.cut(socket, now_us);
        let (client, member, shard) = {
            let socket = stage.network.get(socket);
            (socket.client, socket.member, socket.shard)
        };
        stage.wake_client(client, client_us);
        self.members[usize::from(member.0)].wake_shard(stage, shard, member_us);
    }

    /// A member stops, and starts again after a while.
    pub(crate) fn restart(&mut self) {
        let member = MemberId(self.stage.random.index(self.members.len()) as u16);
        let sockets = self.members[usize::from(member.0)].stop(&mut self.stage);
        self.stage.tally.restarts += 1;
        sockets.into_iter().for_each(|socket| self.cut(socket));
        let down_us = self.stage.random.pick(&[1_000, 300_000, 3_000_000]);
        self.stage.agenda.after(down_us, Happening::Start(member));
    }

    /// Is everything as it should be at last?
    fn look(&mut self) {
        let running = self.members.iter_mut();
        let busy = running.map(|member| match member.running_mut() {
            Some(running) => running.busy(),
            None => Some("a member is stopped".to_owned()),
        });
        let busy = busy.flatten().next();
        let unsettled = match self.phase {
            Phase::Living => self.clients.iter().find_map(|client| client.unsettled(&self.stage)),
            Phase::Leaving => {
                let running = self.members.iter_mut().filter_map(Member::running_mut);
                let connections: usize = running.map(|running| running.connections()).sum();
                (connections > 0).then(|| format!("{connections} connections have not gone"))
            }
            Phase::Over => None,
        };
        let unsettled = unsettled.or(busy);
        let settled = std::mem::replace(&mut self.settled, unsettled.is_none());
        match unsettled {
            Some(what) if self.stage.now_us() > self.settle_by_us => {
                self.judge.fail(Failure::Unsettled(what));
            }
            None if settled => self.go_on(),
            _ => {}
        }
        self.stage.agenda.after(LOOK_US, Happening::Look);
    }

    /// Nothing is under way any more.
    fn go_on(&mut self) {
        self.settled = false;
        match self.phase {
            Phase::Living => {
                let summary = self.judge.finish();
                self.stage.tally.add_summary(&summary);
                for client in &mut self.clients {
                    client.go(&mut self.stage, &mut Judge::default());
                }
                let touched: Vec<_> = self.clients.iter_mut().flat_map(Client::take_touched).collect();
                touched.into_iter().for_each(|socket| self.wake_shard(socket));
                self.phase = Phase::Leaving;
            }
            Phase::Leaving => {
                for member in &mut self.members {
                    let Some(running) = member.running_mut() else { continue };
                    running.count(&mut self.stage);
                    if let Some(what) = running.left_over(&self.stage) {
                        self.judge.fail(Failure::LeftOver(what));
                    }
                }
                self.phase = Phase::Over;
            }
            Phase::Over => {}
        }
    }
}

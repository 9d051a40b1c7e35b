//! Members, clients, and one thing happening after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sterna_model::{Epoch, Random};

use crate::agenda::Happening;
use crate::client::{Client, ClientId};
use crate::judge::{Failure, Judge};
use crate::member::MemberId;
use crate::member::{Aftermath, Member, Running};
use crate::network::SocketId;
use crate::report::Report;
use crate::sabotage::{Sabotage, Saboteur};
use crate::scenario::Scenario;
use crate::stage::Stage;
use crate::trim::Trim;
use crate::version::Versions;

/// How often the world looks whether it is settled, microseconds.
const LOOK_US: u64 = 300_000;
/// How long it may take to settle after the last fault, microseconds.
const SETTLE_US: u64 = 120_000_000;

/// Things that happen in a run, at most.
const HAPPENINGS_MAX: u64 = 2_000_000;

/// What is wanted of a run besides its seed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Keep a trace.
    pub trace: bool,
    /// Break a rule, to see whether that is noticed.
    pub sabotage: Option<Sabotage>,
    /// What to leave out.
    pub trim: Trim,
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

/// Everything.
pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) members: Vec<Member>,
    pub(crate) clients: Vec<Client>,
    pub(crate) judge: Judge,
    /// Members from the first one on that are to run.
    pub(crate) wanted: u16,
    /// The last one that was founded.
    pub(crate) epoch: Option<Epoch>,
    /// All members were once as they should be.
    pub(crate) was_settled: bool,
    /// When the last kill that is planned will have happened.
    pub(crate) doomed_us: u64,
    /// Faults so far, with those that were left out.
    pub(crate) faults: u32,
    /// Of its own, so that a fault that is left out does not change the next ones.
    pub(crate) fault_random: Random,
    pub(crate) trim: Trim,
    phase: Phase,
    /// Settled at the last look.
    settled: bool,
    /// By then it must be settled, microseconds.
    settle_by_us: u64,
}

/// Runs a seed from the beginning to the end.
#[must_use]
pub fn run(seed: u64, options: &Options) -> Report {
    let mut world = World::new(seed, options);
    let lived = catch_unwind(AssertUnwindSafe(|| world.live()));
    if let Err(panic) = lived {
        let what = panic.downcast_ref::<String>().cloned();
        let what = what.or_else(|| panic.downcast_ref::<&str>().map(|what| (*what).to_owned()));
        world.judge.fail(Failure::Panic(what.unwrap_or_default()));
    }
    world.stage.tally.runs = 1;
    world.stage.tally.happenings = world.stage.agenda.count();
    let operations_max = world.trim.operations_max.unwrap_or(u64::MAX);
    Report {
        seed,
        operations: operations_max - world.stage.operations_left,
        faults: world.faults,
        trim: world.trim,
        failure: world.judge.take_failure(),
        tally: world.stage.tally,
        digest: world.stage.agenda.digest(),
        trace: world.stage.take_trace(),
    }
}

impl World {
    fn new(seed: u64, options: &Options) -> Self {
        let mut random = Random::new(seed);
        let mut scenario = Scenario::of(&mut random.fork(), options.trim.members);
        let saboteur = Saboteur::new(options.sabotage, random.fork());
        let judge = Judge::new(&scenario);
        let versions = Versions::of(seed, &mut scenario);
        let mut stage = Stage::new(random.fork(), (scenario, versions), saboteur, options.trace);
        stage.operations_left = options.trim.operations_max.unwrap_or(u64::MAX);
        let scenario = stage.scenario.clone();
        stage.say(|| format!("{scenario:?}"));
        let members = stage.members().map(|id| Member::new(id, random.fork())).collect();
        let clients =
            (0..scenario.clients).map(|id| Client::new(ClientId(id), random.fork(), &stage)).collect();
        let settle_by_us = scenario.chaos_us + SETTLE_US;
        let mut world = Self {
            stage,
            members,
            clients,
            judge,
            wanted: scenario.cluster.running,
            epoch: None,
            was_settled: false,
            doomed_us: 0,
            faults: 0,
            fault_random: random.fork(),
            trim: options.trim.clone(),
            phase: Phase::Living,
            settled: false,
            settle_by_us,
        };
        world.begin(&scenario);
        world
    }

    fn begin(&mut self, scenario: &Scenario) {
        let apart_us = self.stage.random.pick(&[0, 300_000, 2_000_000]);
        for member in 0..scenario.cluster.running {
            let at_us = self.stage.random.between(0, apart_us * u64::from(member));
            self.stage.agenda.at(at_us, Happening::Start(MemberId(member)));
        }
        for client in &self.clients {
            self.stage.wake_client(client.id, 0);
        }
        self.stage.agenda.at(scenario.fault_us, Happening::Fault);
        self.stage.agenda.at(scenario.chaos_us, Happening::Calm);
        self.stage.agenda.at(scenario.chaos_us + LOOK_US, Happening::Look);
        self.plan_versions();
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
            Happening::CoreTurn(member) if self.stage.is_core_turn_of(member) => {
                let running = self.members[usize::from(member.0)].running_mut();
                let aftermath = running.map(|running| running.core_turn(&mut self.stage));
                let Aftermath { cut, notices } = aftermath.unwrap_or_default();
                cut.into_iter().for_each(|socket| self.cut(socket));
                self.notice(member, notices);
            }
            Happening::CoreTurn(_) => {}
            Happening::ShardTurn(member, shard) => {
                if let Some(running) = self.members[usize::from(member.0)].running_mut() {
                    running.shard_turn(&mut self.stage, shard);
                }
            }
            Happening::ClientTurn(client) => self.client_turn(client),
            Happening::Dialled(socket) => self.dialled(socket),
            Happening::Start(member) => self.start(member),
            Happening::Quit(member, process) => self.quit(member, process),
            Happening::Dial(a, b) => self.dial(a, b),
            Happening::Starve(a, b, link) => self.starve(a, b, link),
            Happening::Unblock(from, to) => self.unblock(from, to),
            Happening::Quicken(a, b) => self.stage.links.slow(a, b, 0),
            Happening::Install(member, level) => self.install(member, level),
            Happening::Update => self.update(),
            Happening::Fault if self.stage.calm => {}
            Happening::Fault => {
                self.was_settled |= self.unsettled_member().is_none();
                self.go_wrong();
                let pause_us = self.stage.random.between(1, 2 * self.stage.scenario.fault_us);
                self.stage.agenda.after(pause_us, Happening::Fault);
            }
            Happening::Calm => {
                self.stage.say(|| "calm".to_owned());
                self.stage.calm = true;
                self.install_everywhere();
                self.mend();
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

    /// Is everything as it should be at last?
    fn look(&mut self) {
        let busy = self.members.iter().filter_map(Member::running).find_map(Running::busy);
        let busy = busy.or_else(|| self.unsettled_member()).or_else(|| self.outdated_member());
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
                self.audit();
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

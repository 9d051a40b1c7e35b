//! The world of one run: processes, network, clients, faults, and the oracle that looks at each step.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;

use sterna_model::Random;

use super::Profile;
use super::agenda::{Agenda, Event};
use super::fault::{self, Fault, Ground};
use super::network::{Network, Weather};
use super::oracle::{Glance, Oracle};
use super::owner::{Owner, command};
use super::version::Versions;
use crate::identity::{Lineage, Nonce, Slot};
use crate::input::Input;
use crate::replica::Replica;
use crate::sabotage::Sabotage;
use crate::settings::Settings;
use crate::status::Role;

/// What a run is made of, besides its seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) profile: Profile,
    pub(super) sabotage: Sabotage,
    /// Whether every step is written down.
    pub(super) is_traced: bool,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) violations: Vec<String>,
    pub(super) lineages: usize,
    pub(super) committed: usize,
    pub(super) acknowledged: usize,
    pub(super) lost: usize,
    pub(super) deaths: usize,
    pub(super) replaced: usize,
    pub(super) installs: usize,
    /// Processes that were not admitted because their software was too old.
    pub(super) refused: usize,
    /// Lineages in which the level rose.
    pub(super) raised: usize,
    /// When the first command was acknowledged, and the longest time without one from then on.
    pub(super) first_us: Option<u64>,
    pub(super) gap_us: u64,
    /// Of everything that was sent and applied: equal runs have equal digests.
    pub(super) digest: u64,
    pub(super) trace: String,
}

/// A living process.
pub(super) struct Process {
    pub(super) id: u64,
    pub(super) replica: Replica,
    pub(super) owner: Owner,
    /// Inputs that wait while it stands still.
    pub(super) paused: Option<VecDeque<Input>>,
    pub(super) pending: BTreeMap<(u64, u64), u64>,
    /// That of the state.
    pub(super) lineage: Lineage,
    pub(super) leaving: Option<Return>,
    /// What the oracle saw of it last.
    glance: Glance,
}

/// What becomes of a slot whose process leaves in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Return {
    Never,
    After(u64),
}

/// Time of faults, then of healing, microseconds.
const FAULTS_US: u64 = 20_000_000;
const HEALING_US: u64 = 30_000_000;
/// When everything has recovered, something is published for so long, then nothing, so that everything arrives.
const WORK_US: u64 = 1_000_000;
/// Wall clock at the beginning.
const WALL_MS: u64 = 1_790_000_000_000;

pub(super) struct World {
    pub(super) options: Options,
    pub(super) ground: Ground,
    seed: u64,
    pub(super) now_us: u64,
    pub(super) random: Random,
    pub(super) agenda: Agenda,
    pub(super) network: Network,
    pub(super) processes: BTreeMap<Slot, Process>,
    pub(super) oracle: Oracle,
    /// Slots that should have a process.
    pub(super) wanted: BTreeSet<Slot>,
    next_number: u64,
    next_process: u64,
    next_nonce: u128,
    pub(super) is_marking: bool,
    pub(super) is_healing: bool,
    pub(super) versions: Versions,
    /// Slots whose software was replaced because it was too old.
    pub(super) newest_from_now: BTreeSet<Slot>,
    /// When all had recovered after healing.
    recovered_us: Option<u64>,
    is_over: bool,
    pub(super) acknowledged_us: u64,
    pub(super) report: Report,
}

impl World {
    pub(super) fn run(seed: u64, options: Options) -> Report {
        let mut random = Random::new(seed);
        let (seeds, members, weather) = surroundings(options.profile, &mut random);
        let ground = Ground { seeds, members };
        let mut world = Self {
            options,
            ground,
            seed,
            now_us: 0,
            random,
            agenda: Agenda::default(),
            network: Network::new(weather),
            processes: BTreeMap::new(),
            oracle: Oracle::new(seeds),
            wanted: (0..seeds).map(Slot).collect(),
            next_number: 1,
            next_process: 1,
            next_nonce: 1,
            is_marking: seed.is_multiple_of(2),
            is_healing: false,
            versions: Versions::of(seed, options.profile),
            newest_from_now: BTreeSet::new(),
            recovered_us: None,
            is_over: false,
            acknowledged_us: 0,
            report: Report::default(),
        };
        world.begin();
        world.go_on();
        world.finish()
    }

    fn begin(&mut self) {
        let guests: Vec<Slot> = (self.ground.seeds..self.ground.members).map(Slot).collect();
        for slot in guests {
            if self.random.below(2) == 0 {
                self.wanted.insert(slot);
            }
        }
        for slot in self.wanted.clone() {
            let at_us = self.random.below(500_000);
            self.agenda.plan(at_us, Event::Start(slot));
        }
        self.agenda.plan(0, Event::Dial);
        self.agenda.plan(1_000_000, Event::Propose);
        self.agenda.plan(6_000_000, Event::Fault);
    }

    fn go_on(&mut self) {
        while let Some((at_us, event)) = self.agenda.next() {
            if at_us > FAULTS_US + HEALING_US || self.is_over || !self.report.violations.is_empty() {
                break;
            }
            self.now_us = at_us;
            if at_us >= FAULTS_US && !self.is_healing {
                self.heal();
            }
            self.happen(event);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Tick { slot, process } => {
                if self.is_alive(slot, process) {
                    self.agenda.plan(self.now_us + 25_000, Event::Tick { slot, process });
                    self.input(slot, Input::Tick);
                }
            }
            Event::Deliver { from, to, link, frame } => {
                if self.network.end(to, from) == Some(link) && self.network.is_open(from, to) {
                    self.input(to, Input::Frame { slot: from, bytes: frame });
                }
            }
            Event::Dial => self.dial(),
            Event::LinkUp { own, other, link } => {
                if self.network.is_current(own, other, link) && self.processes.contains_key(&own) {
                    self.network.end_up(own, other, link);
                    self.input(own, Input::LinkUp { slot: other });
                }
            }
            Event::LinkDown { own, other, link } => {
                if self.network.end_down(own, other, link) {
                    self.input(own, Input::LinkDown { slot: other });
                }
            }
            Event::Read { slot, process, transfer, number } => {
                if self.is_alive(slot, process)
                    && let Some(process) = self.processes.get_mut(&slot)
                {
                    let (bytes, last) = process.owner.read(transfer);
                    self.input(slot, Input::Chunk { transfer, number, last, bytes });
                }
            }
            Event::Propose => self.propose(),
            Event::Fault => self.fault(),
            Event::Mend(fault) => self.mend(&fault),
            Event::Start(slot) => self.start(slot),
            Event::Resume { slot, process } => self.resume(slot, process),
            Event::Starve { a, b, link } => {
                let is_blocked = !self.network.is_open(a, b) || !self.network.is_open(b, a);
                if is_blocked && self.network.is_current(a, b, link) {
                    self.sever(a, b, 300_000);
                }
            }
        }
    }

    /// Whether time is to be told, and not only safety.
    pub(super) fn is_calm(&self) -> bool {
        matches!(self.options.profile, Profile::Once(_))
    }

    pub(super) fn is_alive(&self, slot: Slot, process: u64) -> bool {
        self.processes.get(&slot).is_some_and(|one| one.id == process)
    }

    fn start(&mut self, slot: Slot) {
        if self.processes.contains_key(&slot) || !self.wanted.contains(&slot) {
            return;
        }
        let nonce = Nonce(self.next_nonce << 64 | u128::from(self.random.next()));
        self.next_nonce += 1;
        let seed = self.random.next();
        let is_newest = self.is_healing || self.newest_from_now.contains(&slot);
        let level_max = if is_newest { self.versions.newest() } else { self.versions.draw() };
        let settings = Settings {
            level_max,
            log_tail_bytes_max: if self.is_calm() { 1 << 20 } else { 100 * 200 },
            uncommitted_bytes_max: 1 << 16,
            append_bytes_max: 1 << 10,
            chunk_bytes_max: 1 << 10,
            transfer_bytes_per_tick: 2 << 10,
            sabotage: self.options.sabotage,
            ..Settings::new(slot, nonce, seed, self.ground.seeds, self.ground.members)
        };
        let replica = Replica::new(settings, self.now_us / 1000, WALL_MS + self.now_us / 1000);
        let id = self.next_process;
        self.next_process += 1;
        let process = Process {
            id,
            replica: replica.expect("the settings are good"),
            owner: Owner::new(self.is_marking),
            paused: None,
            pending: BTreeMap::new(),
            lineage: Lineage::NONE,
            leaving: None,
            glance: Glance::default(),
        };
        self.trace(|out| write!(out, "start {slot} as {nonce:?}"));
        self.processes.insert(slot, process);
        self.agenda.plan(self.now_us + self.random.below(25_000), Event::Tick { slot, process: id });
    }

    pub(super) fn kill(&mut self, slot: Slot) {
        if self.processes.remove(&slot).is_none() {
            return;
        }
        self.trace(|out| write!(out, "kill {slot}"));
        self.report.deaths += 1;
        self.network.forget(slot);
        let is_late = !self.is_calm() && self.random.below(4) == 0;
        let noticed_us = if is_late { 1_500_000 } else { 10_000 };
        for other in (0..self.ground.members).map(Slot).filter(|other| *other != slot) {
            self.sever(slot, other, noticed_us);
        }
    }

    fn sever(&mut self, a: Slot, b: Slot, noticed_us: u64) {
        let Some(link) = self.network.sever(a, b) else { return };
        for (own, other) in [(a, b), (b, a)] {
            let at_us = self.now_us + self.random.below(noticed_us);
            self.agenda.plan(at_us, Event::LinkDown { own, other, link });
        }
    }

    /// Ends the run when all is as it must be; one that is never so ends at its time, with a violation.
    fn watch_end(&mut self) {
        match self.recovered_us {
            None if self.is_healing && self.is_recovered() && !self.is_somebody_old() => {
                self.recovered_us = Some(self.now_us);
            }
            Some(at_us) if self.now_us > at_us + WORK_US => self.is_over = self.verdict().is_ok(),
            _ => {}
        }
    }

    fn dial(&mut self) {
        self.watch_end();
        self.upgrade();
        self.agenda.plan(self.now_us + 50_000, Event::Dial);
        let slots: Vec<Slot> = self.processes.keys().copied().collect();
        for (at, a) in slots.iter().enumerate() {
            for b in &slots[at + 1..] {
                let Some(link) = self.network.connect(*a, *b) else { continue };
                for (own, other) in [(*a, *b), (*b, *a)] {
                    let at_us = self.now_us + self.network.delay_us(&mut self.random);
                    self.agenda.plan(at_us, Event::LinkUp { own, other, link });
                }
            }
        }
    }

    fn propose(&mut self) {
        if self.recovered_us.is_some_and(|at_us| self.now_us > at_us + WORK_US) {
            return;
        }
        let pause_us = if self.is_calm() { 4_000 } else { 60_000 };
        self.agenda.plan(self.now_us + 1_000 + self.random.below(pause_us), Event::Propose);
        let leaders = self.processes.iter().filter(|(_, one)| one.replica.status().role == Role::Leader);
        let mut slots: Vec<Slot> = leaders.map(|(slot, _)| *slot).collect();
        if self.random.below(10) == 0 {
            slots = self.processes.keys().copied().collect();
        }
        if slots.is_empty() {
            return;
        }
        let slot = slots[self.random.below(slots.len() as u64) as usize];
        let ticket = self.next_number;
        self.next_number += 1;
        self.input(slot, Input::Propose { ticket, command: command(ticket) });
    }

    fn fault(&mut self) {
        if self.is_healing {
            return;
        }
        if !self.is_calm() {
            self.agenda.plan(self.now_us + 50_000 + self.random.below(1_500_000), Event::Fault);
        }
        let leader = self.processes.iter().find(|(_, one)| one.replica.status().role == Role::Leader);
        let leader = leader.map(|(slot, _)| *slot);
        let fault = fault::draw(self.ground, self.options.profile, leader, &mut self.random);
        if self.options.profile == Profile::Gentle && !self.is_recovered() {
            return;
        }
        self.trace(|out| write!(out, "{fault:?}"));
        self.strike(fault);
    }

    fn strike(&mut self, fault: Fault) {
        let until_us = |world: &Self, length_us: &u64| world.now_us + length_us;
        match &fault {
            Fault::Kill(slots) => {
                for (slot, back_us) in slots {
                    self.kill(*slot);
                    self.agenda.plan(self.now_us + back_us, Event::Start(*slot));
                }
            }
            Fault::Pause(slot, length_us) => {
                if let Some(process) = self.processes.get_mut(slot)
                    && process.paused.is_none()
                {
                    process.paused = Some(VecDeque::new());
                    let resume = Event::Resume { slot: *slot, process: process.id };
                    self.agenda.plan(self.now_us + length_us, resume);
                }
            }
            Fault::Block(directions, length_us) => {
                for (from, to) in directions {
                    self.network.block(*from, *to);
                    let link = self.network.end(*from, *to);
                    if let Some(link) = link {
                        let (a, b) = (*from, *to);
                        let at_us = self.now_us + 500_000 + self.random.below(1_000_000);
                        self.agenda.plan(at_us, Event::Starve { a, b, link });
                    }
                }
                self.agenda.plan(until_us(self, length_us), Event::Mend(fault));
            }
            Fault::Storm(length_us) => {
                self.network.weather.loss += 200;
                self.network.weather.straggle += 200;
                self.agenda.plan(until_us(self, length_us), Event::Mend(fault));
            }
            Fault::Scale(slot) => self.scale(*slot),
            Fault::Restart(slot, back_us) => self.leave(*slot, Return::After(*back_us)),
            Fault::HandOver => {
                for slot in self.processes.keys().copied().collect::<Vec<_>>() {
                    self.input(slot, Input::HandOver);
                }
            }
        }
    }

    fn mend(&mut self, fault: &Fault) {
        match fault {
            Fault::Block(directions, _) => {
                for (from, to) in directions {
                    self.network.unblock(*from, *to);
                }
            }
            Fault::Storm(_) => {
                self.network.weather.loss -= 200;
                self.network.weather.straggle -= 200;
            }
            _ => {}
        }
    }

    fn scale(&mut self, slot: Slot) {
        if self.wanted.insert(slot) {
            self.agenda.plan(self.now_us, Event::Start(slot));
        } else {
            self.leave(slot, Return::Never);
        }
    }

    pub(super) fn start_after(&mut self, slot: Slot, pause_us: u64) {
        self.agenda.plan(self.now_us + pause_us, Event::Start(slot));
    }

    pub(super) fn leave(&mut self, slot: Slot, then: Return) {
        if let Some(process) = self.processes.get_mut(&slot)
            && process.leaving.is_none()
        {
            process.leaving = Some(then);
            self.input(slot, Input::Leave);
        }
    }

    fn heal(&mut self) {
        self.is_healing = true;
        self.trace(|out| write!(out, "heal"));
        for slot in self.wanted.clone() {
            if !self.processes.contains_key(&slot) {
                self.agenda.plan(self.now_us + 100_000, Event::Start(slot));
            }
        }
    }

    fn resume(&mut self, slot: Slot, process: u64) {
        if !self.is_alive(slot, process) {
            return;
        }
        let inputs = self.processes.get_mut(&slot).and_then(|one| one.paused.take());
        for input in inputs.into_iter().flatten() {
            self.input(slot, input);
        }
    }

    /// Gives an input to a process and does what it wants.
    fn input(&mut self, slot: Slot, input: Input) {
        let Some(process) = self.processes.get_mut(&slot) else { return };
        if let Some(paused) = &mut process.paused {
            let is_tick = matches!(input, Input::Tick);
            if !is_tick || !matches!(paused.back(), Some(Input::Tick)) {
                paused.push_back(input);
            }
            return;
        }
        let mut outputs = Vec::new();
        if self.options.is_traced && !matches!(input, Input::Tick) {
            let line = describe(&input);
            self.trace(|out| write!(out, "{slot} <- {line}"));
        }
        let Some(process) = self.processes.get_mut(&slot) else { return };
        process.replica.handle(self.now_us / 1000, input, &mut outputs);
        let process = process.id;
        for output in outputs {
            if self.is_alive(slot, process) {
                self.obey(slot, output);
            }
        }
        let Some(process) = self.processes.get_mut(&slot) else { return };
        let glance = Glance::of(&process.replica);
        if process.glance != glance {
            process.glance = glance;
            let problem = self.oracle.look(slot, &self.processes);
            self.note(slot, problem);
        }
    }

    pub(super) fn note(&mut self, slot: Slot, problem: Result<(), String>) {
        if let Err(problem) = problem {
            let line = format!("seed {} at {} ms, slot {slot}: {problem}", self.seed, self.now_us / 1000);
            self.trace(|out| write!(out, "VIOLATION {line}"));
            self.report.violations.push(line);
        }
    }

    /// Whether all wanted processes belong to one lineage and everything is replaced.
    pub(super) fn is_recovered(&self) -> bool {
        let all_there = self.wanted.iter().all(|slot| self.processes.contains_key(slot));
        let statuses: Vec<_> = self.processes.values().map(|one| one.replica.status()).collect();
        let lineages: BTreeSet<_> = statuses.iter().map(|status| status.lineage).collect();
        all_there
            && lineages.len() == 1
            && statuses.iter().all(|status| status.is_settled)
            && self.processes.values().all(|one| one.paused.is_none() && one.leaving.is_none())
            && self.network.blocked().is_empty()
    }

    fn finish(mut self) -> Report {
        if self.report.violations.is_empty() {
            let problem = self.verdict();
            self.note(self.ground_slot(), problem);
        }
        let counts = self.oracle.counts();
        self.report.lineages = counts.lineages;
        self.report.committed = counts.committed;
        self.report.acknowledged = counts.acknowledged;
        self.report.lost = counts.lost;
        self.report.replaced = counts.replaced;
        self.report.raised = counts.raised;
        self.report
    }

    fn ground_slot(&self) -> Slot {
        self.processes.keys().next().copied().unwrap_or(Slot(0))
    }

    /// What must hold when everything was well for a long time.
    fn verdict(&self) -> Result<(), String> {
        let statuses: Vec<String> = self
            .processes
            .iter()
            .map(|(slot, one)| {
                let s = one.replica.status();
                format!(
                    "{slot}: {:?} of {} as {} {:?} settled {} level {}",
                    s.role, s.lineage, s.node, s.phase, s.is_settled, s.membership.level
                )
            })
            .collect();
        if !self.is_recovered() {
            return Err(format!("not recovered: {statuses:?}"));
        }
        if self.options.profile == Profile::Gentle && self.oracle.counts().lineages > 1 {
            return Err("a lineage ended though everything recovered between deaths".into());
        }
        let newest = self.versions.newest();
        if self.processes.values().any(|one| one.replica.status().membership.level != newest) {
            return Err(format!("all know level {newest}, and not all are there: {statuses:?}"));
        }
        self.oracle.finish(&self.processes)
    }

    pub(super) fn trace(&mut self, write: impl FnOnce(&mut String) -> std::fmt::Result) {
        if self.options.is_traced {
            let now_us = self.now_us;
            let out = &mut self.report.trace;
            let _ = write!(out, "{:>9.3} ", now_us as f64 / 1000.0);
            let _ = write(out);
            out.push('\n');
        }
    }
}

fn describe(input: &Input) -> String {
    match input {
        Input::Frame { slot, bytes } => match crate::codec::decode(bytes) {
            Ok(frame) => format!("{slot}: {frame:?}"),
            Err(error) => format!("{slot}: {error}"),
        },
        other => format!("{other:?}"),
    }
}

/// Seeds, members and weather of a run.
fn surroundings(profile: Profile, random: &mut Random) -> (u16, u16, Weather) {
    let shapes = [(3, 3), (3, 5), (3, 4), (5, 5), (3, 3), (5, 7), (1, 1), (1, 2), (2, 2), (4, 4)];
    // Fewer than three seeds do not survive a death, so they cannot be gentle.
    let kinds = match profile {
        Profile::Once(_) => return (3, 3, Weather { loss: 0, twice: 0, delay_us: 200, straggle: 0 }),
        Profile::Gentle => 6,
        Profile::Rough => shapes.len() as u64,
    };
    let (seeds, members) = shapes[random.below(kinds) as usize];
    let weather = Weather {
        loss: random.below(3) * random.below(20),
        twice: random.below(20),
        delay_us: 200 + random.below(3_000),
        straggle: random.below(20),
    };
    (seeds, members, weather)
}

//! What all actors share: time, sockets, links, sizes, and who watches or interferes.

use sterna_model::Random;

use crate::agenda::{Agenda, Alarm, Happening};
use crate::client::ClientId;
use crate::links::Links;
use crate::member::MemberId;
use crate::network::Network;
use crate::report::Tally;
use crate::sabotage::Saboteur;
use crate::scenario::Scenario;
use crate::version::Versions;

/// Unix time at which every run begins, milliseconds.
const BEGIN_MS: u64 = 1_800_000_000_000;

/// The world without members and clients.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) agenda: Agenda,
    pub(crate) network: Network,
    pub(crate) links: Links,
    /// When each client has its next turn.
    client_alarms: Vec<Alarm>,
    /// When the core of each member has its next turn.
    core_alarms: Vec<Alarm>,
    /// How far each member's clock is ahead of where it began, milliseconds.
    clocks_ahead_ms: Vec<i64>,
    /// The latest time of any clock, milliseconds, and when it was read: no log is later.
    latest: (u64, u64),
    /// Nothing goes wrong any more, and clients only finish what they began.
    pub(crate) calm: bool,
    pub(crate) scenario: Scenario,
    pub(crate) versions: Versions,
    pub(crate) saboteur: Saboteur,
    pub(crate) tally: Tally,
    pub(crate) random: Random,
    /// Operations of clients that are yet allowed.
    pub(crate) operations_left: u64,
    /// Lines of the trace, if one is wanted.
    trace: Option<Vec<String>>,
}

impl Stage {
    pub(crate) fn new(
        mut random: Random,
        (scenario, versions): (Scenario, Versions),
        saboteur: Saboteur,
        traced: bool,
    ) -> Self {
        Self {
            agenda: Agenda::default(),
            network: Network::new(random.fork(), scenario.socket_bytes_max),
            links: Links::new(random.fork(), scenario.cluster.members),
            client_alarms: (0..scenario.clients).map(|_| Alarm::default()).collect(),
            core_alarms: (0..scenario.cluster.members).map(|_| Alarm::default()).collect(),
            clocks_ahead_ms: vec![0; usize::from(scenario.cluster.members)],
            latest: (0, 0),
            calm: false,
            scenario,
            versions,
            saboteur,
            tally: Tally::default(),
            random,
            operations_left: u64::MAX,
            trace: traced.then(Vec::new),
        }
    }

    /// Microseconds since the beginning. Never jumps.
    pub(crate) fn now_us(&self) -> u64 {
        self.agenda.now_us
    }

    /// Unix time as a member sees it, milliseconds. May jump.
    pub(crate) fn unix_ms(&self, member: MemberId) -> u64 {
        let ahead_ms = self.clocks_ahead_ms[usize::from(member.0)];
        (BEGIN_MS + self.agenda.now_us / 1000).saturating_add_signed(ahead_ms)
    }

    /// The clock of a member jumps.
    pub(crate) fn jump(&mut self, member: MemberId, by_ms: i64) {
        self.latest = (self.latest_ms(), self.now_us());
        self.clocks_ahead_ms[usize::from(member.0)] += by_ms;
        self.latest = (self.latest_ms(), self.now_us());
    }

    /// The clock of a member that starts is set: an epoch after a total loss is a later one only if the wall clock is
    /// later too.
    pub(crate) fn set_clock(&mut self, member: MemberId) {
        let behind_ms = self.latest_ms() - self.unix_ms(member);
        self.clocks_ahead_ms[usize::from(member.0)] += behind_ms as i64;
    }

    /// The latest that the time of a log can be: that of the clock that is ahead, or what that was if it went back.
    pub(crate) fn latest_ms(&self) -> u64 {
        let (latest_ms, at_us) = self.latest;
        let clocks = (0..self.scenario.cluster.members).map(|member| self.unix_ms(MemberId(member)));
        clocks.max().unwrap_or(0).max(latest_ms + (self.now_us() - at_us) / 1000)
    }

    /// Gives a client a turn at that time, or before.
    pub(crate) fn wake_client(&mut self, client: ClientId, at_us: u64) {
        self.client_alarms[client.0 as usize].set(&mut self.agenda, at_us, Happening::ClientTurn(client));
    }

    /// Whether the client has its turn now.
    pub(crate) fn is_turn_of(&mut self, client: ClientId) -> bool {
        self.client_alarms[client.0 as usize].ring(self.agenda.now_us)
    }

    /// Gives a core a turn at that time, or before.
    pub(crate) fn wake_core(&mut self, member: MemberId, at_us: u64) {
        self.core_alarms[usize::from(member.0)].set(&mut self.agenda, at_us, Happening::CoreTurn(member));
    }

    /// Gives a core a turn soon.
    pub(crate) fn wake_core_soon(&mut self, member: MemberId) {
        let at_us = self.now_us() + self.random.between(1, 300);
        self.wake_core(member, at_us);
    }

    /// Whether the core has its turn now.
    pub(crate) fn is_core_turn_of(&mut self, member: MemberId) -> bool {
        self.core_alarms[usize::from(member.0)].ring(self.agenda.now_us)
    }

    /// All members, running or not.
    pub(crate) fn members(&self) -> impl Iterator<Item = MemberId> + use<> {
        (0..self.scenario.cluster.members).map(MemberId)
    }

    /// Notes a line in the trace.
    pub(crate) fn say(&mut self, line: impl FnOnce() -> String) {
        let now_us = self.agenda.now_us;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>10}.{:03} {}", now_us / 1000, now_us % 1000, line()));
        }
    }

    pub(crate) fn take_trace(&mut self) -> Vec<String> {
        self.trace.take().unwrap_or_default()
    }
}

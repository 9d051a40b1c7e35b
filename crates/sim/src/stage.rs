//! What all actors share: time, sockets, sizes, and who watches or interferes.

use crate::agenda::{Agenda, Alarm, Happening};
use crate::client::ClientId;
use crate::network::Network;
use crate::random::Random;
use crate::report::Tally;
use crate::sabotage::Saboteur;
use crate::scenario::Scenario;

/// Unix time at which every run begins, milliseconds.
const BEGIN_MS: u64 = 1_800_000_000_000;

/// The world without members and clients.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) agenda: Agenda,
    pub(crate) network: Network,
    /// When each client has its next turn.
    client_alarms: Vec<Alarm>,
    /// How far the members' clocks are ahead of where they began, milliseconds.
    pub(crate) clock_ahead_ms: i64,
    /// Nothing goes wrong any more, and clients only finish what they began.
    pub(crate) calm: bool,
    pub(crate) scenario: Scenario,
    pub(crate) saboteur: Saboteur,
    pub(crate) tally: Tally,
    pub(crate) random: Random,
    /// Lines of the trace, if one is wanted.
    trace: Option<Vec<String>>,
}

impl Stage {
    pub(crate) fn new(mut random: Random, scenario: Scenario, saboteur: Saboteur, traced: bool) -> Self {
        Self {
            agenda: Agenda::default(),
            network: Network::new(random.fork(), scenario.socket_bytes_max),
            client_alarms: (0..scenario.clients).map(|_| Alarm::default()).collect(),
            clock_ahead_ms: 0,
            calm: false,
            scenario,
            saboteur,
            tally: Tally::default(),
            random,
            trace: traced.then(Vec::new),
        }
    }

    /// Microseconds since the beginning. Never jumps.
    pub(crate) fn now_us(&self) -> u64 {
        self.agenda.now_us
    }

    /// Unix time as the members see it, milliseconds. May jump.
    pub(crate) fn unix_ms(&self) -> u64 {
        (BEGIN_MS + self.agenda.now_us / 1000).saturating_add_signed(self.clock_ahead_ms)
    }

    /// Gives a client a turn at that time, or before.
    pub(crate) fn wake_client(&mut self, client: ClientId, at_us: u64) {
        self.client_alarms[client.0 as usize].set(&mut self.agenda, at_us, Happening::ClientTurn(client));
    }

    /// Whether the client has its turn now.
    pub(crate) fn is_turn_of(&mut self, client: ClientId) -> bool {
        self.client_alarms[client.0 as usize].ring(self.agenda.now_us)
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

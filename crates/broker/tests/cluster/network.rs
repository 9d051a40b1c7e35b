//! A network of chance: frames of one channel stay in order, each takes its time, a link that goes down loses them.

use std::collections::BTreeMap;

use bytes::Bytes;
use sterna_broker::core::{Channel, PeerFrame};
use sterna_model::Random;
use sterna_replica::Slot;

/// A frame on its way.
pub(crate) struct Flight {
    pub(crate) from: Slot,
    pub(crate) to: Slot,
    pub(crate) channel: Channel,
    pub(crate) bytes: Bytes,
    life: u64,
}

pub(crate) struct Network {
    /// By arrival, then by departure.
    flights: BTreeMap<(u64, u64), Flight>,
    departures: u64,
    /// Links that are up, lower slot first, with the number of their life.
    links: BTreeMap<(Slot, Slot), u64>,
    lives: u64,
    /// When the last frame of a channel arrives.
    last_us: BTreeMap<(Slot, Slot, u8), u64>,
    pub(crate) delay_us_max: u64,
}

fn pair(a: Slot, b: Slot) -> (Slot, Slot) {
    (a.min(b), a.max(b))
}

impl Default for Network {
    fn default() -> Self {
        Self {
            flights: BTreeMap::new(),
            departures: 0,
            links: BTreeMap::new(),
            lives: 0,
            last_us: BTreeMap::new(),
            delay_us_max: 10_000,
        }
    }
}

impl Network {
    pub(crate) fn is_up(&self, a: Slot, b: Slot) -> bool {
        self.links.contains_key(&pair(a, b))
    }

    pub(crate) fn join(&mut self, a: Slot, b: Slot) {
        self.lives += 1;
        self.links.insert(pair(a, b), self.lives);
    }

    pub(crate) fn cut(&mut self, a: Slot, b: Slot) {
        self.links.remove(&pair(a, b));
    }

    pub(crate) fn send(&mut self, now_us: u64, from: Slot, frame: PeerFrame, random: &mut Random) {
        let PeerFrame { to, channel, bytes } = frame;
        let Some(life) = self.links.get(&pair(from, to)).copied() else { return };
        let last_us = self.last_us.entry((from, to, channel as u8)).or_default();
        let arrival_us = (now_us + 100 + random.below(self.delay_us_max)).max(*last_us);
        *last_us = arrival_us;
        self.departures += 1;
        self.flights.insert((arrival_us, self.departures), Flight { from, to, channel, bytes, life });
    }

    /// The next frame that has arrived.
    pub(crate) fn take(&mut self, now_us: u64) -> Option<Flight> {
        while self.flights.first_key_value().is_some_and(|((arrival_us, _), _)| *arrival_us <= now_us) {
            let (_, flight) = self.flights.pop_first()?;
            if self.links.get(&pair(flight.from, flight.to)) == Some(&flight.life) {
                return Some(flight);
            }
        }
        None
    }
}

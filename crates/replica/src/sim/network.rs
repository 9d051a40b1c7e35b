//! Links between slots: delays, loss, duplicates, blocks in one direction, and ends that notice late.

use std::collections::{BTreeMap, BTreeSet};

use sterna_model::Random;

use crate::identity::Slot;
use crate::output::Channel;

/// How late the second copy of a frame can be.
const LATE_US: u64 = 5_000_000;

/// One connection between two processes. Ends never speak over two at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LinkId(pub(super) u64);

/// How frames fare.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    /// Frames of a thousand that are lost.
    pub(super) loss: u64,
    /// Frames of a thousand that come twice.
    pub(super) twice: u64,
    /// Longest usual delay, microseconds.
    pub(super) delay_us: u64,
    /// Frames of a thousand that take up to a hundred times as long.
    pub(super) straggle: u64,
}

/// All links.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) weather: Weather,
    /// The link that each end uses.
    ends: BTreeMap<(Slot, Slot), LinkId>,
    /// The link between two slots that was made last, until it breaks.
    pairs: BTreeMap<(Slot, Slot), LinkId>,
    /// Directions that let nothing through, and how often each was closed.
    blocks: BTreeMap<(Slot, Slot), u32>,
    /// When the last frame of a stream arrives.
    streams: BTreeMap<(Slot, Slot, Channel), u64>,
    next: u64,
}

fn pair(a: Slot, b: Slot) -> (Slot, Slot) {
    (a.min(b), a.max(b))
}

impl Network {
    pub(super) fn new(weather: Weather) -> Self {
        Self {
            weather,
            ends: BTreeMap::new(),
            pairs: BTreeMap::new(),
            blocks: BTreeMap::new(),
            streams: BTreeMap::new(),
            next: 1,
        }
    }

    pub(super) fn is_open(&self, from: Slot, to: Slot) -> bool {
        !self.blocks.contains_key(&(from, to))
    }

    pub(super) fn block(&mut self, from: Slot, to: Slot) {
        *self.blocks.entry((from, to)).or_default() += 1;
    }

    pub(super) fn unblock(&mut self, from: Slot, to: Slot) {
        if let Some(count) = self.blocks.get_mut(&(from, to)) {
            *count -= 1;
            if *count == 0 {
                self.blocks.remove(&(from, to));
            }
        }
    }

    pub(super) fn blocked(&self) -> BTreeSet<(Slot, Slot)> {
        self.blocks.keys().copied().collect()
    }

    /// A new link, if there is none and both directions are open.
    pub(super) fn connect(&mut self, a: Slot, b: Slot) -> Option<LinkId> {
        if self.pairs.contains_key(&pair(a, b)) || !self.is_open(a, b) || !self.is_open(b, a) {
            return None;
        }
        let link = LinkId(self.next);
        self.next += 1;
        self.pairs.insert(pair(a, b), link);
        Some(link)
    }

    /// Breaks the link; its ends notice later.
    pub(super) fn sever(&mut self, a: Slot, b: Slot) -> Option<LinkId> {
        self.pairs.remove(&pair(a, b))
    }

    pub(super) fn is_current(&self, a: Slot, b: Slot, link: LinkId) -> bool {
        self.pairs.get(&pair(a, b)) == Some(&link)
    }

    pub(super) fn end_up(&mut self, own: Slot, other: Slot, link: LinkId) {
        self.ends.insert((own, other), link);
    }

    /// Whether this end used that link.
    pub(super) fn end_down(&mut self, own: Slot, other: Slot, link: LinkId) -> bool {
        let used = self.ends.get(&(own, other)) == Some(&link);
        if used {
            self.ends.remove(&(own, other));
        }
        used
    }

    pub(super) fn end(&self, own: Slot, other: Slot) -> Option<LinkId> {
        self.ends.get(&(own, other)).copied()
    }

    /// A process is gone: its ends are, too.
    pub(super) fn forget(&mut self, own: Slot) {
        self.ends.retain(|(one, _), _| *one != own);
    }

    /// When a frame that could arrive at a time does arrive, after those before it.
    pub(super) fn in_order(&mut self, from: Slot, to: Slot, channel: Channel, at_us: u64) -> u64 {
        let last_us = self.streams.entry((from, to, channel)).or_default();
        *last_us = at_us.max(*last_us + 1);
        *last_us
    }

    /// After which delays a frame arrives: never, once, or twice.
    pub(super) fn delays_us(&self, from: Slot, to: Slot, random: &mut Random) -> Vec<u64> {
        if !self.is_open(from, to) || random.below(1000) < self.weather.loss {
            return Vec::new();
        }
        let mut delays_us = vec![self.delay_us(random)];
        if random.below(1000) < self.weather.twice {
            // Perhaps so late that it belongs to another time.
            let late_us = if random.below(2) == 0 { random.below(LATE_US) } else { 0 };
            delays_us.push(self.delay_us(random) + late_us);
        }
        delays_us
    }

    pub(super) fn delay_us(&self, random: &mut Random) -> u64 {
        let usual = 50 + random.below(self.weather.delay_us);
        if random.below(1000) < self.weather.straggle { usual * (1 + random.below(100)) } else { usual }
    }
}

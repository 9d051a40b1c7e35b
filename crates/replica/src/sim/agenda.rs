//! What is going to happen, in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use bytes::Bytes;

use super::fault::Fault;
use super::network::LinkId;
use crate::identity::{Slot, TransferId};

/// Something that happens at a time.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A process ticks.
    Tick { slot: Slot, process: u64 },
    /// A frame arrives.
    Deliver { from: Slot, to: Slot, link: LinkId, frame: Bytes },
    /// Links are made where there are none.
    Dial,
    /// An end notices a new link.
    LinkUp { own: Slot, other: Slot, link: LinkId },
    /// An end notices that a link broke.
    LinkDown { own: Slot, other: Slot, link: LinkId },
    /// A chunk was read.
    Read { slot: Slot, process: u64, transfer: TransferId, number: u64 },
    /// A client publishes.
    Propose,
    /// Something goes wrong.
    Fault,
    /// A fault ends.
    Mend(Fault),
    /// A process starts.
    Start(Slot),
    /// A pause ends.
    Resume { slot: Slot, process: u64 },
    /// A link that has been blocked since then breaks.
    Starve { a: Slot, b: Slot, link: LinkId },
}

#[derive(Debug)]
struct Item {
    due: (u64, u64),
    event: Event,
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

/// Events by time; those of the same time in the order in which they were planned.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    items: BinaryHeap<Reverse<Item>>,
    count: u64,
}

impl Agenda {
    pub(super) fn plan(&mut self, at_us: u64, event: Event) {
        self.count += 1;
        self.items.push(Reverse(Item { due: (at_us, self.count), event }));
    }

    pub(super) fn next(&mut self) -> Option<(u64, Event)> {
        self.items.pop().map(|Reverse(item)| (item.due.0, item.event))
    }
}

//! What goes wrong, and when it is over.

use std::collections::BTreeSet;

use sterna_model::Random;

use super::{Blow, Profile};
use crate::identity::Slot;

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Processes die at the same moment. Each comes back empty after its time.
    Kill(Vec<(Slot, u64)>),
    /// A process stands still.
    Pause(Slot, u64),
    /// Nothing goes from one slot to another.
    Block(Vec<(Slot, Slot)>, u64),
    /// Many frames are lost or late.
    Storm(u64),
    /// A slot starts if it is empty; otherwise its process leaves in good order.
    Scale(Slot),
    /// A process leaves in good order and comes back empty after a time.
    Restart(Slot, u64),
    /// A leader is asked to hand over.
    HandOver,
}

/// What the faults of a run look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ground {
    pub(super) seeds: u16,
    pub(super) members: u16,
}

const SECOND_US: u64 = 1_000_000;

/// The next fault, given who leads.
pub(super) fn draw(ground: Ground, profile: Profile, leader: Option<Slot>, random: &mut Random) -> Fault {
    let any = |random: &mut Random| Slot(random.below(u64::from(ground.members)) as u16);
    let leader = leader.unwrap_or(Slot(0));
    let kinds = match profile {
        Profile::Once(Blow::Kill) => return Fault::Kill(vec![(leader, SECOND_US)]),
        Profile::Once(Blow::Restart) => return Fault::Restart(leader, SECOND_US),
        Profile::Once(Blow::Cut) => return Fault::Block(around(ground, leader), 5 * SECOND_US),
        Profile::Gentle => 11,
        Profile::Rough => 17,
    };
    match random.below(kinds) {
        0 | 1 => Fault::Kill(vec![(any(random), back_us(random))]),
        2 | 3 => Fault::Kill(vec![(leader, back_us(random))]),
        4 => Fault::Pause(any(random), 50_000 + random.below(3 * SECOND_US)),
        5 => Fault::Storm(random.below(3 * SECOND_US)),
        6 => Fault::HandOver,
        7 | 8 if ground.members > ground.seeds => {
            let guests = u64::from(ground.members - ground.seeds);
            Fault::Scale(Slot(ground.seeds + random.below(guests) as u16))
        }
        7..=9 => {
            let (from, to) = (any(random), any(random));
            Fault::Block(vec![(from, to)], 100_000 + random.below(4 * SECOND_US))
        }
        10 => Fault::Restart(any(random), back_us(random)),
        11 => {
            let count = 2 + random.below(u64::from(ground.members) - 1) as u16;
            let slots: BTreeSet<Slot> = (0..count).map(|_| any(random)).collect();
            Fault::Kill(slots.into_iter().map(|slot| (slot, back_us(random))).collect())
        }
        12 => Fault::Kill((0..ground.seeds).map(|slot| (Slot(slot), back_us(random))).collect()),
        13 | 14 => Fault::Block(around(ground, any(random)), 200_000 + random.below(8 * SECOND_US)),
        _ => {
            let sides: Vec<bool> = (0..ground.members).map(|_| random.below(2) == 0).collect();
            let all = (0..ground.members).flat_map(|a| (0..ground.members).map(move |b| (a, b)));
            let apart = all.filter(|(a, b)| sides[usize::from(*a)] != sides[usize::from(*b)]);
            let blocks = apart.map(|(a, b)| (Slot(a), Slot(b))).collect();
            Fault::Block(blocks, 200_000 + random.below(8 * SECOND_US))
        }
    }
}

/// When a process comes back.
fn back_us(random: &mut Random) -> u64 {
    match random.below(3) {
        0 => 20_000 + random.below(200_000),
        1 => 200_000 + random.below(SECOND_US),
        _ => SECOND_US + random.below(4 * SECOND_US),
    }
}

/// All ways to and from a slot.
fn around(ground: Ground, alone: Slot) -> Vec<(Slot, Slot)> {
    let others = (0..ground.members).map(Slot).filter(|slot| *slot != alone);
    others.flat_map(|other| [(alone, other), (other, alone)]).collect()
}

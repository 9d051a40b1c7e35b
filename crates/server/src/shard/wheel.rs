//! The timing wheel: one entry a connection, moved on only when it comes up.

/// Length of a tick, milliseconds.
pub(super) const TICK_MS: u64 = 250;
const SLOTS: usize = 512;

/// A place that may be due, and the tick at which it comes up.
pub(super) type Due = (u32, u32);

/// Places of connections by tick. What is further away than the wheel's size comes up early; its owner puts it back.
#[derive(Debug)]
pub(super) struct Wheel {
    slots: Vec<Vec<u32>>,
    now: u32,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { slots: vec![Vec::new(); SLOTS], now: 0 }
    }

    /// Puts a place in; returns the tick at which it will come up.
    pub(super) fn insert(&mut self, tick: u32, index: u32) -> u32 {
        let tick = tick.clamp(self.now + 1, self.now + SLOTS as u32 - 1);
        self.slots[tick as usize % SLOTS].push(index);
        tick
    }

    /// Moves on to `tick` and hands out what comes up on the way.
    pub(super) fn advance(&mut self, tick: u32, due: &mut Vec<Due>) {
        while self.now < tick {
            self.now += 1;
            let slot = &mut self.slots[self.now as usize % SLOTS];
            due.extend(slot.drain(..).map(|index| (index, self.now)));
            if slot.capacity() > 1024 {
                slot.shrink_to(64);
            }
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.capacity() * size_of::<u32>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_up_in_their_tick_and_far_ones_early() {
        let mut wheel = Wheel::new();
        assert_eq!(wheel.insert(0, 1), 1, "the past comes up next");
        assert_eq!(wheel.insert(5, 2), 5);
        assert_eq!(wheel.insert(10_000, 3), 511);
        let mut due = Vec::new();
        wheel.advance(4, &mut due);
        assert_eq!(due, [(1, 1)]);
        due.clear();
        wheel.advance(600, &mut due);
        assert_eq!(due, [(2, 5), (3, 511)]);
    }
}

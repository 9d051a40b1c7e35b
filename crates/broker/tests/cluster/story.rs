//! What happens to a cluster: publishes, and a danger; then peace, and what must be true then.

use sterna_broker::core::CoreLimits;
use sterna_model::{DeliveryMode, Random};
use sterna_replica::{Nonce, Settings, Slot};

use crate::check;
use crate::client::Fate;
use crate::world::World;

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Danger {
    /// Links go down and up.
    Links,
    /// Links, and members that start anew, the next one when the last one has become whole.
    Members,
    /// Links, and any member at any time.
    Majority,
}

pub(crate) struct Story {
    world: World,
    danger: Danger,
}

/// Seeds and members.
const SIZES: [(u16, u16); 5] = [(2, 2), (3, 3), (3, 3), (3, 5), (5, 5)];
/// Time until a cluster in peace must agree.
const PEACE_MS_MAX: u64 = 120_000;

impl Story {
    pub(crate) fn new(seed: u64, danger: Danger) -> Self {
        let mut random = Random::new(seed.wrapping_mul(3).wrapping_add(danger as u64));
        let (seeds, members) = random.pick(&SIZES);
        let settings = Settings {
            // Room for the seconds of a transfer: else the next one begins where this one ends.
            log_tail_bytes_max: random.pick(&[30_000, 30_000, 32 << 20]),
            append_bytes_max: random.pick(&[500, 256 << 10]),
            chunk_bytes_max: random.pick(&[250, 700, 5_000, 256 << 10]),
            transfer_bytes_per_tick: random.pick(&[3_000, 2 << 20]),
            ..Settings::new(Slot(0), Nonce(0), seed, seeds, members)
        };
        let limits = CoreLimits {
            mode: DeliveryMode::Guaranteed,
            history_messages_max: random.pick(&[4, 30, 1_000]),
            history_expire_ms: 180_000,
            snapshot_expire_ms: Some(200_000),
            cache_bytes_max: 64 << 20,
            shards: 1,
        };
        Self { world: World::new(random, settings, limits), danger }
    }

    /// Returns how many states were transferred.
    pub(crate) fn tell(mut self) -> usize {
        self.settle();
        let foundings = self.world.foundings;
        assert_eq!(foundings, 1, "a cluster begins once");
        self.endanger();
        self.settle();
        check::same(&mut self.world);
        check::accepted(&self.world, self.danger);
        if self.danger != Danger::Majority {
            assert_eq!(self.world.foundings, foundings, "no memory was lost, so the lineage goes on");
        }
        if self.danger != Danger::Majority {
            check::windows(&mut self.world);
        }
        // Ten minutes and more go by at once: what nobody uses is forgotten, the same everywhere.
        self.world.jumped_ms += 700_000;
        self.world.pass(3_000);
        self.settle();
        check::same(&mut self.world);
        for subject in 0..8 {
            self.world.publish(Slot(0), 9, subject);
        }
        self.settle();
        check::same(&mut self.world);
        self.world.installs
    }

    fn endanger(&mut self) {
        let delay_us_max = self.world.random.pick(&[1_000, 20_000, 150_000]);
        self.world.network.delay_us_max = delay_us_max;
        for _ in 0..self.world.random.below(60) + 10 {
            let ms = self.world.random.pick(&[5, 20, 100, 100, 400]);
            self.world.pass(ms);
            for _ in 0..self.world.random.below(8) {
                self.publish();
            }
            match self.world.random.below(10) {
                0..3 => self.change_link(),
                3..5 if self.danger != Danger::Links => self.lose(),
                5 => self.restart(),
                6 => self.world.retry(),
                _ => self.world.subscribe(),
            }
        }
        self.world.network.delay_us_max = 5_000;
    }

    fn publish(&mut self) {
        let slots = self.world.slots();
        let at = self.world.random.pick(&slots);
        let publisher = u8::try_from(self.world.random.below(6)).unwrap();
        let subject = u8::try_from(self.world.random.below(8)).unwrap();
        if self.world.members.contains_key(&at) {
            self.world.publish(at, publisher, subject);
        }
    }

    fn change_link(&mut self) {
        let slots: Vec<Slot> = self.world.members.keys().copied().collect();
        let (a, b) = (self.world.random.pick(&slots), self.world.random.pick(&slots));
        if a == b {
            return;
        }
        if self.world.network.is_up(a, b) {
            self.world.cut(a, b);
        } else {
            self.world.join(a, b);
        }
    }

    /// A member loses its memory; the leader most often.
    fn lose(&mut self) {
        let slots: Vec<Slot> = self.world.members.keys().copied().collect();
        let leader = slots.iter().find_map(|slot| self.world.members[slot].core.leader());
        let any = self.world.random.pick(&slots);
        let slot = leader.filter(|_| self.world.random.percent(50)).unwrap_or(any);
        let may = match self.danger {
            Danger::Links => false,
            Danger::Members => self.world.settings.seeds > 2 && self.is_whole(),
            Danger::Majority => slots.len() > 1,
        };
        if may {
            self.world.kill(slot);
        }
    }

    fn restart(&mut self) {
        for slot in self.world.slots() {
            if !self.world.members.contains_key(&slot) {
                self.world.start(slot);
            }
        }
    }

    /// Whether all members are there, hold the state, and the seeds vote.
    fn is_whole(&self) -> bool {
        let is_settled = |slot: &Slot| {
            let member = self.world.members.get(slot);
            let status = member.map(|member| member.core.status());
            status.is_some_and(|it| it.has_state && it.replica.is_some_and(|replica| replica.is_settled))
        };
        self.world.slots().iter().all(is_settled)
    }

    /// Peace: all are there and hear each other, until they agree and nobody waits.
    fn settle(&mut self) {
        self.restart();
        for a in self.world.slots() {
            for b in self.world.slots() {
                if a < b && !self.world.network.is_up(a, b) {
                    self.world.join(a, b);
                }
            }
        }
        let until_us = self.world.now_us + PEACE_MS_MAX * 1000;
        let mut quiet = 0;
        while quiet < 3 {
            assert!(self.world.now_us < until_us, "no peace: {}", check::statuses(&self.world));
            self.world.pass(105);
            self.world.retry();
            self.world.subscribe();
            quiet = if self.is_quiet() { quiet + 1 } else { 0 };
        }
    }

    fn is_quiet(&self) -> bool {
        let members = &self.world.members;
        let indices: Vec<(u64, u64)> = members
            .values()
            .map(|member| (member.core.epoch().0, member.core.status().replica.map_or(0, |it| it.applied)))
            .collect();
        let is_idle = members.values().all(|member| member.core.status().batches_waiting == 0);
        let open = |fate: Fate| match fate {
            Fate::Waiting => true,
            Fate::Unknown | Fate::Refused(_) | Fate::Accepted(_) => false,
        };
        let is_answered = self.world.published.iter().all(|it| match it.stamp {
            Some(_) => matches!(it.fate, Fate::Accepted(_)),
            None => !open(it.fate),
        });
        let is_heard = members.values().all(|member| member.subscriber.wanted.is_empty());
        self.is_whole()
            && is_idle
            && is_answered
            && is_heard
            && indices.windows(2).all(|two| two[0] == two[1])
    }
}

//! `X.ConnectionOffload`: after members have joined or left, a member with more than its share of the clients asks some of
//! them to move.

use std::collections::{BTreeMap, BTreeSet};

use sterna_broker::core::Load;
use sterna_replica::Slot;

/// Members must have been the same for so long: a rolling update is over, or waits for a probe.
const SETTLED_US: u64 = 15_000_000;
/// A round ends after this time, whatever it has reached: where clients go is not for the members to say.
const ROUND_US: u64 = 600_000_000;
/// Of the clients that are too many, one of so many is asked at a time, so that the rest follows more and more slowly.
const PACE: u64 = 8;
/// One of so many more or less than the share is good enough.
const TOLERANCE: u64 = 10;
/// For so few less than its share nobody moves to a member.
const FEW_CLIENTS: u64 = 3;
/// Clients that are asked at a time.
const MOVED_MAX: u64 = 500;

/// The rule, and what it has to remember.
#[derive(Debug, Default)]
pub(crate) struct Offload {
    /// The members that take clients.
    members: BTreeSet<Slot>,
    changed_us: u64,
    /// Clients are being moved since the members have changed.
    is_due: bool,
}

impl Offload {
    /// How many clients to ask now; to be called once a second. `own` is this member's load. Nobody is asked while
    /// members come or go, nor once every member has nearly its share.
    pub(crate) fn clients_to_move(
        &mut self,
        now_us: u64,
        own: Load,
        others: &BTreeMap<Slot, Load>,
        is_settled: bool,
    ) -> u64 {
        let members = others.iter().filter(|(_, load)| load.capacity > 0).map(|(slot, _)| *slot).collect();
        if self.members != members {
            (self.members, self.changed_us, self.is_due) = (members, now_us, true);
        }
        if !is_settled {
            self.changed_us = now_us;
        }
        let since_us = now_us - self.changed_us;
        self.is_due &= since_us < ROUND_US;
        if !self.is_due || since_us < SETTLED_US {
            return 0;
        }
        let shares = Shares::new(own, others);
        // Where clients choose at random, a member that has come down to its share may get more from the others.
        self.is_due = others.values().any(|load| shares.is_wanting(*load));
        let share = shares.of(own);
        let surplus = own.clients.saturating_sub(share);
        if !self.is_due || surplus <= share / TOLERANCE {
            return 0;
        }
        surplus.div_ceil(PACE).min(MOVED_MAX)
    }
}

/// How the clients would be spread evenly over the members that take any.
struct Shares {
    clients: u64,
    capacity: u64,
}

impl Shares {
    fn new(own: Load, others: &BTreeMap<Slot, Load>) -> Self {
        let taking = || others.values().filter(|load| load.capacity > 0).chain([&own]);
        let clients = taking().map(|load| load.clients).sum();
        let capacity: u64 = taking().map(|load| u64::from(load.capacity)).sum();
        Self { clients, capacity: capacity.max(1) }
    }

    /// A member's share, rounded up.
    fn of(&self, load: Load) -> u64 {
        (self.clients * u64::from(load.capacity)).div_ceil(self.capacity)
    }

    /// Whether a member has so much less than its share that clients should move for it.
    fn is_wanting(&self, load: Load) -> bool {
        let share = self.of(load);
        load.clients + (share / TOLERANCE).max(FEW_CLIENTS) < share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000;

    fn others(clients: &[u64]) -> BTreeMap<Slot, Load> {
        (1..).map(Slot).zip(clients.iter().map(|clients| Load { clients: *clients, capacity: 2 })).collect()
    }

    fn own(clients: u64) -> Load {
        Load { clients, capacity: 2 }
    }

    #[test]
    fn a_share_is_in_proportion_to_the_capacity_of_those_who_take_clients() {
        let share = |rest: &BTreeMap<Slot, Load>| Shares::new(own(100), rest).of(own(100));
        assert_eq!(share(&others(&[0])), 50);
        assert_eq!(share(&others(&[0, 1])), 34);
        let mut draining = others(&[0, 80]);
        draining.get_mut(&Slot(2)).unwrap().capacity = 0;
        assert_eq!(share(&draining), 50);
        draining.get_mut(&Slot(1)).unwrap().capacity = 6;
        assert_eq!(share(&draining), 25);
        assert_eq!(share(&BTreeMap::new()), 100);
    }

    #[test]
    fn clients_move_once_the_members_have_settled_and_until_each_has_its_share() {
        let mut offload = Offload::default();
        let mut at = |now_s: u64, clients, rest: &[u64], is_settled| {
            offload.clients_to_move(now_s * S, own(clients), &others(rest), is_settled)
        };
        assert_eq!(at(1, 1_000, &[], true), 0, "alone");
        assert_eq!(at(2, 1_000, &[0], true), 0);
        assert_eq!(at(10, 1_000, &[0], false), 0, "the newcomer has not got everything yet");
        assert_eq!(at(24, 1_000, &[0], true), 0);
        assert_eq!(at(25, 1_000, &[0], true), 63);
        assert_eq!(at(26, 937, &[63], true), 55);
        assert_eq!(at(27, 551, &[449], true), 7);
        assert_eq!(at(28, 549, &[451], true), 0, "within a tenth");
        assert_eq!(at(29, 900, &[100], true), 0, "the round is over");
        assert_eq!(at(30, 900, &[100, 0], true), 0);
        assert_eq!(at(45, 900, &[100, 0], true), 71, "another member has come");
        assert_eq!(at(700, 900, &[100, 0], true), 0, "clients come back again and again: the round ends");
    }

    #[test]
    fn a_member_that_has_its_share_goes_on_while_another_is_wanting_and_few_clients_stay() {
        let mut offload = Offload::default();
        let mut at = |now_s: u64, clients, rest: &[u64]| {
            offload.clients_to_move(now_s * S, own(clients), &others(rest), true)
        };
        assert_eq!(at(0, 21, &[21, 21, 0]), 0);
        assert_eq!(at(20, 16, &[24, 21, 2]), 0, "it has its share");
        assert_eq!(at(21, 20, &[18, 20, 5]), 1, "others have sent it some of theirs");
        assert_eq!(at(22, 19, &[16, 15, 13]), 0, "nobody is wanting");
        assert_eq!(at(23, 40, &[20, 3, 0]), 0, "the round is over");
        assert_eq!(at(24, 4, &[4, 0]), 0);
        assert_eq!(at(44, 4, &[4, 0]), 0, "for a share of three nobody moves");
    }

    #[test]
    fn a_member_below_its_share_and_one_that_takes_no_clients_move_nobody() {
        let mut offload = Offload::default();
        for now_s in 0..60 {
            assert_eq!(offload.clients_to_move(now_s * S, own(10), &others(&[500]), true), 0);
        }
    }
}
